/**
 * Do the revisions of a shard grow in the order of time, over all of its keys?
 *
 * A shard stamps its writes in the order of its log, so each has a revision of its own, larger than any that somebody had been told of
 * before it was asked for. That shows an acknowledged write that is lost though nobody reads its key before it is written again, which key
 * by key is as it must be. Test: "sees an acknowledged write that is gone where its key was written again before anybody read it":
 *   1. a = v1 is acknowledged as revision 10. 2. The shard loses it: b = v2 gets 10. 3. a = v3 gets 11, and so everybody reads it.
 */

import { describeOperation } from '../sim/history.ts'
import { shardOf } from '../topology/hash.ts'
import type { HistoryOperation } from '../sim/history.ts'

/** An operation by whose answer a revision of its shard was told. */
interface Told {
  readonly operation: HistoryOperation
  readonly revision: number
  /** It is that operation's own, and no other's. */
  readonly isOwn: boolean
}

/** The first contradiction of each shard, as a sentence. */
export const checkShardOrder = (operations: readonly HistoryOperation[], shards: number): readonly string[] => {
  const byShard = new Map<number, Told[]>()
  for (const told of operations.flatMap(toldBy)) {
    const shard = shardOf(told.operation.key, shards)
    const known = byShard.get(shard)
    if (known === undefined) byShard.set(shard, [told])
    else known.push(told)
  }
  return [...byShard].flatMap(([shard, told]) => {
    const [later, earlier] = firstTwice(told) ?? firstBackwards(told) ?? []
    return later === undefined || earlier === undefined ? []
      : [`shard ${shard} gave a revision that was taken:\n  ${describeOperation(earlier)}\n  ${describeOperation(later)}`]
  })
}

const toldBy = (operation: HistoryOperation): Told[] => {
  const { call, outcome } = operation
  if (outcome.kind !== 'answered' || (outcome.status !== 'OK' && outcome.status !== 'CONFLICT')) return []
  return [{ operation, revision: outcome.revision, isOwn: outcome.status === 'OK' && call.kind !== 'get' }]
}

type Pair = readonly [later: HistoryOperation, earlier: HistoryOperation]

const firstTwice = (told: readonly Told[]): Pair | null => {
  const owners = new Map<number, HistoryOperation>()
  for (const { operation, revision, isOwn } of told) {
    const owner = owners.get(revision)
    if (isOwn && owner !== undefined) return [operation, owner]
    if (isOwn) owners.set(revision, operation)
  }
  return null
}

/** A write whose revision is below one that was told before it was asked for. */
const firstBackwards = (told: readonly Told[]): Pair | null => {
  const answers = told.toSorted((a, b) => a.operation.completedAt - b.operation.completedAt)
  const writes = told.filter(({ isOwn }) => isOwn).toSorted((a, b) => a.operation.invokedAt - b.operation.invokedAt)
  let next = 0
  let highest: Told | undefined
  for (const { operation, revision } of writes) {
    for (let answer = answers[next]; answer !== undefined && answer.operation.completedAt < operation.invokedAt; answer = answers[next]) {
      if (highest === undefined || answer.revision > highest.revision) highest = answer
      next += 1
    }
    if (highest !== undefined && revision <= highest.revision) return [operation, highest.operation]
  }
  return null
}
