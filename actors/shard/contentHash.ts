/**
 * What a remembered request asked for, as 32 bits: a request id that comes again with something else is refused (outcome.ts), where it
 * used to be answered as if that had been done.
 *
 * Hashed are the code, the key, the value, the revision asked for, and of a time to live whether there is one and whether it is 0, which
 * clears another. Not the session or the id itself, not `firstIncomplete`, which grows from one attempt to the next, and not how long the
 * time is: whoever reckons it from a deadline sends another one with each attempt, and would hear "not done" of what the first one did.
 *
 * Of 4,294,967,296 reuses by mistake one goes unnoticed, and is answered as all of them were before. The hash is no protection and need
 * not be one: who seeks two writes with the same hash loses one of his own.
 *
 * The hashes stand in snapshots: whoever changes how they are made has to leave those there unknown.
 *
 * MurmurHash3's 32-bit steps (Austin Appleby, public domain), four bytes each. A step is a bijection of the word and of what was there, so
 * contents that differ in one word never collide. FxHash's shorter step was tried: a fifth of 60,000 numbered keys had another one's hash.
 */

import { mix32 } from '../../topology/hash.ts'
import { viewOf } from './bytes.ts'
import { OpCode } from './operation.ts'
import type { Operation } from './operation.ts'

/** Of a result that was remembered by a version which did not hash, and read from its snapshot. No content has this hash. */
export const UNKNOWN_CONTENT = 0

const SEED = 0x9e37_79b1
const Flag = { value: 0x100, ifRevision: 0x200, ttl: 0x400, expires: 0x800 } as const
const HIGH_WORD = 0x1_0000_0000
/** From this length on a value is read through a view: that costs some 50 ns to make, and each byte a quarter as much. */
const VIEWED_BYTES_MIN = 256

/** What `incr` adds that is given nothing (apply.ts): some doors spell it, some do not, and it is one write. */
const ONE = Uint8Array.of(0x31)

/** A signed 32-bit integer, which V8 keeps without an object of its own; never UNKNOWN_CONTENT. */
export const contentHashOf = ({ code, key, value: given, ifRevision, ttlMs }: Operation): number => {
  const value = code === OpCode.incr ? given ?? ONE : given
  let hash = takeText(take(SEED, flagsOf(value, ifRevision, ttlMs) | code), key)
  if (value !== undefined) hash = value.length < VIEWED_BYTES_MIN ? takeShort(hash, value) : takeLong(hash, value)
  if (ifRevision !== undefined) hash = take(take(hash, ifRevision | 0), Math.floor(ifRevision / HIGH_WORD))
  const mixed = mix32(hash) | 0
  return mixed === UNKNOWN_CONTENT ? 1 : mixed
}

const flagsOf = (value: Uint8Array | undefined, ifRevision: number | undefined, ttlMs: number | undefined): number =>
  (value === undefined ? 0 : Flag.value) | (ifRevision === undefined ? 0 : Flag.ifRevision)
  | (ttlMs === undefined ? 0 : Flag.ttl | (ttlMs === 0 ? 0 : Flag.expires))

const take = (hash: number, word: number): number => {
  const once = Math.imul(word, 0xcc9e_2d51)
  const mixed = hash ^ Math.imul(once << 15 | once >>> 17, 0x1b87_3593)
  return Math.imul(mixed << 13 | mixed >>> 19, 5) + 0xe654_6b64 | 0
}

/** The length first, so that what follows can not pass for a part of it. */
const takeText = (before: number, text: string): number => {
  const { length } = text
  let hash = take(before, length)
  let at = 0
  for (; at + 4 <= length; at += 4) {
    hash = take(hash, text.charCodeAt(at) | text.charCodeAt(at + 1) << 8 | text.charCodeAt(at + 2) << 16 | text.charCodeAt(at + 3) << 24)
  }
  for (; at < length; at += 1) hash = take(hash, text.charCodeAt(at))
  return hash
}

const takeShort = (before: number, bytes: Uint8Array): number => {
  const { length } = bytes
  let hash = take(before, length)
  let at = 0
  for (; at + 4 <= length; at += 4) {
    hash = take(hash, byteAt(bytes, at) | byteAt(bytes, at + 1) << 8 | byteAt(bytes, at + 2) << 16 | byteAt(bytes, at + 3) << 24)
  }
  for (; at < length; at += 1) hash = take(hash, byteAt(bytes, at))
  return hash
}

/** In four lanes, so that a step need not wait for the one before it. */
const takeLong = (before: number, bytes: Uint8Array): number => {
  const { length } = bytes
  const view = viewOf(bytes)
  let first = take(before, length)
  let second = SEED
  let third = SEED
  let fourth = SEED
  let at = 0
  for (; at + 16 <= length; at += 16) {
    first = take(first, view.getInt32(at, true))
    second = take(second, view.getInt32(at + 4, true))
    third = take(third, view.getInt32(at + 8, true))
    fourth = take(fourth, view.getInt32(at + 12, true))
  }
  for (; at < length; at += 1) first = take(first, view.getUint8(at))
  return take(take(take(first, second), third), fourth)
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0
