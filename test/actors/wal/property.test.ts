/**
 * Seeded lives of random appends, votes, truncations, marks and crashes, on roomy and on full disks, against a dumb model: what a
 * restart recovers is a prefix of the model that covers what was acknowledged (torture/lives.ts).
 */

import { describe, expect, test } from '@jest/globals'
import { livesProblem } from '../../../torture/lives.ts'
import { FULL_DISK_BYTES } from '../../../torture/rig.ts'
import { CORPUS } from '../../../torture/generators/randomLives.ts'

const SEEDS = 150
const FULL_DISK_SEED = 10_000

describe('the log against a dumb model', () => {
  test('whatever is done and whenever it crashes, each group recovers to a prefix that covers what was acknowledged', () => {
    const seeds = [...CORPUS.filter(({ isFull }) => !isFull).map(({ seed }) => seed), ...Array.from({ length: SEEDS }, (_, at) => at + 1)]
    expect(seeds.map((seed) => livesProblem(seed, {})).filter((problem) => problem !== undefined)).toEqual([])
  })

  test('so it does on a disk that is full half of the time', () => {
    const drawn = Array.from({ length: SEEDS / 3 }, (_, at) => FULL_DISK_SEED + at + 1)
    const seeds = [...CORPUS.filter(({ isFull }) => isFull).map(({ seed }) => seed), ...drawn]
    const problems = seeds.map((seed) => livesProblem(seed, { capacityBytes: FULL_DISK_BYTES }))
    expect(problems.filter((problem) => problem !== undefined)).toEqual([])
  })
})
