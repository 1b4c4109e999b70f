/**
 * Spans as OTLP's protobuf (opentelemetry/proto/trace/v1/trace.proto), in one pass into one buffer:
 *
 *   ExportTraceServiceRequest { 1: ResourceSpans { 1: Resource, 2: ScopeSpans { 1: scope, 2: Span, 2: Span, ... } } }
 *
 * All spans of a node have one resource and one scope: their bytes are made once, and stand before the spans when these are there and their
 * length is known. An attribute is a key and a value that mostly came before: its bytes are remembered. Fields that have their default are
 * left out, as proto3 has it; the order is that of the field numbers.
 *
 * Limits: PAIRS_A_KEY_MAX values of a key are remembered. A key, like a name, is one of the few in this folder.
 */

import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { FinishedSpan, SpanAttributes } from './span.ts'

/** As many as a cluster has shards, and a little; of keys' hashes the first so many, which is no loss. */
const PAIRS_A_KEY_MAX = 1_100
/** Of a span without name, attributes and links, its length included. */
const SPAN_BYTES_MAX = 96
const LINK_BYTES = 36
/** What a span takes on average. */
const SPAN_BYTES = 128
/** Tags and lengths of the three messages around the spans. */
const AROUND_BYTES_MAX = 32

/** Of the field, with its wire type. */
const tag = (field: number, type: 0 | 1 | 2 | 5): number => field * 8 + type
const BYTES = 2
/** Of field 16, 32 bits: the only tag of two bytes. */
const flagsTag = Uint8Array.of(0x85, 0x01)

const kinds = { internal: 1, server: 2, consumer: 5 } as const
/** Of `Span.flags`: whether the parent is another process's is known; and that it is. */
const HAS_IS_REMOTE = 0x100
const IS_REMOTE = 0x200
/** `Status { code: ERROR }`, with its tag. */
const failedStatus = Uint8Array.of(tag(15, BYTES), 2, tag(3, 0), 2)

export type SpanEncoder = (spans: readonly FinishedSpan[]) => Uint8Array

export const createSpanEncoder = (resource: SpanAttributes, scopeName: string): SpanEncoder => {
  const pairs = new Map<string, Map<string | number, Uint8Array>>()
  const names = new Map<string, Uint8Array>()
  const resourceBytes = message(1, Object.entries(resource).map(([key, value]) => pairBytes(1, key, value)))
  const scopeBytes = message(1, [textBytes(1, scopeName)])

  const pairOf = (key: string, value: string | number): Uint8Array => {
    const values = remembered(pairs, key, () => new Map<string | number, Uint8Array>())
    const known = values.get(value)
    if (known !== undefined) return known
    const made = pairBytes(9, key, value)
    if (values.size < PAIRS_A_KEY_MAX) values.set(value, made)
    return made
  }
  const nameOf = (name: string): Uint8Array => remembered(names, name, () => textBytes(5, name))
  const roomBefore = resourceBytes.length + scopeBytes.length + AROUND_BYTES_MAX
  return (spans) => {
    const page = { bytes: new Uint8Array(roomBefore + spans.length * SPAN_BYTES), at: roomBefore }
    const known = { nameOf, pairOf }
    for (const span of spans) writeSpan(page, span, known)
    const scopeSpans = [scopeBytes, page.bytes.subarray(roomBefore, page.at)]
    const inScope = header(2, scopeSpans)
    const before = Buffer.concat([header(1, [resourceBytes, inScope, ...scopeSpans]), resourceBytes, inScope, scopeBytes])
    page.bytes.set(before, roomBefore - before.length)
    return page.bytes.subarray(roomBefore - before.length, page.at)
  }
}

const remembered = <K, V>(known: Map<K, V>, key: K, make: () => V): V => {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}

/** Where the next byte goes. */
interface Page {
  bytes: Uint8Array
  at: number
}

const makeRoom = (page: Page, count: number): void => {
  if (page.at + count <= page.bytes.length) return
  const larger = new Uint8Array(2 * page.bytes.length + count)
  larger.set(page.bytes)
  page.bytes = larger
}

const putByte = (page: Page, value: number): void => {
  page.bytes[page.at] = value
  page.at += 1
}

const putBytes = (page: Page, bytes: Uint8Array): void => {
  page.bytes.set(bytes, page.at)
  page.at += bytes.length
}

const putFixed32 = (page: Page, value: number): void => {
  const { bytes, at } = page
  bytes[at] = value & 0xff
  bytes[at + 1] = (value >>> 8) & 0xff
  bytes[at + 2] = (value >>> 16) & 0xff
  bytes[at + 3] = value >>> 24
  page.at = at + 4
}

/** A field of bytes, given as hex. */
const putHex = (page: Page, field: number, text: string): void => {
  putByte(page, tag(field, BYTES))
  putByte(page, text.length / 2)
  const { bytes, at } = page
  for (let i = 0; i < text.length; i += 2) bytes[at + i / 2] = (digitAt(text, i) << 4) | digitAt(text, i + 1)
  page.at = at + text.length / 2
}

