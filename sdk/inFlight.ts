/**
 * The calls in flight: an array, in which each knows its place. Not a Set, for the reason that what waits is in no Map
 * (actors/kernel/pendingTable.ts): all calls would grow old, though each is over in a millisecond.
 */

import type { Call } from './call.ts'

export interface InFlight {
  readonly size: () => number
  readonly add: (call: Call) => void
  /** False when it was not there. */
  readonly remove: (call: Call) => boolean
  /** As they are now: who goes through them may remove any. */
  readonly all: () => Call[]
  readonly some: (isSuch: (call: Call) => boolean) => boolean
}

/** The place of a call that is not in flight. */
export const NOWHERE = -1

export const createInFlight = (): InFlight => {
  const calls: Call[] = []
  return {
    size: () => calls.length,
    add: (call) => { call.place = calls.push(call) - 1 },
    remove: (call) => {
      const { place } = call
      if (place === NOWHERE) return false
      call.place = NOWHERE
      const last = calls.pop()
      if (last !== undefined && last !== call) {
        calls[place] = last
        last.place = place
      }
      return true
    },
    all: () => [...calls],
    some: (isSuch) => calls.some(isSuch),
  }
}
