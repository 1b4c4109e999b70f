/**
 * Is a history right? The simulator's own checkers (sim/linearizability.ts, sim/exactlyOnce.ts), and three more: what was said to have
 * failed for certain never shows up, the revisions of a shard grow (shardOrder.ts), and keys end when they should (expiry.ts). Zero
 * tolerance.
 */

import { describeOperation, isExpiringKey, isReuse } from '../sim/history.ts'
import { checkExactlyOnce } from '../sim/exactlyOnce.ts'
import { checkLinearizability } from '../sim/linearizability.ts'
import { checkExpiry } from './expiry.ts'
import { finalsOf } from './history.ts'
import { checkShardOrder } from './shardOrder.ts'
import type { HistoryOperation } from '../sim/history.ts'
import type { Verdict } from '../sim/linearizability.ts'
import type { History } from './history.ts'

export interface Judgement {
  /** Operations that took part in the check. */
  readonly checked: number
  /**
   * Acknowledged writes that vanished or were contradicted, and reads that were wrong: keys without any order that explains them, and
   * shards whose revisions do not grow, and keys that expire too early, too late, or not for good.
   */
  readonly notLinearizable: readonly string[]
  /** Executed twice, an answer that changed when it was asked for again, or a write refused as another's, though its id is its own. */
  readonly duplicates: readonly string[]
  /** Said to have certainly failed, and seen. */
  readonly failuresThatShow: readonly string[]
}

export const judgeHistory = (history: History): Judgement => {
  const { operations, repeats, shards } = history
  return {
    checked: operations.length,
    notLinearizable: [
      ...linearityProblems(checkLinearizability(operations.filter(({ key }) => !isExpiringKey(key)))), ...checkExpiry(operations),
      ...(shards === null ? [] : checkShardOrder(operations, shards)),
    ],
    duplicates: [...checkExactlyOnce({ history: operations, finals: finalsOf(history), repeats }), ...refusedAsAnothers(history)],
    failuresThatShow: checkFailures(operations),
  }
}

const linearityProblems = (verdict: Verdict): readonly string[] => {
  switch (verdict.kind) {
    case 'linearizable': return []
    case 'violation':
      return [[`${verdict.key} has no linear order:`, ...verdict.operations.map(describeOperation)].join('\n  ')]
    case 'tooHard':
      return [`the history of ${verdict.key} is too hard to check after ${verdict.steps} steps: let the clients think for longer`]
  }
  return verdict satisfies never
}

export const problemsOf = ({ notLinearizable, duplicates, failuresThatShow }: Judgement): readonly string[] =>
  [...notLinearizable, ...duplicates, ...failuresThatShow]

/** Every write has a request id of its own, or none. */
const refusedAsAnothers = ({ operations, repeats }: History): string[] => operations.flatMap((operation) =>
  [operation.outcome, ...repeats.get(operation.id) ?? []].filter(isReuse).map(() =>
    `${describeOperation(operation)} was refused as if its id had been another write's`))

/** Values are unique, so a value that somebody read tells which write it was. */
const checkFailures = (operations: readonly HistoryOperation[]): string[] => {
  const failed = new Map(operations.flatMap((operation) => {
    const { call, outcome, key } = operation
    return outcome.kind === 'failed' && (call.kind === 'put' || call.kind === 'cas') ? [[`${key} ${call.value}`, operation] as const] : []
  }))
  return operations.flatMap((reader) => {
    const { call, outcome, key } = reader
    if (call.kind !== 'get' || outcome.kind !== 'answered' || outcome.value === undefined) return []
    const writer = failed.get(`${key} ${outcome.value}`)
    return writer === undefined ? [] : [`${describeOperation(writer)} shows up in ${describeOperation(reader)}`]
  })
}
