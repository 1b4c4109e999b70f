/** Random schedules: a few hundred seeds, each a short life of a group, with Raft's safety properties checked after every event. */

import { describe, expect, test } from '@jest/globals'
import { runSchedule } from '../../support/raftSchedule.ts'

const SEEDS_PER_TEST = 40
const STEPS = 1_000

describe('random schedules of a Raft group', () => {
  for (let first = 0; first < 240; first += SEEDS_PER_TEST) {
    test(`keep it safe, and it recovers when they end: seeds ${first} to ${first + SEEDS_PER_TEST - 1}`, () => {
      let committed = 0
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed += 1) {
        try {
          committed += runSchedule(seed, STEPS).committed
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
        }
      }
      // A schedule in which nothing is ever committed tests nothing.
      expect(committed).toBeGreaterThan(SEEDS_PER_TEST * 20)
    })
  }
})
