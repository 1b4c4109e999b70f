/** Every single disk call of every scenario fails once: with an I/O error, as on a full disk, or writing less than it was given. */

import { createRandom } from '../../actors/kernel/random.ts'
import { callsOf } from './scenarioCalls.ts'
import type { DiskCall, DiskFault } from '../../storage/memoryFileSystem.ts'
import type { Generator, Verdict } from '../generator.ts'
import type { Scenario, Trouble } from '../scenario.ts'

const troubles: readonly Trouble[] = ['EIO', 'ENOSPC', 'short']
const SHORT_STEP = 977
const SHORT_BYTES_MAX = 5_000
const KEEPS = [0.5, 0, 1] as const

const faultOf = (trouble: Trouble, what: DiskCall, draw: number): DiskFault | undefined => {
  if (trouble !== 'short') return { kind: 'error', code: trouble }
  return what.operation === 'writev' ? { kind: 'short', bytes: 1 + (draw * SHORT_STEP) % SHORT_BYTES_MAX } : undefined
}

export const faults = (seed: number, scenarios: readonly Scenario[]): Generator => {
  const calls = callsOf(scenarios)
  return {
    name: 'a call that fails or falls short', share: 6,
    sizeOf: () => calls().length * troubles.length,
    judge: (pass, index): Verdict => {
      const { scenario, call } = calls()[Math.floor(index / troubles.length)] ?? { scenario: undefined, call: 0 }
      const trouble = troubles[index % troubles.length]
      if (scenario === undefined || trouble === undefined) throw new RangeError(`there is no fault ${index}`)
      let hit: DiskCall | undefined
      const faultAt = (at: number, what: DiskCall): DiskFault | undefined => {
        if (at !== call) return undefined
        hit = what
        return faultOf(trouble, what, index + pass)
      }
      const played = scenario.play(faultAt)
      if (hit === undefined) return { kind: trouble, problem: `${scenario.name} has no call ${call} the second time` }
      const behaviour = played.behaved(trouble, hit)
      const random = createRandom(seed * 1_019 + pass * 31 + index)
      const problem = behaviour ?? played.judge(played.disk.crash({ random, keep: KEEPS[pass % KEEPS.length] ?? 0.5 }))
      return problem === undefined ? { kind: trouble }
        : { kind: trouble, problem: `${scenario.name}, ${trouble} at call ${call} (${hit.operation} ${hit.path}): ${problem}` }
    },
  }
}
