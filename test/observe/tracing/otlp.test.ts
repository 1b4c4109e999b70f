/** What OpenTelemetry's own exporters make of our spans, and what is said when they can not send them. */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { loadInstalled, openOtlpExporter } from '../../../observe/tracing/otlp.ts'
import { openOtlpReceiver } from '../../support/otlpReceiver.ts'
import type { FinishedSpan } from '../../../observe/tracing/span.ts'
import type { SpanExporter } from '../../../observe/tracing/spanQueue.ts'

const identity = { node: 'n1', version: '1.2.3', env: {} }
const span = (name: string): FinishedSpan => ({
  name, kind: 'internal', traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1, parentId: '', isParentRemote: false,
  startMs: 1, endMs: 2, attributes: {}, links: [], isFailed: false,
})
interface Exported extends Readonly<Record<string, unknown>> {
  readonly spanContext: () => object
}

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

test('the exporters that are installed take the encoder of this project: only JSON is handed objects to encode', async () => {
  const given: Record<string, unknown> = {}
  for (const protocol of ['http/protobuf', 'grpc', 'http/json'] as const) {
    const exporter = await openOtlpExporter({ url: 'http://127.0.0.1:9', protocol }, identity, async (name) => {
      const loaded = await loadInstalled(name) as { readonly OTLPTraceExporter?: new (config: object) => object }
      if (loaded.OTLPTraceExporter === undefined) return loaded
      return { OTLPTraceExporter: function watched(config: object) {
        return Object.assign(new (must(loaded.OTLPTraceExporter, 'an exporter'))(config), {
          export: (spans: readonly unknown[], done: (result: object) => void): void => {
            given[protocol] = spans[0]
            done({ code: 0 })
          },
        })
      } }
    })
    await sent(exporter, [span('a')])
  }
  expect(Object.values(given).map((each) => 'traceId' in (each as object))).toEqual([true, true, false])
})

test('the exporter is handed all there is of a span, times as seconds and nanoseconds, and what is not there as nothing', async () => {
  const exported: unknown[] = []
  const exporter = await openOtlpExporter({ url: 'http://nowhere', protocol: 'http/protobuf' }, identity, async (name) => ({
    ...await loadInstalled(name) as object,
    OTLPTraceExporter: function keeping() {
      return { export: (spans: readonly Exported[], done: (result: object) => void): void => {
        exported.push(structuredClone(spans.map(({ spanContext, resource: _resource, ...more }) =>
          ({ ...more, context: spanContext() }))))
        done({ code: 0 })
      } }
    },
  }))
  const link = { traceId: '3'.repeat(32), spanId: '4'.repeat(16), flags: 1 }
  const full: FinishedSpan = {
    name: 'full', kind: 'server', traceId: '5'.repeat(32), spanId: '6'.repeat(16), flags: 3,
    parentId: '7'.repeat(16), isParentRemote: true,
    startMs: 1_700_000_000_000.25, endMs: 1_700_000_001_000.5, attributes: { a: 1 }, links: [link], isFailed: true,
  }
  await sent(exporter, [span('bare'), full])
  const bare = {
    name: 'bare', kind: 0, context: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1, isRemote: false },
    startTime: [0, 1_000_000], endTime: [0, 2_000_000], duration: [0, 1_000_000], ended: true, status: { code: 0 }, attributes: {},
    links: [], events: [], instrumentationScope: { name: 'shardkv' },
    droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0,
  }
  const whole = {
    ...bare, name: 'full', kind: 1, context: { traceId: full.traceId, spanId: full.spanId, traceFlags: 3, isRemote: false },
    parentSpanContext: { traceId: full.traceId, spanId: full.parentId, traceFlags: 3, isRemote: true }, status: { code: 2 },
    startTime: [1_700_000_000, 250_000], endTime: [1_700_000_001, 500_000], duration: [1, 250_000], attributes: { a: 1 },
    links: [{ context: { traceId: link.traceId, spanId: link.spanId, traceFlags: 1, isRemote: false } }],
  }
  expect(exported).toEqual([[bare, whole]])
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
