/** What a node process measures of itself for its report: CPU, memory, how late its loop runs, how long its log takes to be durable. */

import { createHistogram, quantileOf, totalOf } from '../actors/kernel/histogram.ts'
import { createLoopDelay } from './loopDelay.ts'
import { createRecentHistogram } from './recentHistogram.ts'
import { createResidentBytes } from './lastGood.ts'
import type { Histogram, SparseCounts } from '../actors/kernel/histogram.ts'
import type { VitalsPort } from '../topology/nodeOptions.ts'
import type { NodeVitals } from '../topology/report.ts'

export interface Vitals extends VitalsPort {
  /** Microseconds that ticks came late, since the start. */
  readonly loopDelayMicros: Histogram
}

export const createVitals = (tickMs: number, diskSpace: () => NodeVitals['disk'], lostLogLines: () => number = () => 0): Vitals => {
  const syncs = createHistogram()
  const recentSyncs = createRecentHistogram()
  const loop = createLoopDelay(tickMs)
  const residentBytes = createResidentBytes()
  return {
    vitals: () => {
      const { user, system } = process.cpuUsage()
      return {
        cpuMs: Math.round((user + system) / 1_000),
        rssBytes: residentBytes(),
        loopDelayMs: loop.read(),
        syncMicros: syncs.sparse(),
        syncMs: summaryOf(recentSyncs.sparse()),
        disk: diskSpace(),
        lostLogLines: lostLogLines(),
      }
    },
    noteSync: (tookMs) => {
      syncs.record(tookMs * 1_000, 1)
      recentSyncs.record(tookMs * 1_000)
    },
    noteTick: (tick) => {
      loop.noteTick(tick)
      recentSyncs.noteTime(tick.now)
    },
    loopDelayMicros: loop.all,
  }
}

const summaryOf = (micros: SparseCounts): NonNullable<NodeVitals['syncMs']> =>
  ({ count: totalOf(micros), p50: tenths(quantileOf(micros, 0.5) / 1_000), p99: tenths(quantileOf(micros, 0.99) / 1_000) })

const tenths = (ms: number): number => Math.round(ms * 10) / 10
