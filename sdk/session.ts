/**
 * The client's half of an exactly-once session (RIFL: Lee et al., SOSP 2015, section 4; the shard's half is actors/shard/sessions.ts).
 *
 *   sequences:  1 2 3 | 4 5 6 7 8 | 9 ...
 *                     ^ first incomplete      ^ next
 *
 * - A write gets its sequence once and keeps it over all attempts, so that a repetition gets the first result.
 * - A sequence is complete when its caller has been told something final. Only then may the shard forget its result, so only then does
 *   the first-incomplete mark pass it. A caller who was told "timed out, may have happened" has been told something final: no
 *   copy will be sent any more, and one that is still under way is either executed before the mark passes or refused after it.
 * - At most SESSION_WINDOW sequences are between the mark and the next: the shard remembers no more results. A mark travels with every
 *   write, is never above the write's own sequence, and whichever copy is applied last, the results from the greatest mark
 *   applied to the greatest sequence applied are within the window.
 * - A session that the cluster ended is never used for a new write. Its writes of open outcome are lost in the sense of the
 *   word: SESSION_EXPIRED is the last anyone can say about them.
 */

import { must } from '../actors/kernel/assert.ts'
import { SESSION_WINDOW } from './limits.ts'

export interface ShardSession {
  /** 16 hex digits. */
  readonly client: string
  state: 'new' | 'opening' | 'open'
  firstIncomplete: number
  next: number
  /** By sequence modulo the window: 1 when it is complete and the mark has not passed it. */
  readonly complete: Uint8Array
  /** When a write was last sent under it, in the clock's milliseconds. */
  usedAt: number
}

export const createSession = (client: string): ShardSession =>
  ({ client, state: 'new', firstIncomplete: 1, next: 1, complete: new Uint8Array(SESSION_WINDOW), usedAt: 0 })

export const hasRoom = (session: ShardSession): boolean => session.next - session.firstIncomplete < SESSION_WINDOW

/** Nothing is open under it. */
export const isSettled = (session: ShardSession): boolean => session.next === session.firstIncomplete

export const takeSequence = (session: ShardSession): number => {
  const sequence = session.next
  session.next += 1
  return sequence
}

/** The caller knows the last word about this sequence. */
export const completeSequence = (session: ShardSession, sequence: number): void => {
  const { complete } = session
  complete[sequence % SESSION_WINDOW] = 1
  while (session.firstIncomplete < session.next && isMarked(complete, session.firstIncomplete)) {
    complete[session.firstIncomplete % SESSION_WINDOW] = 0
    session.firstIncomplete += 1
  }
}

const isMarked = (complete: Uint8Array, sequence: number): boolean =>
  must(complete[sequence % SESSION_WINDOW], 'the window has a place for every sequence') === 1
