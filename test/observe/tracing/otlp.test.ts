/** What OpenTelemetry's own exporters make of our spans, and what is said when they can not send them. */

import { expect, test } from '@jest/globals'
import { loadInstalled, openOtlpExporter } from '../../../observe/tracing/otlp.ts'
import { openOtlpReceiver } from '../../support/otlpReceiver.ts'
import type { FinishedSpan } from '../../../observe/tracing/span.ts'
import type { SpanExporter } from '../../../observe/tracing/spanQueue.ts'

const identity = { node: 'n1', version: '1.2.3', env: {} }
const span = (name: string): FinishedSpan => ({
  name, kind: 'internal', context: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1 }, parent: null, startMs: 1, endMs: 2,
  attributes: {}, links: [], isFailed: false,
})
const sent = ({ send }: SpanExporter, spans: readonly FinishedSpan[]): Promise<string | null> =>
  new Promise((resolve) => { send(spans, (error) => resolve(error === null ? null : error.message)) })

test('the spans of one export leave together, in one scope', async () => {
  const receiver = await openOtlpReceiver()
  for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
    const url = protocol === 'grpc' ? receiver.grpc : `${receiver.http}/v1/traces`
    const exporter = await openOtlpExporter({ url, protocol }, identity, loadInstalled)
    expect(await sent(exporter, ['a', 'b', 'c'].map(span))).toBeNull()
    exporter.shutdown()
  }
  await receiver.close()
  expect(receiver.scopes).toEqual([1, 1, 1])
  expect(receiver.spans.map(({ via, name, node }) => `${via} ${name} ${node}`)).toEqual(
    ['http/protobuf', 'http/json', 'grpc'].flatMap((via) => ['a', 'b', 'c'].map((name) => `${via} ${name} n1`)))
})

test.each<readonly [unknown, string]>([
  [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [Object.assign(new Error('Unauthorized'), { code: 401 }), '401 Unauthorized'],
  [Object.assign(new Error('14 UNAVAILABLE: no connection'), { code: 14 }), '14 UNAVAILABLE: no connection'],
  [new AggregateError([]), 'AggregateError'],
  [undefined, 'the receiver did not take them'],
])('%p is told as %s', async (error, expected) => {
  const exporter = await openOtlpExporter({ url: 'http://nowhere', protocol: 'http/protobuf' }, identity, async (name) => ({
    ...await loadInstalled(name) as object,
    OTLPTraceExporter: function failing() {
      return { export: (_spans: unknown, done: (result: object) => void): void => done({ code: 1, error }) }
    },
  }))
  expect(await sent(exporter, [span('a')])).toBe(expected)
})
