/** The zipfian generator against the law it claims to draw from. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { ZIPFIAN_THETA, createZipfian, zeta } from '../../bench/load/zipfian.ts'

const RANKS = 1_000
const DRAWS = 50_000

/** Of each rank, among DRAWS. */
const drawShares = (): Float64Array => {
  const draw = createZipfian(createRandom(7), RANKS)
  const counts = new Float64Array(RANKS)
  for (let i = 0; i < DRAWS; i += 1) {
    const rank = draw()
    counts[rank] = (counts[rank] ?? 0) + 1 / DRAWS
  }
  return counts
}

const shares = drawShares()
const sumOf = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0)

/** The generator of Gray et al. is exact for the first two ranks and an approximation behind them. */
const TOLERANCE = 0.1

describe('zipfian ranks', () => {
  test.each([1, 2, 10, 100, 500])('the first %i have their share of all draws', (first) => {
    const expected = zeta(first, ZIPFIAN_THETA) / zeta(RANKS, ZIPFIAN_THETA)
    const actual = sumOf(shares.subarray(0, first))
    expect(actual).toBeGreaterThan(expected * (1 - TOLERANCE))
    expect(actual).toBeLessThan(expected * (1 + TOLERANCE))
  })

  test('all lie in range, the last one too', () => {
    expect(sumOf(shares)).toBeCloseTo(1, 6)
    expect(shares.subarray(RANKS / 2).some((share) => share > 0)).toBe(true)
  })

  test('one rank alone is always drawn', () => {
    const draw = createZipfian(createRandom(3), 1)
    expect(Array.from({ length: 100 }, draw).every((rank) => rank === 0)).toBe(true)
  })

  test('the same seed draws the same ranks', () => {
    const first = createZipfian(createRandom(5), RANKS)
    const second = createZipfian(createRandom(5), RANKS)
    expect(Array.from({ length: 50 }, first)).toEqual(Array.from({ length: 50 }, second))
  })
})
