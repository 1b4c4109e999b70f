/** The real clock keeps what its port promises. */

import { expect, test } from '@jest/globals'
import { createSystemClock } from '../../../actors/kernel/systemClock.ts'

const ASKED_MS = 2.9

test('a timer of the real clock never comes early, whatever part of a millisecond it is asked for in', async () => {
  const clock = createSystemClock()
  const took: number[] = []
  for (let i = 0; i < 100; i += 1) {
    const since = clock.now()
    await new Promise<void>((resolve) => { clock.after(ASKED_MS, resolve) })
    took.push(clock.now() - since)
  }
  expect(took.filter((ms) => ms < ASKED_MS)).toEqual([])
})
