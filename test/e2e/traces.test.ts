/**
 * One write, one trace, three processes: what real nodes export by gRPC and by HTTP, to a receiver that decodes with the published protocol
 * definitions. And that a receiver that is gone costs spans and nothing else.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { connect } from '../../sdk/index.ts'
import { text } from '../../sdk/codec.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { openOtlpReceiver } from '../support/otlpReceiver.ts'
import { settledKv } from '../support/kv.ts'
import { until } from '../support/until.ts'
import type { ReceivedSpan } from '../support/otlpReceiver.ts'

const TEST_MS_MAX = 300_000
const WAIT_MS_MAX = 90_000
/** Between the clocks of processes of one machine, as far as they are read. */
const CLOCK_NS = 5_000_000n
const caller = '00f067aa0ba902b7'
const cluster = clusterOfTest()

const names = ['apply', 'commit', 'connection', 'kv put', 'propose', 'replicate', 'reply', 'shard', 'wal append', 'wal fsync']

const isWhole = (spans: readonly ReceivedSpan[]): boolean =>
  spans.filter(({ name }) => name === 'wal fsync').length === 3 && spans.filter(({ name }) => name === 'replicate').length === 2
  && names.every((name) => spans.some((span) => span.name === name))

test('a write is one trace across three processes, by whatever protocol each exports; a failed one is kept unasked', async () => {
  const receiver = await openOtlpReceiver()
  cluster.onEnd(receiver.close)
  const protocols: Readonly<Record<string, readonly [string, string]>> = {
    n1: ['grpc', receiver.grpc], n2: ['http/protobuf', receiver.http], n3: ['http/json', receiver.http],
  }
  const { running, bus } = await cluster.open({ shards: 2, environment: (user) => {
    const [protocol, endpoint] = protocols[user] ?? []
    if (protocol === undefined || endpoint === undefined) return {}
    return { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_TRACES_SAMPLER_ARG: '0' }
  } })
  let traceId = ''
  const kv = await connect({ servers: running.url, codec: text, timeoutMs: WAIT_MS_MAX, traceparent: () => `00-${traceId}-${caller}-01` })
  cluster.onEnd(kv.close)
  let tree: readonly ReceivedSpan[] = []
  for (let attempt = 1; !isWhole(tree); attempt += 1) {
    traceId = attempt.toString(16).padStart(32, 'a')
    await kv.put(`a-secret-key-${attempt}`, 'a secret value')
    const root = (): ReceivedSpan | undefined => receiver.spans.find((span) => span.traceId === traceId && span.name === 'kv put')
    await until(() => root() !== undefined, 'the write\'s own span has arrived', WAIT_MS_MAX)
    // A leader may change under the write, or a follower be behind: then another one shows all of it.
    const giveUpAt = performance.now() + 10_000
    const grown = (): boolean => {
      tree = receiver.spans.filter((span) => span.traceId === traceId)
      return isWhole(tree) || performance.now() > giveUpAt
    }
    await until(grown, 'the spans of the others', WAIT_MS_MAX)
    expect(attempt).toBeLessThan(10)
  }
  const byId = new Map(tree.map((span) => [span.spanId, span]))
  const root = must(tree.find(({ name }) => name === 'kv put'), 'the root')
  const attributes = { 'shardkv.status': 'OK', 'db.operation.name': 'put' }
  expect(root).toMatchObject({ parentSpanId: caller, service: 'shardkv', attributes })
  expect(new Set(tree.map(({ node }) => node))).toEqual(new Set(['n1', 'n2', 'n3']))
  expect(new Set(tree.map(({ via }) => via))).toEqual(new Set(['grpc', 'http/protobuf', 'http/json']))
  for (const span of tree) {
    expect([span.name, span.startNs <= span.endNs]).toEqual([span.name, true])
    if (span === root) continue
    const above = must(byId.get(span.parentSpanId), `the parent of ${span.name}`)
    expect([span.name, above.startNs <= span.startNs + CLOCK_NS]).toEqual([span.name, true])
  }
  const followers = tree.filter(({ name, parentSpanId }) => name.startsWith('wal ') && byId.get(parentSpanId)?.name === 'replicate')
  expect(followers.map(({ name }) => name).toSorted()).toEqual(['wal append', 'wal append', 'wal fsync', 'wal fsync'])
  for (const { node, parentSpanId } of followers) expect(byId.get(parentSpanId)?.attributes['shardkv.peer']).toBe(node)

  await settledKv(bus, 'kv.put.counter', 'no number', { 'Kv-Request-Id': 'r-1' })
  await settledKv(bus, 'kv.incr.counter', '1', { 'Kv-Request-Id': 'r-2' })
  const kept = (): ReceivedSpan | undefined => receiver.spans.find(({ attributes: { 'shardkv.kept': why, 'shardkv.status': status } }) =>
    why === 'failed' && status === 'INVALID')
  await until(() => kept() !== undefined, 'the failed request', WAIT_MS_MAX)
  expect(kept()).toMatchObject({ name: 'kv incr', parentSpanId: '' })
  expect(receiver.text()).not.toMatch(/secret|no number/)

  await receiver.close()
  expect(await kv.put('a', 'b')).toMatchObject({ revision: expect.any(Number) })
  const [n1] = running.members
  running.signal(must(n1, 'n1'), 'SIGTERM')
  expect(await running.ended(must(n1, 'n1'), WAIT_MS_MAX)).toBe(0)
}, TEST_MS_MAX)
