/**
 * The process is killed after every single disk call of every scenario, or shortly after a sync of it that failed; another one starts
 * in the same page cache, and only then power is lost. The supervisor's restart is the retried fsync of docs/WAL_FORMAT.md, race 12: what
 * the second life has reported or acknowledged must be on the platter, not in the cache alone.
 */

import { createRandom } from '../../actors/kernel/random.ts'
import { remembered } from '../generator.ts'
import type { DiskCall, DiskOperation } from '../../storage/memoryFileSystem.ts'
import type { Generator } from '../generator.ts'
import type { Scenario } from '../scenario.ts'

interface Kill {
  readonly scenario: Scenario
  readonly call: number
  readonly isSyncFailing: boolean
  /** The second life acknowledges something, beyond what it recovers. */
  readonly speaks: boolean
}

/** What survives of what is unsynced, by pass: at first nothing. */
const KEEPS = [0, 0, 0.5, 1] as const
/** A process that does not end at a failed sync may have so many calls left. */
const AFTER_FAILURE_MAX = 7

const syncing: readonly DiskOperation[] = ['datasync', 'syncDirectory', 'writeSynced']

const killsOf = (scenario: Scenario): Kill[] => {
  const calls: DiskCall[] = []
  scenario.play((_, what) => {
    calls.push(what)
    return undefined
  })
  return calls.flatMap((what, at) => (syncing.includes(what.operation) ? [false, true] : [false]).flatMap((isSyncFailing) =>
    [false, true].map((speaks) => ({ scenario, call: at + 1, isSyncFailing, speaks }))))
}

export const killedThenPower = (seed: number, scenarios: readonly Scenario[]): Generator => {
  const kills = remembered(() => scenarios.flatMap(killsOf))
  return {
    name: 'a kill, a restart, then power lost', share: 6,
    sizeOf: () => kills(0).length,
    judge: (pass, index) => {
      const kill = kills(0)[index]
      if (kill === undefined) throw new RangeError(`there is no kill ${index}`)
      const { scenario, call, isSyncFailing, speaks } = kill
      const last = isSyncFailing ? call + pass % (AFTER_FAILURE_MAX + 1) : call
      const played = scenario.play((at) => {
        if (at > last) return { kind: 'hang' }
        return isSyncFailing && at === call ? { kind: 'error', code: 'EIO' } : undefined
      })
      const second = played.liveOn(played.disk.kill(), speaks)
      const keep = KEEPS[pass % KEEPS.length] ?? 0
      const problem = second.judge(second.disk.crash({ random: createRandom(seed * 1_021 + pass * 31 + index), keep }))
      const kind = isSyncFailing ? 'a failed sync' : 'killed'
      const before = isSyncFailing ? `EIO at call ${call}, ` : ''
      return problem === undefined ? { kind }
        : { kind, problem: `${scenario.name}, ${before}killed after call ${last}, restarted, power lost: ${problem}` }
    },
  }
}
