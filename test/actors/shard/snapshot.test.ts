/** Snapshots: one cut, whole or refused, equal when restored, wherever the bytes are split. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { must } from '../../../actors/kernel/assert.ts'
import { applyEntry, ignoreChanges } from '../../../actors/shard/apply.ts'
import { openRestore } from '../../../actors/shard/restore.ts'
import { CHUNK_BYTES_MAX, openSnapshot } from '../../../actors/shard/snapshotCodec.ts'
import { createState } from '../../../actors/shard/state.ts'
import { hashState } from '../../../actors/shard/stateHash.ts'
import { chunksOf, close, createReplica, del, entriesOf, histories, inSession, incr, open, put, restoreOf } from './entries.ts'
import type { ShardState } from '../../../actors/shard/state.ts'

const concat = (chunks: readonly Uint8Array[]): Uint8Array => Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))

/** A little of everything. */
const rich = (): ReturnType<typeof createReplica> => {
  const replica = createReplica()
  replica.apply(100, open(1), open(2), open(3), close(3))
  replica.apply(200, put('a', 'value', { requestId: 'r1' }), put('b', '', { ttlMs: 500 }), incr('c', '-7', { requestId: 'r2' }))
  replica.apply(300, incr('n', '3', inSession(1, 1)), put('x', 'v', { ifRevision: 9, ...inSession(1, 2) }), incr('a', '1', inSession(2, 1)))
  return replica
}

/** What stands behind the end record: of so many results. */
const contentsBytes = (results: number): number => 23 + 4 * results

/** What a version before the hashes does with what stands behind the end record: it leaves a key whose rest has not come. */
const isLeft = (bytes: Uint8Array): boolean => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.getUint8(0) === 2 && (bytes.length < 23 || 23 + view.getUint16(1, true) + view.getUint32(3, true) > bytes.length)
}

const reasonOf = (bytes: Uint8Array): string => {
  const restore = openRestore()
  restore.push(bytes)
  const restored = restore.finish()
  return 'reason' in restored ? restored.reason : ''
}

