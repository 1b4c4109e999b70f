/** The linearizability checker on histories whose verdict is known, good and bad. */

import { describe, expect, test } from '@jest/globals'
import { checkLinearizability } from '../../sim/linearizability.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'

type Row = readonly [from: number, to: number, call: Call, outcome: Outcome, key?: string]

const get: Call = { kind: 'get' }
const del: Call = { kind: 'del' }
const put = (value: string): Call => ({ kind: 'put', value })
const cas = (ifRevision: number, value: string): Call => ({ kind: 'cas', ifRevision, value })
const incr = (amount: number): Call => ({ kind: 'incr', amount })
const ok = (revision: number, value?: string): Outcome =>
  (value === undefined ? { kind: 'answered', status: 'OK', revision } : { kind: 'answered', status: 'OK', revision, value })
const missing: Outcome = { kind: 'answered', status: 'NOT_FOUND', revision: 0 }
const conflict = (revision: number): Outcome => ({ kind: 'answered', status: 'CONFLICT', revision })
const failed: Outcome = { kind: 'failed', status: 'NOT_LEADER' }
const unknown: Outcome = { kind: 'unknown' }
const never = Number.POSITIVE_INFINITY

const historyOf = (rows: readonly Row[]): HistoryOperation[] => rows.map(([invokedAt, completedAt, call, outcome, key = 'k'], id) =>
  ({ id, client: id, key, call, consistency: 'linearizable', invokedAt, completedAt, outcome }))

const verdictOf = (rows: readonly Row[]): string => checkLinearizability(historyOf(rows)).kind

const good: readonly (readonly [string, readonly Row[]])[] = [
  ['nothing at all', []],
  ['a write, then a read of it', [[0, 1, put('a'), ok(1)], [2, 3, get, ok(1, 'a')]]],
  ['a read of a key that was never written', [[0, 1, get, missing]]],
  ['a read beside a write sees the old or the new state', [
    [0, 1, put('a'), ok(1)], [2, 9, put('b'), ok(2)], [3, 4, get, ok(1, 'a')], [5, 6, get, ok(2, 'b')],
  ]],
  ['an unknown write that took effect', [[0, never, put('a'), unknown], [5, 6, get, ok(1, 'a')]]],
  ['an unknown write that did not', [[0, never, put('a'), unknown], [5, 6, get, missing]]],
  ['an unknown write that took effect late', [[0, never, put('a'), unknown], [5, 6, get, missing], [7, 8, get, ok(4, 'a')]]],
  ['compare-and-set in a row', [
    [0, 1, cas(0, 'a'), ok(3)], [2, 3, cas(3, 'b'), ok(4)], [4, 5, cas(3, 'c'), conflict(4)], [6, 7, get, ok(4, 'b')],
  ]],
  ['of two concurrent compare-and-sets one wins', [[0, 9, cas(0, 'a'), ok(1)], [0, 9, cas(0, 'b'), conflict(1)]]],
  ['increments', [[0, 1, incr(5), ok(1, '5')], [2, 3, incr(-2), ok(2, '3')], [4, 5, get, ok(2, '3')]]],
  ['an increment of a text', [[0, 1, put('x'), ok(1)], [2, 3, incr(1), { kind: 'answered', status: 'INVALID', revision: 0 }]]],
  ['a deletion', [[0, 1, put('a'), ok(1)], [2, 3, del, ok(2)], [4, 5, get, missing], [6, 7, del, missing], [8, 9, put('b'), ok(3)]]],
  ['an unknown deletion', [[0, 1, put('a'), ok(1)], [2, never, del, unknown], [3, 4, get, ok(1, 'a')], [5, 6, get, missing]]],
  ['an unknown increment', [[0, 1, incr(1), ok(1, '1')], [2, never, incr(1), unknown], [3, 4, get, ok(1, '1')], [5, 6, get, ok(4, '2')]]],
  ['unknown increments of which two add what another one does, and only that one leaves what was seen next', [
    [0, never, incr(1), unknown], [0, never, incr(2), unknown], [0, never, incr(3), unknown],
    [2, 3, get, ok(7, '3')], [4, 5, get, ok(8, '4')], [6, 7, get, ok(9, '6')],
  ]],
  ['an unknown increment of a text, and of what stands there later', [
    [0, 1, put('x'), ok(1)], [2, never, incr(1), unknown], [3, 4, get, ok(1, 'x')], [5, 6, put('7'), ok(2)], [7, 8, get, ok(3, '8')],
  ]],
  ['a definite failure without effect', [[0, 1, put('a'), failed], [2, 3, get, missing]]],
  ['keys are independent', [[0, 1, put('a'), ok(1), 'x'], [2, 3, get, missing, 'y']]],
]

