/** The cut and the slices of a snapshot are bounded by counts, not by hope: nothing here measures time. */

import { describe, expect, test } from '@jest/globals'
import sortedBtree from 'sorted-btree'
import { SLICE_ENTRIES_MAX } from '../../../actors/shard/protocol.ts'
import { openRestore } from '../../../actors/shard/restore.ts'
import { CHUNK_BYTES_MAX, openSnapshot } from '../../../actors/shard/snapshotCodec.ts'
import { createState, storeKey } from '../../../actors/shard/state.ts'
import { hashState } from '../../../actors/shard/stateHash.ts'
import { chunksOf, client, createReplica, incr, inSession, open, restoreOf } from './entries.ts'
import type { KeyRecord } from '../../../actors/shard/keyRecord.ts'
import type { OrderedMap } from '../../../actors/shard/orderedMap.ts'
import type { RememberedRequest } from '../../../actors/shard/outcome.ts'
import type { ShardState } from '../../../actors/shard/state.ts'

const stateOfKeys = (keys: number, valueBytes = 1): ShardState => {
  const state = createState()
  const value = new Uint8Array(valueBytes)
  for (let i = 0; i < keys; i += 1) {
    storeKey(state, String(i).padStart(7, '0'), { previous: undefined, content: { value, revision: 1, expiresAtMs: 0 } })
  }
  return state
}

const requestOf = (key: string, i: number): RememberedRequest => ({ key, outcome: { status: 'OK', revision: i }, content: i + 1 })

/** Sessions with as many results as one may have, request ids, ended sessions, tiny keys and large ones. */
const mixedState = (): ShardState => {
  const state = stateOfKeys(3_000)
  storeKey(state, 'large', { previous: undefined, content: { value: new Uint8Array(512 * 1_024), revision: 1, expiresAtMs: 0 } })
  for (let i = 0; i < 3_000; i += 1) state.requests.push(requestOf(`id${i}`, i))
  for (let i = 0; i < 3_000; i += 1) state.sessions.ended.push({ key: client(10_000 + i) })
  const { apply } = createReplica(state)
  apply(1, open(1), open(2), open(3))
  for (let sequence = 1; sequence <= 900; sequence += 1) apply(2, ...[1, 2].map((n) => incr('n', '1', inSession(n, sequence))))
  return state
}

/** Counts what is asked of a map. */
const counting = (map: OrderedMap<KeyRecord>, calls: Map<string, number>): OrderedMap<KeyRecord> =>
  Object.fromEntries(Object.entries(map).map(([name, call]) => [name, (...args: unknown[]) => {
    calls.set(name, (calls.get(name) ?? 0) + 1)
    return (call as (...args: unknown[]) => unknown)(...args)
  }])) as unknown as OrderedMap<KeyRecord>

describe('the cut', () => {
  test.each([10, 1_000, 100_000])('of %i keys is one cut of the map, and touches no key', (keys) => {
    const calls = new Map<string, number>()
    const state = { ...stateOfKeys(keys), keys: counting(stateOfKeys(keys).keys, calls) }
    openSnapshot(state)
    // What a cut itself does is in orderedMap.ts: it clones the tree of keys, which shares every node (below), and starts an empty list.
    expect([...calls]).toEqual([['cut', 1]])
  })

  test('shares every node of the tree, whose copy is paid by later writes alone', () => {
    const tree = new sortedBtree.default<number, number>([...Array(10_000).keys()].map((key) => [key, key]))
    const rootOf = (of: object): unknown => Reflect.get(of, '_root')
    const clone = tree.clone()
    expect(rootOf(clone)).toBe(rootOf(tree))
    tree.set(5_000, -1)
    expect(rootOf(clone)).not.toBe(rootOf(tree))
    expect(clone.get(5_000)).toBe(5_000)
  })

  test('of everything else copies tables of bounded length, read only when their turn comes', () => {
    const state = mixedState()
    const before = hashState(state)
    const chunks = openSnapshot(state)
    for (let i = 0; i < 70_000; i += 1) state.requests.push(requestOf(`later${i}`, i))
    const restore = openRestore()
    for (let next = chunks.next(); next.done !== true; next = chunks.next()) restore.push(next.value)
    const restored = restore.finish()
    expect('state' in restored && hashState(restored.state)).toBe(before)
  })
})

describe('a slice', () => {
  test('holds at most SLICE_ENTRIES_MAX entries, however small they are', () => {
    const [one, two] = [chunksOf(stateOfKeys(1)), chunksOf(stateOfKeys(2))].map(([chunk]) => chunk?.length ?? 0)
    const entryBytes = (two ?? 0) - (one ?? 0)
    const chunks = chunksOf(stateOfKeys(5 * SLICE_ENTRIES_MAX))
    expect(chunks.length).toBe(5)
    expect(Math.max(...chunks.map((chunk) => Math.floor(chunk.length / entryBytes)))).toBeLessThanOrEqual(SLICE_ENTRIES_MAX + 1)
  })

  test('holds at most CHUNK_BYTES_MAX bytes, however large the entries are', () => {
    for (const valueBytes of [1, 200, CHUNK_BYTES_MAX - 30, 512 * 1_024]) {
      const chunks = chunksOf(stateOfKeys(valueBytes > 1_000 ? 5 : 3_000, valueBytes))
      expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(CHUNK_BYTES_MAX)
    }
  })

  test('counts each result of a session, which is encoded as one record', () => {
    const state = createState()
    const { apply } = createReplica(state)
    apply(1, ...[1, 2, 3, 4].map(open))
    for (let sequence = 1; sequence <= 600; sequence += 1) apply(2, ...[1, 2, 3, 4].map((n) => incr('n', '1', inSession(n, sequence))))
    // The key and the first session, then one session each: two of 600 results are above the limit.
    expect(chunksOf(state).length).toBe(4)
  })

  test.each([1, 7, 64, 500, SLICE_ENTRIES_MAX])('of at most %i entries adds up to the same snapshot', (entriesMax) => {
    const state = mixedState()
    const snapshot = openSnapshot(state)
    const chunks: Uint8Array[] = []
    for (let next = snapshot.next(entriesMax); next.done !== true; next = snapshot.next(entriesMax)) chunks.push(next.value)
    expect(hashState(restoreOf(chunks))).toBe(hashState(state))
    expect(chunks.length).toBeGreaterThanOrEqual(Math.floor(9_000 / entriesMax))
  })

  test('is what loading handles at once too: a chunk is restored as it was cut, and a record waits for its rest', () => {
    const state = stateOfKeys(2_000)
    const restore = openRestore()
    const [first] = chunksOf(state)
    restore.push(first ?? new Uint8Array(0))
    expect(restore.finish()).toEqual({ reason: 'the snapshot ends before its end record' })
  })
})
