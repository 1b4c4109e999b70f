/** SIGSTOP of nodes, 0.1 to 8 s, then SIGCONT: a leader that wakes up must answer no stale read and execute none of its backlog. */

import { chance } from '../../actors/kernel/random.ts'
import { anyLeader, holdBetween, someMinority } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const pauseNodes: Nemesis = {
  name: 'pause',
  needs: [],
  strike: async (arena) => {
    const { cluster, random } = arena
    const victims = chance(random, 0.5) ? [(await anyLeader(arena)).node] : someMinority(arena)
    arena.say(victims.join(' '))
    for (const node of victims) cluster.signal(node, 'SIGSTOP')
    await (chance(random, 0.4) ? holdBetween(arena, 100, 1_500) : holdBetween(arena, 1_500, 8_000))
    for (const node of victims) cluster.signal(node, 'SIGCONT')
  },
}
