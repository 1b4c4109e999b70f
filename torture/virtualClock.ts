/** A clock for tests of storage: time moves only when told to, callbacks run in order of their time, then of their asking. */

import type { Clock } from '../actors/kernel/clock.ts'

interface Waiting { readonly at: number; readonly order: number; readonly fn: () => void }

export interface VirtualClock extends Clock {
  /** Runs everything due within `ms`. */
  readonly advance: (ms: number) => void
  /** Runs what is due now or later until the condition holds; false when `withinMs` pass first. */
  readonly runUntil: (isDone: () => boolean, withinMs?: number) => boolean
}

export const createVirtualClock = (): VirtualClock => {
  let now = 0
  let order = 0
  const waiting: Waiting[] = []
  const at = (time: number, fn: () => void): (() => void) => {
    order += 1
    const entry = { at: time, order, fn }
    let slot = waiting.length
    while (slot > 0 && (waiting[slot - 1]?.at ?? 0) > time) slot -= 1
    waiting.splice(slot, 0, entry)
    return () => {
      const index = waiting.indexOf(entry)
      if (index >= 0) waiting.splice(index, 1)
    }
  }
  const step = (until: number): boolean => {
    const next = waiting[0]
    if (next === undefined || next.at > until) return false
    waiting.shift()
    now = Math.max(now, next.at)
    next.fn()
    return true
  }
  return {
    now: () => now,
    wall: () => 1_700_000_000_000 + now,
    after: (ms, fn) => at(now + ms, fn),
    defer: (fn) => { at(now, fn) },
    advance: (ms) => {
      const until = now + ms
      while (step(until)) { /* each step runs one callback */ }
      now = until
    },
    runUntil: (isDone, withinMs = 60_000) => {
      const until = now + withinMs
      while (!isDone()) if (!step(until)) return false
      return true
    },
  }
}
