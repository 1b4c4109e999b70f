/** A member is drained, with a link cut or a process killed in the middle of it: its process ends by itself with 0, and it comes back. */

import { must } from '../../actors/kernel/assert.ts'
import { pick } from '../../actors/kernel/random.ts'
import { MOVES_MS, NO_SPARE, admitOne, disturb, drain, hasLeft, hasSpare } from './membership.ts'
import type { Nemesis } from './nemesis.ts'

export const drainMember: Nemesis = {
  name: 'drain',
  needs: ['members', 'links'],
  strike: async (arena) => {
    if (!await hasSpare(arena)) return arena.missed(NO_SPARE)
    const node = must(pick(arena.random, arena.cluster.members), 'a cluster has members')
    await drain(arena, node)
    await disturb(arena, node)
    if (!await hasLeft(arena, node, MOVES_MS)) return
    arena.say(`${node} has left`)
    await admitOne(arena)
  },
}
