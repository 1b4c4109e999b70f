/**
 * Holds the clients' history against the committed log, and resolves what clients do not know.
 *
 * An unknown mutation that is in the log took effect at the latest when it was committed, with the result the
 * model has there; one that is not, after everything has ended, never will. So the search for a linear order has
 * few open ends.
 */

import { OpCode } from '../actors/shard/operation.ts'
import { describeOperation, isReuse } from './history.ts'
import { contentOf, identityOf } from './ledger.ts'
import type { HistoryOperation, Outcome } from './history.ts'
import type { Fate, Identified, ShardLedger } from './ledger.ts'
import type { ModelRecord } from './model.ts'

export interface Settled {
  readonly history: readonly HistoryOperation[]
  /** One sentence per contradiction. */
  readonly problems: readonly string[]
}

export const settleHistory = (history: readonly HistoryOperation[], ledgerOf: (key: string) => ShardLedger): Settled => {
  const problems: string[] = []
  const settled = history.map((operation) => {
    const ledger = ledgerOf(operation.key)
    const problem = operation.call.kind === 'get' ? checkRead(operation, ledger) : checkMutation(operation, fateOf(operation, ledger))
    if (problem !== null) problems.push(`${problem}: ${describeOperation(operation)}`)
    return resolve(operation, fateOf(operation, ledger))
  })
  return { history: settled, problems }
}

const fateOf = (operation: HistoryOperation, ledger: ShardLedger): Fate | undefined => {
  const identity = identityOfOperation(operation)
  return identity === null ? undefined : ledger.fateOf(identity)
}

/** Null for what can not be recognised in the log. */
export const identityOfOperation = (operation: HistoryOperation): string | null => {
  const identified = identifiedOf(operation)
  return identified === null ? null : identityOf(identified)
}

/** Null for a read. */
const identifiedOf = ({ call, key, requestId, session }: HistoryOperation): Identified | null => {
  const memory = { key, requestId, session }
  switch (call.kind) {
    case 'get': return null
    case 'put':
    case 'cas': return { ...memory, code: OpCode.put, value: call.value }
    case 'incr': return { ...memory, code: OpCode.incr, value: String(call.amount) }
    case 'del': return { ...memory, code: OpCode.del }
    case 'touch': return { ...memory, code: OpCode.touch }
  }
  return call satisfies never
}

/** Its id was given to another write, and that is the one which was executed. */
const isOfAnother = (operation: HistoryOperation, fate: Fate | undefined): boolean => {
  const identified = identifiedOf(operation)
  return fate !== undefined && identified !== null && fate.content !== contentOf(identified)
}

/**
 * Whatever a read returns, stale or not, was committed before its answer. Unless it is stale, it was in force at some instant of the read:
 * not yet followed by a committed change when it began. That covers expiry, which no client sees happen.
 */
const checkRead = (operation: HistoryOperation, ledger: ShardLedger): string | null => {
  const { key, outcome, consistency } = operation
  if (outcome.kind !== 'answered') return null
  const seen = outcome.status === 'OK' ? { revision: outcome.revision, value: outcome.value ?? '' } : null
  const versions = ledger.versionsOf(key)
  const isSeen = (version: ModelRecord | null): boolean => version?.revision === seen?.revision && version?.value === seen?.value
  if (!versions.some(({ record }) => isSeen(record))) return 'a read returned what was never committed'
  const before = versions.filter(({ at }) => at <= operation.completedAt)
  if (!before.some(({ record }) => isSeen(record)) && consistency === 'stale') return 'a read returned what was committed after its answer'
  if (consistency === 'stale') return null
  const wasInForce = before.some(({ record }, i) =>
    isSeen(record) && (versions[i + 1]?.at ?? Number.POSITIVE_INFINITY) >= operation.invokedAt)
  return wasInForce ? null : 'a read returned what was not in force while it ran'
}

const checkMutation = (operation: HistoryOperation, fate: Fate | undefined): string | null => {
  const { outcome } = operation
  if (fate !== undefined && fate.executions > 1) return `it was executed ${fate.executions} times`
  if (isOfAnother(operation, fate)) return outcome.kind === 'answered' ? 'it was answered with what became of another write' : null
  if (isReuse(outcome)) return 'its id was called another write\'s, and is not'
  if (outcome.kind === 'failed' && fate?.result.status === 'OK') return 'a definite failure took effect'
  if (outcome.kind !== 'answered' || identityOfOperation(operation) === null) return null
  if (fate === undefined) return 'it was answered, but is not in the committed log'
  const { status, revision, value } = fate.result
  const isRight = status === outcome.status && revision === outcome.revision && value === outcome.value
  return isRight ? null : `the committed log says ${status} revision=${revision} value=${value ?? ''}`
}

const resolve = (operation: HistoryOperation, fate: Fate | undefined): HistoryOperation => {
  if (operation.outcome.kind !== 'unknown' || identityOfOperation(operation) === null) return operation
  if (fate === undefined || isOfAnother(operation, fate)) return { ...operation, outcome: { kind: 'failed', status: 'NOT_COMMITTED' } }
  const outcome: Outcome = { kind: 'answered', ...fate.result }
  return { ...operation, outcome, completedAt: Math.max(fate.committedAt, operation.invokedAt) }
}
