/** The executions of a run on all cores. This file is the worker's entry, too. */

import { runCrew, serveCrew } from '../lanes/crew.ts'
import { planOf } from '../lanes/plan.ts'
import { EXECUTIONS_PER_SLICE, runSlice } from './slice.ts'
import { targets } from './targets.ts'
import type { Item } from '../lanes/plan.ts'
import type { Corpus } from './corpus.ts'
import type { SliceReport } from './slice.ts'
import type { Target } from './target.ts'

export interface FuzzOptions {
  readonly seed: number
  readonly executions: number
  /** One decoder by its name; all without it. */
  readonly decoder?: string | undefined
  readonly corpus: Corpus
  readonly workers: number
  readonly budgetSeconds?: number | undefined
}

export interface FuzzReport extends SliceReport { readonly name: string; readonly seconds: number }

type Data = Pick<FuzzOptions, 'seed' | 'executions' | 'decoder' | 'corpus'>

export const targetsOf = (decoder: string | undefined): readonly Target[] =>
  targets.filter(({ name }) => decoder === undefined || name === decoder)

const planFor = (chosen: readonly Target[], executions: number): readonly Item[] =>
  planOf(chosen.map(({ share }) => ({ share, sizeOf: () => Number.MAX_SAFE_INTEGER })), Math.ceil(executions / EXECUTIONS_PER_SLICE))

export const runFuzz = (options: FuzzOptions, onReport: (report: FuzzReport) => void): Promise<void> => {
  const { seed, executions, decoder, corpus, workers, budgetSeconds } = options
  return runCrew({
    entry: import.meta.url, data: { seed, executions, decoder, corpus } satisfies Data,
    tasks: planFor(targetsOf(decoder), executions).length, workers, budgetSeconds,
  }, (report) => onReport(report as FuzzReport))
}

/** Another for every slice of every decoder; a decoder's stay the same when others come or go. */
const sliceSeed = (seed: number, { name }: Target, index: number): number => {
  let hash = seed >>> 0
  for (const character of `${name}/${index}`) hash = (Math.imul(hash, 0x0100_0193) ^ character.charCodeAt(0)) >>> 0
  return hash
}

serveCrew((data, trying) => {
  const { seed, executions, decoder, corpus } = data as Data
  const chosen = targetsOf(decoder)
  const counters = new Map<number, number>()
  const slices = planFor(chosen, executions).map(({ kind }) => {
    const number = counters.get(kind) ?? 0
    counters.set(kind, number + 1)
    return { kind, number }
  })
  return (task): FuzzReport | undefined => {
    const slice = slices[task]
    const target = slice === undefined ? undefined : chosen[slice.kind]
    if (slice === undefined || target === undefined) return undefined
    const startedAt = performance.now()
    const report = runSlice({
      target, seed: sliceSeed(seed, target, slice.number), corpus: corpus.get(target.name) ?? [], executions: EXECUTIONS_PER_SLICE, trying,
    })
    return { ...report, name: target.name, seconds: (performance.now() - startedAt) / 1_000 }
  }
})
