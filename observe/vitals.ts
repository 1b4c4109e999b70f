/**
 * What a node process measures of itself for its report: CPU, memory, how late its event loop runs, how long its log
 * takes to be durable.
 *
 * Loop delay comes from Node's own sampler, which runs outside JavaScript. Its histogram starts anew every WINDOW_MS, and the report
 * shows the last whole window, or the time since the start before there is one: old trouble does not stay for ever.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createHistogram } from '../actors/kernel/histogram.ts'
import type { VitalsPort } from '../topology/nodeOptions.ts'
import type { NodeVitals } from '../topology/report.ts'

const WINDOW_MS = 60_000
/** One sample in so many milliseconds: a tick. The sampler counts its own period as no delay. */
const RESOLUTION_MS = 50
const NANOS_PER_MS = 1_000_000

export interface VitalsMonitor extends VitalsPort {
  readonly stop: () => void
}

export const createVitalsMonitor = (diskSpace: () => NodeVitals['disk']): VitalsMonitor => {
  const syncs = createHistogram()
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const read = (): NodeVitals['loopDelayMs'] => ({ p99: millis(delay.percentile(99)), max: millis(delay.max) })
  let lastWindow: NodeVitals['loopDelayMs'] | null = null
  const timer = setInterval(() => {
    lastWindow = read()
    delay.reset()
  }, WINDOW_MS)
  timer.unref()
  return {
    vitals: () => {
      const { user, system } = process.cpuUsage()
      return {
        cpuMs: Math.round((user + system) / 1_000),
        rssBytes: process.memoryUsage.rss(),
        loopDelayMs: lastWindow ?? read(),
        syncMicros: syncs.sparse(),
        disk: diskSpace(),
      }
    },
    noteSync: (tookMs) => syncs.record(tookMs * 1_000, 1),
    stop: () => {
      clearInterval(timer)
      delay.disable()
    },
  }
}

/** What is above the sampler's own period; an empty histogram says nonsense for its extremes. */
const millis = (nanos: number): number => {
  const above = nanos / NANOS_PER_MS - RESOLUTION_MS
  return Number.isFinite(above) && above > 0 && above < WINDOW_MS * 60 ? Math.round(above * 10) / 10 : 0
}
