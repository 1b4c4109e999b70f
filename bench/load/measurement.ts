/** One run's figures, and the median of several. */

import { createHistogram } from './histogram.ts'
import type { Answer } from '../drivers/port.ts'
import type { Histogram } from './histogram.ts'

export interface Measurement {
  /** Operations done in a second. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
  readonly done: number
  /** Done in all, the warm-up included. */
  readonly doneInAll: number
  /** Refused with OVERLOADED, certainly not done. */
  readonly overloaded: number
  /** Any other error, and operations without an answer. */
  readonly failed: number
  /** CPU time of the client's process for each operation done, in microseconds. */
  readonly clientCpuUs: number
}

export interface Tally {
  /** `latencyMs` counts only for what was done. */
  readonly note: (answer: Answer, latencyMs: number) => void
  readonly latencies: Histogram
  readonly counts: () => Readonly<Record<Answer, number>>
}

export const createTally = (): Tally => {
  const latencies = createHistogram()
  const counts: Record<Answer, number> = { ok: 0, overloaded: 0, failed: 0 }
  return {
    note: (answer, latencyMs) => {
      counts[answer] += 1
      if (answer === 'ok') latencies.record(latencyMs * 1_000)
    },
    latencies,
    counts: () => counts,
  }
}

export interface Run {
  /** What counts. */
  readonly tally: Tally
  readonly warmUp?: Tally
  readonly elapsedMs: number
  readonly cpu: NodeJS.CpuUsage
}

export const summarize = ({ tally, warmUp, elapsedMs, cpu }: Run): Measurement => {
  const { ok, overloaded, failed } = tally.counts()
  const at = (share: number): number => tally.latencies.percentile(share) / 1_000
  return {
    perSecond: ok / (elapsedMs / 1_000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: tally.latencies.max() / 1_000,
    done: ok,
    doneInAll: ok + (warmUp?.counts().ok ?? 0),
    overloaded,
    failed,
    clientCpuUs: ok === 0 ? 0 : (cpu.user + cpu.system) / ok,
  }
}

/** The run whose rate is the middle one (the lower of two). Throws without runs. */
export const medianRun = <Figures extends Measurement>(runs: readonly Figures[]): Figures => {
  const middle = runs.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor((runs.length - 1) / 2)]
  if (middle === undefined) throw new Error('a median needs at least one run')
  return middle
}

/** The middle value (the lower of two); 0 without values. */
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0
