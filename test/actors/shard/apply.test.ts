/** The state machine: by example, against a dumb model, and that it is deterministic. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { applyEntry, ignoreChanges, readKey } from '../../../actors/shard/apply.ts'
import { decodeBatch, encodeBatch } from '../../../actors/shard/batch.ts'
import { KEYS_EXPIRED_PER_ENTRY_MAX, isExpiryDue } from '../../../actors/shard/expiry.ts'
import { expiresAtMsOf, revisionOf, valueBytesOf } from '../../../actors/shard/keyRecord.ts'
import { OpCode } from '../../../actors/shard/operation.ts'
import { toRemember } from '../../../actors/shard/outcome.ts'
import { REQUEST_IDS_MAX, createState } from '../../../actors/shard/state.ts'
import { hashState } from '../../../actors/shard/stateHash.ts'
import { EntryKind } from '../../../actors/raft/protocol.ts'
import { createModel } from './model.ts'
import { batchEntry, createReplica, del, entriesOf, histories, incr, noopEntry, put, text, touch } from './entries.ts'
import type { ModelResult } from './model.ts'
import type { Operation, OperationResult } from '../../../actors/shard/operation.ts'

const plain = ({ status, revision, value, duplicate }: OperationResult): ModelResult => ({
  status, revision, ...(value === undefined ? {} : { value: text(value) }), ...(duplicate === true ? { duplicate } : {}),
})

describe('the state machine', () => {
  test('answers every history like the dumb model, and ends with its keys', () => {
    fc.assert(fc.property(histories, (history) => {
      const state = createState()
      const model = createModel()
      for (const entry of entriesOf(history)) {
        const batch = decodeBatch(entry.payload)
        if ('reason' in batch) throw new Error(batch.reason)
        const results = applyEntry(state, entry, ignoreChanges).map(plain)
        expect(results).toEqual(model.applyAt(batch.value.timeMs, batch.value.operations))
      }
      const keys = [...state.keys.cut().entries()].map(([key, record]) =>
        ({ key, value: text(valueBytesOf(record)), revision: revisionOf(record), expiresAt: expiresAtMsOf(record) }))
      expect(keys).toEqual(model.keys())
      expect(state.revision).toBe(model.revision())
    }), { numRuns: 500 })
  })

  test('gives equal states for equal entries', () => {
    fc.assert(fc.property(histories, (history) => {
      const [one, other] = [createState(), createState()]
      for (const entry of entriesOf(history)) {
        applyEntry(one, entry, ignoreChanges)
        applyEntry(other, entry, ignoreChanges)
        expect(hashState(one)).toBe(hashState(other))
      }
    }), { numRuns: 100 })
  })

  test('marks every refusal as definite or indefinite', () => {
    fc.assert(fc.property(histories, (history) => {
      const state = createState()
      for (const entry of entriesOf(history)) {
        for (const { status, definite } of applyEntry(state, entry, ignoreChanges)) {
          expect(typeof definite).toBe(status === 'OK' ? 'undefined' : 'boolean')
        }
      }
    }), { numRuns: 100 })
  })

  test('compares revisions when the entry is applied, not before', () => {
    const { apply } = createReplica()
    expect(apply(1, put('k', 'a', { ifRevision: 0 }), put('k', 'b', { ifRevision: 0 }), put('k', 'c', { ifRevision: 1 }))).toEqual([
      { status: 'OK', revision: 1 },
      { status: 'CONFLICT', revision: 1, definite: true },
      { status: 'OK', revision: 2 },
    ])
    expect(apply(1, del('k', { ifRevision: 1 }), del('k', { ifRevision: 2 }), put('k', 'd', { ifRevision: 2 }))).toEqual([
      { status: 'CONFLICT', revision: 2, definite: true },
      { status: 'OK', revision: 3 },
      { status: 'CONFLICT', revision: 0, definite: true },
    ])
  })

  test('keeps a deadline through incr, clears it with put, moves it with touch', () => {
    const { apply, state } = createReplica()
    apply(100, put('a', '1', { ttlMs: 50 }), put('b', '1', { ttlMs: 50 }), put('c', '1', { ttlMs: 50 }), put('d', '1', { ttlMs: 50 }))
    apply(110, incr('a'), put('b', '2'), touch('c', 100), touch('d', 0), incr('e', '5', { ttlMs: 40 }))
    apply(150)
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => readKey(state, key).status)).toEqual(['NOT_FOUND', 'OK', 'OK', 'OK', 'NOT_FOUND'])
    apply(210)
    expect(readKey(state, 'c')).toEqual({ status: 'NOT_FOUND', revision: 0, definite: true })
  })

  test('never moves log time back, so no entry of a slower clock revives a key', () => {
    const { apply, state } = createReplica()
    apply(100, put('k', 'v', { ttlMs: 50 }))
    apply(150)
    apply(20, put('other', 'v', { ttlMs: 10 }))
    expect(state.timeMs).toBe(150)
    expect(readKey(state, 'k').status).toBe('NOT_FOUND')
    expect(readKey(state, 'other').status).toBe('OK')
  })

  test('expires at the deadline, not a millisecond before', () => {
    const { apply, state } = createReplica()
    apply(100, put('k', 'v', { ttlMs: 50 }))
    apply(149)
    expect(isExpiryDue(state, 149)).toBe(false)
    expect(readKey(state, 'k').status).toBe('OK')
    expect(isExpiryDue(state, 150)).toBe(true)
    apply(150)
    expect(isExpiryDue(state, 150)).toBe(false)
    expect(readKey(state, 'k').status).toBe('NOT_FOUND')
  })

  test('sweeps a bounded number per entry, and the rest behaves as absent meanwhile', () => {
    const { apply, state } = createReplica()
    const count = KEYS_EXPIRED_PER_ENTRY_MAX + 3
    const name = (i: number): string => `k${String(i).padStart(5, '0')}`
    apply(100, ...Array.from({ length: count }, (_, i) => put(name(i), '7', { ttlMs: 10 })))
    const [last, beforeLast, third] = [name(count - 1), name(count - 2), name(count - 3)]
    const results = apply(110, put(last, 'new', { ifRevision: 0 }), incr(beforeLast), touch(third, 5), del(third))
    expect(state.keys.size()).toBe(3)
    expect(results.map(({ status }) => status)).toEqual(['OK', 'OK', 'NOT_FOUND', 'NOT_FOUND'])
    expect(text(results[1]?.value)).toBe('1')
    expect(readKey(state, third).status).toBe('NOT_FOUND')
    apply(110)
    expect([...state.keys.cut().entries()].map(([key]) => key)).toEqual([beforeLast, last])
    expect(state.deadlines.size()).toBe(0)
  })

  test('reports every mutation with its revision, expiry included, and nothing else', () => {
    const state = createState()
    const seen: unknown[] = []
    const changed = (...change: readonly unknown[]): void => { seen.push(change) }
    const refused = put('a', '1', { ifRevision: 9 })
    applyEntry(state, batchEntry(1, 100, [put('a', '1', { ttlMs: 5 }), refused, incr('b'), del('nothing')]), changed)
    applyEntry(state, batchEntry(2, 105, [touch('b', 7), del('b')]), changed)
    expect(seen).toEqual([
      ['a', 1, OpCode.put], ['b', 2, OpCode.incr], ['a', 3, OpCode.del], ['b', 4, OpCode.touch], ['b', 5, OpCode.del],
    ])
  })

  test('copies the values it keeps, since the entry belongs to the log', () => {
    const state = createState()
    const entry = batchEntry(1, 1, [put('k', 'value')])
    applyEntry(state, entry, ignoreChanges)
    entry.payload.fill(0)
    expect(text(readKey(state, 'k').value)).toBe('value')
  })

  test('returns the first result to a duplicate request id, a refusal too', () => {
    const { apply } = createReplica()
    apply(1, put('k', 'a', { requestId: 'first' }), put('k', 'b', { ifRevision: 9, requestId: 'second' }))
    expect(apply(2, incr('n', '5', { requestId: 'third' }))[0]?.duplicate).toBeUndefined()
    const again = [
      put('k', 'a', { requestId: 'first' }), put('k', 'b', { ifRevision: 9, requestId: 'second' }), incr('n', '5', { requestId: 'third' }),
    ]
    expect(apply(3, ...again).map(plain))
      .toEqual([
        { status: 'OK', revision: 1, duplicate: true },
        { status: 'CONFLICT', revision: 1, duplicate: true },
        { status: 'OK', revision: 2, value: '5', duplicate: true },
      ])
  })

  test('refuses another write under a request id, for certain, and goes on as if it had not come', () => {
    const { apply, state } = createReplica()
    apply(1, put('k', 'mine', { requestId: 'r' }))
    const others = [
      put('k', 'other', { requestId: 'r' }), put('other', 'mine', { requestId: 'r' }), del('k', { requestId: 'r' }),
      put('k', 'mine', { ifRevision: 1, requestId: 'r' }), put('k', 'mine', { ttlMs: 9, requestId: 'r' }),
    ]
    const refusal = { status: 'REQUEST_ID_REUSED', revision: 0, definite: true, message: expect.stringContaining('nothing was done') }
    expect(apply(2, ...others)).toEqual(others.map(() => refusal))
    expect([text(readKey(state, 'k').value), state.revision, state.keys.size(), state.requests.cut().size]).toEqual(['mine', 1, 1, 1])
    expect(apply(3, put('k', 'mine', { requestId: 'r' }))).toEqual([{ status: 'OK', revision: 1, duplicate: true }])
    expect(apply(3, put('k', 'other', { requestId: 's' }))).toEqual([{ status: 'OK', revision: 2 }])
  })

  test('takes a repetition whose time to live was reckoned anew for the same write', () => {
    const { apply, state } = createReplica()
    apply(1, put('k', 'v', { ttlMs: 5_000, requestId: 'r' }))
    expect(apply(900, put('k', 'v', { ttlMs: 4_100, requestId: 'r' }))).toEqual([{ status: 'OK', revision: 1, duplicate: true }])
    apply(5_001)
    expect(readKey(state, 'k').status).toBe('NOT_FOUND')
  })

  test('remembers exactly the last 65,536 request ids', () => {
    const { apply, state } = createReplica()
    for (let i = 0; i < REQUEST_IDS_MAX; i += 4_096) {
      apply(1, ...Array.from({ length: 4_096 }, (_, j) => del('nothing', { requestId: `r${i + j}` })))
    }
    const again = (requestId: string): Operation => del('nothing', { requestId })
    expect(apply(1, again('r0'))).toEqual([{ status: 'NOT_FOUND', revision: 0, definite: true, duplicate: true }])
    expect(apply(1, again('new'))[0]?.duplicate).toBeUndefined()
    expect(apply(1, again('r1'), again('r0')).map(({ duplicate }) => duplicate))
      .toEqual([true, undefined])
    expect(state.requests.cut().size).toBe(REQUEST_IDS_MAX)
    expect([...state.requests.cut().entries()][0]?.key).toBe('r2')
  })

  test('remembers of a long value only that it was OK, and at which revision', () => {
    const value = new Uint8Array(65)
    expect(toRemember({ status: 'OK', revision: 3, value })).toEqual({ status: 'OK', revision: 3 })
    expect(toRemember({ status: 'OK', revision: 3, value: value.subarray(1) }).value?.length).toBe(64)
  })

  test('skips a payload that does not decode, counts it, and goes on', () => {
    const state = createState()
    const broken = { term: 1, index: 1, kind: EntryKind.batch, payload: Uint8Array.from([9, 9, 9]) }
    expect(applyEntry(state, broken, ignoreChanges)).toEqual([])
    expect(applyEntry(state, noopEntry(2), ignoreChanges)).toEqual([])
    expect(state).toMatchObject({ undecodable: 1, appliedIndex: 2, revision: 0 })
    expect(applyEntry(state, batchEntry(3, 1, [put('k', 'v')]), ignoreChanges)).toEqual([{ status: 'OK', revision: 1 }])
  })

  test('refuses operations that decode but lack what they need', () => {
    const session = { client: '0000000000000001', sequence: 1, firstIncomplete: 1 }
    const odd = [
      { code: OpCode.put, key: 'k' }, { code: OpCode.touch, key: 'k' }, { code: OpCode.openSession, key: '' },
      { code: OpCode.incr, key: 'k', value: Uint8Array.from([120]) }, { code: OpCode.closeSession, key: '' },
    ]
    const state = createState()
    const results = applyEntry(state, batchEntry(1, 1, odd), ignoreChanges)
    expect(results.map(({ status, definite }) => [status, definite])).toEqual(odd.map(() => ['INVALID', true]))
    expect(applyEntry(state, batchEntry(2, 1, [{ code: OpCode.del, key: 'k', session }]), ignoreChanges)[0]?.status).toBe('SESSION_EXPIRED')
  })

  test('refuses to skip an entry', () => {
    expect(() => applyEntry(createState(), noopEntry(2), ignoreChanges)).toThrow('in order: 2 after 0')
  })

  test('survives every mutation of an entry without a throw, alike on two replicas', () => {
    const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) })
    fc.assert(fc.property(histories, fc.array(change, { minLength: 1, maxLength: 4 }), (history, changes) => {
      const [one, other] = [createState(), createState()]
      for (const entry of entriesOf(history)) {
        for (const { at, to } of changes) entry.payload[at % entry.payload.length] = to
        expect(applyEntry(one, entry, ignoreChanges)).toEqual(applyEntry(other, entry, ignoreChanges))
      }
      expect(hashState(one)).toBe(hashState(other))
    }), { numRuns: 300 })
  })

  test('takes an empty batch as a tick that only moves time', () => {
    const { state } = createReplica()
    const tick = { ...noopEntry(1), kind: EntryKind.batch, payload: encodeBatch({ timeMs: 77, operations: [] }) }
    expect(applyEntry(state, tick, ignoreChanges)).toEqual([])
    expect(state).toMatchObject({ timeMs: 77, revision: 0 })
  })
})
