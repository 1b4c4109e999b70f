/** A ring that packs its batches is no other ring: against a list of all that it was told. */

import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createRandom, fraction } from '../../../actors/kernel/random.ts'
import { BLOCK_BYTES, BLOCK_RECORDS, createPackedBatches } from '../../../observe/recorder/packedBatches.ts'
import { bytesOf, createRing } from '../../../observe/recorder/ring.ts'
import type { Happening, HappeningDetail } from '../../../actors/kernel/recorder.ts'
import type { Entry, Ring } from '../../../observe/recorder/ring.ts'

const RECORDS = 8_000
const LOOKS_EVERY = 700

/** What packs well, with what only just does, and what must not be packed, among them. */
const tellerOf = (seed: number) => {
  const source = createRandom(seed)
  const random = (): number => fraction(source)
  const upTo = (max: number): number => Math.floor(random() * max)
  const oneOf = <T>(list: readonly T[]): T => list[upTo(list.length)] as T
  const edge = (): number => oneOf([0, 1, 77, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000, 2 ** 52, 0.5, -1, -0, Number.NaN])
  const details = (): HappeningDetail => oneOf([
    {}, { a: 1, b: 2 }, { records: 'many' }, { records: true }, { records: edge() }, { operations: edge() }, { other: 4 },
  ])
  const batch = (): Happening => oneOf<() => Happening>([
    () => ({
      actor: 'wal', kind: 'batch', event: oneOf(['group', 'seal']), micros: upTo(9_000), bytes: upTo(1e6), detail: { records: upTo(30) },
    }),
    () => {
      const shard = upTo(8)
      const operations = upTo(9)
      return { actor: `shard/${shard}`, kind: 'batch', event: 'proposal', shard, term: upTo(9), bytes: upTo(1e6), detail: { operations } }
    },
    () => ({ actor: 'gossip', kind: 'batch', event: 'round', peer: `n${upTo(5)}` }),
  ])()
  const odd = (): Happening => oneOf<() => Happening>([
    () => ({ ...batch(), micros: edge() }),
    () => ({ ...batch(), bytes: edge() }),
    () => ({ ...batch(), term: edge() }),
    () => ({ ...batch(), shard: edge() }),
    () => ({ ...batch(), detail: details() }),
    () => ({ ...batch(), trace: 'a'.repeat(32) }),
    () => ({ ...batch(), because: oneOf(['', 'tick', 'raft.append']) }),
    () => ({ ...batch(), event: `unlike ${upTo(1e6)}` }),
    () => ({ ...batch(), actor: `shard/${upTo(1e6)}` }),
  ])()
  const other = (): Happening => oneOf<() => Happening>([
    () => ({ actor: 'raft/7', kind: 'send', event: 'raft.append', peer: 'n2', shard: 7, term: 3, detail: { index: upTo(1e6), of: 2 } }),
    () => ({ actor: 'door', kind: 'phase', event: 'reply', trace: 'b'.repeat(32), micros: upTo(9), detail: { key: 'k'.repeat(upTo(40)) } }),
    () => ({ actor: 'connection/c1', kind: 'state', event: 'open', because: 'tick' }),
  ])()
  // Some runs have batches alone, some have few.
  const othersShare = oneOf([0, 0.05, 0.5, 0.95])
  const oddShare = oneOf([0, 0.02, 0.3])
  let seq = 0
  return {
    random,
    next: (): Entry => {
      seq += oneOf([1, 1, 1, 2, 5])
      if (oddShare > 0 && random() < 0.000_5) seq += 0x1_0000_0000
      const what = random() < othersShare ? other() : random() < oddShare ? odd() : batch()
      return { at: 1.7e12 + seq / 1_000, seq, what }
    },
  }
}

/** With what is wrong in words, since so many entries are too many to show. */
const differences = (ring: Ring, told: readonly Entry[], after: number): readonly string[] => {
  const kept = told.slice(ring.dropped())
  const wanted = kept.filter(({ seq }) => seq > after)
  const found = [...ring.after(after)]
  const last = told[ring.dropped() - 1]
  return [
    ...(found.length === wanted.length ? [] : [`${found.length} entries in place of ${wanted.length}`]),
    ...found.flatMap((entry, i) =>
      (isDeepStrictEqual(entry, wanted[i]) ? [] : [`${JSON.stringify(entry)}, not ${JSON.stringify(wanted[i])}`])),
    ...(ring.newestDropped()?.seq === last?.seq && ring.newestDropped()?.at === last?.at ? [] : ['another was dropped last']),
  ].slice(0, 3)
}

const group = (seq: number): Entry =>
  ({ at: seq, seq, what: { actor: 'wal', kind: 'batch', event: 'group', micros: seq, bytes: 9, detail: { records: 1 } } })

const pushGroups = (ring: Ring, count: number): Ring => {
  for (let seq = 1; seq <= count; seq += 1) ring.push(group(seq))
  return ring
}

