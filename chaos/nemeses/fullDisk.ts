/**
 * A small disk under n1 that is full, now and then also while the node starts; then there is room again.
 *
 * Haunted files (chaos/inside) take a write into memory and meet the full disk when it is synced. Real ones reserve the room when they are
 * written; to the node it is a failed sync, and ends it. So a haunted node may end here, and is started again.
 */

import { chance } from '../../actors/kernel/random.ts'
import { restartUnlessOutlived } from './aftermath.ts'
import { holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const LEFT_BYTES = 65_536

export const fullDisk: Nemesis = {
  name: 'fullDisk',
  needs: ['smallDisk'],
  strike: async (arena) => {
    const { cluster } = arena
    const node = cluster.members.find((member) => cluster.directory(member) === arena.smallDisk?.directory)
    if (node === undefined || arena.smallDisk === null) return arena.missed('the node with the small disk is no member')
    const isRestarted = chance(arena.random, 0.5)
    arena.say(`${node}${isRestarted ? ', restarted while full' : ''}`)
    if (cluster.isHaunted) arena.expectExit(node)
    arena.smallDisk.fill(LEFT_BYTES)
    await holdBetween(arena, 1_000, 5_000)
    if (isRestarted) {
      await arena.kill(node)
      arena.start(node)
      if (cluster.isHaunted) arena.expectExit(node)
      await holdBetween(arena, 1_000, 4_000)
    }
    arena.smallDisk.free()
    if (!cluster.isHaunted) return
    await restartUnlessOutlived(arena, node)
  },
}
