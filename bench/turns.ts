/**
 * Contenders measured in turns: A B A B, so that whatever else the machine does hits both. A ratio is the median of the ratios of the
 * pairs, each of which ran within seconds of the other; a ratio of medians would compare different moments.
 */

import { median, medianRun } from './load/measurement.ts'
import { sampleServer } from './sampling.ts'
import type { MeasuredLoop } from './clientTask.ts'
import type { Measurement } from './load/measurement.ts'
import type { WorkloadSpec } from './load/workload.ts'
import type { Target } from './targets/port.ts'

export interface Run extends Measurement {
  /** CPU time of all server processes for each operation done, warm-up included, in microseconds; 0 where they are not known. */
  readonly serverCpuUs: number
}

export interface Figure {
  readonly target: string
  readonly median: Run
  readonly runs: readonly Run[]
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
  const rounds: (readonly Run[])[] = []
  for (let run = 1; run <= runs; run += 1) {
    const round: Run[] = []
    for (const target of targets) round.push(await runOnce(target, { ...workload, seed: run }, loop))
    rounds.push(round)
  }
  return targets.map(({ name }, i) => {
    const own = rounds.flatMap((round) => round[i] ?? [])
    const figure = { target: name, median: medianRun(own), runs: own }
    return i === 0 ? figure : { ...figure, ratio: pairedRatio(rounds, i) }
  })
}

export const runOnce = async (target: Target, workload: WorkloadSpec, loop: MeasuredLoop): Promise<Run> => {
  const cpuMsBefore = await serverCpuMs(target)
  const measured = await target.ask(workload, loop)
  const cpuUs = (await serverCpuMs(target) - cpuMsBefore) * 1_000
  // An older build's client does not say how much it did in all.
  const serverCpuUs = cpuUs / measured.doneInAll
  return { ...measured, serverCpuUs: Number.isFinite(serverCpuUs) ? serverCpuUs : 0 }
}

const serverCpuMs = async ({ pids }: Target): Promise<number> => {
  let sum = 0
  for (const [name, pid] of Object.entries(pids)) sum += (await sampleServer(name, pid))?.cpuMs ?? 0
  return sum
}

const pairedRatio = (rounds: readonly (readonly Measurement[])[], contender: number): number =>
  median(rounds.map((round) => (round[contender]?.perSecond ?? 0) / Math.max(1, round[0]?.perSecond ?? 0)))

/**
 * Servers that have worked for a while, as servers have. Node compiles what runs often: in its first ten thousand operations a node
 * pays three times as much for each as later (docs/PERFORMANCE.md).
 */
export const warm = async (target: Target, workload: Omit<WorkloadSpec, 'seed'>, seconds: number): Promise<void> => {
  if (seconds === 0) return
  await target.ask({ ...workload, seed: 0 }, { kind: 'closed', inFlight: WARM_IN_FLIGHT, warmUpMs: 0, durationMs: seconds * 1_000 })
}

const WARM_IN_FLIGHT = 64

/** Every key once, so that reads find something. */
export const fill = async (target: Target, workload: Omit<WorkloadSpec, 'seed'>): Promise<void> => {
  await target.ask({ ...workload, seed: 0 }, { kind: 'fill', inFlight: FILL_IN_FLIGHT, warmUpMs: 0, durationMs: FILL_MS_MAX })
}

const FILL_IN_FLIGHT = 256
const FILL_MS_MAX = 900_000
