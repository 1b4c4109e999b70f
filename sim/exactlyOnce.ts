/**
 * Did every request take effect at most once, and none that was said to have failed?
 *
 * Three independent views. Revisions: two operations never own the same revision of a key. Counters: what a
 * counter shows at the end is the sum of the increments that took effect, no more and no less, as far as unknown
 * outcomes allow. Repeats: a request id that is sent again after its answer gets the same answer.
 */

import { isSumOfSome } from './subsetSum.ts'
import type { HistoryOperation, Outcome } from './history.ts'

export interface ExactlyOnceInput {
  readonly history: readonly HistoryOperation[]
  /** What counters showed after everything had ended; only keys that nothing but incr and get touched are judged. */
  readonly finals: ReadonlyMap<string, string | null>
  /** Answers to request ids that were sent again after their first answer, by operation. */
  readonly repeats: ReadonlyMap<number, readonly Outcome[]>
}

/** One sentence per violation. */
export const checkExactlyOnce = (input: ExactlyOnceInput): readonly string[] =>
  [...checkRevisions(input.history), ...checkCounters(input), ...checkRepeats(input)]

const checkRevisions = (history: readonly HistoryOperation[]): string[] => {
  const owners = new Map<string, HistoryOperation>()
  const problems: string[] = []
  for (const operation of history) {
    const { call, outcome, key } = operation
    if (call.kind === 'get' || outcome.kind !== 'answered' || outcome.status !== 'OK') continue
    const name = `${key} revision ${outcome.revision}`
    const owner = owners.get(name)
    if (owner !== undefined) problems.push(`operations #${owner.id} and #${operation.id} both own ${name}`)
    owners.set(name, operation)
  }
  return problems
}

const checkCounters = ({ history, finals }: ExactlyOnceInput): string[] => {
  const problems: string[] = []
  for (const [key, operations] of groupByKey(history)) {
    const final = finals.get(key)
    if (final === undefined || !operations.every(({ call }) => call.kind === 'incr' || call.kind === 'get')) continue
    const counted = countIncrements(operations)
    const shown = Number(final ?? '0')
    if (!isSumOfSome(shown - counted.certain, counted.possible)) {
      const possible = counted.possible.join(', ') || 'nothing'
      problems.push(`counter ${key} shows ${shown}; ${counted.certain} is certain, possible besides: ${possible}`)
    }
  }
  return problems
}

const groupByKey = (history: readonly HistoryOperation[]): Map<string, HistoryOperation[]> => {
  const byKey = new Map<string, HistoryOperation[]>()
  for (const operation of history) byKey.set(operation.key, [...(byKey.get(operation.key) ?? []), operation])
  return byKey
}

const countIncrements = (operations: readonly HistoryOperation[]): { readonly certain: number; readonly possible: readonly number[] } => {
  let certain = 0
  const possible: number[] = []
  for (const { call, outcome } of operations) {
    if (call.kind !== 'incr') continue
    if (outcome.kind === 'unknown') possible.push(call.amount)
    else if (outcome.kind === 'answered' && outcome.status === 'OK') certain += call.amount
  }
  return { certain, possible }
}

const checkRepeats = ({ history, repeats }: ExactlyOnceInput): string[] => {
  const problems: string[] = []
  const byId = new Map(history.map((operation) => [operation.id, operation]))
  for (const [id, outcomes] of repeats) {
    const first = byId.get(id)
    if (first?.outcome.kind !== 'answered') continue
    for (const outcome of outcomes) {
      if (outcome.kind === 'answered' && !isSameAnswer(outcome, first.outcome)) {
        problems.push(`request id ${first.requestId ?? ''} was answered ${textOf(first.outcome)}, then ${textOf(outcome)}`)
      }
    }
  }
  return problems
}

type Answered = Extract<Outcome, { kind: 'answered' }>

const isSameAnswer = (a: Answered, b: Answered): boolean => a.status === b.status && a.revision === b.revision && a.value === b.value

const textOf = ({ status, revision, value }: Answered): string => `${status} revision=${revision} value=${value ?? ''}`
