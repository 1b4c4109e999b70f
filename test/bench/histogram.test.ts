/** The latency histogram against exact percentiles of the same values. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createHistogram } from '../../bench/load/histogram.ts'

const PRECISION = 64
const values = fc.array(fc.oneof(fc.nat(200), fc.nat(100_000), fc.nat(2 ** 31 - 1)), { minLength: 1, maxLength: 300 })

const histogramOf = (recorded: readonly number[]) => {
  const histogram = createHistogram()
  for (const value of recorded) histogram.record(value)
  return histogram
}

describe('a histogram', () => {
  test('gives every percentile at most one part in 64 too high, and never too low', () => {
    fc.assert(fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (recorded, share) => {
      const exact = recorded.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * recorded.length)) - 1] ?? 0
      const given = histogramOf(recorded).percentile(share)
      expect(given).toBeGreaterThanOrEqual(exact)
      expect(given).toBeLessThanOrEqual(exact + exact / PRECISION)
    }))
  })

  test('knows its largest value and its count exactly', () => {
    fc.assert(fc.property(values, (recorded) => {
      const histogram = histogramOf(recorded)
      expect(histogram.max()).toBe(Math.max(...recorded))
      expect(histogram.percentile(1)).toBe(Math.max(...recorded))
      expect(histogram.count()).toBe(recorded.length)
    }))
  })

  test('says 0 when nothing was recorded', () => {
    expect(createHistogram().percentile(0.99)).toBe(0)
  })

  test('counts what is below zero or above its range at the ends', () => {
    const histogram = histogramOf([-5, 2 ** 40])
    expect(histogram.percentile(0.5)).toBe(0)
    expect(histogram.percentile(1)).toBe(2 ** 31 - 1)
  })
})
