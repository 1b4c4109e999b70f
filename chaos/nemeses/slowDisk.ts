/** Syncs that take 50 to 2,500 ms on a minority. */

import { between } from '../../actors/kernel/random.ts'
import { holdBetween, someMinority } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const slowDisk: Nemesis = {
  name: 'slowDisk',
  needs: ['haunt'],
  strike: async (arena) => {
    const victims = someMinority(arena)
    const ms = between(arena.random, 50, 2_500)
    arena.say(`${victims.join(' ')} ${ms} ms`)
    for (const node of victims) arena.cluster.order(node, { order: 'slowSyncs', ms })
    await holdBetween(arena, 1_000, 6_000)
    for (const node of victims) arena.cluster.order(node, { order: 'slowSyncs', ms: 0 })
  },
}
