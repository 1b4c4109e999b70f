/** Which requests are sampled, and how many a second at most. */

import { expect, test } from '@jest/globals'
import { createRandom } from '../../../actors/kernel/random.ts'
import { beginAtDoor } from '../../../gateway/doorSpans.ts'
import { OpCode } from '../../../actors/shard/operation.ts'
import { KEPT_PER_SECOND_MAX, sampling } from '../../../observe/tracing/sampling.ts'
import { shardId } from '../../../topology/ids.ts'
import type { TraceContext } from '../../../actors/kernel/trace.ts'
import type { ArrivedRequest, KeptNote } from '../../../gateway/tracing.ts'

const request = { shard: shardId(3), operation: { code: OpCode.put, key: 'k' } }
const flagged = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1 }

const open = (ratio: number, perSecondMax = Number.POSITIVE_INFINITY) => {
  let now = 0
  const random = createRandom(7)
  const begun: ArrivedRequest[] = []
  const noted: KeptNote[] = []
  let named = 0
  const ids = {
    trace: () => {
      named += 1
      return 'a'.repeat(32)
    },
    span: () => 'b'.repeat(16),
  }
  const { tracing, counts } = sampling({
    begin: (arrived) => {
      begun.push(arrived)
      return { context: arrived.parent, end: () => {} }
    },
    beginAtShard: ({ parent: context }) => ({ context, end: () => {} }),
    noted: (one) => { noted.push(one) },
  }, { ratio, perSecondMax, clock: { now: () => now }, ids, random: () => random.uint32() / 2 ** 32 })
  const ask = (times: number, trace?: TraceContext, isProbe = false): void => {
    for (let i = 0; i < times; i += 1) beginAtDoor(tracing, request, trace, isProbe)
  }
  return { tracing, counts, begun, noted, named: () => named, ask, pass: (ms: number) => { now += ms } }
}

test('at a ratio of 0 only those that come with a sampled trace are, and there is nothing to draw', () => {
  const { tracing, ask, begun } = open(0)
  ask(100)
  ask(1, { ...flagged, flags: 0 })
  ask(2, flagged)
  expect(tracing.draw).toBeUndefined()
  const one = { op: 'put', shard: 3, key: 'k', parent: flagged, isRoot: false, isProbe: false }
  expect(begun).toEqual([one, one])
})

test.each([[0.01], [0.3], [1]])('of requests without a trace a share of %d begins one of its own', (ratio) => {
  const { ask, begun } = open(ratio)
  ask(20_000)
  expect(Math.abs(begun.length / 20_000 - ratio)).toBeLessThan(0.02 * Math.sqrt(ratio))
  expect(begun[0]).toMatchObject({ isRoot: true, parent: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 } })
})

test('never more than the limit in a second, whoever asks for it, but for a probe', () => {
  const { ask, begun, counts, pass } = open(1, 5)
  ask(3, flagged)
  ask(10)
  expect([begun.length, counts()]).toEqual([5, { sampled: 5, limited: 8 }])
  ask(1, flagged, true)
  expect(begun.length).toBe(6)
  pass(1_000)
  ask(10, flagged)
  expect([begun.length, counts()]).toEqual([11, { sampled: 11, limited: 13 }])
})

test('what is kept without being sampled is called by its caller\'s trace, or gets one; whoever told of it is told by which', () => {
  const { tracing, noted } = open(0)
  const one = { op: 'put', shard: shardId(3), key: 'k', status: 'TIMEOUT', micros: 7 } as const
  const known = [tracing.noted?.(one), tracing.noted?.({ ...one, parent: { ...flagged, flags: 0 } })]
  const own = { spanId: 'b'.repeat(16), flags: 1 }
  expect(known).toEqual([{ ...own, traceId: 'a'.repeat(32) }, { ...own, traceId: flagged.traceId }])
  expect(noted.map(({ trace }) => trace)).toEqual(known)
})

test('so many are kept in a second, and names drawn for no more, however many fail at once and whoever traces them', () => {
  const { tracing, noted, named, pass } = open(0)
  const one = { op: 'put', shard: shardId(3), key: 'k', status: 'NO_QUORUM', micros: 7 } as const
  for (let i = 0; i < 10_000; i += 1) tracing.noted?.(one)
  expect(tracing.noted?.({ ...one, parent: flagged })).toBeUndefined()
  expect([noted.length, named()]).toEqual([KEPT_PER_SECOND_MAX, KEPT_PER_SECOND_MAX])
  pass(1_000)
  tracing.noted?.(one)
  expect([noted.length, named()]).toEqual([KEPT_PER_SECOND_MAX + 1, KEPT_PER_SECOND_MAX + 1])
})

test('those that fail leave room for those that take long, and the other way round', () => {
  const { tracing, noted } = open(0)
  const failed = { op: 'put', shard: shardId(3), key: 'k', status: 'INVALID', micros: 7 } as const
  const slow = { ...failed, status: 'OK', micros: 900_000 } as const
  for (let i = 0; i < 10_000; i += 1) tracing.noted?.(failed)
  for (let i = 0; i < 10_000; i += 1) tracing.noted?.(slow)
  expect(noted.map(({ status }) => status)).toEqual([
    ...Array.from({ length: KEPT_PER_SECOND_MAX }, () => 'INVALID'), ...Array.from({ length: KEPT_PER_SECOND_MAX }, () => 'OK'),
  ])
})

test('the smallest ratio draws next to nothing', () => {
  const { ask, begun } = open(1e-18)
  ask(10_000)
  expect(begun.length).toBe(0)
})
