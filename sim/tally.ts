/** The figures of many runs, summed and put into lines. */

import { createMarkSums } from './marks/report.ts'
import type { MarkSums } from './marks/report.ts'
import type { SeedResult } from './pool.ts'
import type { RunFigures } from './run.ts'

type Totals = Record<Exclude<keyof RunFigures, 'marks'>, number>

export interface Tally {
  readonly add: (result: SeedResult) => void
  readonly seeds: () => number
  readonly failed: () => number
  readonly totals: () => Readonly<Totals>
  readonly marks: MarkSums
  readonly lines: () => readonly string[]
  /** What a lane leaves for the scoreboard. */
  readonly figures: () => Readonly<Record<string, unknown>>
}

export const createTally = (): Tally => {
  const totals: Totals = { virtualMs: 0, events: 0, operations: 0, answered: 0, acknowledged: 0, committed: 0, faults: 0, faultsDrawn: 0 }
  const names = Object.keys(totals) as (keyof Totals)[]
  const marks = createMarkSums()
  const startedAt = performance.now()
  const cpuAtStart = process.cpuUsage()
  let seeds = 0
  let failed = 0
  const seconds = (): number => (performance.now() - startedAt) / 1_000
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage(cpuAtStart)
    return (user + system) / 1e6
  }
  const virtualHours = (): number => totals.virtualMs / 3_600_000
  const speed = (): number => totals.virtualMs / 1_000 / cpuSeconds()
  return {
    add: ({ figures, violation }) => {
      seeds += 1
      if (violation !== null) failed += 1
      for (const name of names) totals[name] += figures[name]
      marks.add(figures.marks)
    },
    seeds: () => seeds,
    failed: () => failed,
    totals: () => totals,
    marks,
    lines: () => [
      `${seeds} seeds, ${failed} failed; ${virtualHours().toFixed(2)} virtual hours, ${totals.events} events,`
        + ` ${totals.answered} operations answered (${totals.acknowledged} writes acknowledged), ${totals.operations} checked,`
        + ` ${totals.committed} entries committed, ${totals.faults} faults injected`,
      `${seconds().toFixed(1)} s, ${cpuSeconds().toFixed(1)} CPU seconds, ${speed().toFixed(0)} virtual seconds a CPU second`,
      ...marks.lines(),
    ],
    figures: () => ({
      seeds, virtualHours: Number(virtualHours().toFixed(2)), faults: totals.faults, operationsAnswered: totals.answered,
      operationsChecked: totals.operations, committed: totals.committed, marksHit: marks.hits(), marks: marks.runs(),
      seconds: Math.round(seconds()), cpuSeconds: Math.round(cpuSeconds()), virtualSecondsPerCpuSecond: Math.round(speed()),
    }),
  }
}
