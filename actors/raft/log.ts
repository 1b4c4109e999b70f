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
import { createPayloads, keepPayload } from './payloads.ts'
import type { Payloads } from './payloads.ts'
import type { Entry, Index, Term } from './protocol.ts'

/** What an entry costs in every budget beyond its payload: so many empty entries are bounded too. */
const ENTRY_OVERHEAD_BYTES = 32

export interface LogPosition {
  readonly index: Index
  readonly term: Term
}

export interface Log {
  base: LogPosition
  /** `entries[0]` has index base.index + 1. */
  entries: Entry[]
  readonly payloads: Payloads
}

export const createLog = (base: LogPosition, entries: readonly Entry[]): Log => {
  const log: Log = { base, entries: [], payloads: createPayloads() }
  for (const entry of entries) appendEntry(log, entry)
  return log
}

export const bytesOf = (entry: Entry): number => entry.payload.length + ENTRY_OVERHEAD_BYTES

export const lastIndexOf = (log: Log): Index => log.base.index + log.entries.length

export const lastTermOf = (log: Log): Term => log.entries.at(-1)?.term ?? log.base.term

/** Undefined outside the log: before the base or after the last entry. */
export const termAt = (log: Log, index: Index): Term | undefined =>
  index === log.base.index ? log.base.term : log.entries[index - log.base.index - 1]?.term

export const entryAt = (log: Log, index: Index): Entry | undefined => log.entries[index - log.base.index - 1]

/** The log keeps a copy: nothing of `entry` is kept. */
export const appendEntry = (log: Log, entry: Entry): void => {
  assert(entry.index === lastIndexOf(log) + 1, `entry ${entry.index} follows ${lastIndexOf(log)}`)
  assert(entry.term >= lastTermOf(log), `term ${entry.term} of entry ${entry.index} is not below ${lastTermOf(log)}`)
  const { term, index, kind, payload } = entry
  log.entries.push({ term, index, kind, payload: keepPayload(log.payloads, payload) })
}

/** Entries from `from` to `to`, both included. */
export const entriesBetween = (log: Log, from: Index, to: Index): Entry[] =>
  log.entries.slice(from - log.base.index - 1, to - log.base.index)

/** Entries from `from` on within a byte budget; the first one always, however large. */
export const entriesWithin = (log: Log, from: Index, bytesMax: number): Entry[] =>
  entriesBetween(log, from, lastWithin(log, { from, to: lastIndexOf(log) }, bytesMax))

/** Where entries from `from` on, which is in the log, reach a byte budget: at most `to`, at least `from`. */
export const lastWithin = (log: Log, { from, to }: { readonly from: Index; readonly to: Index }, bytesMax: number): Index => {
  let bytes = 0
  let index = from - 1
  for (let entry = entryAt(log, from); entry !== undefined && index < to; entry = entryAt(log, index + 1)) {
    bytes += bytesOf(entry)
    if (bytes > bytesMax && index >= from) break
    index += 1
  }
  return index
}

/** Drops `index` and everything after it. */
export const truncateFrom = (log: Log, index: Index): void => {
  assert(index > log.base.index, `a cut at ${index} is after the base ${log.base.index}`)
  log.entries.length = Math.min(log.entries.length, index - log.base.index - 1)
}

/** Forgets everything: an installed snapshot that the log does not match takes its place. */
export const resetTo = (log: Log, base: LogPosition): void => {
  log.base = base
  log.entries = []
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
    const entry = entryAt(log, first - 1)
    if (entry === undefined) break
    bytes += bytesOf(entry)
    if (bytes > tail.bytesMax) break
    first -= 1
  }
  const base = first - 1
  if (base <= log.base.index) return
  const term = must(termAt(log, base), `a compaction to ${base} is inside the log`)
  log.entries = log.entries.slice(base - log.base.index)
  log.base = { index: base, term }
}
