/**
 * Spans as OTLP's protobuf (opentelemetry/proto/trace/v1/trace.proto), in one pass into one buffer:
 *
 *   ExportTraceServiceRequest { 1: ResourceSpans { 1: Resource, 2: ScopeSpans { 1: scope, 2: Span, 2: Span, ... } } }
 *
 * All spans of a node have one resource and one scope: their bytes are made once, and stand before the spans when these are there and their
 * length is known. So are those of names and keys, of which there are as few as this folder has. Fields that have their default are left
 * out, as proto3 has it; the order is that of the field numbers.
 */

import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { FinishedSpan } from './span.ts'

/** Of a span without name, attributes and links, its length included; and of what is around a key and a value. */
const SPAN_BYTES_MAX = 96
/** Of one character of a text. */
const CHARACTER_BYTES_MAX = 3
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

export const createSpanEncoder = (resource: Readonly<Record<string, string>>, scopeName: string): SpanEncoder => {
  const names = new Map<string, Uint8Array>()
  const keys = new Map<string, Uint8Array>()
  const resourceBytes = message(1, Object.entries(resource).map(([key, value]) =>
    message(1, [textBytes(1, key), message(2, [textBytes(1, value)])])))
  const scopeBytes = message(1, [textBytes(1, scopeName)])

  const known: Known = {
    nameOf: (name) => names.get(name) ?? remembered(names, name, textBytes(5, name)),
    keyOf: (key) => keys.get(key) ?? remembered(keys, key, textBytes(1, key)),
  }
  const roomBefore = resourceBytes.length + scopeBytes.length + AROUND_BYTES_MAX
  return (spans) => {
    const page = { bytes: new Uint8Array(roomBefore + spans.length * SPAN_BYTES), at: roomBefore }
    for (const span of spans) writeSpan(page, span, known)
    const scopeSpans = [scopeBytes, page.bytes.subarray(roomBefore, page.at)]
    const inScope = header(2, scopeSpans)
    const before = Buffer.concat([header(1, [resourceBytes, inScope, ...scopeSpans]), resourceBytes, inScope, scopeBytes])
    page.bytes.set(before, roomBefore - before.length)
    return page.bytes.subarray(roomBefore - before.length, page.at)
  }
}

const remembered = (known: Map<string, Uint8Array>, text: string, bytes: Uint8Array): Uint8Array => {
  known.set(text, bytes)
  return bytes
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

/** One by one: they are few, and a call into the engine takes longer. */
const putBytes = (page: Page, given: Uint8Array): void => {
  const { bytes, at } = page
  for (let i = 0; i < given.length; i += 1) bytes[at + i] = given[i] ?? 0
  page.at = at + given.length
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
 * ns = (upper * 10^6) * 2^16 + (lower * 10^6 + rest), and each of the two brackets is exact. Without `%`, which is slow for such numbers.
 */
const putNanos = (page: Page, field: number, ms: number): void => {
  const whole = Math.floor(ms)
  const rest = Math.round((ms - whole) * NANOS_PER_MS)
  const upperMs = Math.floor(whole / TWO_16)
  const upper = upperMs * NANOS_PER_MS
  const lower = (whole - upperMs * TWO_16) * NANOS_PER_MS + rest
  const high = Math.floor(upper / TWO_16)
  const low = (upper - high * TWO_16) * TWO_16 + lower
  const carry = Math.floor(low / TWO_32)
  putByte(page, tag(field, 1))
  putFixed32(page, low - carry * TWO_32)
  putFixed32(page, high + carry)
}

const putWhole = (page: Page, field: number, value: number): void => {
  putByte(page, tag(field, 0))
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) putByte(page, (left & 0x7f) | 0x80)
  putByte(page, left)
}

const putText = (page: Page, field: number, text: string): void => {
  putByte(page, tag(field, BYTES))
  const from = begin(page)
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) {
      page.at = from
      putBytes(page, Buffer.from(text))
      break
    }
    putByte(page, code)
  }
  end(page, from)
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
  readonly keyOf: (key: string) => Uint8Array
}

const writeSpan = (page: Page, span: FinishedSpan, { nameOf, keyOf }: Known): void => {
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
  for (const key in span.attributes) writePair(page, keyOf(key), span.attributes[key] ?? '')
  for (const link of span.links) writeLink(page, link)
  if (span.isFailed) putBytes(page, failedStatus)
  putBytes(page, flagsTag)
  putFixed32(page, flagsOf(span.flags, span.isParentRemote))
  end(page, from)
}

/** `KeyValue { key, AnyValue }`. */
const writePair = (page: Page, key: Uint8Array, value: string | number): void => {
  makeRoom(page, 2 * SPAN_BYTES_MAX + key.length + (typeof value === 'string' ? CHARACTER_BYTES_MAX * value.length : 0))
  putByte(page, tag(9, BYTES))
  const pair = begin(page)
  putBytes(page, key)
  putByte(page, tag(2, BYTES))
  const from = begin(page)
  if (typeof value === 'string') putText(page, 1, value)
  else if (Number.isSafeInteger(value) && value >= 0) putWhole(page, 3, value)
  else putBytes(page, doubleBytes(4, value))
  end(page, from)
  end(page, pair)
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

/** Of a number that is not whole, or below 0. */
const doubleBytes = (field: number, value: number): Uint8Array => {
  const bytes = Buffer.alloc(9, tag(field, 1))
  bytes.writeDoubleLE(value, 1)
  return bytes
}
