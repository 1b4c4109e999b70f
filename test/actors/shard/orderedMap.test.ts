/** The ordered map against a plain sorted list, and its cuts against copies of that list, taken at any moment and read at any later one. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createOrderedMap } from '../../../actors/shard/orderedMap.ts'
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
  test('answers like a sorted list, and a cut reads what there was when it was taken, however late', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const map = createOrderedMap<number>()
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
