/** Sums of some of a number of amounts, against all sums. */

import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isSumOfSome } from '../../sim/subsetSum.ts'

const allSums = (amounts: readonly number[]): Set<number> =>
  amounts.reduce((sums, amount) => new Set([...sums, ...[...sums].map((sum) => sum + amount)]), new Set([0]))

test('a total is the sum of some exactly when it is among all sums', () => {
  const amount = fc.integer({ min: -9, max: 30 })
  fc.assert(fc.property(fc.array(amount, { maxLength: 9 }), fc.integer({ min: -40, max: 130 }), (amounts, total) => {
    expect(isSumOfSome(total, amounts)).toBe(allSums(amounts).has(total))
  }))
})

test('many amounts that each outweigh all smaller ones take no time', () => {
  const amounts = Array.from({ length: 48 }, (_, i) => 2 ** i)
  expect(isSumOfSome(2 ** 48 - 1, amounts)).toBe(true)
  expect(isSumOfSome(2 ** 48, amounts)).toBe(false)
  expect(isSumOfSome(2 ** 40 + 5, amounts.filter((amount) => amount !== 4))).toBe(false)
})

test('a question with too many sums to try has no answer', () => {
  const amounts = Array.from({ length: 40 }, (_, i) => 2 ** 40 + 3 ** i % 1_000_003)
  expect(() => isSumOfSome(20 * 2 ** 40 + 1, amounts)).toThrow(RangeError)
})
