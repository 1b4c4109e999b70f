/**
 * Contenders measured in turns: A B A B, so that whatever else the machine does hits both. A ratio is the median of the ratios of the
 * pairs, each of which ran within seconds of the other; a ratio of medians would compare different moments.
 */

import { median, medianRun } from './load/measurement.ts'
import type { MeasuredLoop } from './clientTask.ts'
import type { Measurement } from './load/measurement.ts'
import type { WorkloadSpec } from './load/workload.ts'
import type { Target } from './targets/port.ts'

export interface Figure {
  readonly target: string
  readonly median: Measurement
  readonly runs: readonly Measurement[]
  /** Operations a second, as a share of the first contender's: the median over the pairs. Absent for the first. */
  readonly ratio?: number
}

export interface TurnsPlan {
  readonly targets: readonly Target[]
  readonly workload: Omit<WorkloadSpec, 'seed'>
  readonly loop: MeasuredLoop
  readonly runs: number
}

/** The figures of each target, in their order. */
export const measureInTurns = async ({ targets, workload, loop, runs }: TurnsPlan): Promise<readonly Figure[]> => {
  const rounds: (readonly Measurement[])[] = []
  for (let run = 1; run <= runs; run += 1) {
    const round: Measurement[] = []
    for (const target of targets) round.push(await target.ask({ ...workload, seed: run }, loop))
    rounds.push(round)
  }
  return targets.map(({ name }, i) => {
    const own = rounds.flatMap((round) => round[i] ?? [])
    const figure = { target: name, median: medianRun(own), runs: own }
    return i === 0 ? figure : { ...figure, ratio: pairedRatio(rounds, i) }
  })
}

const pairedRatio = (rounds: readonly (readonly Measurement[])[], contender: number): number =>
  median(rounds.map((round) => (round[contender]?.perSecond ?? 0) / Math.max(1, round[0]?.perSecond ?? 0)))

/** Every key once, so that reads find something. */
export const fill = async (target: Target, workload: Omit<WorkloadSpec, 'seed'>): Promise<void> => {
  await target.ask({ ...workload, seed: 0 }, { kind: 'fill', inFlight: FILL_IN_FLIGHT, warmUpMs: 0, durationMs: FILL_MS_MAX })
}

const FILL_IN_FLIGHT = 256
const FILL_MS_MAX = 900_000
