/** A range of seeds as tests: each seed is a cluster of 1-4 shards under faults (sim/run.ts). A failing one prints its replay. */

import { expect, test } from '@jest/globals'
import { drawOptions } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'

/** Virtual milliseconds under faults; what follows is healing and checking. */
const SAFETY_MS = 10_000

export const testSeeds = (from: number, count: number): void => {
  for (let seed = from; seed < from + count; seed += 1) {
    test(`seed ${seed} keeps every promise`, () => {
      const { violation } = runSeed(drawOptions(seed, { safetyMs: SAFETY_MS }))
      const replay = `npm run sim -- --seed ${seed} --minutes ${SAFETY_MS / 60_000}`
      expect(violation === null ? null : { ...violation, replay }).toBe(null)
    })
  }
}
