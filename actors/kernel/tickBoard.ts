/**
 * Where the ticks of a node are written up once, for all its actors of one kind. Whoever knows that nothing of its own can be due for a
 * while sleeps, and is not even asked: a node has hundreds of quiet groups, and asking each of them ten times a second costs more than
 * what they do.
 *
 *   tick ──▶ passed ──▶ every seat whose time has come is woken, in the order of the seats
 *
 * Nothing is kept for a sleeper: what has passed since it last looked is the difference of two counts (kernel/owedTicks.ts). A seat that
 * was left is given to the next who comes, so there are never more of them than there were actors at one time.
 */

import type { Tick } from './ticker.ts'

/** `ticks`: since the board was made. */
export type PassedTime = Tick

export interface TickBoard {
  /** Rises in place: read, never kept. */
  readonly passed: PassedTime
  readonly pass: (tick: Tick) => void
  /** Woken at every tick, until it says that it sleeps. */
  readonly seat: (wake: () => void) => Seat
}

export interface Seat {
  /** Not to be woken before `passed.ticks` has come to this. */
  readonly sleepUntil: (ticks: number) => void
  readonly leave: () => void
}

export const createTickBoard = (): TickBoard => {
  const passed = { ticks: 0, now: 0, wallMs: 0 }
  const wakes: ((() => void) | null)[] = []
  /** Beside them, in one piece of memory: going through hundreds that sleep is what happens most. */
  const wakesAt: number[] = []
  const free: number[] = []
  return {
    passed,
    pass: ({ ticks, now, wallMs }) => {
      passed.ticks += ticks
      passed.now = now
      passed.wallMs = wallMs
      for (let at = 0; at < wakesAt.length; at += 1) if ((wakesAt[at] as number) <= passed.ticks) wakes[at]?.()
    },
    seat: (wake) => {
      const at = free.pop() ?? wakes.length
      let isTaken = true
      wakes[at] = wake
      wakesAt[at] = 0
      return {
        // One that has left may still be sent events, which it does not heed.
        sleepUntil: (ticks) => {
          if (isTaken) wakesAt[at] = ticks
        },
        leave: () => {
          if (!isTaken) return
          isTaken = false
          wakes[at] = null
          wakesAt[at] = Number.POSITIVE_INFINITY
          free.push(at)
        },
      }
    },
  }
}
