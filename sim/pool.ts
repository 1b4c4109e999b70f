/** Many seeds on several cores (lanes/crew.ts). This file is the worker's entry, too. */

import { runCrew, serveCrew } from '../lanes/crew.ts'
import { drawOptions } from './options.ts'
import { runSeed } from './run.ts'
import type { SimOverrides } from './options.ts'
import type { RunResult } from './run.ts'

/** What a worker reports: without the trace, which a replay makes again. */
export type SeedResult = Pick<RunResult, 'seed' | 'violation' | 'traceHash' | 'figures'>

export interface PoolInput {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
  /** No seed is begun after that. */
  readonly budgetSeconds?: number | undefined
  /** Every so many seeds one runs twice and must take the same steps. */
  readonly twiceEvery?: number | undefined
}

type Data = Pick<PoolInput, 'seeds' | 'overrides' | 'twiceEvery'>

export const runSeeds = (input: PoolInput, onResult: (result: SeedResult) => void): Promise<void> => {
  const { seeds, overrides, twiceEvery, workers, budgetSeconds } = input
  const data: Data = { seeds, overrides, twiceEvery }
  return runCrew({ entry: import.meta.url, data, tasks: seeds.length, workers, budgetSeconds }, (report) => onResult(report as SeedResult))
}

const runOnce = (seed: number, overrides: SimOverrides): SeedResult => {
  const { violation, traceHash, figures } = runSeed(drawOptions(seed, overrides))
  return { seed, violation, traceHash, figures }
}

const runTwice = (seed: number, overrides: SimOverrides): SeedResult => {
  const [first, second] = [runOnce(seed, overrides), runOnce(seed, overrides)]
  if (first.traceHash === second.traceHash) return first
  const text = `trace ${first.traceHash}, then ${second.traceHash}`
  return { ...first, violation: first.violation ?? { invariant: 'a seed takes the same steps twice', text } }
}

serveCrew((data) => {
  const { seeds, overrides, twiceEvery } = data as Data
  return (task): SeedResult => {
    const seed = seeds[task] ?? 0
    return twiceEvery !== undefined && task % twiceEvery === 0 ? runTwice(seed, overrides) : runOnce(seed, overrides)
  }
})
