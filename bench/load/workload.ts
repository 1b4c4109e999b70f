/** What is asked: which keys, how often, reads or writes. Seeded, so that two runs ask the same. */

import { createRandom, between, fraction } from '../../actors/kernel/random.ts'
import { createZipfian } from './zipfian.ts'
import type { Answer, Driver } from '../drivers/port.ts'

export const distributions = ['uniform', 'zipfian'] as const
export type Distribution = (typeof distributions)[number]

export interface WorkloadSpec {
  /** The share of reads, 0 to 1. */
  readonly readShare: number
  readonly keys: number
  readonly distribution: Distribution
  readonly valueBytes: number
  readonly seed: number
}

const KEY_DIGITS = 12
const FILLER = 0x78

/** `key-000000004711`: 16 bytes. */
export const keyName = (n: number): string => `key-${String(n).padStart(KEY_DIGITS, '0')}`

export const createValue = (bytes: number): Buffer => Buffer.alloc(bytes, FILLER)

/** Each call performs the next operation. */
export const createWorkload = (driver: Driver, spec: WorkloadSpec): (() => Promise<Answer>) => {
  const random = createRandom(spec.seed)
  const drawIndex = spec.distribution === 'zipfian' ? createZipfian(random, spec.keys) : () => between(random, 0, spec.keys - 1)
  const value = createValue(spec.valueBytes)
  return () => {
    const key = keyName(drawIndex())
    const isRead = spec.readShare > 0 && (spec.readShare >= 1 || fraction(random) < spec.readShare)
    return isRead ? driver.get(key) : driver.put(key, value)
  }
}
