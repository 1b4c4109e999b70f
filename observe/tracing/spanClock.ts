/**
 * The time of spans: the monotonic clock's, told as milliseconds since 1970. Spans of one node never overlap wrongly that way, however the
 * wall clock is corrected meanwhile. Between nodes they are as far apart as the nodes' wall clocks are.
 *
 * A wall clock is read in whole milliseconds, so each reading is at most one too low: the greatest difference seen is the best. One that
 * was set is another matter, and is followed.
 */

import type { Clock } from '../../actors/kernel/clock.ts'

/** The wall clock was set, rather than steered. */
const SET_MS = 50

/** Of the monotonic clock: so often at most is the wall clock read. */
const READ_EVERY_MS = 1

export interface SpanClock {
  readonly now: () => number
  /** What the monotonic clock said a moment ago. */
  readonly at: (monotonicMs: number) => number
}

export const createSpanClock = (clock: Pick<Clock, 'now' | 'wall'>): SpanClock => {
  let readAt = clock.now()
  let offset = clock.wall() - readAt
  const at = (now: number): number => {
    if (now >= readAt + READ_EVERY_MS) {
      readAt = now
      const seen = clock.wall() - now
      if (seen > offset || seen < offset - SET_MS) offset = seen
    }
    return now + offset
  }
  return { now: () => at(clock.now()), at }
}
