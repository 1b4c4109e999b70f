/** What a shard counts of its answers. */

import { expect, test } from '@jest/globals'
import { quantileOf, totalOf } from '../../../actors/kernel/histogram.ts'
import { createShardMeter } from '../../../actors/shard/meter.ts'
import { OpCode } from '../../../actors/shard/operation.ts'
import { createHarness, here } from './harness.ts'
import type { OperationResult, StatusName } from '../../../actors/shard/operation.ts'

const result = (status: StatusName): OperationResult => ({ status, revision: 0 })

test('every operation of a batch counts under its code, with the time of the batch', () => {
  const meter = createShardMeter()
  meter.answered([{ code: OpCode.put, key: 'a' }, { code: OpCode.del, key: 'b' }], [result('OK'), result('NOT_FOUND')], 4)
  meter.answered([{ code: OpCode.get, key: 'a' }], [result('OK')], 1)
  expect([meter.counts[OpCode.put], meter.counts[OpCode.del], meter.counts[OpCode.get]]).toEqual([1, 1, 1])
  expect([meter.tookMs[OpCode.put], meter.tookMs[OpCode.get]]).toEqual([4, 1])
  expect([totalOf(meter.writes.sparse()), totalOf(meter.reads.sparse())]).toEqual([2, 1])
  expect(quantileOf(meter.writes.sparse(), 0.5)).toBeCloseTo(4_000, -3)
})

test('an error is what a caller would call one: no missing key, no lost comparison', () => {
  const meter = createShardMeter()
  const statuses: readonly StatusName[] = ['OK', 'NOT_FOUND', 'CONFLICT', 'OVERLOADED', 'NO_SPACE']
  meter.answered(statuses.map(() => ({ code: OpCode.put, key: 'k' })), statuses.map(result), 1)
  expect([meter.counts[OpCode.put], meter.errors[OpCode.put]]).toEqual([5, 2])
})

test('a write waits until its entry commits, and what is refused counts too', () => {
  const harness = createHarness()
  harness.lead()
  harness.ask([{ code: OpCode.put, key: 'k', value: new Uint8Array(1) }])
  harness.flush()
  const entries = harness.takeAll()
  harness.pass(40)
  harness.commit(...entries)
  const { meter } = harness.shard
  expect([meter.counts[OpCode.put], meter.tookMs[OpCode.put]]).toEqual([1, 40])
  harness.role('follower', 2)
  harness.ask([{ code: OpCode.put, key: 'k' }], { policy: 'direct', from: here })
  expect([meter.counts[OpCode.put], meter.errors[OpCode.put]]).toEqual([2, 1])
})
