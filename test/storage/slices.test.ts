/** Slices of snapshot work: one a turn for a whole node, sized by what earlier ones took. */

import { describe, expect, test } from '@jest/globals'
import { SLICE_ENTRIES_MAX } from '../../actors/shard/protocol.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createSnapshotFiles } from '../../storage/snapshotFiles.ts'
import { SLICE_ENTRIES_MIN, SLICE_MS_TARGET, createSlices } from '../../storage/slices.ts'
import { createVirtualClock } from '../../torture/virtualClock.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { SnapshotChunks } from '../../actors/shard/protocol.ts'

describe('slices', () => {
  test('run one a turn, in the order they were asked for, however many writers there are', () => {
    const turns: (() => void)[] = []
    const clock: Clock = { ...createVirtualClock(), defer: (fn) => { turns.push(fn) } }
    const slices = createSlices(clock)
    const ran: number[] = []
    for (let writer = 0; writer < 16; writer += 1) slices.ask(() => ran.push(writer))
    for (let turn = 1; turn <= 16; turn += 1) {
      expect(turns.length).toBe(1)
      turns.shift()?.()
      expect(ran.length).toBe(turn)
    }
    expect(turns.length).toBe(0)
    expect(ran).toEqual([...Array(16).keys()])
  })

  test('a slice that asks for the next one lets the others go first', () => {
    const clock = createVirtualClock()
    const slices = createSlices(clock)
    const ran: string[] = []
    const again = (name: string, left: number) => (): void => {
      ran.push(name)
      if (left > 0) slices.ask(again(name, left - 1))
    }
    slices.ask(again('a', 2))
    slices.ask(again('b', 2))
    clock.advance(1)
    expect(ran).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
  })

  test('get smaller while they take too long, and grow back in steps', () => {
    let now = 0
    const clock: Clock = { ...createVirtualClock(), now: () => now, defer: (fn) => fn() }
    const slices = createSlices(clock)
    const sizesOf = (count: number, tookMs: number): number[] => {
      const sizes: number[] = []
      for (let i = 0; i < count; i += 1) {
        slices.ask((entriesMax) => {
          sizes.push(entriesMax)
          now += tookMs
        })
      }
      return sizes
    }
    expect(sizesOf(1, 0)).toEqual([SLICE_ENTRIES_MAX / 2])
    expect(sizesOf(40, SLICE_MS_TARGET).at(-1)).toBe(SLICE_ENTRIES_MAX)
    const shrinking = sizesOf(8, SLICE_MS_TARGET + 0.1)
    expect(shrinking.slice(0, 3)).toEqual([SLICE_ENTRIES_MAX, SLICE_ENTRIES_MAX / 2, SLICE_ENTRIES_MAX / 4])
    expect(shrinking.at(-1)).toBe(SLICE_ENTRIES_MIN)
    expect(sizesOf(2, 0)).toEqual([SLICE_ENTRIES_MIN, SLICE_ENTRIES_MIN + 32])
  })
})

describe('the snapshot store', () => {
  const chunksIn = (turnOf: () => number, seen: number[], count: number): SnapshotChunks => {
    let left = count
    return {
      next: (entriesMax = 0) => {
        seen.push(turnOf())
        expect(entriesMax).toBeGreaterThan(0)
        expect(entriesMax).toBeLessThanOrEqual(SLICE_ENTRIES_MAX)
        left -= 1
        return left < 0 ? { done: true, value: undefined } : { done: false, value: new Uint8Array(10) }
      },
    }
  }

  test('encodes one chunk a turn while sixteen groups write, and verifies and loads one a turn', () => {
    const inner = createVirtualClock()
    let turn = 0
    const clock: Clock = {
      ...inner,
      defer: (fn) => inner.defer(() => {
        turn += 1
        fn()
      }),
    }
    const disk = createMemoryFileSystem({ schedule: (fn) => inner.defer(fn) })
    const store = createSnapshotFiles({ fileSystem: disk, clock })
    const encoded: number[] = []
    let written = 0
    for (let group = 0; group < 16; group += 1) {
      const header = { group, index: 5, term: 1, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] } }
      store.write(header, chunksIn(() => turn, encoded, 20), (error) => {
        expect(error).toBeNull()
        written += 1
      })
    }
    expect(inner.runUntil(() => written === 16)).toBe(true)
    expect(encoded.length).toBe(16 * 21)
    expect(new Set(encoded).size).toBe(encoded.length)
    const loaded: number[] = []
    let done = 0
    for (let group = 0; group < 16; group += 1) {
      const info = { group, index: 5, term: 1, totalBytes: 0, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] } }
      store.load(info, () => loaded.push(turn), () => { done += 1 })
    }
    expect(inner.runUntil(() => done === 16)).toBe(true)
    expect(loaded.length).toBe(16 * 20)
    expect(new Set(loaded).size).toBe(loaded.length)
  })
})
