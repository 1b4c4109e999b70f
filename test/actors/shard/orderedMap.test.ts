/** The ordered map against a plain sorted list, and its cuts against copies of that list, taken at any moment and read at any later one. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createOrderedMap, partNumberOf } from '../../../actors/shard/orderedMap.ts'
import type { Cut } from '../../../actors/shard/orderedMap.ts'

const key = fc.constantFrom('a', 'b', 'c', 'dd', 'd', '\u00ff', '')
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), key }) },
)

const sorted = (model: ReadonlyMap<string, number>): [string, number][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1))

describe('the ordered map', () => {
  test.each([
    ['in one Map', undefined], ['spread from the fourth key on', 3],
  ])('%s, answers like a sorted list, and a cut reads what there was when it was taken, however late', (_, wholeKeysMax) => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const map = createOrderedMap<number>(wholeKeysMax)
      const model = new Map<string, number>()
      const cuts: { readonly cut: Cut<number>, readonly was: [string, number][] }[] = []
      const readOldest = (): void => {
        const oldest = cuts.shift()
        if (oldest !== undefined) expect([...oldest.cut.entries()]).toEqual(oldest.was)
      }
      steps.forEach(({ do: what, key: name }, at) => {
        if (what === 'set') {
          map.set(name, at + 1)
          model.set(name, at + 1)
        } else if (what === 'delete') expect(map.delete(name)).toBe(model.delete(name))
        else if (what === 'cut') cuts.push({ cut: map.cut(), was: sorted(model) })
        else readOldest()
        expect([map.get(name), map.size(), map.firstKey()]).toEqual([model.get(name), model.size, sorted(model)[0]?.[0]])
      })
      while (cuts.length > 0) readOldest()
      expect([...map.cut().entries()]).toEqual(sorted(model))
    }), { numRuns: 500 })
  })

  test('has all that it had once there are too many keys for one Map', () => {
    const map = createOrderedMap<number>(3)
    for (let i = 0; i < 100; i += 1) map.set(`key${i}`, i)
    expect(map.delete('key1')).toBe(true)
    expect([map.size(), map.get('key0'), map.get('key1'), map.get('key99')]).toEqual([99, 0, undefined, 99])
  })

  test('keeps for a cut nothing of keys that came after it', () => {
    const map = createOrderedMap<number>()
    map.set('before', 1)
    const cut = map.cut()
    for (let i = 0; i < 1_000; i += 1) {
      map.set(`after${i}`, i)
      map.set(`after${i}`, -i)
      expect(map.delete(`after${i}`)).toBe(true)
    }
    expect(cut.kept()).toBe(0)
    map.set('before', 2)
    map.set('before', 3)
    expect(cut.kept()).toBe(1)
    expect([...cut.entries()]).toEqual([['before', 1]])
  })

  test.each([
    ['counted', (i: number) => `user${i}`],
    ['padded', (i: number) => `k${String(i).padStart(15, '0')}`],
    ['partitioned', (i: number) => `{p${i % 7}}order-${i}`],
    ['long and alike at the end', (i: number) => `${i}/2026-11-25`],
  ])('spreads %s keys over its Maps, so that none meets the limit of one Map alone', (_, nameOf) => {
    const counts = new Map<number, number>()
    for (let i = 0; i < 64_000; i += 1) counts.set(partNumberOf(nameOf(i)), (counts.get(partNumberOf(nameOf(i))) ?? 0) + 1)
    expect(counts.size).toBe(64)
    expect(Math.max(...counts.values())).toBeLessThan(3_000)
  })

  test('keeps nothing for a cut that is closed or was read to its end', () => {
    const map = createOrderedMap<number>()
    map.set('a', 1)
    const [closed, read] = [map.cut(), map.cut()]
    expect([...read.entries()]).toEqual([['a', 1]])
    closed.close()
    map.set('a', 2)
    expect([...closed.entries(), ...read.entries()]).toEqual([['a', 2], ['a', 2]])
  })
})
