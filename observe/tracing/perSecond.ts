/** At most so many a second, by whole seconds of a clock. */

import type { Clock } from '../../actors/kernel/clock.ts'

const MS_PER_SECOND = 1_000

/** True while there may be one more in this second. */
export const createPerSecond = (clock: Pick<Clock, 'now'>, max: number): (() => boolean) => {
  let second = -1
  let count = 0
  return () => {
    const now = Math.floor(clock.now() / MS_PER_SECOND)
    count = now === second ? count + 1 : 1
    second = now
    return count <= max
  }
}
