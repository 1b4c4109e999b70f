/** The encoder of spans against the published protocol definitions, which are read by somebody else's code. */

import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import protos from 'otlp-protos/build/src/generated/root.js'
import { createSpanEncoder } from '../../../observe/tracing/spanEncoder.ts'
import type { FinishedSpan } from '../../../observe/tracing/span.ts'

interface Decoder {
  readonly decode: (bytes: Uint8Array) => object
  readonly toObject: (message: object, options: object) => { readonly resourceSpans: readonly ResourceSpans[] }
}
interface ResourceSpans {
  readonly resource: object
  readonly scopeSpans: readonly { readonly scope: object; readonly spans: readonly object[] }[]
}
const requests = (protos as unknown as
  { opentelemetry: { proto: { collector: { trace: { v1: { ExportTraceServiceRequest: Decoder } } } } } })
  .opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))

const decoded = (bytes: Uint8Array): ResourceSpans => {
  const { resourceSpans } = requests.toObject(requests.decode(bytes), { longs: String, bytes: Array, enums: String })
  expect(resourceSpans.length).toBe(1)
  return resourceSpans[0] as ResourceSpans
}

/** Slowly and plainly, what is to come out: but for the flags, which these definitions are too old to know. */
const expectedOf = ({ links, ...span }: FinishedSpan): object => ({
  traceId: [...hex(span.traceId)], spanId: [...hex(span.spanId)],
  ...(span.parentId === '' ? {} : { parentSpanId: [...hex(span.parentId)] }),
  name: span.name, kind: { internal: 'SPAN_KIND_INTERNAL', server: 'SPAN_KIND_SERVER', consumer: 'SPAN_KIND_CONSUMER' }[span.kind],
  startTimeUnixNano: nanos(span.startMs), endTimeUnixNano: nanos(span.endMs),
  ...(Object.keys(span.attributes).length === 0 ? {} : { attributes: Object.entries(span.attributes).map(pairOf) }),
  ...(links.length === 0 ? {} : {
    links: links.map((link) => ({ traceId: [...hex(link.traceId)], spanId: [...hex(link.spanId)] })),
  }),
  ...(span.isFailed ? { status: { code: 'STATUS_CODE_ERROR' } } : {}),
})
const nanos = (ms: number): string =>
  String(BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms - Math.floor(ms)) * 1_000_000)))
const pairOf = ([key, value]: readonly [string, string | number]): object => ({
  key,
  value: typeof value === 'string' ? { stringValue: value } : numberOf(value),
})
const numberOf = (value: number): object => (Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value })

const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${count}}$`))
const value = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.nat(), fc.constantFrom(0.5, 2 ** 40, 127, 128))
const context = fc.record({ traceId: digits(32), spanId: digits(16), flags: fc.nat(255) })
const someSpan: fc.Arbitrary<FinishedSpan> = fc.record({
  name: fc.constantFrom('kv put', 'wal fsync', 'größer', 'x'.repeat(200)), kind: fc.constantFrom('internal', 'server', 'consumer'),
  traceId: digits(32), spanId: digits(16), flags: fc.nat(255),
  parentId: fc.oneof(fc.constant(''), digits(16)), isParentRemote: fc.boolean(),
  startMs: fc.double({ min: 0, max: 4e12, noNaN: true }), endMs: fc.double({ min: 1.6e12, max: 2e12, noNaN: true }),
  attributes: fc.dictionary(fc.constantFrom('shardkv.shard', 'a', 'shardkv.status', 'x'.repeat(130)), value),
  links: fc.array(context, { maxLength: 16 }),
  isFailed: fc.boolean(),
})

test('whatever the spans are, they are read back as they were, in one scope of one resource', () => {
  const encode = createSpanEncoder({ 'service.name': 'shardkv', 'größe': 'sieben' }, 'shardkv')
  fc.assert(fc.property(fc.array(someSpan, { maxLength: 40 }), (spans) => {
    const { resource, scopeSpans } = decoded(encode(spans))
    expect(resource).toEqual({
      attributes: [{ key: 'service.name', value: { stringValue: 'shardkv' } }, { key: 'größe', value: { stringValue: 'sieben' } }],
    })
    expect(scopeSpans).toEqual([{ scope: { name: 'shardkv' }, ...(spans.length === 0 ? {} : { spans: spans.map(expectedOf) }) }])
  }), { numRuns: 100 })
})

const span: FinishedSpan = {
  name: 'kv put', kind: 'server', traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1, parentId: '', isParentRemote: false,
  startMs: 1, endMs: 2, attributes: {}, links: [], isFailed: false,
}

test('the flags of spans and links say whether a parent is another process\'s, as field 16 and field 6', () => {
  const encode = createSpanEncoder({}, 'shardkv')
  const ends = (given: FinishedSpan, count: number): number[] => Array.from(encode([given]).subarray(-count))
  expect(ends(span, 6)).toEqual([0x85, 0x01, 0x01, 0x01, 0, 0])
  expect(ends({ ...span, flags: 3, isParentRemote: true }, 6)).toEqual([0x85, 0x01, 0x03, 0x03, 0, 0])
  const links = [{ traceId: '3'.repeat(32), spanId: '4'.repeat(16), flags: 1 }]
  expect(ends({ ...span, links }, 11).slice(0, 5)).toEqual([6 * 8 + 5, 0x01, 0x01, 0, 0])
})
