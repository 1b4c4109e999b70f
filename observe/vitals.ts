/** What a node process measures of itself for its report: CPU, memory, how late its loop runs, how long its log takes to be durable. */

import { createHistogram } from '../actors/kernel/histogram.ts'
import { createLoopDelay } from './loopDelay.ts'
import type { VitalsPort } from '../topology/nodeOptions.ts'
import type { NodeVitals } from '../topology/report.ts'

export const createVitals = (tickMs: number, diskSpace: () => NodeVitals['disk']): VitalsPort => {
  const syncs = createHistogram()
  const loop = createLoopDelay(tickMs)
  return {
    vitals: () => {
      const { user, system } = process.cpuUsage()
      return {
        cpuMs: Math.round((user + system) / 1_000),
        rssBytes: process.memoryUsage.rss(),
        loopDelayMs: loop.read(),
        syncMicros: syncs.sparse(),
        disk: diskSpace(),
      }
    },
    noteSync: (tookMs) => syncs.record(tookMs * 1_000, 1),
    noteTick: loop.noteTick,
  }
}
