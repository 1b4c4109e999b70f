/** Counters whose value tells which increments took effect. */

import { expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createCounters } from '../../chaos/clients/counters.ts'

test('no two increments of a counter add the same, and twice the sum of all is a safe integer', () => {
  const random = createRandom(3)
  const counters = createCounters(2)
  const amounts = new Map<string, number[]>()
  for (let i = 0; i < 500; i += 1) {
    const { key, amount } = counters.draw(random)
    amounts.set(key, [...amounts.get(key) ?? [], amount])
  }
  expect([...amounts.keys()].sort()).toEqual([...counters.keys()].sort())
  expect(amounts.size).toBeGreaterThan(8)
  for (const added of amounts.values()) {
    expect(added).toEqual(added.map((_, i) => 2 ** i))
    expect(Number.isSafeInteger(2 * added.reduce((sum, amount) => sum + amount, 0))).toBe(true)
  }
})
