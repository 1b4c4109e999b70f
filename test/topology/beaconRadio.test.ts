/** Beacons over the bus: sent once a second and on change, heard from members only, rubbish counted. */

import { describe, expect, test } from '@jest/globals'
import { decodeControl, encodeControl } from '../../bus/codec/control.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { createBeacon } from '../../topology/beacon.ts'
import { createBeaconRadio } from '../../topology/beaconRadio.ts'
import { bootId, clusterId, nodeId, shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { BeaconMessage } from '../../topology/beacon.ts'

const cluster = clusterId('0123456789abcdef')
const [n1, n2] = [nodeId('n1'), nodeId('n2')]
const boot = bootId('00000000000000aa')
const said: BeaconMessage = { boot, startedAtMs: 5, state: 'serving', epoch: 3, leads: [[3, 7]], damaged: [[5, 4]] }

const open = () => {
  const { broker, clock, pass } = createVirtualWorld()
  const beacon = createBeacon({ node: n1, boot, startedAtMs: 5, prefix: 'kv' })
  const older: (string | undefined)[] = []
  const epochs: [string, number][] = []
  let hasDataPath = true
  const radio = createBeaconRadio({
    bus: broker.connect({ name: 'n1' }), clock, log: silentLogger, cluster, self: n1, members: () => [n1, n2], beacon,
    message: () => said, epoch: () => said.epoch, hasDataPath: () => hasDataPath,
    onEpoch: (from, epoch) => epochs.push([from, epoch]), onOlder: (heard, prefix) => older.push(heard, prefix),
  })
  const other = broker.connect({ name: 'n2' })
  const say = (subject: string, value: unknown): void => {
    other.publish(`skv.${cluster}.map.all.${subject}`, value instanceof Uint8Array ? value : encodeControl(value))
    pass(1)
  }
  const setDataPath = (isThere: boolean): void => { hasDataPath = isThere }
  return { epochs, beacon, radio, other, clock, pass, say, older, setDataPath }
}

describe('the beacon radio', () => {
  test('sends once a second, and at the next tick when something changed', () => {
    const { radio, other, pass } = open()
    const heard: string[] = []
    other.subscribe(`skv.${cluster}.map.all.*`, ({ subject }) => heard.push(subject))
    for (const now of [0, 50, 999, 1_000]) radio.onTick(now)
    radio.changed()
    radio.onTick(1_050)
    pass(1)
    expect(heard).toEqual(Array.from({ length: 3 }, () => `skv.${cluster}.map.all.n1`))
  })

  test('tells a process that has an older map of its own, with the next tick, and once', () => {
    const { radio, other, pass, say } = open()
    const heard: string[] = []
    other.subscribe(`skv.${cluster}.map.all.n1`, ({ subject }) => heard.push(subject))
    const countAfter = (now: number): number => {
      radio.onTick(now)
      pass(1)
      return heard.length
    }
    const older = { ...said, boot: 'b'.repeat(16), epoch: 2 }
    expect(countAfter(0)).toBe(1)
    say('n2', { ...older, epoch: 3 })
    expect(countAfter(50)).toBe(1)
    say('n2', older)
    expect(countAfter(100)).toBe(2)
    say('n2', older)
    expect(countAfter(150)).toBe(2)
    say('n2', { ...older, boot: 'c'.repeat(16) })
    expect(countAfter(200)).toBe(3)
  })

  test('says that it is mute, and leads nothing, while its node has no data path, and says at once when that changes', () => {
    const { radio, other, pass, setDataPath } = open()
    const heard: unknown[] = []
    other.subscribe(`skv.${cluster}.map.all.*`, ({ data }) => heard.push(decodeControl(data)))
    radio.onTick(0)
    setDataPath(false)
    for (const now of [100, 1_000, 1_100]) radio.onTick(now)
    setDataPath(true)
    for (const now of [1_200, 1_300]) radio.onTick(now)
    pass(1)
    const mute = { ...said, leads: null, mute: true }
    expect(heard).toEqual([said, mute, mute, said])
  })

  test('hears other members, and an older process under its own name', () => {
    const { beacon, clock, say, older, epochs } = open()
    say('n2', { ...said, boot: 'b'.repeat(16) })
    expect(beacon.leaderOf(shardId(3), clock.now())).toEqual({ node: n2, term: 7 })
    expect(epochs).toEqual([['n2', 3]])
    say('n1', { ...said, boot: 'b'.repeat(16), startedAtMs: 4 })
    say('n1', { ...said, boot: 'c'.repeat(16), startedAtMs: 4, prefix: 'other' })
    expect([older, epochs.length]).toEqual([['b'.repeat(16), undefined, 'c'.repeat(16), 'other'], 1])
  })

  test('counts rubbish and strangers, and believes neither, but passes on which map a stranger has', () => {
    const { beacon, clock, radio, say, epochs } = open()
    say('n9', said)
    say('N2', said)
    say('n2', Uint8Array.from([9, 9, 9]))
    say('n2', { boot: 'x' })
    expect(radio.counters()).toEqual({ sender: 1, malformed: 2 })
    expect(epochs).toEqual([['n9', 3]])
    expect(beacon.heardAt(nodeId('n9'))).toBeUndefined()
    expect(beacon.leaderOf(shardId(3), clock.now())).toBeNull()
  })

  test('complains of a stranger that goes on for ten seconds: one that joins or leaves does not', () => {
    const { radio, say, pass } = open()
    const speakFor = (seconds: number): void => {
      for (let i = 0; i < seconds; i += 1) {
        say('n9', said)
        pass(999)
      }
    }
    speakFor(10)
    pass(20_000)
    speakFor(10)
    expect(radio.counters()).toEqual({})
    say('n9', said)
    expect(radio.counters()).toEqual({ sender: 1 })
  })

  test('does not complain of a stranger whose map is newer: that map may name it', () => {
    const { beacon, radio, say, epochs } = open()
    say('n9', { ...said, epoch: 4 })
    expect(radio.counters()).toEqual({})
    expect(epochs).toEqual([['n9', 4]])
    expect(beacon.heardAt(nodeId('n9'))).toBeUndefined()
  })

  test('is deaf once stopped', () => {
    const { beacon, clock, radio, say } = open()
    radio.stop()
    say('n2', said)
    expect(beacon.leaderOf(shardId(3), clock.now())).toBeNull()
  })
})
