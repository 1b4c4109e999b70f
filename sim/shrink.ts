/**
 * Makes a failing run smaller while it fails the same way: fewer faults, operations, clients, nodes, less of everything.
 *
 * Greedy, after delta debugging (Zeller and Hildebrandt, TSE 2002): a list of simplifications, each tried until none helps. Cutting the end
 * off, leaving out a fault and stopping the clients early keep what came before to the byte; the other simplifications make another
 * run of the same kind, so they are tried under a few seeds.
 */

import { simplifications } from './simplifications.ts'
import type { SimOptions } from './options.ts'

/** Which invariant a run of these options violates, when, and how much was done until then; null when none. */
export interface Failure {
  readonly invariant: string
  readonly atMs: number
  readonly operations: number
  readonly faultsDrawn: number
}

export interface Shrinking {
  readonly run: (options: SimOptions) => Failure | null
  /** False when the time for it is up. */
  readonly mayGoOn: () => boolean
  readonly onStep?: (what: string, options: SimOptions) => void
}

export interface Shrunk {
  readonly options: SimOptions
  readonly failure: Failure
  readonly runs: number
}

const SEEDS_EACH = 4

/** Null when the options do not fail at all. */
export const shrink = (options: SimOptions, shrinking: Shrinking): Shrunk | null => {
  const first = shrinking.run(options)
  if (first === null) return null
  let best: Shrunk = { options, failure: first, runs: 1 }
  /** Whether one of the candidates fails as the first run did; it becomes the best. */
  const take = (what: string, candidates: readonly SimOptions[]): boolean => {
    for (const candidate of candidates) {
      if (!shrinking.mayGoOn()) return false
      const failure = shrinking.run(candidate)
      best = { ...best, runs: best.runs + 1 }
      if (failure?.invariant !== first.invariant) continue
      best = { ...best, options: candidate, failure }
      shrinking.onStep?.(what, candidate)
      return true
    }
    return false
  }
  for (let helped = true; helped && shrinking.mayGoOn();) {
    helped = cutTail(best, take)
    helped = skipFaults(() => best, take) || helped
    for (const { what, simplify } of simplifications) {
      const simpler = simplify(best.options)
      if (simpler !== null) helped = take(what, seedsOf(simpler)) || helped
    }
  }
  return best
}

type Take = (what: string, candidates: readonly SimOptions[]) => boolean

const seedsOf = (options: SimOptions): SimOptions[] =>
  Array.from({ length: SEEDS_EACH }, (_, i) => ({ ...options, seed: options.seed + i }))

/** Nothing after the failure matters, nor do operations that began after it. */
const cutTail = ({ options, failure }: Shrunk, take: Take): boolean => {
  const safetyMs = Math.ceil(failure.atMs) + 1
  const isLater = safetyMs < options.safetyMs && take('shorter', [{ ...options, safetyMs }])
  const { operationsMax } = options.workload
  const shorter = isLater ? { ...options, safetyMs } : options
  if (failure.operations >= operationsMax) return isLater
  return take('fewer operations', [{ ...shorter, workload: { ...options.workload, operationsMax: failure.operations } }]) || isLater
}

/** Leaves out ever smaller parts of the faults that are still there. */
const skipFaults = (best: () => Shrunk, take: Take): boolean => {
  let helped = false
  for (let part = presentFaults(best()).length; part >= 1; part = part >> 1) {
    const present = presentFaults(best())
    for (let from = 0; from < present.length; from += part) {
      const { options } = best()
      const skippedFaults = [...options.skippedFaults, ...present.slice(from, from + part)].sort((a, b) => a - b)
      helped = take('fewer faults', [{ ...options, skippedFaults }]) || helped
    }
  }
  return helped
}

const presentFaults = ({ options, failure }: Shrunk): number[] => {
  const skipped = new Set(options.skippedFaults)
  return Array.from({ length: failure.faultsDrawn }, (_, i) => i).filter((fault) => !skipped.has(fault))
}
