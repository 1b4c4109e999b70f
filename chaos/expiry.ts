/**
 * Do keys end when they should? Each key that expires is written once, for a time to live, and read while it lasts and afterwards
 * (chaos/clients/passing.ts).
 *
 * Not too early: whoever asks after the write was acknowledged, and is answered before the time to live has passed since it was asked for,
 * sees the value. Never back: what was gone stays gone. Not too late: the reads that come when all is healed see nothing that is overdue.
 * Only those, since meanwhile expiry waits for a majority, as every change does. Clocks must be left alone: log time follows them, as
 * far as they agree (docs/GUARANTEES.md).
 */

import { describeOperation, isExpiringKey } from '../sim/history.ts'
import { FINAL_CLIENT } from './history.ts'
import type { HistoryOperation } from '../sim/history.ts'

/** Log time moves in ticks, and a write may be stamped with the one before. */
const EARLY_MS = 250
/** A leader expires what is due within a tick, and a new one as soon as it serves. Machines are shared. */
export const LATE_MS = 1_500

/** One sentence per violation. */
export const checkExpiry = (operations: readonly HistoryOperation[]): readonly string[] => {
  const byKey = new Map<string, HistoryOperation[]>()
  for (const operation of operations) {
    if (!isExpiringKey(operation.key)) continue
    const known = byKey.get(operation.key)
    if (known === undefined) byKey.set(operation.key, [operation])
    else known.push(operation)
  }
  return [...byKey].flatMap(([key, ofKey]) => checkKey(key, ofKey))
}

interface Life {
  readonly write: HistoryOperation
  readonly value: string
  readonly ttlMs: number
  /** It had taken effect by then; Infinity when nobody can tell that it did. */
  readonly doneBy: number
}

const checkKey = (key: string, operations: readonly HistoryOperation[]): readonly string[] => {
  const [write, ...more] = operations.filter(({ call }) => call.kind !== 'get')
  const reads = operations.filter(({ call, outcome }) => call.kind === 'get' && outcome.kind === 'answered')
  const life = write === undefined ? null : lifeOf(write, reads)
  if (life === null || more.length > 0) return [`${key} was not written once, for a time`]
  return reads.flatMap((read) => {
    const problem = problemOf(life, read, reads)
    return problem === null ? [] : [`${key} ${problem}:\n  ${describeOperation(life.write)}\n  ${describeOperation(read)}`]
  })
}

const lifeOf = (write: HistoryOperation, reads: readonly HistoryOperation[]): Life | null => {
  const { call, completedAt, outcome } = write
  if (call.kind !== 'put' || call.ttlMs === undefined) return null
  const acknowledgedAt = outcome.kind === 'answered' ? completedAt : Number.POSITIVE_INFINITY
  const doneBy = Math.min(acknowledgedAt, ...reads.filter(isFound).map((read) => read.completedAt))
  return { write, value: call.value, ttlMs: call.ttlMs, doneBy }
}

const isFound = ({ outcome }: HistoryOperation): boolean => outcome.kind === 'answered' && outcome.status === 'OK'

const problemOf = ({ write, value, ttlMs, doneBy }: Life, read: HistoryOperation, reads: readonly HistoryOperation[]): string | null => {
  if (read.outcome.kind !== 'answered') return null
  if (!isFound(read)) {
    return read.invokedAt > doneBy && read.completedAt < write.invokedAt + ttlMs - EARLY_MS ? 'was gone before its time' : null
  }
  if (read.outcome.value !== value) return 'shows what was never written there'
  if (write.outcome.kind === 'answered' && read.outcome.revision !== write.outcome.revision) return 'shows another revision'
  if (read.client === FINAL_CLIENT && read.invokedAt > doneBy + ttlMs + LATE_MS) return 'is there after its time'
  const wasGone = reads.some((other) => !isFound(other) && other.invokedAt > doneBy && other.completedAt < read.invokedAt)
  return wasGone ? 'came back' : null
}