const bad: readonly (readonly [string, readonly Row[]])[] = [
  ['a stale read', [[0, 1, put('a'), ok(1)], [2, 3, put('b'), ok(2)], [4, 5, get, ok(1, 'a')]]],
  ['a stale read of absence', [[0, 1, put('a'), ok(1)], [2, 3, get, missing]]],
  ['reads that go back', [[0, 1, put('a'), ok(1)], [2, 9, put('b'), ok(2)], [3, 4, get, ok(2, 'b')], [5, 6, get, ok(1, 'a')]]],
  ['a lost write', [[0, 1, put('a'), ok(1)], [2, 3, del, missing]]],
  ['a value nobody wrote', [[0, 1, put('a'), ok(1)], [2, 3, get, ok(1, 'z')]]],
  ['a right value under a wrong revision', [[0, 1, put('a'), ok(1)], [2, 3, get, ok(7, 'a')]]],
  ['a duplicate increment', [[0, 1, incr(1), ok(1, '1')], [2, 3, get, ok(2, '2')]]],
  ['an increment answered twice with one sum', [[0, 1, incr(1), ok(1, '1')], [2, 3, incr(1), ok(2, '1')]]],
  ['two winners of one compare-and-set', [[0, 9, cas(0, 'a'), ok(1)], [0, 9, cas(0, 'b'), ok(2)]]],
  ['a conflict with the revision asked for', [[0, 1, put('a'), ok(1)], [2, 3, cas(1, 'b'), conflict(1)]]],
  ['a revision that goes back', [[0, 1, put('a'), ok(5)], [2, 3, put('b'), ok(4)]]],
  ['an unknown write seen before it was sent', [[0, 1, get, ok(1, 'a')], [2, never, put('a'), unknown]]],
  ['an unknown write that comes and goes', [[0, never, put('a'), unknown], [1, 2, get, ok(1, 'a')], [3, 4, get, missing]]],
  ['an unknown increment that took effect twice', [[0, 1, incr(1), ok(1, '1')], [2, never, incr(1), unknown], [3, 4, get, ok(9, '3')]]],
  ['an unknown increment seen before it was sent', [
    [0, never, incr(1), unknown], [1, 2, get, ok(5, '2')], [3, never, incr(1), unknown],
  ]],
  ['a definite failure that took effect', [[0, 1, put('a'), failed], [2, 3, get, ok(1, 'a')]]],
  ['a compare-and-set of what nobody has seen, answered with the revision that it compared with', [
    [0, never, put('a'), unknown], [2, 3, cas(5, 'b'), ok(5)],
  ]],
  ['a compare-and-set of unknown outcome, seen under a revision below the one that it compared with', [
    [0, never, put('a'), unknown], [2, never, cas(5, 'b'), unknown], [4, 5, get, ok(4, 'b')],
  ]],
  ['an increment that took the revision of the one below it', [[0, never, incr(1), unknown], [2, 3, incr(1), ok(1, '2')]]],
  ['a deletion that took the revision of what it deleted', [[0, never, put('a'), unknown], [2, 3, del, ok(1)]]],
  ['a deleted key that comes back', [[0, 1, put('a'), ok(1)], [2, 3, del, ok(2)], [4, 5, get, ok(1, 'a')]]],
]

describe('a linearizable history passes', () => {
  for (const [name, rows] of good) test(name, () => expect(verdictOf(rows)).toBe('linearizable'))
})

describe('a violation is found', () => {
  for (const [name, rows] of bad) test(name, () => expect(verdictOf(rows)).toBe('violation'))
})

test('a violation names its key and shows the operations around it', () => {
  const verdict = checkLinearizability(historyOf([[0, 1, put('a'), ok(1), 'x'], [2, 3, get, missing, 'x'], [2, 3, get, missing, 'y']]))
  expect(verdict.kind === 'violation' && [verdict.key, verdict.operations.length]).toEqual(['x', 2])
})

test('a search that is not finished in time is no pass', () => {
  const rows: Row[] = Array.from({ length: 12 }, (_, i) => [0, never, put(`v${i}`), unknown])
  expect(checkLinearizability(historyOf([...rows, [5, 6, get, ok(3, 'other')]]), 50).kind).toBe('tooHard')
})

test('many increments of unknown outcome, none of which took effect, are checked in no time', () => {
  const rows = Array.from({ length: 30 }, (_, i): Row[] => [
    [3 * i, 3 * i + 1, incr(1), ok(i + 1, String(i + 1))], [3 * i + 1, never, incr(1), unknown],
  ]).flat()
  expect(checkLinearizability(historyOf(rows), 100_000).kind).toBe('linearizable')
})

test('increments of unknown outcome that each add an amount of their own are checked in no time, and excuse no other', () => {
  const sums = { answered: 0, late: 0 }
  const rows = Array.from({ length: 24 }, (_, i): Row[] => {
    const amount = 2 ** (2 * i)
    sums.answered += amount
    // Every other one of those before took effect unheard.
    if (i % 2 === 1) sums.late += amount / 2
    const seen = ok(100 * i + 50, String(sums.answered + sums.late))
    return [[3 * i, never, incr(amount * 2), unknown], [3 * i + 1, 3 * i + 2, incr(amount), seen]]
  }).flat()
  const read = (value: number): string => checkLinearizability(historyOf([...rows, [90, 91, get, ok(9_000, String(value))]]), 100_000).kind
  const { answered, late } = sums
  expect(read(answered + late + 2 ** 47 + 8)).toBe('linearizable')
  // The first answered one, twice.
  expect(read(answered + late + 1)).toBe('violation')
  // One of unknown outcome that had shown already.
  expect(read(answered + late + 2)).toBe('violation')
})

test('many writes of unknown outcome that nobody saw do not keep a violation from being found', () => {
  const rows = Array.from({ length: 20 }, (_, i): Row[] => [
    [3 * i, never, put(`lost ${i}`), unknown], [3 * i, never, cas(0, `lost, too ${i}`), unknown],
    [3 * i + 1, 3 * i + 2, put(`v${i}`), ok(2 * i + 1)],
  ]).flat()
  expect(checkLinearizability(historyOf([...rows, [61, 62, get, ok(39, 'other')]]), 100_000).kind).toBe('violation')
})
