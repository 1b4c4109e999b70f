/** The exactly-once checks on histories that break them, one way each. */

import { expect, test } from '@jest/globals'
import { checkExactlyOnce } from '../../sim/exactlyOnce.ts'
import type { HistoryOperation, Outcome } from '../../sim/history.ts'

const ok = (revision: number, value: string): Outcome => ({ kind: 'answered', status: 'OK', revision, value })

const increments = (outcomes: readonly Outcome[]): HistoryOperation[] => outcomes.map((outcome, id) => ({
  id, client: 1, key: 'n', call: { kind: 'incr', amount: 10 ** id }, requestId: `r${id}`, consistency: 'linearizable',
  invokedAt: id, completedAt: id + 0.5, outcome,
}))

const problemsOf = (outcomes: readonly Outcome[], final: string | null, repeats: readonly Outcome[] = []): readonly string[] =>
  checkExactlyOnce({ history: increments(outcomes), finals: new Map([['n', final]]), repeats: new Map([[0, repeats]]) })

test('a counter that shows the sum of its increments passes', () => {
  expect(problemsOf([ok(1, '1'), ok(2, '11')], '11', [ok(1, '1')])).toEqual([])
})

test('an unknown increment may or may not count', () => {
  expect(problemsOf([ok(1, '1'), { kind: 'unknown' }], '1')).toEqual([])
  expect(problemsOf([ok(1, '1'), { kind: 'unknown' }], '11')).toEqual([])
})

test('an increment that counted twice is found', () => {
  expect(problemsOf([ok(1, '1'), ok(2, '11')], '21')).toHaveLength(1)
})

test('a lost increment is found', () => {
  expect(problemsOf([ok(1, '1'), ok(2, '11')], '1')).toHaveLength(1)
  expect(problemsOf([ok(1, '1')], null)).toHaveLength(1)
})

test('a definite failure that took effect is found', () => {
  expect(problemsOf([ok(1, '1'), { kind: 'failed', status: 'NOT_LEADER' }], '11')).toHaveLength(1)
})

test('among many of unknown outcome, an increment that counted twice is found', () => {
  const unknown = Array.from({ length: 15 }, (): Outcome => ({ kind: 'unknown' }))
  expect(problemsOf([ok(1, '1'), ...unknown], '1010101')).toEqual([])
  expect(problemsOf([ok(1, '1'), ...unknown], '1010102')).toHaveLength(1)
})

test('two operations that own one revision are found', () => {
  expect(problemsOf([ok(1, '1'), ok(1, '11')], '11')).toHaveLength(1)
})

test('a write that was answered with the result of another one of its key is found', () => {
  const history = ['a', 'b'].map((value, id): HistoryOperation => ({
    id, client: 1, key: 'k', call: { kind: 'put', value }, requestId: 'r', consistency: 'linearizable',
    invokedAt: id, completedAt: id + 0.5, outcome: ok(1, ''),
  }))
  expect(checkExactlyOnce({ history, finals: new Map(), repeats: new Map() })).toEqual(['operations #0 and #1 both own k revision 1'])
})

test('a repeated request id that gets another answer is found', () => {
  expect(problemsOf([ok(1, '1')], '1', [ok(2, '2')])).toHaveLength(1)
})
