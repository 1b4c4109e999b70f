/** A clock on which waits are over at once: following a drain takes no time in a test. */

import type { Clock } from '../../actors/kernel/clock.ts'

export const createSimulatedWait = (): Clock => {
  let now = 0
  return {
    now: () => now,
    wall: () => now,
    after: (ms, wake) => {
      const immediate = setImmediate(() => {
        now += ms
        wake()
      })
      return () => clearImmediate(immediate)
    },
    defer: setImmediate,
  }
}