describe('a snapshot', () => {
  test('at any index, replayed from there, equals the straight replay (M14, M27)', () => {
    fc.assert(fc.property(histories, fc.nat(), (history, at) => {
      const entries = entriesOf(history)
      const cut = at % (entries.length + 1)
      const straight = createState()
      let restored: ShardState | undefined
      const answers: unknown[] = []
      entries.forEach((entry, i) => {
        if (i === cut) restored = restoreOf(chunksOf(straight))
        answers.push(applyEntry(straight, entry, ignoreChanges))
      })
      restored ??= restoreOf(chunksOf(straight))
      expect(entries.slice(cut).map((entry) => applyEntry(restored as ShardState, entry, ignoreChanges))).toEqual(answers.slice(cut))
      expect(hashState(restored)).toBe(hashState(straight))
      expect(restored.keyBytes).toBe(straight.keyBytes)
      expect([...restored.deadlines.cut().entries()]).toEqual([...straight.deadlines.cut().entries()])
    }), { numRuns: 300 })
  })

  test('shows the state of the turn it was opened in, however late its chunks are pulled', () => {
    fc.assert(fc.property(histories, histories, (before, after) => {
      const state = createState()
      const entries = entriesOf([...before, ...after])
      for (const entry of entries.slice(0, before.length)) applyEntry(state, entry, ignoreChanges)
      const then = concat(chunksOf(state))
      const snapshot = openSnapshot(state)
      for (const entry of entries.slice(before.length)) applyEntry(state, entry, ignoreChanges)
      const chunks: Uint8Array[] = []
      for (let next = snapshot.next(); next.done !== true; next = snapshot.next()) chunks.push(next.value)
      expect(concat(chunks)).toEqual(then)
    }), { numRuns: 200 })
  })

  test('is cut into chunks of at most 128 KiB, and a large value spans them', () => {
    const { apply, state } = createReplica()
    for (let i = 0; i < 3; i += 1) apply(1, put(`k${i}`, 'v'.repeat(500_000 + i)), put(`small${i}`, 'v'))
    const chunks = chunksOf(state)
    expect(chunks.length).toBe(Math.ceil(concat(chunks).length / CHUNK_BYTES_MAX))
    expect(chunks.slice(0, -1).every((chunk) => chunk.length === CHUNK_BYTES_MAX)).toBe(true)
    expect(hashState(restoreOf(chunks))).toBe(hashState(state))
  })

  test('is restored from pieces of any size, and keeps none of them', () => {
    const { state } = rich()
    const bytes = concat(chunksOf(state))
    for (let size = 1; size <= bytes.length; size += 1) {
      const pieces: Uint8Array[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size))
      const restored = restoreOf(pieces)
      for (const piece of pieces) piece.fill(0)
      expect(hashState(restored)).toBe(hashState(state))
    }
  })

  test('is refused when it ends early, at every byte', () => {
    const bytes = concat(chunksOf(rich().state))
    const end = bytes.length - contentsBytes(5)
    for (let length = 0; length < bytes.length; length += 1) {
      // Up to its end record it is a snapshot of before the hashes.
      expect(reasonOf(bytes.subarray(0, length))).toEqual(length === end ? '' : expect.stringContaining('ends before'))
    }
    expect(reasonOf(bytes)).toBe('')
  })

  test('never makes the restore throw, whatever byte is wrong', () => {
    const bytes = concat(chunksOf(rich().state))
    for (let at = 0; at < bytes.length; at += 1) {
      for (const to of [0, 7, 255]) {
        const changed = bytes.slice()
        changed[at] = to
        expect(typeof reasonOf(changed)).toBe('string')
      }
    }
  })

  test('names what it does not know or what is missing', () => {
    const bytes = concat(chunksOf(createState()))
    const change = (at: number, to: number): Uint8Array => {
      const changed = bytes.slice()
      changed[at] = to
      return changed
    }
    expect(reasonOf(change(1, 2))).toContain('version 2')
    expect(reasonOf(change(0, 9))).toContain('kind 9')
    expect(reasonOf(change(43, 1))).toContain('other counts')
    expect(reasonOf(concat([bytes, bytes]))).toContain('one head, first')
    expect(reasonOf(bytes.subarray(42))).toContain('one head, first')
  })

  /** Found by the fuzz lane: the number became -1, and the second request id ended the process. */
  test('is refused when it holds a number above 2^53 - 1, or one thing twice', () => {
    const { state } = rich()
    const bytes = concat(chunksOf(state))
    const tooHigh = bytes.slice()
    tooHigh[9] = 0x20
    expect(reasonOf(tooHigh)).toContain('above 2^53 - 1')
    const whole = concat(chunksOf(createState()))
    const twice = (record: readonly number[]): Uint8Array =>
      Uint8Array.from([...whole.subarray(0, 42), ...record, ...record, ...whole.subarray(42)])
    const key = [2, 1, 0, 0, 0, 0, 0, ...new Uint8Array(16), 0x61]
    const request = [3, 1, 0, 0, 0, ...new Uint8Array(8), 0x72]
    const session = [4, ...new Uint8Array(26)]
    const ended = [5, ...new Uint8Array(8)]
    const reasons = [key, request, session, ended].map((record) => reasonOf(twice(record)))
    expect(reasons).toEqual(Array(4).fill('a snapshot holds one thing twice'))
  })

  test('refuses a remembered result of an unknown kind', () => {
    const { apply, state } = createReplica()
    apply(1, del('k', { requestId: 'r' }))
    const bytes = concat(chunksOf(state))
    bytes[42 + 2] = 200
    expect(reasonOf(bytes)).toContain('unknown status')
  })
})

