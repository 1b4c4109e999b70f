/** Keys that expire, in histories as they should be, and in each that they must not be. */

import { describe, expect, test } from '@jest/globals'
import { checkExpiry } from '../../chaos/expiry.ts'
import { FINAL_CLIENT } from '../../chaos/history.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'

type Row = readonly [from: number, to: number, call: Call, outcome: Outcome, client?: number]

const put: Call = { kind: 'put', value: 'v1', ttlMs: 2_000 }
const get: Call = { kind: 'get' }
const ok = (revision: number, value?: string): Outcome =>
  ({ kind: 'answered', status: 'OK', revision, ...(value === undefined ? {} : { value }) })
const found = ok(7, 'v1')
const gone: Outcome = { kind: 'answered', status: 'NOT_FOUND', revision: 0 }
const unknown: Outcome = { kind: 'unknown' }
const never = Number.POSITIVE_INFINITY

const problemsOf = (rows: readonly Row[], key = 't1'): readonly string[] =>
  checkExpiry(rows.map(([invokedAt, completedAt, call, outcome, client = 1], id): HistoryOperation =>
    ({ id, client, key, call, consistency: 'linearizable', invokedAt, completedAt, outcome })))

const written: Row = [1_000, 1_100, put, ok(7)]

describe('nothing is said of a key', () => {
  const rows: readonly (readonly [string, readonly Row[]])[] = [
    ['that is there while it lasts, and then gone for good', [
      [900, 1_050, get, gone], written, [1_200, 1_210, get, found], [2_990, 3_000, get, gone], [9_000, 9_010, get, gone, FINAL_CLIENT],
    ]],
    ['that is there for longer while nobody can decide', [written, [9_000, 9_010, get, found]]],
    ['that may have been written at any time', [
      [1_000, never, put, unknown], [1_200, 1_210, get, gone], [9_000, 9_010, get, found, FINAL_CLIENT],
    ]],
    ['of which a read has no answer', [written, [1_200, never, get, unknown]]],
  ]
  for (const [name, history] of rows) test(name, () => expect(problemsOf(history)).toEqual([]))

  test('that does not expire', () => expect(problemsOf([written, [1_200, 1_300, get, gone]], 'register-1')).toEqual([]))
})

describe('it is seen of a key', () => {
  const rows: readonly (readonly [string, string, readonly Row[]])[] = [
    ['that it is gone too early', 'was gone before its time', [written, [1_200, 2_700, get, gone]]],
    ['that it is gone too early, by who saw a write of unknown outcome', 'was gone before its time', [
      [1_000, never, put, unknown], [1_200, 1_210, get, found], [1_300, 1_310, get, gone],
    ]],
    ['that it stays', 'is there after its time', [written, [5_200, 5_210, get, found, FINAL_CLIENT]]],
    ['that it stays, though its write was of unknown outcome', 'is there after its time', [
      [1_000, never, put, unknown], [1_200, 1_210, get, found], [5_300, 5_310, get, found, FINAL_CLIENT],
    ]],
    ['that it comes back', 'came back', [written, [3_200, 3_300, get, gone], [3_400, 3_500, get, found]]],
    ['that it shows what nobody wrote', 'shows what was never written there', [written, [1_200, 1_300, get, ok(7, 'v2')]]],
    ['that it has another revision', 'shows another revision', [written, [1_200, 1_300, get, ok(8, 'v1')]]],
    ['that it was written twice', 'was not written once', [written, [1_200, 1_300, put, ok(8)]]],
  ]
  for (const [name, problem, history] of rows) {
    test(name, () => expect(problemsOf(history)).toEqual([expect.stringContaining(`t1 ${problem}`)]))
  }
})
