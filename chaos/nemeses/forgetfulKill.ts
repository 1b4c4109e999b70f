/** SIGKILL that loses what was not synced (chaos/inside): one node, a minority, or all at once, as a power failure takes them. */

import { between, pick } from '../../actors/kernel/random.ts'
import { killAndRestart } from './kill.ts'
import { anyLeader, hold, someMinority } from './nemesis.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Arena, Nemesis } from './nemesis.ts'

export const FALLS_BEHIND_MS = 1_000

/** Syncs take a while, so that there is something to forget. */
export const fallBehind = async (arena: Arena, victims: readonly NodeId[]): Promise<void> => {
  const ms = between(arena.random, 50, 800)
  for (const node of victims) arena.cluster.order(node, { order: 'slowSyncs', ms })
  await hold(arena, FALLS_BEHIND_MS)
}

export const forgetfulKill: Nemesis = {
  name: 'forgetfulKill',
  needs: ['haunt'],
  strike: async (arena) => {
    const mode = pick(arena.random, ['leader', 'minority', 'all', 'all'] as const) ?? 'all'
    const victims = mode === 'leader' ? [(await anyLeader(arena)).node] : mode === 'all' ? arena.cluster.members : someMinority(arena)
    arena.say(`${mode}: ${victims.join(' ')} without their unsynced bytes`)
    await fallBehind(arena, victims)
    await killAndRestart(arena, victims)
  },
}
