/** What the meta group's leader has gathered about load and copies, for people: asked from any node, undefined where nobody knows. */

import { count, list, record } from '../actors/topology/fields.ts'
import { movesOf } from '../actors/topology/clusterState.ts'
import { SHARD_COUNT_MAX } from './ids.ts'
import type { ClusterState, MoveId } from '../actors/topology/clusterState.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { Loads } from '../actors/topology/loads.ts'

/** Whole numbers all. */
export interface MoveRate {
  readonly move: MoveId
  readonly doneBytes: number
  readonly totalBytes: number
  readonly bytesPerSecond: number
}

export interface ShardRate {
  readonly shard: number
  /** A second. */
  readonly operations: number
  readonly writtenBytes: number
  readonly keys: number
  readonly keyBytes: number
}

export interface LoadsAnswer {
  readonly moves: readonly MoveRate[]
  readonly shards: readonly ShardRate[]
}

const moveRate = record<MoveRate>({ move: count, doneBytes: count, totalBytes: count, bytesPerSecond: count })
const shardRate = record<ShardRate>({ shard: count, operations: count, writtenBytes: count, keys: count, keyBytes: count })

export const loadsAnswerOf: Check<LoadsAnswer> = record<LoadsAnswer>({
  moves: list(moveRate, SHARD_COUNT_MAX + 1), shards: list(shardRate, SHARD_COUNT_MAX),
})

export const loadsAnswer = (state: ClusterState, { shards, catchUps }: Loads): LoadsAnswer => ({
  moves: movesOf(state).flatMap(({ move: { id, add } }) => {
    const rate = add === null ? undefined : catchUps.get(add)
    if (rate === undefined) return []
    return [{ move: id, doneBytes: rate.doneBytes, totalBytes: rate.totalBytes, bytesPerSecond: Math.round(rate.bytesPerSecond) }]
  }),
  shards: [...shards].map(([shard, { operations, writtenBytes, keys, keyBytes }]) =>
    ({ shard, operations: Math.round(operations), writtenBytes: Math.round(writtenBytes), keys, keyBytes })),
})
