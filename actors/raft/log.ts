/**
 * The replicated log in memory: every entry after the base, which the newest snapshots cover.
 *
 *   snapshot ........ base | base+1 ... commit ... last
 *
 * Invariants: indexes are contiguous; terms never fall with the index, so a search by term is a binary search. What may be cut,
 * and what is durable, is decided elsewhere (following.ts, durability.ts).
 *
 * Sources: Ongaro and Ousterhout, section 5.3 and figure 2; etcd-io/raft for searching conflicts by (index, term).
 */

import { assert, must } from '../kernel/assert.ts'
import { createPackedEntries, entryOf, keepFirst, keepLast, lengthOf, pushEntry, termOf } from './packedEntries.ts'
import type { PackedEntries } from './packedEntries.ts'
import type { Entry, Index, Term } from './protocol.ts'

/** What an entry costs in every budget beyond its payload: so many empty entries are bounded too. */
const ENTRY_OVERHEAD_BYTES = 32

export interface LogPosition {
  readonly index: Index
  readonly term: Term
}

export interface Log {
  base: LogPosition
  /** The first has index base.index + 1. */
  readonly packed: PackedEntries
}

export const createLog = (base: LogPosition, entries: readonly Entry[]): Log => {
  const log: Log = { base, packed: createPackedEntries() }
  for (const entry of entries) appendEntry(log, entry)
  return log
}

export const bytesOf = (entry: Entry): number => entry.payload.length + ENTRY_OVERHEAD_BYTES

export const lastIndexOf = (log: Log): Index => log.base.index + log.packed.count

export const lastTermOf = ({ base, packed }: Log): Term => (packed.count === 0 ? base.term : termOf(packed, packed.count - 1))

/** Undefined outside the log: before the base or after the last entry. */
export const termAt = (log: Log, index: Index): Term | undefined => {
  if (index === log.base.index) return log.base.term
  return isInside(log, index) ? termOf(log.packed, index - log.base.index - 1) : undefined
}

export const entryAt = (log: Log, index: Index): Entry | undefined =>
  (isInside(log, index) ? entryOf(log.packed, index - log.base.index - 1, index) : undefined)

/** What the entries from `from` to `to` cost, both included; those outside the log nothing. */
export const bytesBetween = (log: Log, from: Index, to: Index): number => {
  let bytes = 0
  for (let index = Math.max(from, log.base.index + 1); index <= Math.min(to, lastIndexOf(log)); index += 1) bytes += bytesAt(log, index)
  return bytes
}

const isInside = (log: Log, index: Index): boolean => index > log.base.index && index <= lastIndexOf(log)

/** Of an entry inside the log, as `bytesOf`. */
const bytesAt = (log: Log, index: Index): number => lengthOf(log.packed, index - log.base.index - 1) + ENTRY_OVERHEAD_BYTES

/** The log keeps a copy: nothing of `entry` is kept. */
export const appendEntry = (log: Log, entry: Entry): void => {
  assert(entry.index === lastIndexOf(log) + 1, `entry ${entry.index} follows ${lastIndexOf(log)}`)
  assert(entry.term >= lastTermOf(log), `term ${entry.term} of entry ${entry.index} is not below ${lastTermOf(log)}`)
  pushEntry(log.packed, entry)
}

/** Entries from `from` to `to`, both included, as far as they are in the log. */
export const entriesBetween = (log: Log, from: Index, to: Index): Entry[] => {
  const entries: Entry[] = []
  for (let index = Math.max(from, log.base.index + 1); index <= Math.min(to, lastIndexOf(log)); index += 1) {
    entries.push(entryOf(log.packed, index - log.base.index - 1, index))
  }
  return entries
}

/** Entries from `from` on within a byte budget; the first one always, however large. */
export const entriesWithin = (log: Log, from: Index, bytesMax: number): Entry[] =>
  entriesBetween(log, from, lastWithin(log, { from, to: lastIndexOf(log) }, bytesMax))

/** Where entries from `from` on, which is in the log, reach a byte budget: at most `to`, at least `from`. */
export const lastWithin = (log: Log, { from, to }: { readonly from: Index; readonly to: Index }, bytesMax: number): Index => {
  let bytes = 0
  let index = from - 1
  while (index < to && isInside(log, index + 1)) {
    bytes += bytesAt(log, index + 1)
    if (bytes > bytesMax && index >= from) break
    index += 1
  }
  return index
}

/** Drops `index` and everything after it. */
export const truncateFrom = (log: Log, index: Index): void => {
  assert(index > log.base.index, `a cut at ${index} is after the base ${log.base.index}`)
  keepFirst(log.packed, index - log.base.index - 1)
}

/** Forgets everything: an installed snapshot that the log does not match takes its place. */
export const resetTo = (log: Log, base: LogPosition): void => {
  log.base = base
  keepLast(log.packed, 0)
}

/**
 * The last position at or below `index` whose term is at most `term`: where two logs may still agree. One before the base, with
 * term 0, when even the base's term is above.
 */
export const lastNotAbove = (log: Log, index: Index, term: Term): LogPosition => {
  let low = log.base.index - 1
  let high = Math.max(low, Math.min(index, lastIndexOf(log)))
  while (low < high) {
    const middle = low + Math.ceil((high - low) / 2)
    if (must(termAt(log, middle), 'the search stays inside the log') <= term) low = middle
    else high = middle - 1
  }
  return { index: low, term: termAt(log, low) ?? 0 }
}

export interface Tail {
  readonly entriesMax: number
  readonly bytesMax: number
}

/** Forgets entries up to `index`, which a snapshot covers, but keeps a bounded tail of them for slow followers. */
export const compactTo = (log: Log, index: Index, tail: Tail): void => {
  let first = index + 1
  let bytes = 0
  for (let kept = 0; kept < tail.entriesMax; kept += 1) {
    if (!isInside(log, first - 1)) break
    bytes += bytesAt(log, first - 1)
    if (bytes > tail.bytesMax) break
    first -= 1
  }
  const base = first - 1
  if (base <= log.base.index) return
  const term = must(termAt(log, base), `a compaction to ${base} is inside the log`)
  keepLast(log.packed, lastIndexOf(log) - base)
  log.base = { index: base, term }
}
