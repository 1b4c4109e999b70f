/**
 * What would leave a shard with more than it has, for as long as nobody deletes it: a key, a longer value, a key's first deadline. A leader
 * that is short of memory refuses that (requests.ts), and takes the rest: leases are renewed, counters count on, a short value is
 * put over another. Not a long one: the one before is given back by a later collection, in pieces that fit nothing longer. Sessions are few
 * (sessions.ts, SESSIONS_MAX) and end by themselves, and the SDK needs one to delete.
 *
 * What was executed before grows nothing: a repeat of it is owed the first answer. The same holds for a repeat of what is under way here.
 * A copy that is under way elsewhere is not known of; whoever sent it has had no answer and knows that (docs/GUARANTEES.md).
 *
 * The state is judged as it is now. What is under way may delete the key or clear its deadline first: then a little grows all the same,
 * at most as much as one leader has under way.
 */

import { TEXT_BYTES_MAX, expiresAtMsOf, valueLengthOf } from './keyRecord.ts'
import { OpCode } from './operation.ts'
import { isAnswered } from './sessions.ts'
import { liveRecord } from './state.ts'
import type { PendingOperation, ShardCore } from './core.ts'
import type { KeyRecord } from './keyRecord.ts'
import type { Operation } from './operation.ts'
import type { ShardState } from './state.ts'

export const wouldGrow = (core: ShardCore, operation: Operation): boolean =>
  canGrow(core.state, operation) && !isAnsweredBefore(core.state, operation) && !isUnderWay(core, operation)

const canGrow = (state: ShardState, { code, key, value, ttlMs = 0 }: Operation): boolean => {
  if (code !== OpCode.put && code !== OpCode.incr && code !== OpCode.touch) return false
  const live = liveRecord(state, key)
  // `touch` of no key changes nothing.
  if (live === undefined) return code !== OpCode.touch
  const isFirstDeadline = ttlMs > 0 && expiresAtMsOf(live) === 0
  return isFirstDeadline || (code === OpCode.put && !fitsIn(live, value?.length ?? 0))
}

const fitsIn = (live: KeyRecord, bytes: number): boolean => {
  const had = valueLengthOf(live)
  return had <= TEXT_BYTES_MAX && bytes <= had
}

const isAnsweredBefore = ({ requests, sessions }: ShardState, { requestId, session }: Operation): boolean =>
  (requestId !== undefined && requests.get(requestId) !== undefined) || (session !== undefined && isAnswered(sessions, session))

/** Looks through all that is under way: a tenth of a millisecond at its limit, and only while memory is short. */
const isUnderWay = (core: ShardCore, operation: Operation): boolean => {
  if (operation.requestId === undefined && operation.session === undefined) return false
  const isCopy = (pending: PendingOperation): boolean => isSameRequest(pending.operation, operation)
  if (core.gatheredWrites.some(isCopy)) return true
  for (const { operations } of core.proposals.values()) if (operations.some(isCopy)) return true
  for (const { operations } of core.inFlight.values()) if (operations.some(isCopy)) return true
  return false
}

const isSameRequest = (a: Operation, b: Operation): boolean => (b.session === undefined
  ? a.requestId === b.requestId
  : a.session?.sequence === b.session.sequence && a.session.client === b.session.client)
