/** Spans on their way out: in batches, bounded, and never anybody's trouble. */

import { expect, test } from '@jest/globals'
import { SPANS_A_BATCH_MAX, SPANS_QUEUED_MAX, createSpanQueue } from '../../../observe/tracing/spanQueue.ts'
import { createSpanDrops } from '../../../observe/tracing/spanDrops.ts'
import { createVirtualWorld } from '../../support/virtual.ts'
import type { FinishedSpan } from '../../../observe/tracing/span.ts'

const span = (name: string): FinishedSpan => ({
  name, kind: 'internal', traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1, parentId: '', isParentRemote: false,
  startMs: 1, endMs: 2, attributes: {}, links: [], isFailed: false,
})

const open = () => {
  const { clock, pass } = createVirtualWorld()
  const sent: { readonly names: readonly string[]; readonly done: (error: Error | null) => void }[] = []
  const problems: string[] = []
  let isShut = false
  const drops = createSpanDrops()
  const queue = createSpanQueue({
    clock, drops, onProblem: ({ message }) => { problems.push(message) },
    exporter: {
      send: (spans, done) => { sent.push({ names: spans.map(({ name }) => name), done }) },
      shutdown: () => { isShut = true },
    },
  })
  const add = (count: number): void => { for (let i = 0; i < count; i += 1) queue.add(span(String(i))) }
  return { queue, sent, problems, pass, add, drops, isShut: () => isShut }
}

test('leave after a second, or as soon as there is a batch of them, one batch at a time', () => {
  const { queue, sent, pass, add } = open()
  add(2)
  expect(sent.length).toBe(0)
  pass(1_000)
  expect(sent.map(({ names }) => names)).toEqual([['0', '1']])
  add(SPANS_A_BATCH_MAX + 1)
  pass(5_000)
  expect(sent.length).toBe(1)
  sent[0]?.done(null)
  expect(sent.map(({ names }) => names.length)).toEqual([2, SPANS_A_BATCH_MAX])
  sent[1]?.done(null)
  pass(1_000)
  expect([sent[2]?.names.length, queue.counts()]).toEqual([1, { exported: SPANS_A_BATCH_MAX + 2, failed: 0 }])
  const early = open()
  early.add(SPANS_A_BATCH_MAX)
  early.pass(1)
  expect(early.sent.length).toBe(1)
})

test('are dropped and counted above the limit, and when the receiver does not take them', () => {
  const { queue, sent, pass, add, problems, drops } = open()
  add(1)
  pass(1_000)
  add(SPANS_QUEUED_MAX + 3)
  expect([drops.counts(), queue.waiting()]).toEqual([{ queue: 3, open: 0, children: 0, end: 0 }, SPANS_QUEUED_MAX])
  sent[0]?.done(new Error('gone'))
  sent[0]?.done(null)
  expect([queue.counts(), problems, sent.length]).toEqual([{ exported: 0, failed: 1 }, ['gone'], 1])
  pass(5_000)
  expect(sent.length).toBe(2)
})

test('wait for a while after a batch that was not taken, however many come meanwhile', () => {
  const { sent, pass, add } = open()
  add(1)
  pass(1_000)
  add(1)
  sent[0]?.done(new Error('gone'))
  add(2 * SPANS_A_BATCH_MAX)
  pass(4_999)
  expect(sent.length).toBe(1)
  pass(1)
  sent[1]?.done(null)
  expect(sent.map(({ names }) => names.length)).toEqual([1, SPANS_A_BATCH_MAX, SPANS_A_BATCH_MAX])
})

test('are sent at the end, for as long as that may take', () => {
  const { queue, sent, add, isShut, drops } = open()
  let isClosed = false
  add(SPANS_A_BATCH_MAX + 1)
  queue.close(2_000, () => { isClosed = true })
  sent[0]?.done(null)
  expect([isClosed, sent.length]).toEqual([false, 2])
  sent[1]?.done(null)
  expect([isClosed, isShut()]).toEqual([true, true])
  add(1)
  expect([queue.counts(), drops.counts().end]).toEqual([{ exported: SPANS_A_BATCH_MAX + 1, failed: 0 }, 1])

  const hung = open()
  let isGivenUp = false
  hung.add(1)
  hung.queue.close(2_000, () => { isGivenUp = true })
  hung.pass(1_999)
  expect(isGivenUp).toBe(false)
  hung.pass(1)
  expect([isGivenUp, hung.isShut()]).toEqual([true, true])
  const idle = open()
  idle.queue.close(1, () => { isClosed = false })
  expect(isClosed).toBe(false)
})

test('that have not left when the process ends are counted, once each, whatever is heard of them afterwards', () => {
  const total = ({ queue, drops }: ReturnType<typeof open>): number[] =>
    [queue.counts().exported, queue.counts().failed, drops.counts().end]
  const hung = open()
  hung.add(SPANS_A_BATCH_MAX + 5)
  hung.queue.close(2_000, () => {})
  hung.add(2)
  hung.pass(2_000)
  expect(total(hung)).toEqual([0, 0, SPANS_A_BATCH_MAX + 7])
  hung.sent[0]?.done(null)
  expect([total(hung), hung.queue.waiting()]).toEqual([[0, 0, SPANS_A_BATCH_MAX + 7], 0])

  const refused = open()
  refused.add(SPANS_A_BATCH_MAX + 5)
  refused.queue.close(2_000, () => {})
  refused.sent[0]?.done(new Error('gone'))
  expect(total(refused)).toEqual([0, SPANS_A_BATCH_MAX, 5])
})

test('an exporter that throws is one that fails', () => {
  const { clock, pass } = createVirtualWorld()
  const queue = createSpanQueue({
    clock, drops: createSpanDrops(), onProblem: () => {}, exporter: { send: () => { throw new Error('a bug') }, shutdown: () => {} },
  })
  queue.add(span('a'))
  pass(1_000)
  expect(queue.counts()).toEqual({ exported: 0, failed: 1 })
})
