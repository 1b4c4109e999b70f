/** What clients of real processes saw, judged by the simulator's own checkers (chaos/judge.ts). */

import { expect } from '@jest/globals'
import { readFinals } from '../../chaos/clients/load.ts'
import { judgeHistory, problemsOf } from '../../chaos/judge.ts'
import type { Bus } from '../../bus/port.ts'
import type { Load } from '../../chaos/clients/load.ts'

/** No acknowledged write was lost, no read was wrong, nothing was executed twice; the number of operations judged. */
export const judge = async (bus: Bus, load: Load, shards: number): Promise<number> => {
  await readFinals(bus, load)
  const judgement = judgeHistory({ ...load.recorder.history(), shards })
  expect(problemsOf(judgement)).toEqual([])
  return judgement.checked
}
