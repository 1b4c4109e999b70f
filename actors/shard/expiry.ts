/**
 * Expiry by committed entries: every batch first removes what is due at its log time, and nothing else removes it, so no leader
 * change and no clock brings an expired key back. The work per entry is bounded; the rest goes with the next entries, and behaves as
 * absent meanwhile (state.ts, `liveRecord`). Each removal is a mutation with a revision of its own, for watchers.
 */

import { deadlineOf, keyOf } from './deadline.ts'
import { must } from '../kernel/assert.ts'
import { OpCode } from './operation.ts'
import { nextSessionEnd } from './sessions.ts'
import { removeKey } from './state.ts'
import type { ShardState } from './state.ts'

/** About 2 ms of work. */
export const KEYS_EXPIRED_PER_ENTRY_MAX = 512

/** Called for every mutation, in order. Must not change the state. */
export type ChangeObserver = (key: string, revision: number, code: OpCode) => void

export const expireKeys = (state: ShardState, changed: ChangeObserver): void => {
  for (let expired = 0; expired < KEYS_EXPIRED_PER_ENTRY_MAX; expired += 1) {
    const first = state.deadlines.firstKey()
    if (first === undefined || deadlineOf(first) > state.timeMs) return
    const key = keyOf(first)
    removeKey(state, key, must(state.keys.get(key), 'a deadline names a stored key'))
    state.revision += 1
    changed(key, state.revision, OpCode.del)
  }
}

/** Whether an entry of this log time would have something to remove. */
export const isExpiryDue = (state: ShardState, timeMs: number): boolean => {
  const first = state.deadlines.firstKey()
  return (first !== undefined && deadlineOf(first) <= timeMs) || nextSessionEnd(state.sessions) <= timeMs
}
