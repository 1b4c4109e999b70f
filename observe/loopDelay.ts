/**
 * How late the event loop runs, told by the node's own ticks: a tick that is due and comes later waited for that long. No timer of its own:
 * Node's sampler (monitorEventLoopDelay) would wake an idle process twenty times a second, 10 % of all that it does.
 *
 * The figures are those of the last whole minute, or of the time since the start before there is one: old trouble does not stay for ever.
 */

import { createHistogram, quantileOf } from '../actors/kernel/histogram.ts'
import type { Histogram } from '../actors/kernel/histogram.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { NodeVitals } from '../topology/report.ts'

const WINDOW_MS = 60_000

export interface LoopDelay {
  readonly noteTick: (tick: Tick) => void
  readonly read: () => NodeVitals['loopDelayMs']
  /** Microseconds, since the start. */
  readonly all: Histogram
}

export const createLoopDelay = (tickMs: number): LoopDelay => {
  /** Where the last tick lies on the grid of ticks; the first one seen is taken to be on time. */
  let gridAt: number | null = null
  let windowSince = 0
  let micros = createHistogram()
  const all = createHistogram()
  let max = 0
  let lastWindow: NodeVitals['loopDelayMs'] | null = null
  const current = (): NodeVitals['loopDelayMs'] => ({ p99: tenths(quantileOf(micros.sparse(), 0.99) / 1_000), max: tenths(max) })
  return {
    all,
    noteTick: ({ ticks, now }) => {
      if (gridAt === null) {
        gridAt = now
        windowSince = now
        return
      }
      const lateMs = now - gridAt - tickMs
      // Sooner than possible: the first tick was late itself, and the grid lies that much earlier.
      gridAt += ticks * tickMs + Math.min(0, lateMs)
      micros.record(lateMs * 1_000, 1)
      all.record(lateMs * 1_000, 1)
      max = Math.max(max, lateMs)
      if (now - windowSince < WINDOW_MS) return
      lastWindow = current()
      windowSince = now
      micros = createHistogram()
      max = 0
    },
    read: () => lastWindow ?? current(),
  }
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10
