/**
 * How a value lies in memory: a short one as a binary string, one character a byte, a long one as bytes of its own.
 *
 * A Uint8Array costs about 350 bytes beside its content (the view, its buffer, their bookkeeping outside the heap), a string of
 * one-byte characters 16. With values of 128 bytes that is half of a node's memory (docs/PERFORMANCE.md). A long value gains
 * nothing, and belongs outside the heap, which V8 limits.
 */

import { passingBytesOfText, textOfBytes, writeBinaryString } from './bytes.ts'

/** Values up to this many bytes are kept as text. */
export const TEXT_BYTES_MAX = 1_024

/** Immutable: cuts, answers and snapshots share it. */
export type StoredValue = string | Uint8Array

/** Keeps nothing of `bytes`, which may be a view of something larger. */
export const storedValue = (bytes: Uint8Array): StoredValue => (bytes.length <= TEXT_BYTES_MAX ? textOfBytes(bytes) : bytes.slice())

/** For an answer. Not to be changed: a long value is shared with the state. */
export const valueBytes = (value: StoredValue): Uint8Array => (typeof value === 'string' ? passingBytesOfText(value) : value)

export const writeValue = (target: Uint8Array, offset: number, value: StoredValue): void => {
  if (typeof value === 'string') writeBinaryString(target, offset, value)
  else target.set(value, offset)
}
