/** What the batch door refuses before any shard sees it. */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { refusalOf } from '../../gateway/batchOperation.ts'
import { shardOf } from '../../topology/hash.ts'
import { shardId } from '../../topology/ids.ts'
import type { Operation } from '../../actors/shard/operation.ts'

const SHARDS = 4
const shard = shardId(shardOf('k', SHARDS))
const refusal = (code: OpCode, isOverloaded: boolean): string => {
  const operation: Operation = { code, key: code === OpCode.openSession || code === OpCode.closeSession ? '' : 'k' }
  const result = refusalOf(shard, operation, { shardCount: SHARDS, valueBytesMax: 100, isOverloaded: () => isOverloaded })
  return result === null ? 'taken' : `${result.status} ${String(result.definite)}`
}

describe('an operation of a batch', () => {
  test('that writes is refused for certain while the log has more waiting than it should, and a read is not', () => {
    const writes = [OpCode.put, OpCode.del, OpCode.incr, OpCode.touch, OpCode.openSession, OpCode.closeSession]
    expect(writes.map((code) => refusal(code, true))).toEqual(writes.map(() => 'OVERLOADED true'))
    expect([...writes, OpCode.get].map((code) => refusal(code, false))).toEqual([...writes, OpCode.get].map(() => 'taken'))
    expect(refusal(OpCode.get, true)).toBe('taken')
  })
})
