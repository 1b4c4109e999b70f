/**
 * Entries of a log as numbers in one array, and their payloads in blocks (payloads.ts): nothing for a garbage collector to follow.
 *
 *   words   | term, term, kind, length, block, offset | term, term, ... |        six an entry, from the oldest on
 *
 * A node keeps thousands of entries of each shard for slow followers. As objects, with a view of the payload and numbers that V8 keeps
 * apart, they were a quarter of all that a major collection had to mark, and each was copied twice by minor ones before it was forgotten
 * (docs/PERFORMANCE.md). The newest RECENT stay objects besides, since an entry is asked for several times while it is new: for the disk,
 * for each follower, for the shard.
 */

import {
  createPayloads, forgetAllPayloads, forgetBlocksAfter, forgetBlocksBefore, forgetPayload, keepPayload, payloadAt,
} from './payloads.ts'
import type { Entry, EntryKind, Index, Term } from './protocol.ts'
import type { Payloads, Place } from './payloads.ts'

const WORDS = 6
const TERM_LOW = 0
const TERM_HIGH = 1
const KIND = 2
const LENGTH = 3
const BLOCK = 4
const OFFSET = 5
const HIGH_WORD = 0x1_0000_0000

/** Most groups of a node with hundreds are quiet. */
const CAPACITY_MIN = 8
/** A power of two. */
const RECENT = 8

export interface PackedEntries {
  /** How many there are. */
  count: number
  words: Uint32Array
  /** Entries in `words` before the oldest, which are forgotten. */
  gap: number
  readonly payloads: Payloads
  /** The newest, as they were given, by the lowest bits of their index. */
  readonly recent: (Entry | undefined)[]
}

export const createPackedEntries = (): PackedEntries =>
  ({ count: 0, words: new Uint32Array(0), gap: 0, payloads: createPayloads(), recent: [] })

/** Keeps a copy: nothing of `entry` is kept. */
export const pushEntry = (packed: PackedEntries, { term, index, kind, payload }: Entry): void => {
  if ((packed.gap + packed.count + 1) * WORDS > packed.words.length) moveTo(packed, packed.count + 1)
  const { words, payloads } = packed
  const place = keepPayload(payloads, payload)
  const at = (packed.gap + packed.count) * WORDS
  words[at + TERM_LOW] = term
  words[at + TERM_HIGH] = term / HIGH_WORD
  words[at + KIND] = kind
  words[at + LENGTH] = payload.length
  words[at + BLOCK] = place.block
  words[at + OFFSET] = place.offset
  packed.count += 1
  packed.recent[index & RECENT - 1] = { term, index, kind, payload: payloadAt(payloads, place, payload.length) }
}

/** Of entry `i` of those there are; `index` is its own. */
export const entryOf = (packed: PackedEntries, i: number, index: Index): Entry => {
  const recent = packed.recent[index & RECENT - 1]
  if (recent?.index === index) return recent
  const length = lengthOf(packed, i)
  return {
    term: termOf(packed, i), index, kind: wordOf(packed, i, KIND) as EntryKind,
    payload: payloadAt(packed.payloads, placeOf(packed, i), length),
  }
}

export const termOf = (packed: PackedEntries, i: number): Term => wordOf(packed, i, TERM_HIGH) * HIGH_WORD + wordOf(packed, i, TERM_LOW)

/** Bytes of the payload. */
export const lengthOf = (packed: PackedEntries, i: number): number => wordOf(packed, i, LENGTH)

/** Forgets the newest, so that `count` are left. */
export const keepFirst = (packed: PackedEntries, count: number): void => {
  for (let i = count; i < packed.count; i += 1) forgetPayload(packed.payloads, placeOf(packed, i), lengthOf(packed, i))
  packed.count = Math.min(packed.count, count)
  packed.recent.length = 0
  if (packed.count === 0) forgetAllPayloads(packed.payloads)
  else forgetBlocksAfter(packed.payloads, placeOf(packed, packed.count - 1).block)
}

/** Forgets the oldest, so that `count` are left. */
export const keepLast = (packed: PackedEntries, count: number): void => {
  const forgotten = packed.count - count
  if (forgotten <= 0) return
  for (let i = 0; i < forgotten; i += 1) forgetPayload(packed.payloads, placeOf(packed, i), lengthOf(packed, i))
  packed.count = count
  packed.gap += forgotten
  packed.recent.length = 0
  if (count === 0) forgetAllPayloads(packed.payloads)
  else forgetBlocksBefore(packed.payloads, placeOf(packed, 0).block)
  if (packed.gap > count) moveTo(packed, count)
}

const placeOf = (packed: PackedEntries, i: number): Place => ({ block: wordOf(packed, i, BLOCK), offset: wordOf(packed, i, OFFSET) })

const wordOf = ({ words, gap }: PackedEntries, i: number, word: number): number => words[(gap + i) * WORDS + word] as number

/** Into an array for twice as many as are wanted, without the gap. */
const moveTo = (packed: PackedEntries, wanted: number): void => {
  const words = new Uint32Array(Math.max(CAPACITY_MIN, wanted * 2) * WORDS)
  words.set(packed.words.subarray(packed.gap * WORDS, (packed.gap + packed.count) * WORDS))
  packed.words = words
  packed.gap = 0
}
