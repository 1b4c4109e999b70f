/** Power lost after every single disk call of every scenario, with more or fewer of the unsynced pages and names surviving. */

import { createRandom } from '../../actors/kernel/random.ts'
import { callsOf } from './scenarioCalls.ts'
import type { Generator } from '../generator.ts'
import type { Scenario } from '../scenario.ts'

/** A power loss in the middle of the recovery follows every one of so many. */
const RECOVERY_EVERY = 4
/** What survives of unsynced pages, by pass; later passes draw again. */
const KEEPS = [0.5, 0, 1, 0.2, 0.8] as const
const RECOVERY_CALLS = 23

export const crashes = (seed: number, scenarios: readonly Scenario[]): Generator => {
  const calls = callsOf(scenarios)
  return {
    name: 'power lost after a call', share: 6,
    sizeOf: () => calls().length,
    judge: (pass, index) => {
      const { scenario, call } = calls()[index] ?? { scenario: undefined, call: 0 }
      if (scenario === undefined) throw new RangeError(`there is no crash ${index}`)
      const random = createRandom(seed * 1_009 + pass * 31 + index)
      const keep = KEEPS[pass % KEEPS.length] ?? 0.5
      const played = scenario.play((at) => (at > call ? { kind: 'hang' } : undefined))
      const problem = played.judge(played.disk.crash({ random, keep }))
      const kind = `keep ${keep}`
      return problem === undefined ? { kind }
        : { kind, problem: `${scenario.name}, power lost after call ${call}, keep ${keep}: ${problem}` }
    },
  }
}

/** Power lost once more, at every call of the recovery from the first loss. */
export const recoveryCrashes = (seed: number, scenarios: readonly Scenario[]): Generator => {
  const calls = callsOf(scenarios)
  const sizeOf = (): number => Math.floor(calls().length / RECOVERY_EVERY)
  return {
    name: 'power lost again while it recovers', share: 2,
    sizeOf,
    judge: (pass, index) => {
      const at = (index * RECOVERY_EVERY + pass) % calls().length
      const { scenario, call } = calls()[at] ?? { scenario: undefined, call: 0 }
      if (scenario === undefined) throw new RangeError(`there is no crash ${index}`)
      const random = createRandom(seed * 1_013 + pass * 31 + index)
      const first = scenario.play((now) => (now > call ? { kind: 'hang' } : undefined))
      const image = first.disk.crash({ random, keep: 0.5 })
      const during = 1 + (index + pass) % RECOVERY_CALLS
      const second = first.restart(image, (now) => (now > during ? { kind: 'hang' } : undefined))
      const problem = first.judge(second.crash({ random, keep: 0.5 }))
      const kind = 'recovered'
      return problem === undefined ? { kind }
        : { kind, problem: `${scenario.name}, power lost after call ${call} and after call ${during} of the recovery: ${problem}` }
    },
  }
}
