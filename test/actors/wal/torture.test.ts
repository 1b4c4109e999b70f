/**
 * Disk calls of every scenario are hit by a power loss, an I/O error, a full disk or a short write: nothing acknowledged is lost, and
 * nothing invented. `npm run torture` hits every single one.
 */

import { describe, expect, test } from '@jest/globals'
import { planOf } from '../../../lanes/plan.ts'
import { crashes, recoveryCrashes } from '../../../torture/generators/crashes.ts'
import { faults } from '../../../torture/generators/faults.ts'
import { scenarios } from '../../../torture/scenarios/scenarios.ts'
import type { Generator } from '../../../torture/generator.ts'

const SEED = Number(process.env['SHARDKV_SEED'] ?? 1)

/** An even sample of the calls; the lane hits every one. */
const SAMPLE = 12

const problemsOf = (generator: Generator): readonly string[] => {
  const items = planOf([generator], SAMPLE)
  expect(items.length).toBe(SAMPLE)
  return items.map(({ pass, index }) => generator.judge(pass, index).problem).filter((problem) => problem !== undefined)
}

describe.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('files through "%s"', (_, scenario) => {
  test('lose nothing acknowledged and invent nothing, whichever call a power loss follows', () => {
    expect(problemsOf(crashes(SEED, [scenario]))).toEqual([])
  })

  test('loses nothing when the recovery itself loses power at any of its calls', () => {
    expect(problemsOf(recoveryCrashes(SEED, [scenario]))).toEqual([])
  })

  test('stop for good after an I/O error of any call but a read of the start, wait out a full disk, write on after a short write', () => {
    expect(problemsOf(faults(SEED, [scenario]))).toEqual([])
  })
})