describe('a ring with packed batches', () => {
  test('gives back from any number on exactly what it was told, in order, while old ones go', () => {
    const sizes = fc.integer({ min: 4 * BLOCK_BYTES, max: 12 * BLOCK_BYTES })
    fc.assert(fc.property(fc.nat(), sizes, fc.constantFrom(3_000, Number.POSITIVE_INFINITY), (seed, bytesMax, entriesMax) => {
      const { next, random } = tellerOf(seed)
      const ring = createRing(bytesMax, entriesMax)
      const told: Entry[] = []
      for (let i = 1; i <= RECORDS; i += 1) {
        const entry = next()
        told.push(entry)
        ring.push(entry)
        if (ring.bytes() > bytesMax || told.length - ring.dropped() > entriesMax) throw new Error('more than it may')
        if (i % LOOKS_EVERY > 0) continue
        for (const after of [0, told[Math.floor(random() * told.length)]?.seq ?? 0]) expect(differences(ring, told, after)).toEqual([])
      }
    }), { numRuns: 25 })
  })

  test('lets go of no more than a block and what the next one needs', () => {
    fc.assert(fc.property(fc.nat(), fc.integer({ min: 4 * BLOCK_BYTES, max: 8 * BLOCK_BYTES }), (seed, bytesMax) => {
      const { next } = tellerOf(seed)
      const ring = createRing(bytesMax)
      let largest = 0
      for (let i = 0; i < RECORDS; i += 1) {
        const entry = next()
        largest = Math.max(largest, bytesOf(entry))
        ring.push(entry)
        if (ring.dropped() > 0 && ring.bytes() <= bytesMax - 2 * BLOCK_BYTES - largest) throw new Error(`${ring.bytes()} of ${bytesMax}`)
      }
    }), { numRuns: 10 })
  })

  test('holds many times what it would as objects', () => {
    const bytesMax = 16 * BLOCK_BYTES
    const ring = pushGroups(createRing(bytesMax), 20_000)
    const kept = 20_000 - ring.dropped()
    expect(kept * bytesOf(group(1))).toBeGreaterThan(5 * bytesMax)
    expect(kept).toBeGreaterThan(14 * BLOCK_RECORDS)
  })

  test('takes nothing before the first batch, and a block then', () => {
    const ring = createRing(12 * 1_024 * 1_024)
    expect(ring.bytes()).toBe(0)
    pushGroups(ring, 1)
    expect(ring.bytes()).toBeLessThan(BLOCK_BYTES + 1_000)
  })

  test('makes no block any more once it is full: the one whose records have gone is the next', () => {
    let made = 0
    const real = ArrayBuffer
    globalThis.ArrayBuffer = new Proxy(real, {
      construct: (target, given: [number]) => {
        made += 1
        return Reflect.construct(target, given) as ArrayBuffer
      },
    })
    try {
      const [byBytes, byCount] = [createRing(8 * BLOCK_BYTES), createRing(100 * BLOCK_BYTES, 4_000)].map((ring) => {
        made = 0
        expect(pushGroups(ring, 50_000).dropped()).toBeGreaterThan(40_000)
        return made
      })
      expect([byBytes, byCount]).toEqual([7, 5])
    } finally {
      globalThis.ArrayBuffer = real
    }
  })

  test('gives the memory of batches to what comes after them', () => {
    const ring = pushGroups(createRing(8 * BLOCK_BYTES), 10_000)
    const note = (seq: number): Entry => ({ at: seq, seq, what: { actor: 'node', kind: 'note', event: 'e' } })
    for (let seq = 10_001; seq <= 20_000; seq += 1) ring.push(note(seq))
    expect([...ring.after(0)].length * bytesOf(note(1))).toBeGreaterThan(6 * BLOCK_BYTES)
  })
})

describe('packed batches', () => {
  const isPacked = (what: Happening): boolean => createPackedBatches(8 * BLOCK_BYTES).templateFor({ at: 1, seq: 1, what }) !== undefined
  const { what } = group(1)

  test.each<[string, Happening]>([
    ['a commit group', what],
    ['a proposal', { actor: 'shard/7', kind: 'batch', event: 'proposal', shard: 7, term: 3, bytes: 0xffff_fffe, detail: { op: 0 } }],
    ['a round of gossip', { actor: 'gossip', kind: 'batch', event: 'round', peer: 'n2' }],
  ])('take %s', (_, happening) => { expect(isPacked(happening)).toBe(true) })

  test.each<[string, Happening]>([
    ['a trace', { ...what, trace: 'a'.repeat(32) }],
    ['two details', { ...what, detail: { records: 1, more: 2 } }],
    ['an empty detail', { ...what, detail: {} }],
    ['a text as its detail', { ...what, detail: { records: '1' } }],
    ['a fraction', { ...what, micros: 0.5 }],
    ['a negative number', { ...what, bytes: -1 }],
    ['minus zero', { ...what, bytes: -0 }],
    ['the number that stands for none', { ...what, term: 0xffff_ffff }],
    ['a number of 33 bits', { ...what, detail: { records: 0x1_0000_0000 } }],
  ])('leave one with %s', (_, happening) => { expect(isPacked(happening)).toBe(false) })

  test('leave what needs another template when there is no place for it, and take what they know', () => {
    const packed = createPackedBatches(4 * BLOCK_BYTES)
    const isTaken = (event: string, actor = 'wal'): boolean =>
      packed.templateFor({ at: 1, seq: 1, what: { ...what, event, actor } }) !== undefined
    expect(isTaken('group')).toBe(true)
    const taken = Array.from({ length: 10_000 }, (_, i) => isTaken(`e${i}`, `shard/${i}`)).filter((each) => each).length
    expect(taken).toBeGreaterThan(10)
    expect(packed.bytes()).toBeLessThanOrEqual(BLOCK_BYTES / 2)
    expect([isTaken('group'), isTaken('seal')]).toEqual([true, false])
  })
})
