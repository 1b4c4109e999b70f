/** The log-linear histogram against a sorted list: what it says is near, whatever the values. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createHistogram, differenceOf, quantileOf, sumOf, totalOf } from '../../../actors/kernel/histogram.ts'

const RELATIVE_ERROR_MAX = 1 / 16
const values = fc.array(fc.oneof(fc.nat(40), fc.nat(100_000), fc.nat(0x7fff_ffff)), { minLength: 1, maxLength: 200 })
const share = fc.double({ min: 0.01, max: 1, noNaN: true })

const histogramOf = (all: readonly number[]): readonly number[] => {
  const histogram = createHistogram()
  for (const value of all) histogram.record(value, 1)
  return histogram.sparse()
}

describe('the histogram', () => {
  test('tells every quantile to a sixteenth of its value', () => {
    fc.assert(fc.property(values, share, (all, wanted) => {
      const exact = all.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(all.length * wanted)) - 1] ?? 0
      expect(Math.abs(quantileOf(histogramOf(all), wanted) - exact)).toBeLessThanOrEqual(exact * RELATIVE_ERROR_MAX)
    }))
  })

  test('of what came later is what came later', () => {
    fc.assert(fc.property(values, values, (earlier, later) => {
      expect(differenceOf(histogramOf([...earlier, ...later]), histogramOf(earlier))).toEqual(histogramOf(later))
    }))
  })

  test('of two nodes is the histogram of all their values', () => {
    fc.assert(fc.property(values, values, (one, two) => {
      expect(sumOf([histogramOf(one), histogramOf(two)])).toEqual(histogramOf([...one, ...two]))
    }))
  })

  test('of a process that has started anew counts as a whole', () => {
    expect(differenceOf(histogramOf([5]), histogramOf([5, 5, 900]))).toEqual(histogramOf([5]))
  })

  test('takes weights, negative times and times without end', () => {
    const histogram = createHistogram()
    histogram.record(-3, 1)
    histogram.record(7, 3)
    histogram.record(Number.POSITIVE_INFINITY, 1)
    expect(totalOf(histogram.sparse())).toBe(5)
    expect(quantileOf(histogram.sparse(), 0.8)).toBe(7)
    expect(quantileOf(histogram.sparse(), 1)).toBeGreaterThan(2_000_000_000)
  })

  test('that is empty says 0', () => {
    expect([quantileOf([], 0.5), totalOf([])]).toEqual([0, 0])
  })
})
