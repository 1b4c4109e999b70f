/** The most that a target does in a second: the median closed loop at a depth where more in flight brings little more. */

import { measureInTurns } from './turns.ts'
import type { WorkloadSpec } from './load/workload.ts'
import type { Target } from './targets/port.ts'

export const PEAK_IN_FLIGHT = 1_024
const PEAK_RUNS = 3

export interface PeakPlan {
  readonly workload: Omit<WorkloadSpec, 'seed'>
  readonly seconds: number
  readonly warmUpMs: number
}

export const measurePeak = async (target: Target, { workload, seconds, warmUpMs }: PeakPlan): Promise<number> => {
  const loop = { kind: 'closed', inFlight: PEAK_IN_FLIGHT, warmUpMs, durationMs: seconds * 1_000 } as const
  const [figure] = await measureInTurns({ targets: [target], workload, loop, runs: PEAK_RUNS })
  const peak = figure?.median.perSecond ?? 0
  process.stderr.write(`peak: ${Math.round(peak)}/s with ${PEAK_IN_FLIGHT} in flight\n`)
  return peak
}
