/** The answer to `kv.status` where the broker takes small messages alone. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { statusAnswer } from '../../topology/statusAnswer.ts'
import { reportIn } from '../../topology/statusReading.ts'
import { replica, report } from '../cli/reports.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'
import type { NodeReport } from '../../topology/report.ts'

const SHARDS = 1_024
const load = { reads: 1, writes: 1, readMicros: Array.from({ length: 100 }, (_, i) => i), writeMicros: [1, 1] }
const isLed = (shard: number): boolean => shard % 4 === 3
const replicas = Array.from({ length: SHARDS }, (_, shard) =>
  replica(shard, { load, ...(isLed(shard) ? { role: 'leader', matchIndex: { n1: 1_000_000, n2: 1_000_000, n3: 1_000_000 } } : {}) }))
const large = report('n1', replicas, { shardCount: SHARDS })

const read = (bytes: Uint8Array): NodeReport => must(reportIn({ data: bytes }), 'a report')
const answer = (of: NodeReport, bytesMax: number): NodeReport => {
  const bytes = statusAnswer(of, bytesMax)
  expect(bytes.length).toBeLessThanOrEqual(bytesMax)
  return read(bytes)
}

describe('a report', () => {
  test('that the broker takes is whole', () => {
    expect(answer(large, 1_048_576)).toEqual(large)
  })

  test('loses the loads first', () => {
    const { shortened, replicas: told } = answer(large, 400_000)
    expect([shortened, told.length, told.filter((one) => one.load !== undefined).length]).toEqual([{ replicas: 0 }, SHARDS, 0])
  })

  test('loses followers before leaders then, counts what is missing, and goes on to say who it is', () => {
    const { shortened, replicas: told, node, cluster } = answer(large, 65_536)
    expect(told.filter(({ role }) => role === 'leader').map(({ shard }) => Number(shard))).toEqual(
      Array.from({ length: SHARDS }, (_, shard) => shard).filter(isLed))
    expect(told.length).toBeGreaterThan(SHARDS / 4)
    expect(shortened).toEqual({ replicas: SHARDS - told.length })
    expect(told.map(({ shard }) => shard)).toEqual(told.map(({ shard }) => shard).toSorted((a, b) => a - b))
    expect([cluster, node]).toEqual([large.cluster, large.node])
  })

  test('loses what it says of hundreds of other nodes rather than all of its replicas', () => {
    const peers = Array.from({ length: 700 }, (_, i) => ({ node: `n${i}`, state: 'alive', incarnation: 1 }))
    const places = peers.map(({ node }) => ({ id: node, weight: 1, zone: 'zone', isActive: true }))
    const gossip = { state: 'running', incarnation: 1, health: 0, peers }
    const told = answer({ ...large, places, gossip } as unknown as NodeReport, 65_536)
    expect([told.places, told.gossip]).toEqual([undefined, undefined])
    expect(told.replicas.length).toBeGreaterThan(SHARDS / 4)
  })
})

test('a node whose report is larger than the broker takes answers all the same', () => {
  const ask = (maxPayloadBytes: number): Uint8Array => {
    const { client, pass } = startNodeOfTest({}, { maxPayloadBytes })
    const heard: Uint8Array[] = []
    client.subscribe('_INBOX.status', ({ data }) => heard.push(data.slice()))
    client.publish('kv.status', new Uint8Array(0), { reply: '_INBOX.status' })
    pass(1_000)
    return must(heard[0], 'an answer')
  }
  const whole = ask(1_048_576)
  const cut = read(ask(whole.length - 100))
  expect([cut.node.id, read(whole).shortened, cut.shortened]).toEqual(['n1', undefined, { replicas: expect.any(Number) }])
})
