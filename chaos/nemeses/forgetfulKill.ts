/** SIGKILL that loses what was not synced (chaos/inside): one node, a minority, or all at once, as a power failure takes them. */

import { pick } from '../../actors/kernel/random.ts'
import { killAndRestart } from './kill.ts'
import { anyLeader, someMinority } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const forgetfulKill: Nemesis = {
  name: 'forgetfulKill',
  needs: ['haunt'],
  strike: async (arena) => {
    const mode = pick(arena.random, ['leader', 'minority', 'all', 'all'] as const) ?? 'all'
    const victims = mode === 'leader' ? [(await anyLeader(arena)).node] : mode === 'all' ? arena.cluster.members : someMinority(arena)
    arena.say(`${mode}: ${victims.join(' ')} without their unsynced bytes`)
    await killAndRestart(arena, victims)
  },
}
