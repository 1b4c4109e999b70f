/** A small disk under n1 that is full, now and then also while the node starts; then there is room again. */

import { chance } from '../../actors/kernel/random.ts'
import { holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const LEFT_BYTES = 65_536

export const fullDisk: Nemesis = {
  name: 'fullDisk',
  needs: ['smallDisk'],
  strike: async (arena) => {
    const [node] = arena.cluster.members
    if (node === undefined || arena.smallDisk === null) return
    const isRestarted = chance(arena.random, 0.5)
    arena.say(`${node}${isRestarted ? ', restarted while full' : ''}`)
    arena.smallDisk.fill(LEFT_BYTES)
    await holdBetween(arena, 1_000, 5_000)
    if (isRestarted) {
      await arena.kill(node)
      arena.start(node)
      await holdBetween(arena, 1_000, 4_000)
    }
    arena.smallDisk.free()
  },
}
