/** The failure detector over the bus: nodes find each other by their subjects, rubbish is refused and counted, and a lost broker mutes. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { encodeControl } from '../../bus/codec/control.ts'
import { encodeGossip } from '../../bus/codec/gossip.ts'
import { gossipSubject } from '../../bus/subjects.ts'
import { bootId, clusterId, nodeId } from '../../topology/ids.ts'
import { createGossipRadio } from '../../topology/gossipRadio.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { GossipRadio } from '../../topology/gossipRadio.ts'
import type { NodeId } from '../../topology/ids.ts'

const cluster = clusterId('0123456789abcdef')
const [n1, n2, n3] = [nodeId('n1'), nodeId('n2'), nodeId('n3')]
const TICK_MS = 100

const open = () => {
  const { broker, clock, pass } = createVirtualWorld()
  let members: readonly NodeId[] = [n1, n2]
  const radios = new Map<NodeId, GossipRadio>()
  const start = (self: NodeId): void => {
    radios.set(self, createGossipRadio({
      bus: broker.connect({ name: self }), clock, log: silentLogger, cluster, self, boot: bootId('00000000000000aa'), tickMs: TICK_MS,
      members: () => members, onFailure: (error) => { throw error },
    }))
  }
  const ticks = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      pass(TICK_MS)
      for (const radio of radios.values()) radio.onTick({ ticks: 1, now: clock.now(), wallMs: clock.wall() })
    }
  }
  const stop = (self: NodeId): void => {
    radios.get(self)?.stop()
    radios.delete(self)
  }
  start(n1)
  start(n2)
  const view = (from: NodeId, of: NodeId): string | undefined => radios.get(from)?.report().peers.find(({ node }) => node === of)?.state
  return { broker, pass, start, stop, ticks, view, radios, setMembers: (...next: NodeId[]) => { members = next } }
}

describe('two nodes', () => {
  test('join, and see each other alive, dead and back', () => {
    const { start, stop, ticks, view, radios } = open()
    ticks(30)
    expect([n1, n2].map((id) => radios.get(id)?.report())).toEqual([
      { state: 'running', incarnation: 1, health: 0, peers: [{ node: 'n2', state: 'alive', incarnation: 1 }] },
      { state: 'running', incarnation: 1, health: 0, peers: [{ node: 'n1', state: 'alive', incarnation: 1 }] },
    ])
    stop(n2)
    ticks(300)
    expect(view(n1, n2)).toBe('dead')
    start(n2)
    ticks(100)
    expect(view(n1, n2)).toBe('alive')
    expect(radios.get(n2)?.report().incarnation).toBe(2)
  })

  test('take for alive also the suspect, who may refute it yet, and the dead no more', () => {
    const { stop, ticks, view, radios } = open()
    const present = (): readonly NodeId[] => [...radios.get(n1)?.present() ?? []]
    ticks(30)
    expect(present()).toEqual([n2])
    stop(n2)
    for (let i = 0; i < 300 && view(n1, n2) === 'alive'; i += 1) ticks(1)
    expect([view(n1, n2), present()]).toEqual(['suspect', [n2]])
    ticks(300)
    expect([view(n1, n2), present()]).toEqual(['dead', []])
  })

  test('know of a leave in the same turn', () => {
    const { radios, ticks, pass, view } = open()
    ticks(30)
    radios.get(n2)?.leave()
    pass(1)
    expect(view(n1, n2)).toBe('left')
  })

  test('follow the map they are asked with', () => {
    const { radios, ticks, setMembers } = open()
    ticks(30)
    setMembers(n1, n2, n3)
    ticks(1)
    expect(radios.get(n1)?.report().peers.map(({ node }) => node)).toEqual(['n2', 'n3'])
  })

  test('without a broker accuse nobody', () => {
    const { broker, radios, ticks, view } = open()
    ticks(30)
    broker.disconnect('n1')
    ticks(600)
    expect(view(n1, n2)).toBe('alive')
    expect(radios.get(n1)?.report().health).toBe(7)
    expect(view(n2, n1)).toBe('dead')
  })
})

test('what is no gossip, and what does not name another node as its sender, is refused and counted', () => {
  const { broker, pass, radios } = open()
  const stranger = broker.connect({ name: 'x' })
  const ping = encodeGossip({ type: 'gossip.ping', sequence: 1, rumours: [] })
  const say = (from: string, bytes: Uint8Array): void => {
    stranger.publish(gossipSubject(cluster, n1, from as NodeId), bytes)
    pass(1)
  }
  const answers: string[] = []
  stranger.subscribe(`skv.${cluster}.gossip.*.n1`, ({ subject }) => answers.push(subject))
  say('n1', ping)
  say('N2', ping)
  say('n2', encodeControl({ boot: 'no gossip' }))
  expect(answers).toEqual([])
  say('n2', ping)
  expect(answers).toEqual([gossipSubject(cluster, n2, n1)])
  expect(radios.get(n1)?.counters()).toMatchObject({ 'gossip.sent': 1, 'gossip.refused.sender': 2, 'gossip.refused.malformed': 1 })
})
