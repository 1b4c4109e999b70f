/**
 * One operation of an SDK batch, checked as far as that needs no state and only the door can: that its key lives on the shard it was
 * sent to, and that its value fits the byte budget. The connection checks the rest (actors/shard/operationCheck.ts).
 *
 * The client computes the shard, so the door must compute it again: a client that hashes wrongly would give a key a second home.
 */

import { OpCode, isRead } from '../actors/shard/operation.ts'
import { tokensOfKey } from '../bus/keys.ts'
import { shardOf } from '../topology/hash.ts'
import { logIsBehind } from './batchRefusals.ts'
import type { Operation, OperationResult, StatusName } from '../actors/shard/operation.ts'
import type { Batch } from '../bus/codec/batch.ts'
import type { ShardId } from '../topology/ids.ts'

export interface PlacedOperation {
  readonly shard: ShardId
  readonly operation: Operation
}

export interface OperationRules {
  readonly shardCount: number
  readonly valueBytesMax: number
  /** The node's log has more waiting than it should: writes are refused until it has caught up. */
  readonly isOverloaded: () => boolean
}

/** The operations of a batch by position. */
export const operationsOf = ({ groups }: Batch): readonly PlacedOperation[] => {
  const placed: PlacedOperation[] = []
  for (const { shard, operations } of groups) for (const operation of operations) placed.push({ shard, operation })
  return placed
}

/** The refusal, definite, or null when the connection may have the operation. */
export const refusalOf = (shard: ShardId, operation: Operation, rules: OperationRules): OperationResult | null => {
  const { value } = operation
  if (shard >= rules.shardCount) return refuse('INVALID', `There are ${rules.shardCount} shards, and ${shard} is none of them.`)
  if (value !== undefined && value.length > rules.valueBytesMax) {
    return refuse('TOO_LARGE', `The value has ${value.length} bytes: the limit is ${rules.valueBytesMax}.`)
  }
  return misplacedOf(shard, operation, rules) ?? (!isRead(operation.code) && rules.isOverloaded() ? logIsBehind : null)
}

/** Sessions have no key: any shard has its own. */
const misplacedOf = (shard: ShardId, { code, key }: Operation, { shardCount }: OperationRules): OperationResult | null => {
  if (code === OpCode.openSession || code === OpCode.closeSession) return null
  const named = tokensOfKey(key)
  if (!named.ok) return refuse('INVALID', named.reason)
  const home = shardOf(named.hashToken, shardCount)
  if (home === shard) return null
  return refuse('INVALID', `This key belongs to shard ${home} of ${shardCount}, not ${shard}: fetch the map again.`)
}

const refuse = (status: StatusName, message: string): OperationResult => ({ status, revision: 0, definite: true, message })
