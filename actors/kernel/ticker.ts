/**
 * Ticks: how time reaches the cores. One timer per node; each tick says how many tick lengths have passed since the last one.
 *
 * A process that was stopped (SIGSTOP, a long collection) wakes in the poll phase of its event loop: seconds of
 * buffered messages are handed out before any timer fires. A deposed leader would then execute that backlog without knowing that it
 * slept. So whoever receives from outside calls `catchUp` first: when a tick is overdue it is delivered before the message
 * (test: "a stopped leader that wakes up executes none of its backlog"). Nobody counts the time in which the machine was suspended: the
 * monotonic clock stands still in it. What relies on real time asks the wall clock, too (actors/raft/readIndex.ts).
 */

import type { Cancel, Clock } from './clock.ts'

export interface Tick {
  readonly ticks: number
  readonly now: number
  readonly wallMs: number
}

export interface Ticker {
  /** Delivers overdue ticks now; costs one comparison when none is due. */
  readonly catchUp: () => void
  readonly stop: () => void
}

export const createTicker = (clock: Clock, tickMs: number, onTick: (tick: Tick) => void): Ticker => {
  let lastTickAt = clock.now()
  let cancel: Cancel = () => {}
  let isStopped = false
  const deliverDue = (): void => {
    const now = clock.now()
    const ticks = Math.floor((now - lastTickAt) / tickMs)
    if (ticks < 1) return
    lastTickAt += ticks * tickMs
    onTick({ ticks, now, wallMs: clock.wall() })
  }
  const arm = (): void => {
    if (isStopped) return
    cancel = clock.after(Math.max(1, lastTickAt + tickMs - clock.now()), () => {
      deliverDue()
      arm()
    })
  }
  arm()
  return {
    catchUp: () => {
      if (!isStopped) deliverDue()
    },
    stop: () => {
      isStopped = true
      cancel()
    },
  }
}
