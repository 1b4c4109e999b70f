/** What is known by a number, against a Map: in any order, hundreds passing through, and copies that go on by themselves. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  copyOf, countIn, createNumberedList, deleteAll, deleteBelow, deleteItem, itemIn, itemsIn, numbersIn, setItem,
} from '../../../actors/kernel/numberedList.ts'
import type { NumberedList } from '../../../actors/kernel/numberedList.ts'

const expectSame = (list: NumberedList<number>, map: ReadonlyMap<number, number>): void => {
  const sorted = [...map].toSorted(([a], [b]) => a - b)
  expect(countIn(list)).toBe(map.size)
  expect(numbersIn(list)).toEqual(sorted.map(([number]) => number))
  expect(itemsIn(list)).toEqual(sorted.map(([, item]) => item))
}

const forgetBelow = (map: Map<number, number>, number: number): void => {
  for (const known of map.keys()) if (known < number) map.delete(known)
}

describe('a numbered list', () => {
  test('holds what a Map would, in whatever order', () => {
    const deed = fc.constantFrom('set', 'set', 'set', 'delete', 'deleteBelow', 'deleteAll')
    fc.assert(fc.property(fc.array(fc.tuple(deed, fc.integer({ min: -3, max: 40 })), { maxLength: 120 }), (all) => {
      const list = createNumberedList<number>()
      const map = new Map<number, number>()
      all.forEach(([what, number], i) => {
        if (what === 'set') {
          setItem(list, number, i)
          map.set(number, i)
        } else if (what === 'delete') {
          deleteItem(list, number)
          map.delete(number)
        } else if (what === 'deleteBelow') {
          deleteBelow(list, number)
          forgetBelow(map, number)
        } else if (i % 7 === 0) {
          deleteAll(list)
          map.clear()
        }
        expectSame(list, map)
        for (let asked = -4; asked <= 41; asked += 1) expect(itemIn(list, asked)).toBe(map.get(asked))
      })
    }))
  })

  test('holds what a Map would while hundreds pass through, from the front and from within', () => {
    const deeds = fc.array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 40 })), { minLength: 200, maxLength: 400 })
    fc.assert(fc.property(deeds, (all) => {
      const list = createNumberedList<number>()
      const map = new Map<number, number>()
      all.forEach(([deed, back], number) => {
        setItem(list, number, number)
        map.set(number, number)
        if (deed < 7) {
          deleteBelow(list, number - back)
          forgetBelow(map, number - back)
        } else {
          deleteItem(list, number - back)
          map.delete(number - back)
        }
      })
      expectSame(list, map)
      for (let asked = 0; asked < all.length; asked += 1) expect(itemIn(list, asked)).toBe(map.get(asked))
    }), { numRuns: 30 })
  })

  test('keeps few empty places, however much has passed', () => {
    const list = createNumberedList<number>()
    for (let number = 0; number < 10_000; number += 1) {
      setItem(list, number, number)
      deleteBelow(list, number - 100)
    }
    expect(countIn(list)).toBe(101)
    expect(list.items.length).toBeLessThanOrEqual(101 + 101 / 4 + 1)
    deleteBelow(list, 10_000)
    expect([list.first, list.numbers.length, list.items.length]).toEqual([0, 0, 0])
  })

  test('is copied with what it holds, and each goes on by itself', () => {
    const list = createNumberedList<number>()
    for (let number = 0; number < 5; number += 1) setItem(list, number, number)
    deleteBelow(list, 2)
    const copy = copyOf(list)
    deleteBelow(list, 4)
    setItem(copy, 7, 7)
    deleteItem(copy, 3)
    expect([numbersIn(list), numbersIn(copy)]).toEqual([[4], [2, 4, 7]])
    expect([itemsIn(list), itemsIn(copy)]).toEqual([[4], [2, 4, 7]])
  })
})
