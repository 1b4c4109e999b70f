/** Exactly-once sessions: RIFL's rules, their limits, and the races behind them. */

import { describe, expect, test } from '@jest/globals'
import { numbersIn } from '../../../actors/kernel/numberedList.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { isExpiryDue } from '../../../actors/shard/expiry.ts'
import { SESSION_RESULTS_MAX } from '../../../actors/shard/operation.ts'
import {
  ENDED_SESSIONS_MAX, SESSIONS_ENDED_PER_ENTRY_MAX, SESSIONS_MAX, SESSION_IDLE_MS, SESSION_RENEW_MS, closeSession,
  createSessionTable, openSession,
} from '../../../actors/shard/sessions.ts'
import type { ShardState } from '../../../actors/shard/state.ts'
import { client, close, createReplica, inSession, incr, open, put, text } from './entries.ts'

const LIFE_MS = SESSION_IDLE_MS + SESSION_RENEW_MS

/** Of the first client's remembered results. */
const sequencesOf = ({ sessions }: ShardState): number[] => numbersIn(must(sessions.open.get(client(1)), 'it is open').results)

describe('a session', () => {
  test('executes a sequence once, however often and in whatever order it comes', () => {
    const { apply } = createReplica()
    apply(1, open(1))
    const results = apply(1, incr('n', '1', inSession(1, 2)), incr('n', '1', inSession(1, 1)), incr('n', '1', inSession(1, 2)))
    expect(results.map(({ value, duplicate }) => [text(value), duplicate])).toEqual([['1', undefined], ['2', undefined], ['1', true]])
  })

  test('forgets what its client acknowledged, and never executes it again', () => {
    const { apply, state } = createReplica()
    apply(1, open(1), ...[1, 2, 3].map((sequence) => incr('n', '1', inSession(1, sequence))))
    apply(1, incr('n', '1', inSession(1, 4, 3)))
    expect(sequencesOf(state)).toEqual([3, 4])
    expect(apply(1, incr('n', '1', inSession(1, 2)))).toMatchObject([{ status: 'SESSION_EXPIRED', definite: false }])
    expect(apply(1, incr('n', '1', inSession(1, 3)))).toMatchObject([{ status: 'OK', duplicate: true }])
    apply(1, incr('n', '1', inSession(1, 2 ** 52, 2 ** 52 - 1)))
    expect(sequencesOf(state)).toEqual([2 ** 52])
    expect(state.revision).toBe(5)
  })

  test('refuses another write under a sequence, for certain, and takes note of its mark all the same', () => {
    const { apply, state } = createReplica()
    apply(1, open(1), incr('n', '1', inSession(1, 1)), incr('n', '2', inSession(1, 2)))
    expect(apply(1, incr('n', '3', inSession(1, 2, 2)))).toMatchObject([{ status: 'REQUEST_ID_REUSED', definite: true }])
    expect(sequencesOf(state)).toEqual([2])
    expect(apply(1, incr('n', '2', inSession(1, 2, 2)))).toMatchObject([{ status: 'OK', revision: 2, duplicate: true }])
    expect(state.revision).toBe(2)
  })

  test('is unknown until it is opened, and the refusal is indefinite', () => {
    const { apply } = createReplica()
    expect(apply(1, put('k', 'v', inSession(1, 1)))).toMatchObject([{ status: 'SESSION_EXPIRED', definite: false }])
    expect(apply(1, close(1))).toMatchObject([{ status: 'SESSION_EXPIRED', definite: false }])
  })

  test('is opened and closed once by however many copies', () => {
    const { apply, state } = createReplica()
    expect(apply(1, open(1), open(1), close(1), close(1)).map(({ status, duplicate }) => [status, duplicate]))
      .toEqual([['OK', undefined], ['OK', undefined], ['OK', undefined], ['OK', true]])
    expect(state.sessions.open.size).toBe(0)
  })

  test('an ended session is not opened again by a late copy', () => {
    const { apply, state } = createReplica()
    apply(1, open(1), incr('n', '1', inSession(1, 1)), close(1))
    expect(apply(2, open(1), incr('n', '1', inSession(1, 1))).map(({ status }) => status)).toEqual(['SESSION_EXPIRED', 'SESSION_EXPIRED'])
    expect(state.revision).toBe(1)
  })

  test('ends after ten minutes of log time without a request, by an entry', () => {
    const { apply, state } = createReplica()
    apply(0, open(1))
    apply(LIFE_MS - 1, open(2))
    expect([...state.sessions.open.keys()]).toEqual([client(1), client(2)])
    expect(isExpiryDue(state, LIFE_MS - 1)).toBe(false)
    expect(isExpiryDue(state, LIFE_MS)).toBe(true)
    expect(apply(LIFE_MS, incr('n', '1', inSession(1, 1)))).toMatchObject([{ status: 'SESSION_EXPIRED' }])
    expect([...state.sessions.open.keys()]).toEqual([client(2)])
  })

  test('that has expired is an error, not a re-execution', () => {
    const { apply, state } = createReplica()
    apply(0, open(1))
    expect(text(apply(0, incr('n', '1', inSession(1, 1)))[0]?.value)).toBe('1')
    expect(apply(0, incr('n', '1', inSession(1, 1)))).toMatchObject([{ status: 'OK', duplicate: true }])
    // The same request once more, and once more behind a late copy of its opening.
    const repeats = [...apply(LIFE_MS, incr('n', '1', inSession(1, 1))), ...apply(LIFE_MS, open(1), incr('n', '1', inSession(1, 1)))]
    expect(repeats).toMatchObject(repeats.map(() => ({ status: 'SESSION_EXPIRED', definite: false })))
    expect(state.revision).toBe(1)
    expect(text(apply(LIFE_MS, incr('n', '1'))[0]?.value)).toBe('2')
  })

  test('lives on while it is used, and the longest idle ends first', () => {
    const { apply, state } = createReplica()
    apply(0, open(1), open(2), open(3))
    apply(SESSION_RENEW_MS - 1, put('k', 'v', inSession(2, 1)))
    apply(SESSION_RENEW_MS, put('k', 'v', inSession(1, 1)), open(3))
    expect([...state.sessions.open.keys()]).toEqual([client(2), client(1), client(3)])
    apply(LIFE_MS)
    expect([...state.sessions.open.keys()]).toEqual([client(1), client(3)])
    expect(apply(LIFE_MS, put('k', 'v', inSession(1, 1)))).toMatchObject([{ status: 'OK', revision: 2, duplicate: true }])
  })

  test('holds a bounded number of unacknowledged results, and refuses more definitely', () => {
    const { apply } = createReplica()
    apply(1, open(1), ...Array.from({ length: SESSION_RESULTS_MAX }, (_, i) => incr('n', '1', inSession(1, i + 1))))
    const next = SESSION_RESULTS_MAX + 1
    expect(apply(1, incr('n', '1', inSession(1, next)))).toMatchObject([{ status: 'OVERLOADED', definite: true }])
    expect(apply(1, incr('n', '1', inSession(1, 1)))).toMatchObject([{ status: 'OK', duplicate: true }])
    expect(text(apply(1, incr('n', '1', inSession(1, next, 2)))[0]?.value)).toBe(String(next))
  })

  test('is refused above the cap, definitely, and nobody is evicted for it', () => {
    const table = createSessionTable()
    for (let i = 0; i < SESSIONS_MAX; i += 1) openSession(table, client(i), 1)
    expect(openSession(table, client(SESSIONS_MAX), 1)).toMatchObject({ status: 'OVERLOADED', definite: true, retryAfterMs: 1_000 })
    expect(table.open.size).toBe(SESSIONS_MAX)
    closeSession(table, client(0))
    expect(openSession(table, client(SESSIONS_MAX), 1).status).toBe('OK')
  })

  test('ends in bounded numbers per entry, and the rest behaves as ended meanwhile', () => {
    const { apply, state } = createReplica()
    const count = SESSIONS_ENDED_PER_ENTRY_MAX + 1
    apply(0, ...Array.from({ length: count }, (_, i) => open(i)))
    const last = count - 1
    expect(apply(LIFE_MS, put('k', 'v', inSession(last, 1)), open(last)).map(({ status }) => status))
      .toEqual(['SESSION_EXPIRED', 'SESSION_EXPIRED'])
    expect(state.sessions.open.size).toBe(1)
    apply(LIFE_MS)
    expect(state.sessions.open.size).toBe(0)
  })

  test('is remembered as ended among the last ones that ended', () => {
    const table = createSessionTable()
    for (let i = 0; i <= ENDED_SESSIONS_MAX; i += 1) {
      openSession(table, client(i), 1)
      closeSession(table, client(i))
    }
    expect(openSession(table, client(1), 1).status).toBe('SESSION_EXPIRED')
    expect(openSession(table, client(0), 1).status).toBe('OK')
  })
})
