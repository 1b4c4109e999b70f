/** Sampled operations of an SDK batch: a span each, from the batch's arrival until the frame with its answer has left. */

import { expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { openBatchSpans } from '../../gateway/batchSpans.ts'
import { shardId } from '../../topology/ids.ts'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { RequestTracing } from '../../gateway/tracing.ts'

const context = (digit: string): TraceContext => ({ traceId: digit.repeat(32), spanId: digit.repeat(16), flags: 1 })
const operations = ['a', 'b', 'c'].map((key) => ({ shard: shardId(1), operation: { code: OpCode.get, key } }))

const open = (traces: ReadonlyMap<number, TraceContext> | null, draw?: RequestTracing['draw']) => {
  const told: string[] = []
  const tracing: RequestTracing = {
    ...(draw === undefined ? {} : { draw }),
    begin: ({ op, key, parent, isRoot }) => ({
      context: parent, answered: () => told.push(`${key} answered`),
      end: (status) => told.push(`${op} ${key} ${status} ${parent.traceId[0]}${isRoot === true ? ' root' : ''}`),
    }),
    beginAtShard: ({ parent }) => ({ context: parent, end: () => {} }),
  }
  const traced = (_code: number, tookMs: number, traceId: string): void => { told.push(`example ${tookMs} ${traceId[0]}`) }
  const instruments = { told: () => {}, took: () => {}, traced }
  let now = 5
  const spans = openBatchSpans({ tracing, instruments, now: () => now }, operations, traces)
  return { told, spans, pass: (ms: number) => { now += ms } }
}

const row = (position: number) => ({ position, result: { status: 'OK', revision: 1 } as const })

test('of a batch with traces, those operations have one, and the others nothing', () => {
  const { told, spans, pass } = open(new Map([[1, context('7')]]))
  expect([0, 1, 2].map((position) => spans?.contextOf(position)?.traceId[0])).toEqual([undefined, '7', undefined])
  spans?.answered(0)
  spans?.answered(1)
  pass(3)
  spans?.replied([row(0), row(1)])
  spans?.replied([row(1)])
  expect(spans?.first).toEqual(context('7'))
  expect(told).toEqual(['b answered', 'get b OK 7', 'example 3 7'])
})

test('one that nobody traces may be drawn; without a draw there is nothing', () => {
  let drawn = 0
  const { told, spans } = open(null, () => {
    drawn += 1
    return drawn === 3 ? context('9') : null
  })
  spans?.replied([row(2)])
  expect(told).toEqual(['get c OK 9 root', 'example 0 9'])
  expect([open(null).spans, open(null, () => null).spans]).toEqual([null, null])
})
