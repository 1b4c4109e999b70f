/** An event loop that stands still for up to five seconds, while the kernel goes on to take bytes for it. */

import { between, chance } from '../../actors/kernel/random.ts'
import { anyLeader, anyNode, hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const blockedLoop: Nemesis = {
  name: 'blockedLoop',
  needs: ['haunt'],
  strike: async (arena) => {
    const node = chance(arena.random, 0.7) ? (await anyLeader(arena)).node : anyNode(arena)
    const ms = between(arena.random, 300, 5_000)
    arena.say(`${node} ${ms} ms`)
    arena.cluster.order(node, { order: 'block', ms })
    await hold(arena, ms)
  },
}
