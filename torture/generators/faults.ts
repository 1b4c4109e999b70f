/** Every single disk call of every scenario fails once: with an I/O error, as on a full disk, or, if it writes, by writing less. */

import { createRandom } from '../../actors/kernel/random.ts'
import { remembered } from '../generator.ts'
import { callsOf } from './scenarioCalls.ts'
import type { DiskCall, DiskFault } from '../../storage/memoryFileSystem.ts'
import type { Generator, Verdict } from '../generator.ts'
import type { Scenario, Trouble } from '../scenario.ts'
import type { ScenarioCall } from './scenarioCalls.ts'

const troubles: readonly Trouble[] = ['EIO', 'ENOSPC', 'short']
const SHORT_STEP = 977
const SHORT_BYTES_MAX = 5_000
const KEEPS = [0.5, 0, 1] as const

/** A short write writes less than it was given, and at least a byte. */
const faultOf = (trouble: Trouble, { bytes }: DiskCall, draw: number): DiskFault =>
  (trouble !== 'short' ? { kind: 'error', code: trouble }
    : { kind: 'short', bytes: 1 + (draw * SHORT_STEP) % Math.min(bytes - 1, SHORT_BYTES_MAX) })

interface Fault extends ScenarioCall { readonly trouble: Trouble }

const isWrite = ({ operation }: DiskCall): boolean => operation === 'writev' || operation === 'writeSynced'

/** Only a write of more than a byte can fall short. */
const faultsOf = (call: ScenarioCall): readonly Fault[] => troubles
  .filter((trouble) => trouble !== 'short' || (isWrite(call.what) && call.what.bytes > 1))
  .map((trouble) => ({ ...call, trouble }))

export const faults = (seed: number, scenarios: readonly Scenario[]): Generator => {
  const calls = callsOf(scenarios)
  const all = remembered(() => calls().flatMap(faultsOf))
  return {
    name: 'a call that fails or falls short', share: 6,
    sizeOf: () => all(0).length,
    judge: (pass, index): Verdict => {
      const fault = all(0)[index]
      if (fault === undefined) throw new RangeError(`there is no fault ${index}`)
      const { scenario, call, trouble } = fault
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