/**
 * A field of nanoseconds since 1970, given as milliseconds. They need 61 bits, and a number has 53: ms = upper * 2^16 + lower, so that
 * ns = (upper * 10^6) * 2^16 + (lower * 10^6 + rest), and each of the two brackets is exact.
 */
const putNanos = (page: Page, field: number, ms: number): void => {
  const whole = Math.floor(ms)
  const rest = Math.round((ms - whole) * NANOS_PER_MS)
  const upper = Math.floor(whole / TWO_16) * NANOS_PER_MS
  const lower = (whole % TWO_16) * NANOS_PER_MS + rest
  const low = (upper % TWO_16) * TWO_16 + lower
  putByte(page, tag(field, 1))
  putFixed32(page, low % TWO_32)
  putFixed32(page, Math.floor(upper / TWO_16) + Math.floor(low / TWO_32))
}

/** Begins a message whose length is not known; `end` takes what this returns. */
const begin = (page: Page): number => {
  page.at += 1
  return page.at
}

/** One byte was left for the length: what has a longer one moves on. */
const end = (page: Page, from: number): void => {
  const length = page.at - from
  if (length < 0x80) {
    page.bytes[from - 1] = length
    return
  }
  const encoded = varint(length)
  page.bytes.copyWithin(from + encoded.length - 1, from, page.at)
  page.bytes.set(encoded, from - 1)
  page.at += encoded.length - 1
}

interface Known {
  readonly nameOf: (name: string) => Uint8Array
  readonly pairOf: (key: string, value: string | number) => Uint8Array
}

const writeSpan = (page: Page, span: FinishedSpan, { nameOf, pairOf }: Known): void => {
  const name = nameOf(span.name)
  makeRoom(page, SPAN_BYTES_MAX + name.length)
  putByte(page, tag(2, BYTES))
  const from = begin(page)
  putHex(page, 1, span.traceId)
  putHex(page, 2, span.spanId)
  if (span.parentId !== '') putHex(page, 4, span.parentId)
  putBytes(page, name)
  putByte(page, tag(6, 0))
  putByte(page, kinds[span.kind])
  putNanos(page, 7, span.startMs)
  putNanos(page, 8, span.endMs)
  for (const key in span.attributes) {
    const pair = pairOf(key, span.attributes[key] ?? '')
    makeRoom(page, SPAN_BYTES_MAX + pair.length)
    putBytes(page, pair)
  }
  for (const link of span.links) writeLink(page, link)
  if (span.isFailed) putBytes(page, failedStatus)
  putBytes(page, flagsTag)
  putFixed32(page, flagsOf(span.flags, span.isParentRemote))
  end(page, from)
}

const writeLink = (page: Page, { traceId, spanId, flags }: TraceContext): void => {
  makeRoom(page, SPAN_BYTES_MAX + LINK_BYTES)
  putByte(page, tag(13, BYTES))
  const from = begin(page)
  putHex(page, 1, traceId)
  putHex(page, 2, spanId)
  putByte(page, tag(6, 5))
  putFixed32(page, flagsOf(flags, false))
  end(page, from)
}

const flagsOf = (flags: number, isRemote: boolean): number => (flags & 0xff) | HAS_IS_REMOTE | (isRemote ? IS_REMOTE : 0)

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const BELOW_A = 0x57

const digitAt = (text: string, at: number): number => {
  const code = text.charCodeAt(at)
  return code <= DIGIT_9 ? code - DIGIT_0 : code - BELOW_A
}

const NANOS_PER_MS = 1_000_000
const TWO_16 = 0x1_0000
const TWO_32 = 0x1_0000_0000

/** Of a whole number from 0. */
const varint = (value: number): Uint8Array => {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80)
  return Uint8Array.of(...bytes, left)
}

/** The tag and the length of a field that has these bytes. */
const header = (field: number, parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.of(tag(field, BYTES), ...varint(parts.reduce((sum, { length }) => sum + length, 0)))

const message = (field: number, parts: readonly Uint8Array[]): Uint8Array => Buffer.concat([header(field, parts), ...parts])

const textBytes = (field: number, text: string): Uint8Array => message(field, [Buffer.from(text)])

/** `KeyValue { key, value }`. */
const pairBytes = (field: number, key: string, value: string | number): Uint8Array =>
  message(field, [textBytes(1, key), message(2, [valueBytes(value)])])

/** `AnyValue`: a text, a whole number or another. */
const valueBytes = (value: string | number): Uint8Array => {
  if (typeof value === 'string') return textBytes(1, value)
  if (Number.isSafeInteger(value) && value >= 0) return Buffer.concat([Uint8Array.of(tag(3, 0)), varint(value)])
  const double = Buffer.alloc(9, tag(4, 1))
  double.writeDoubleLE(value, 1)
  return double
}
