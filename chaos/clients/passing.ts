/** Keys that pass: each is written once, for a time to live, and read while that lasts and afterwards (chaos/expiry.ts judges). */

import { between, chance, pick } from '../../actors/kernel/random.ts'
import { EXPIRING_LETTER } from '../../sim/history.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Call } from '../../sim/history.ts'

export const TTL_MS = { least: 800, most: 2_500 }
/** Of the calls: the others read. */
const WRITES = 0.3
/** So many of the newest are read: some of them are alive, some are not. */
const READ_MAX = 64

export interface PassingKeys {
  readonly draw: (random: Random, value: string) => { readonly key: string; readonly call: Call }
  /** All that were ever drawn. */
  readonly keys: () => readonly string[]
}

export const createPassingKeys = (): PassingKeys => {
  const drawn: string[] = []
  return {
    draw: (random, value) => {
      const known = pick(random, drawn.slice(-READ_MAX))
      if (known !== undefined && !chance(random, WRITES)) return { key: known, call: { kind: 'get' } }
      const key = `${EXPIRING_LETTER}${drawn.length}`
      drawn.push(key)
      return { key, call: { kind: 'put', value, ttlMs: between(random, TTL_MS.least, TTL_MS.most) } }
    },
    keys: () => drawn,
  }
}
