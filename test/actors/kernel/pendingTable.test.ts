/** The table of what waits, against a Map; and what a Map would do: keep what has passed through from being collected young. */

import { runInNewContext } from 'node:vm'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createPendingTable } from '../../../actors/kernel/pendingTable.ts'
import { must } from '../../../actors/kernel/assert.ts'

const WAITING = 64
const COLLECTED_EVERY = 5_000
const STEPS = 8
/** A Map leaves 5.4 MB; no table at all leaves 0.8, of whatever V8 keeps for itself. */
const OLD_BYTES_MAX = 2_000_000

interface Collect {
  (options: { readonly type: 'minor' | 'major' }): void
}

const collector = (): Collect => {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as Collect
}

const oldBytes = (): number =>
  must(getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space'), 'V8 has an old space').space_used_size

const numbers = fc.integer({ min: -3, max: 12 })
const steps = fc.array(fc.tuple(fc.constantFrom('set', 'set', 'delete', 'clear'), numbers), { maxLength: 60 })

describe('the table of what waits', () => {
  test('holds what a Map would, by their numbers', () => {
    fc.assert(fc.property(steps, (all) => {
      const table = createPendingTable<string>()
      const map = new Map<number, string>()
      all.forEach(([deed, number], i) => {
        if (deed === 'clear' && i % 5 === 0) {
          table.clear()
          map.clear()
        } else if (deed === 'delete') {
          table.delete(number)
          map.delete(number)
        } else {
          table.set(number, `${i}`)
          map.set(number, `${i}`)
        }
        expect(table.size()).toBe(map.size)
        for (let asked = -4; asked <= 13; asked += 1) expect(table.get(asked)).toBe(map.get(asked))
        expect(table.values()).toEqual([...map].toSorted(([a], [b]) => a - b).map(([, item]) => item))
      })
    }))
  })

  test('finds numbers beyond 32 bits', () => {
    const table = createPendingTable<string>()
    table.set(Number.MAX_SAFE_INTEGER, 'last')
    table.set(0x1_0000_0000, 'first')
    expect(table.get(0x1_0000_0000)).toBe('first')
    expect(table.get(Number.MAX_SAFE_INTEGER)).toBe('last')
    expect(table.get(0)).toBeUndefined()
  })

  test('lets what has passed be collected young, though the table is old', () => {
    const collect = collector()
    const table = createPendingTable<{ readonly number: number; readonly text: string }>()
    let passed = 0
    /** Bytes by which the old generation grew, summed over the steps that it grew in: V8 may collect it in one of them. */
    const grownIn = (steps: number): number => {
      let grown = 0
      for (let step = 0; step < steps; step += 1) {
        const before = oldBytes()
        for (const end = passed + COLLECTED_EVERY; passed < end; passed += 1) {
          table.set(passed, { number: passed, text: `text ${passed}` })
          table.delete(passed - WAITING)
        }
        collect({ type: 'minor' })
        grown += Math.max(0, oldBytes() - before)
      }
      return grown
    }
    grownIn(STEPS)
    collect({ type: 'major' })
    expect(grownIn(STEPS)).toBeLessThan(OLD_BYTES_MAX)
    expect(table.size()).toBe(WAITING)
  })
})
