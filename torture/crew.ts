/** The images of a run on all cores. This file is the worker's entry, too. */

import { runCrew, serveCrew } from '../lanes/crew.ts'
import { planOf } from '../lanes/plan.ts'
import { generatorsOf } from './generators.ts'
import type { Item } from '../lanes/plan.ts'
import type { Generator, Verdict } from './generator.ts'

/** Images between two looks at the clock. */
const IMAGES_PER_TASK = 40

export interface TortureOptions {
  readonly seed: number
  readonly images: number
  readonly workers: number
  readonly budgetSeconds?: number | undefined
}

export interface TortureFailure { readonly item: Item; readonly problem: string }

export interface TortureReport {
  /** Verdicts by generator, in the order of `generatorsOf`. */
  readonly kinds: readonly { readonly generator: number; readonly kind: string; readonly acknowledged: number }[]
  readonly failures: readonly TortureFailure[]
}

type Data = Pick<TortureOptions, 'seed' | 'images'>

export const runTorture = (options: TortureOptions, onReport: (report: TortureReport) => void): Promise<void> => {
  const { seed, images, workers, budgetSeconds } = options
  return runCrew({
    entry: import.meta.url, data: { seed, images } satisfies Data, tasks: Math.ceil(images / IMAGES_PER_TASK), workers, budgetSeconds,
  }, (report) => onReport(report as TortureReport))
}

/** A throw of the product, or of the torture, is a failure like any other. */
export const judgeItem = (generators: readonly Generator[], { kind, pass, index }: Item): Verdict => {
  try {
    return generators[kind]?.judge(pass, index) ?? { kind: 'unknown', problem: `there is no generator ${kind}` }
  } catch (error) {
    return { kind: 'thrown', problem: error instanceof Error ? error.stack ?? error.message : String(error) }
  }
}

serveCrew((data) => {
  const { seed, images } = data as Data
  const generators = generatorsOf(seed)
  const plan = planOf(generators, images)
  return (task): TortureReport => {
    const kinds: { generator: number; kind: string; acknowledged: number }[] = []
    const failures: TortureFailure[] = []
    for (const item of plan.slice(task * IMAGES_PER_TASK, (task + 1) * IMAGES_PER_TASK)) {
      const { kind, acknowledged = 0, problem } = judgeItem(generators, item)
      kinds.push({ generator: item.kind, kind, acknowledged })
      if (problem !== undefined) failures.push({ item, problem })
    }
    return { kinds, failures }
  }
})
