/**
 * The real clock, for production: `performance.now`, `Date.now`, `setTimeout` and `setImmediate` behind the port. The first stands still
 * while the machine is suspended.
 */

import type { Clock } from './clock.ts'

export const createSystemClock = (): Clock => ({
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
  defer: (fn) => {
    setImmediate(fn)
  },
})
