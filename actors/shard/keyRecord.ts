/**
 * How what a key holds lies in memory.
 *
 *   short value, no deadline    one binary string: value, one character a byte, and the revision in REVISION_BYTES more
 *   short value, deadline       an object, the value a binary string
 *   long value                  an object, the value bytes of its own
 *
 * A Uint8Array costs about 350 bytes beside its content (the view, its buffer, their bookkeeping outside the heap), an object of three
 * fields 48, a string of one-byte characters 16. With values of 128 bytes the first was half of a node's memory, the second a sixth of
 * what a key takes (docs/PERFORMANCE.md). A long value gains nothing, and belongs outside the heap, which V8 limits.
 *
 * The revision stands behind the value, so that the value is read from the beginning, without a second string.
 */

import { passingBytesOfText, readBinaryString, writeBinaryString } from './bytes.ts'

/** Values up to this many bytes are kept as text. */
export const TEXT_BYTES_MAX = 1_024

/** Revisions stay below 2^53. The lowest byte first. */
const REVISION_BYTES = 7
const HIGH_WORD = 0x1_0000_0000

/** Immutable: cuts, answers and snapshots share it. */
export type KeyRecord = string | WideRecord

interface WideRecord {
  readonly value: StoredValue
  readonly revision: number
  readonly expiresAtMs: number
}

/** A long one is not to be changed: it is shared with the state. */
export type StoredValue = string | Uint8Array

export interface KeyContent {
  readonly value: StoredValue
  readonly revision: number
  /** Log time in milliseconds; 0 when the key does not expire. */
  readonly expiresAtMs: number
}

const scratch = new Uint8Array(TEXT_BYTES_MAX + REVISION_BYTES)

/** Keeps nothing of bytes in `content`, which may be a view of something larger. */
export const keyRecord = ({ value, revision, expiresAtMs }: KeyContent): KeyRecord => {
  const { length } = value
  if (length > TEXT_BYTES_MAX) return { value: typeof value === 'string' ? value : new Uint8Array(value), revision, expiresAtMs }
  writeValue(scratch, 0, value)
  if (expiresAtMs !== 0) return { value: readBinaryString(scratch, 0, length), revision, expiresAtMs }
  writeRevision(length, revision)
  return readBinaryString(scratch, 0, length + REVISION_BYTES)
}

/** Spelt out: it is done for every operation. */
const writeRevision = (at: number, revision: number): void => {
  const high = Math.floor(revision / HIGH_WORD)
  scratch[at] = revision
  scratch[at + 1] = revision >>> 8
  scratch[at + 2] = revision >>> 16
  scratch[at + 3] = revision >>> 24
  scratch[at + 4] = high
  scratch[at + 5] = high >>> 8
  scratch[at + 6] = high >>> 16
}

export const revisionOf = (record: KeyRecord): number => {
  if (typeof record !== 'string') return record.revision
  const at = record.length - REVISION_BYTES
  const low = record.charCodeAt(at) | record.charCodeAt(at + 1) << 8 | record.charCodeAt(at + 2) << 16 | record.charCodeAt(at + 3) << 24
  const high = record.charCodeAt(at + 4) | record.charCodeAt(at + 5) << 8 | record.charCodeAt(at + 6) << 16
  return high * HIGH_WORD + (low >>> 0)
}

/** 0 when the key does not expire. */
export const expiresAtMsOf = (record: KeyRecord): number => (typeof record === 'string' ? 0 : record.expiresAtMs)

export const valueLengthOf = (record: KeyRecord): number =>
  (typeof record === 'string' ? record.length - REVISION_BYTES : record.value.length)

/** To be stored again, or to be looked into. */
export const valueOf = (record: KeyRecord): StoredValue =>
  (typeof record === 'string' ? record.slice(0, record.length - REVISION_BYTES) : record.value)

/** For an answer. Not to be changed: a long value is shared with the state. */
export const valueBytesOf = (record: KeyRecord): Uint8Array => {
  const value = typeof record === 'string' ? record : record.value
  return typeof value === 'string' ? passingBytesOfText(value, valueLengthOf(record)) : value
}

export const writeValueOf = (target: Uint8Array, offset: number, record: KeyRecord): void => {
  if (typeof record === 'string') writeBinaryString(target, offset, record, valueLengthOf(record))
  else writeValue(target, offset, record.value)
}

const writeValue = (target: Uint8Array, offset: number, value: StoredValue): void => {
  if (typeof value === 'string') writeBinaryString(target, offset, value)
  else target.set(value, offset)
}
