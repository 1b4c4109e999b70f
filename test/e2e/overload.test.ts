/**
 * A flood at the batch door of a real node, thrown at once by plain publishes: far more than the node may take in. What is too much is
 * refused, and nothing is left without an answer. That it stands in front of no heartbeat is told by test/sim/doorsStories.test.ts, where
 * no other process can cost a leader its quorum.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { isServing, leadersOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { floodBatchDoor } from '../support/batchFlood.ts'
import { settledKv } from '../support/kv.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'

const MINUTES_MAX = 180_000
const SHARDS = 3
const BATCHES = 500
const BATCH_OPERATIONS = 256

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startTestCluster({ shards: SHARDS })
  await cluster.until('every shard is served', isServing(cluster))
}, MINUTES_MAX)
afterAll(() => cluster.stop(), MINUTES_MAX)

test('a flood of batches is told OVERLOADED, and to wait longer as it grows; no answer is missing, and the node serves on', async () => {
  const leaders = leadersOf(await cluster.until('every shard is served', isServing(cluster)))
  const node = must(leaders.get(0), 'shard 0 is led')
  const bus = await cluster.connect('flood')
  try {
    const heard = await floodBatchDoor(bus, { node, shardCount: SHARDS, batches: BATCHES, operations: BATCH_OPERATIONS })
    const refusals = heard.flatMap((frame) => (frame.kind === 'refused' ? [frame.result] : []))
    expect(new Set(refusals.map(({ status, definite }) => `${status} ${String(definite)}`))).toEqual(new Set(['OVERLOADED true']))
    expect(refusals.length).toBeGreaterThan(BATCHES / 2)
    expect(Math.max(...refusals.map(({ retryAfterMs = 0 }) => retryAfterMs))).toBeGreaterThan(50)
    expect((await settledKv(bus, 'kv.put.k0', 'after', { 'Kv-Request-Id': 'afterwards' })).status).toBe('OK')
  } finally {
    bus.close()
  }
}, MINUTES_MAX)
