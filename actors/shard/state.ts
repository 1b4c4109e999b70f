/**
 * The replicated state of one shard: everything that entries decide, and nothing else.
 *
 * Two replicas that applied the same entries have equal states, to the byte of their snapshots (snapshotCodec.ts) but for
 * the hashes behind the end, of which a replica that was restored by way of an older version knows fewer (ADR 12); what is not in a
 * snapshot (`deadlines`, `keyBytes`) is derived from what is. Key records are immutable and their values are own copies
 * (keyRecord.ts), so clones, answers and snapshots share them.
 *
 * A key past its deadline behaves as absent whether or not the sweep (expiry.ts) has reached it: ask `liveRecord`.
 */

import { deadlineKey } from './deadline.ts'
import { createFifo } from './fifo.ts'
import { expiresAtMsOf, keyRecord, valueLengthOf } from './keyRecord.ts'
import { createOrderedMap } from './orderedMap.ts'
import { createSessionTable } from './sessions.ts'
import type { Fifo } from './fifo.ts'
import type { KeyContent, KeyRecord } from './keyRecord.ts'
import type { OrderedMap } from './orderedMap.ts'
import type { RememberedRequest } from './outcome.ts'
import type { SessionTable } from './sessions.ts'

/** Plain request ids remembered per shard: the whole of their guarantee (docs/GUARANTEES.md). */
export const REQUEST_IDS_MAX = 65_536

/** What a key costs beside its own bytes: record, tree slot, array header. Used to size the log budget, not to account memory. */
const KEY_OVERHEAD_BYTES = 100

export interface ShardState {
  appliedIndex: number
  appliedTerm: number
  /** Log time: the greatest time of any applied entry, in milliseconds. */
  timeMs: number
  /** Counts applied mutations. */
  revision: number
  /** Committed entries whose payload did not decode; each was a no-op everywhere. Above 0 it shows a version mix or a bug. */
  undecodable: number
  readonly keys: OrderedMap<KeyRecord>
  /** One entry per key with a deadline, in order of deadline. */
  readonly deadlines: OrderedMap<true>
  /** Estimate of what the keys weigh, in bytes. */
  keyBytes: number
  readonly requests: Fifo<RememberedRequest>
  readonly sessions: SessionTable
}

export const createState = (): ShardState => ({
  appliedIndex: 0,
  appliedTerm: 0,
  timeMs: 0,
  revision: 0,
  undecodable: 0,
  keys: createOrderedMap(),
  deadlines: createOrderedMap(),
  keyBytes: 0,
  requests: createFifo(REQUEST_IDS_MAX),
  sessions: createSessionTable(),
})

export const isLive = (record: KeyRecord, timeMs: number): boolean => {
  const expiresAtMs = expiresAtMsOf(record)
  return expiresAtMs === 0 || expiresAtMs > timeMs
}

/** The key's record at the state's log time. */
export const liveRecord = (state: ShardState, key: string): KeyRecord | undefined => {
  const record = state.keys.get(key)
  return record !== undefined && isLive(record, state.timeMs) ? record : undefined
}

/** `previous` is what the map holds for the key now, live or not. Nothing is kept of bytes in `content`. */
export const storeKey = (
  state: ShardState,
  key: string,
  change: { readonly previous: KeyRecord | undefined; readonly content: KeyContent },
): void => {
  const { previous, content } = change
  state.keys.set(key, keyRecord(content))
  if (previous === undefined) state.keyBytes += key.length + KEY_OVERHEAD_BYTES
  state.keyBytes += content.value.length - (previous === undefined ? 0 : valueLengthOf(previous))
  const before = previous === undefined ? 0 : expiresAtMsOf(previous)
  if (before === content.expiresAtMs) return
  if (before !== 0) state.deadlines.delete(deadlineKey(before, key))
  if (content.expiresAtMs !== 0) state.deadlines.set(deadlineKey(content.expiresAtMs, key), true)
}

export const removeKey = (state: ShardState, key: string, record: KeyRecord): void => {
  state.keys.delete(key)
  state.keyBytes -= key.length + KEY_OVERHEAD_BYTES + valueLengthOf(record)
  const expiresAtMs = expiresAtMsOf(record)
  if (expiresAtMs !== 0) state.deadlines.delete(deadlineKey(expiresAtMs, key))
}
