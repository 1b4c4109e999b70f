/**
 * A flood at the batch door of a real node, thrown at once by plain publishes: far more than the node may take in. What is too much is
 * refused, and nothing is left without an answer. That it stands in front of no heartbeat is told by test/sim/doorsStories.test.ts, where
 * no other process can cost a leader its quorum.
 */

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { batchSubject } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { shardId } from '../../topology/ids.ts'
import { isServing, leadersOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { settledKv } from '../support/kv.ts'
import { until } from '../support/until.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'

const MINUTES_MAX = 180_000
const SHARDS = 3
const BATCHES = 500
const BATCH_OPERATIONS = 256
const ANSWERED_WITHIN_MS = 60_000

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startTestCluster({ shards: SHARDS })
  await cluster.until('every shard is served', isServing(cluster))
}, MINUTES_MAX)
afterAll(() => cluster.stop(), MINUTES_MAX)

const isEnd = (frame: NodeFrame): boolean => frame.kind === 'refused' || (frame.kind === 'results' && frame.isLast)

interface Greeting {
  readonly node: NodeId
  readonly inbox: string
  readonly heard: readonly NodeFrame[]
}

const helloTo = async (bus: Bus, { node, inbox, heard }: Greeting): Promise<string> => {
  bus.publish(batchSubject('kv', node), encodeClientFrame({ kind: 'hello', protocol: 1 }), { reply: inbox })
  await until(() => heard.length > 0, 'the node opens a session')
  const [welcome] = heard
  return welcome?.kind === 'welcome' ? welcome.session : ''
}

const framesOf = (session: string, shard: number): readonly Uint8Array[] => {
  const keys: string[] = []
  for (let n = 0; keys.length < BATCH_OPERATIONS; n += 1) if (shardOf(`k${n}`, SHARDS) === shard) keys.push(`k${n}`)
  const operations = keys.map((key) => ({ code: OpCode.put, key, value: new Uint8Array(128) }))
  return Array.from({ length: BATCHES }, (_, i) => encodeClientFrame({
    kind: 'batch', session, sequence: i + 1, timeoutMs: 30_000, consistency: 'linearizable',
    groups: [{ shard: shardId(shard), operations }],
  }))
}

test('a flood of batches is told OVERLOADED, and to wait longer as it grows; no answer is missing, and the node serves on', async () => {
  const leaders = leadersOf(await cluster.until('every shard is served', isServing(cluster)))
  const node = must(leaders.get(0), 'shard 0 is led')
  const bus = await cluster.connect('flood')
  try {
    const inbox = `_INBOX.flood.${process.pid}`
    const heard: NodeFrame[] = []
    bus.subscribe(inbox, ({ data }) => {
      const decoded = decodeNodeFrame(Uint8Array.from(data))
      if (decoded.ok) heard.push(decoded.frame)
    })
    const session = await helloTo(bus, { node, inbox, heard })
    for (const frame of framesOf(session, 0)) expect(bus.publish(batchSubject('kv', node), frame, { reply: inbox })).toBe('sent')
    await until(() => heard.filter(isEnd).length >= BATCHES, 'every batch is answered', ANSWERED_WITHIN_MS)
    const refusals = heard.flatMap((frame) => (frame.kind === 'refused' ? [frame.result] : []))
    expect(new Set(refusals.map(({ status, definite }) => `${status} ${String(definite)}`))).toEqual(new Set(['OVERLOADED true']))
    expect(refusals.length).toBeGreaterThan(BATCHES / 2)
    expect(Math.max(...refusals.map(({ retryAfterMs = 0 }) => retryAfterMs))).toBeGreaterThan(50)
    expect((await settledKv(bus, 'kv.put.k0', 'after', { 'Kv-Request-Id': 'afterwards' })).status).toBe('OK')
  } finally {
    bus.close()
  }
}, MINUTES_MAX)