describe('the hashes of what was asked, in a snapshot,', () => {
  /** Under ids that `rich` has used. */
  const repeated = [put('a', 'value', { requestId: 'r1' }), incr('n', '3', inSession(1, 1))]
  const others = [put('a', 'another', { requestId: 'r1' }), incr('n', '4', inSession(1, 1))]

  test('tell a reuse also after a restart', () => {
    const { apply } = createReplica(restoreOf(chunksOf(rich().state)))
    expect(apply(400, ...repeated)).toMatchObject(repeated.map(() => ({ status: 'OK', duplicate: true })))
    expect(apply(400, ...others)).toMatchObject(others.map(() => ({ status: 'REQUEST_ID_REUSED', definite: true })))
  })

  test('are unknown where a version before them wrote it, and then everything matches', () => {
    const { hex } = JSON.parse(readFileSync('test/layouts/snapshotWithoutHashes.json', 'utf8')) as { readonly hex: string }
    const old = Uint8Array.from(Buffer.from(hex, 'hex'))
    const { apply, state } = createReplica(restoreOf([old]))
    expect(apply(400, ...repeated, ...others)).toMatchObject([...repeated, ...others].map(() => ({ status: 'OK', duplicate: true })))
    apply(400, put('k', 'v', { requestId: 'new' }))
    const again = createReplica(restoreOf(chunksOf(state)))
    const answers = again.apply(400, ...others, put('k', 'w', { requestId: 'new' }))
    expect(answers.map(({ status }) => status)).toEqual(['OK', 'OK', 'REQUEST_ID_REUSED'])
  })

  test('stand behind everything that a version before them reads, and it leaves them', () => {
    const { hex } = JSON.parse(readFileSync('test/layouts/snapshotWithoutHashes.json', 'utf8')) as { readonly hex: string }
    const bytes = concat(chunksOf(rich().state))
    const end = bytes.length - contentsBytes(5)
    expect(Buffer.from(bytes.subarray(0, end)).toString('hex')).toBe(hex)
    for (let length = 1; end + length <= bytes.length; length += 1) expect(isLeft(bytes.subarray(end, end + length))).toBe(true)
  })

  test('are refused when they are too few or too many, or when something else stands there', () => {
    const bytes = concat(chunksOf(rich().state))
    const end = bytes.length - contentsBytes(5)
    const change = (at: number, to: number): Uint8Array => {
      const changed = bytes.slice()
      changed[end + at] = to
      return changed
    }
    expect(reasonOf(change(0, 3))).toContain('one end, last')
    for (const at of [1, 3, 15]) expect(reasonOf(change(at, 1))).toContain('one end, last')
    for (const count of [4, 6]) expect(reasonOf(change(7, count))).toContain('other counts than its hashes')
    expect(reasonOf(concat([bytes, Uint8Array.of(0)]))).toContain('goes on behind')
  })
})

describe('the state hash', () => {
  test('differs when anything replicated differs', () => {
    const base = (): ReturnType<typeof createReplica> => {
      const replica = createReplica()
      replica.apply(1, open(1), put('k', 'v', { ttlMs: 9, requestId: 'r' }), incr('n', '1', inSession(1, 1)))
      return replica
    }
    const changed: readonly ((state: ShardState) => void)[] = [
      (state) => { state.timeMs += 1 },
      (state) => { state.revision += 1 },
      (state) => { state.appliedIndex += 1 },
      (state) => { state.appliedTerm += 1 },
      (state) => { state.undecodable += 1 },
      (state) => state.keys.set('l', { value: '', revision: 1, expiresAtMs: 0 }),
      (state) => state.keys.set('k', { value: 'v', revision: 1, expiresAtMs: 11 }),
      (state) => state.requests.push({ key: 's', outcome: { status: 'OK', revision: 1 }, content: 1 }),
      (state) => { must(state.requests.get('r'), 'it was asked for').content += 1 },
      (state) => { state.sessions.open.clear() },
      (state) => state.sessions.ended.push({ key: '0000000000000009' }),
    ]
    const hashes = changed.map((change) => {
      const { state } = base()
      change(state)
      return hashState(state)
    })
    expect(new Set([hashState(base().state), ...hashes]).size).toBe(changed.length + 1)
    expect(hashState(base().state)).toBe(hashState(base().state))
    expect(hashState(base().state)).toMatch(/^[0-9a-f]{16}$/)
  })
})
