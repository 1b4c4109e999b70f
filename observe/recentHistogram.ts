/**
 * What was measured lately: of the minute that is under way and of the whole one before it, so never of less than what a person has just
 * seen and never of what was over two minutes ago. Old trouble does not stay for ever, as it would in a histogram of the whole life.
 */

import { createHistogram, sumOf } from '../actors/kernel/histogram.ts'
import type { SparseCounts } from '../actors/kernel/histogram.ts'

const WINDOW_MS = 60_000

export interface RecentHistogram {
  readonly record: (value: number) => void
  /** Milliseconds of a monotonic clock; told often, compared with a window. */
  readonly noteTime: (now: number) => void
  readonly sparse: () => SparseCounts
}

export const createRecentHistogram = (): RecentHistogram => {
  let before = createHistogram()
  let current = createHistogram()
  let since: number | null = null
  return {
    record: (value) => { current.record(value, 1) },
    noteTime: (now) => {
      since ??= now
      if (now - since < WINDOW_MS) return
      // After a pause of the process nothing that was measured before it is recent.
      before = now - since < 2 * WINDOW_MS ? current : createHistogram()
      current = createHistogram()
      since = now
    },
    sparse: () => sumOf([before.sparse(), current.sparse()]),
  }
}
