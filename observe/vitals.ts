/** What a node process measures of itself for its report: CPU, memory, how late its loop runs, how long its log takes to be durable. */

import { createHistogram } from '../actors/kernel/histogram.ts'
import { createLoopDelay } from './loopDelay.ts'
import type { Histogram } from '../actors/kernel/histogram.ts'
import type { VitalsPort } from '../topology/nodeOptions.ts'
import type { NodeVitals } from '../topology/report.ts'

export interface Vitals extends VitalsPort {
  /** Microseconds that ticks came late, since the start. */
  readonly loopDelayMicros: Histogram
}

export const createVitals = (tickMs: number, diskSpace: () => NodeVitals['disk'], lostLogLines: () => number = () => 0): Vitals => {
  const syncs = createHistogram()
  const loop = createLoopDelay(tickMs)
  let rssBytes = 0
  /** It opens a file: without a free descriptor it throws, and a report must not end a node that works otherwise. */
  const measuredRss = (): number => {
    try {
      rssBytes = process.memoryUsage.rss()
    } catch {
      // The last one is the best there is.
    }
    return rssBytes
  }
  return {
    vitals: () => {
      const { user, system } = process.cpuUsage()
      return {
        cpuMs: Math.round((user + system) / 1_000),
        rssBytes: measuredRss(),
        loopDelayMs: loop.read(),
        syncMicros: syncs.sparse(),
        disk: diskSpace(),
        lostLogLines: lostLogLines(),
      }
    },
    noteSync: (tookMs) => syncs.record(tookMs * 1_000, 1),
    noteTick: loop.noteTick,
    loopDelayMicros: loop.all,
  }
}
