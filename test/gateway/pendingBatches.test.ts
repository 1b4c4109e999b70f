/** What leaves of the results of batches, and what can not. */

import { describe, expect, test } from '@jest/globals'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { createAdmission, nothingHeld } from '../../gateway/admission.ts'
import { createPendingBatches } from '../../gateway/pendingBatches.ts'
import { shardId } from '../../topology/ids.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { PendingBatch } from '../../gateway/pendingBatches.ts'

const KIB = 1_024
const shard = shardId(0)

const openPending = (roomBytes: () => number) => {
  const results: string[] = []
  const pending = createPendingBatches({
    limits: { resultBytesMax: 8 * KIB * KIB }, clock: createSystemClock(), valueBytesMax: 512 * KIB, frameBytesMax: 600 * KIB,
    admission: createAdmission({ pendingOperationsMax: 100, pendingBytesMax: KIB * KIB, retryAfterMs: 50, retryAfterMsMax: 500 }),
    requestFlush: () => {}, roomBytes,
    publish: (_to, bytes) => {
      const decoded = decodeNodeFrame(bytes)
      if (!decoded.ok || decoded.frame.kind !== 'results') throw new Error('results were expected')
      for (const { result: { status, definite, retryAfterMs, value } } of decoded.frame.rows) {
        results.push(status === 'OK' ? `OK ${value?.length ?? 0}` : `${status} ${String(definite)} ${String(retryAfterMs)}`)
      }
    },
  })
  let sequence = 0
  const batchOf = (codes: readonly OpCode[]): PendingBatch => {
    sequence += 1
    return pending.open({
      session: '0123456789abcdef', holding: nothingHeld(), sequence, reply: '_INBOX.me', bytes: 10, traces: null, spans: null,
      operations: codes.map((code) => ({ shard, operation: { code, key: 'k' } })),
    }, 0)
  }
  const answer = (batch: PendingBatch, position: number, bytes: number): void => {
    const result: OperationResult = { status: 'OK', revision: 1, value: new Uint8Array(bytes) }
    pending.answer(batch, { position, shard, result })
  }
  return { pending, results, batchOf, answer }
}

describe('results that wait for the end of the turn', () => {
  test('are refused for certain where they are reads and there is no room for them on the way to the broker', () => {
    let room = 250 * KIB
    const { pending, results, batchOf, answer } = openPending(() => room)
    const [one, other] = [batchOf([OpCode.get, OpCode.get, OpCode.get]), batchOf([OpCode.get])]
    for (const position of [0, 1, 2]) answer(one, position, 100 * KIB)
    answer(other, 0, 100 * KIB)
    pending.flush()
    expect(results.splice(0)).toEqual([`OK ${100 * KIB}`, `OK ${100 * KIB}`, 'OVERLOADED true 100', 'OVERLOADED true 100'])
    room = 150 * KIB
    answer(batchOf([OpCode.get]), 0, 100 * KIB)
    pending.flush()
    expect(results).toEqual([`OK ${100 * KIB}`])
  })

  test('are never refused where they are writes: they have happened', () => {
    const { pending, results, batchOf, answer } = openPending(() => 0)
    answer(batchOf([OpCode.incr]), 0, 100 * KIB)
    pending.flush()
    expect(results).toEqual([`OK ${100 * KIB}`])
  })

  test('are sent without a look where they are few bytes', () => {
    const { pending, results, batchOf, answer } = openPending(() => { throw new Error('nobody asks') })
    const batch = batchOf([OpCode.get, OpCode.get])
    for (const position of [0, 1]) answer(batch, position, 20 * KIB)
    pending.flush()
    expect(results).toEqual([`OK ${20 * KIB}`, `OK ${20 * KIB}`])
  })
})
