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

export interface SpanClock {
  readonly now: () => number
}

export const createSpanClock = (clock: Pick<Clock, 'now' | 'wall'>): SpanClock => {
  let offset = clock.wall() - clock.now()
  return {
    now: () => {
      const now = clock.now()
      const seen = clock.wall() - now
      if (seen > offset || seen < offset - SET_MS) offset = seen
      return now + offset
    },
  }
}
