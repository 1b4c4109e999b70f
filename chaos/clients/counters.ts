/**
 * Counters whose value tells which increments took effect: each increment of a counter adds a power of two of its own. One that is executed
 * twice, or that was said to have certainly failed and was executed, can not hide behind another one of unknown outcome, as it could if
 * all added the same.
 */

import { pick } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import type { Random } from '../../actors/kernel/random.ts'

/** Then the sum of all, each twice, is a safe integer still, in JSON and in the checker. */
const INCREMENTS_MAX = 48

export interface Increment {
  readonly key: string
  readonly amount: number
}

export interface Counters {
  readonly draw: (random: Random) => Increment
  /** All that were ever drawn. */
  readonly keys: () => readonly string[]
}

/** So many at a time: one whose powers are used up gives way to a new one. */
export const createCounters = (atATime: number): Counters => {
  const drawn: string[] = []
  const places = Array.from({ length: atATime }, (_, place) => ({ place, generation: 0, increments: 0 }))
  return {
    draw: (random) => {
      const counter = must(pick(random, places), 'counters')
      if (counter.increments === INCREMENTS_MAX) {
        counter.generation += 1
        counter.increments = 0
      }
      const key = `counter-${counter.place}-${counter.generation}`
      if (counter.increments === 0) drawn.push(key)
      const amount = 2 ** counter.increments
      counter.increments += 1
      return { key, amount }
    },
    keys: () => drawn,
  }
}
