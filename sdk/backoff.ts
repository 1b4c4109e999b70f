/**
 * Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): the wait is drawn evenly from nothing up
 * to a maximum that doubles, so that clients which failed together do not come back together.
 */

import { fraction } from '../actors/kernel/random.ts'
import { BACKOFF_MS_FIRST, BACKOFF_MS_MAX } from './limits.ts'
import type { Random } from '../actors/kernel/random.ts'

/** Milliseconds to wait after so many failures in a row, and at least `floorMs`, which the other side asked for. */
export const backoffMs = (random: Random, failures: number, floorMs = 0): number => {
  const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** Math.min(failures, 16))
  return floorMs + fraction(random) * Math.max(ceiling, floorMs)
}
