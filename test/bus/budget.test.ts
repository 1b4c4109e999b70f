/** The byte budget: whatever is asked for within it, one message of the broker carries the answer. */

import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BATCH_OPERATIONS_MAX, cutOff } from '../../actors/shard/operation.ts'
import { byteBudget } from '../../bus/budget.ts'
import { createFrameEncoder } from '../../bus/codec/frame.ts'
import { clusterHashOf } from '../../bus/envelope.ts'
import { bootId, clusterId, shardId } from '../../topology/ids.ts'
import { peer, self } from './messages.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'

const KIB = 1_024
const envelope = { boot: bootId('00112233445566ff'), clusterHash: clusterHashOf(clusterId('0123456789abcdef')) }

const isCarried = (results: readonly OperationResult[], maxPayloadBytes: number): boolean => {
  const { frameBytesMax } = byteBudget(maxPayloadBytes)
  const encoder = createFrameEncoder({
    from: peer, to: self, envelope, bytesTarget: Math.min(frameBytesMax, maxPayloadBytes), bytesMax: maxPayloadBytes, onFrame: () => {},
  })
  const message = { type: 'shard.reply', shard: shardId(1_023), batch: 0xffff_ffff, results } as const
  return encoder.add(`connection/${'c'.repeat(64)}`, message) !== 'tooLarge'
}

const payloads = fc.integer({ min: 64 * KIB, max: 2_048 * KIB })
const value = (bytes: number): OperationResult => ({ status: 'OK', revision: Number.MAX_SAFE_INTEGER, value: new Uint8Array(bytes) })

test('an answer to as many reads as are forwarded at once fits, however many of them have the values that fill it', () => {
  fc.assert(fc.property(payloads, fc.double({ min: 0, max: 1, noNaN: true }), (maxPayloadBytes, share) => {
    const { forwardedOperationsMax, frameBytesMax } = byteBudget(maxPayloadBytes)
    const values = Math.ceil(forwardedOperationsMax * share)
    const each = value(Math.floor(frameBytesMax / Math.max(1, values)))
    const results = Array.from({ length: forwardedOperationsMax }, (_, i) => (i < values ? each : cutOff))
    expect(isCarried(results, maxPayloadBytes)).toBe(true)
  }), { numRuns: 40 })
})

test('so does an answer to as many counters', () => {
  fc.assert(fc.property(payloads, (maxPayloadBytes) => {
    const results = Array.from({ length: byteBudget(maxPayloadBytes).forwardedOperationsMax }, () => value(20))
    expect(isCarried(results, maxPayloadBytes)).toBe(true)
  }), { numRuns: 40 })
})

test('the usual broker has room for a whole batch, the smallest for some, and none for no operation at all', () => {
  expect([1_024, 64, 16].map((kib) => byteBudget(kib * KIB).forwardedOperationsMax)).toEqual([BATCH_OPERATIONS_MAX, 171, 1])
})
