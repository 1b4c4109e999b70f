/** Every write of a minority fails with ENOSPC for a while: the same as a full disk, in the middle of a segment that was reserved, too. */

import { holdBetween, someMinority } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const writeFailure: Nemesis = {
  name: 'writeFailure',
  needs: ['haunt'],
  strike: async (arena) => {
    const victims = someMinority(arena)
    arena.say(victims.join(' '))
    for (const node of victims) arena.cluster.order(node, { order: 'failWrites', code: 'ENOSPC' })
    await holdBetween(arena, 500, 4_000)
    for (const node of victims) arena.cluster.order(node, { order: 'failWrites', code: null })
  },
}
