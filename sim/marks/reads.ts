/** Reads: beside writes and changes of leader, of all three consistencies. */

import { shardOfKey } from '../history.ts'
import { defineSubject, isSameLife } from './mark.ts'
import type { HistoryOperation, Outcome } from '../history.ts'
import type { Version } from '../ledger.ts'

type Answered = Extract<Outcome, { kind: 'answered' }>

export const reads = defineSubject('reads', [
  'a read was answered while its key changed',
  'a read spanned a change of leader',
  'a read returned what the newest leader had not written itself',
  'a read found nothing where something had been',
  'a read returned a value as large as the broker allows',
  'a read was refused for certain',
  'a read was given up without an answer',
  'a stale read returned an older version than was committed',
  'a stale read returned the newest version',
  'a read with a lease was answered',
  'a read without an answer outlasted its leader',
], (hit, world) => {
  /** When each shard got its newest leader, and the term of it. */
  const newest = new Map<number, { readonly at: number; readonly term: number }>()

  const onLinearizable = (operation: HistoryOperation, outcome: Answered, versions: readonly Version[]): void => {
    const shard = shardOfKey(operation.key, world.shards)
    const isWithin = (at: number): boolean => at > operation.invokedAt && at < operation.completedAt
    if (versions.some(({ at }) => isWithin(at))) hit('a read was answered while its key changed')
    const leader = newest.get(shard)
    if (leader !== undefined && leader.term > 1 && isWithin(leader.at)) hit('a read spanned a change of leader')
    const seen = versions.findLast(({ record }) => record?.revision === outcome.revision)
    if (leader !== undefined && leader.term > 1 && seen !== undefined && seen.at < leader.at) {
      hit('a read returned what the newest leader had not written itself')
    }
  }
  const onAnswered = (operation: HistoryOperation, outcome: Answered): void => {
    const versions = world.ledgerOf(shardOfKey(operation.key, world.shards))?.versionsOf(operation.key) ?? []
    if (outcome.status === 'NOT_FOUND' && versions.length > 1) hit('a read found nothing where something had been')
    if (world.largeValueBytes > 0 && (outcome.value?.length ?? 0) >= world.largeValueBytes) {
      hit('a read returned a value as large as the broker allows')
    }
    if (operation.consistency === 'lease') hit('a read with a lease was answered')
    if (operation.consistency !== 'stale') onLinearizable(operation, outcome, versions)
    else if (outcome.status === 'OK') {
      const isNewest = versions.at(-1)?.record?.revision === outcome.revision
      hit(isNewest ? 'a stale read returned the newest version' : 'a stale read returned an older version than was committed')
    }
  }
  return {
    onView: (view, before) => {
      if (view.role !== 'leader' || (isSameLife(view, before) && before.role === 'leader')) return
      if ((newest.get(view.shard)?.term ?? 0) < view.term) newest.set(view.shard, { at: world.now(), term: view.term })
    },
    onCompleted: (operation) => {
      const { call, outcome, invokedAt, key } = operation
      if (call.kind !== 'get') return
      if (outcome.kind === 'answered') onAnswered(operation, outcome)
      if (outcome.kind === 'failed') hit('a read was refused for certain')
      if (outcome.kind !== 'unknown') return
      hit('a read was given up without an answer')
      const leader = newest.get(shardOfKey(key, world.shards))
      if (leader !== undefined && leader.term > 1 && leader.at > invokedAt) {
        hit('a read without an answer outlasted its leader')
      }
    },
  }
})
