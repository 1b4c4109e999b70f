/**
 * The real clock, for production: `performance.now`, `Date.now`, `setTimeout` and `setImmediate` behind the port. The first stands still
 * while the machine is suspended.
 */

import type { Clock } from './clock.ts'

/**
 * Node counts a timer in whole milliseconds, from the last whole one of a clock that may be one behind, and leaves out the rest: what is
 * asked for in parts of one would come up to two too early. A ticker that is called before its tick is due waits again, and an idle
 * process wakes twice for most of its ticks.
 */
const atLeast = (ms: number): number => Math.ceil(ms) + 2

export const createSystemClock = (): Clock => ({
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, atLeast(ms))
    return () => clearTimeout(timer)
  },
  defer: (fn) => {
    setImmediate(fn)
  },
})
