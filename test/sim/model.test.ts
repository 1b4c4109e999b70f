/** The simulator's specification of a shard beside the product's state machine: the same results, revisions and keys after each entry. */

import { describe, expect, test } from '@jest/globals'
import { applyEntry, ignoreChanges } from '../../actors/shard/apply.ts'
import { SESSION_IDLE_MS, SESSION_RENEW_MS } from '../../actors/shard/sessions.ts'
import { createState } from '../../actors/shard/state.ts'
import { createModel } from '../../sim/model.ts'
import { batchEntry, close, del, incr, inSession, open, put, text, touch } from '../actors/shard/entries.ts'
import type { Operation } from '../../actors/shard/operation.ts'
import type { ModelStep } from '../../sim/model.ts'

/** What the state machine says where the model has no result. */
const lackOf = (isReuse: boolean): string => (isReuse ? 'REQUEST_ID_REUSED' : 'SESSION_EXPIRED')

/** Applies both, compares them, and returns what the model said. */
const compare = (...entries: readonly (readonly [number, ...Operation[]])[]): readonly (readonly string[])[] => {
  const state = createState()
  const model = createModel()
  return entries.map(([timeMs, ...operations], i) => {
    const entry = batchEntry(i + 1, timeMs, operations)
    const steps: ModelStep[] = []
    expect(model.apply(entry.payload, { onStep: (step) => steps.push(step), onExpired: () => {}, onSessionEnded: () => {} })).toBe(true)
    const results = applyEntry(state, entry, ignoreChanges)
    expect(steps.map(({ result, isReuse }) => [result?.status ?? lackOf(isReuse), result?.revision ?? 0, result?.value]))
      .toEqual(results.map(({ status, revision, value }) => [status, revision, value === undefined ? undefined : text(value)]))
    expect([model.revision(), model.keys()]).toEqual([state.revision, state.keys.size()])
    return steps.map(({ result, isExecuted }) => `${result?.status ?? 'over'}${isExecuted ? '' : ' (not executed)'}`)
  })
}

describe('the model', () => {
  test('removes keys at their deadline, each under a revision of its own, and not before', () => {
    compare(
      [100, put('a', '1', { ttlMs: 50 }), put('b', '2', { ttlMs: 50 }), put('c', '3')], [149, put('d', '4')], [150],
      [90, put('a', '5', { ifRevision: 0 })],
    )
  })

  test('knows what touch and incr do to a deadline', () => {
    compare(
      [100, put('a', '1', { ttlMs: 50 }), put('b', '1', { ttlMs: 50 }), put('c', '1', { ttlMs: 50 })],
      [120, touch('a', 100), touch('b', 0), incr('c', '1'), touch('nothing', 5)],
      [150, touch('c', 5)], [219], [220, del('a'), del('b')],
    )
  })

  test('executes each sequence of a session once, and forgets what is below the first incomplete one', () => {
    expect(compare(
      [1, incr('n', '1', inSession(1, 1))],
      [2, open(1), incr('n', '5', inSession(1, 1)), incr('n', '7', inSession(1, 2))],
      [3, incr('n', '5', inSession(1, 1)), incr('n', '9', inSession(1, 3, 3)), incr('n', '7', inSession(1, 2))],
    )).toEqual([
      ['over (not executed)'], ['OK (not executed)', 'OK', 'OK'], ['OK (not executed)', 'OK', 'over (not executed)'],
    ])
  })

  test('executes and answers nothing else under an id or a sequence that it knows', () => {
    const again = [put('k', 'v', { ttlMs: 9, requestId: 'r' }), put('k', 'v', { ttlMs: 8, requestId: 'r' })]
    expect(compare(
      [1, open(1), incr('n', '5', inSession(1, 1)), ...again],
      [2, put('k', 'v', { requestId: 'r' }), put('k', 'v', { ttlMs: 0, requestId: 'r' }), put('k', 'w', { ttlMs: 9, requestId: 'r' }),
        del('k', { requestId: 'r' }), incr('n', '6', inSession(1, 1)),
        incr('n', '5', { ifRevision: 0, ...inSession(1, 1) }), incr('n', '5', inSession(1, 1))],
    )).toEqual([
      ['OK (not executed)', 'OK', 'OK', 'OK (not executed)'],
      [...Array<string>(6).fill('over (not executed)'), 'OK (not executed)'],
    ])
  })

  test('ends sessions when they are closed and when they were idle for too long, for good', () => {
    const end = SESSION_IDLE_MS + SESSION_RENEW_MS
    compare(
      [0, open(1), open(2), open(3), close(3)], [0, open(3), incr('n', '1', inSession(3, 1))],
      [SESSION_RENEW_MS, incr('n', '1', inSession(1, 1))], [end - 1, incr('n', '1', inSession(2, 1))], [end + SESSION_RENEW_MS],
      [2 * end, open(1), incr('n', '1', inSession(1, 2)), close(1), close(9)],
    )
  })
})
