/** A seed decides everything: the same seed takes the same steps, to the byte of its trace. */

import { expect, test } from '@jest/globals'
import { drawOptions } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'

/** The second one changes the map, too. */
const SAMPLE = [11, 12, 42, 77, 1_234]
const SAFETY_MS = 3_000

for (const seed of SAMPLE) {
  test(`seed ${seed} gives the same trace twice`, () => {
    const [first, second] = [0, 1].map(() => runSeed(drawOptions(seed, { safetyMs: SAFETY_MS })))
    expect(second?.trace).toEqual(first?.trace)
    expect(second?.traceHash).toBe(first?.traceHash)
  })
}

test('different seeds take different steps', () => {
  const hashes = SAMPLE.map((seed) => runSeed(drawOptions(seed, { safetyMs: 1_000 })).traceHash)
  expect(new Set(hashes).size).toBe(SAMPLE.length)
})
