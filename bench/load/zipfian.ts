/**
 * Zipfian numbers as in YCSB: rank r of n is drawn with probability proportional to 1 / (r + 1)^THETA, rank 0 most often.
 *
 * Source: Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994), section 3.2; THETA is YCSB's.
 * Departure: ranks are not scrambled, since the key's hash already spreads neighbours over the shards.
 */

import { fraction } from '../../actors/kernel/random.ts'
import type { Random } from '../../actors/kernel/random.ts'

export const ZIPFIAN_THETA = 0.99

/** The sum of 1 / i^theta for i from 1 to n. */
export const zeta = (n: number, theta: number): number => {
  let sum = 0
  for (let i = 1; i <= n; i += 1) sum += 1 / i ** theta
  return sum
}

/** Ranks from 0 to n - 1. Making the generator costs a sum over n. */
export const createZipfian = (random: Random, n: number): (() => number) => {
  const theta = ZIPFIAN_THETA
  const zetaN = zeta(n, theta)
  const alpha = 1 / (1 - theta)
  const eta = (1 - (2 / n) ** (1 - theta)) / (1 - zeta(2, theta) / zetaN)
  return () => {
    const u = fraction(random)
    const uz = u * zetaN
    if (uz < 1) return 0
    if (uz < 1 + 0.5 ** theta) return Math.min(1, n - 1)
    return Math.min(n - 1, Math.floor(n * (eta * u - eta + 1) ** alpha))
  }
}
