/**
 * No file descriptor is free on one node: what it has open goes on, what it would open fails. A process that ends of it is started
 * again.
 */

import { restartUnlessOutlived } from './aftermath.ts'
import { anyNode, holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const LIMIT = 8
const USUAL = 1_024

export const fileLimit: Nemesis = {
  name: 'fileLimit',
  needs: [],
  strike: async (arena) => {
    const { cluster } = arena
    const node = anyNode(arena)
    arena.say(node)
    arena.expectExit(node)
    cluster.limitFiles(node, LIMIT)
    await holdBetween(arena, 1_000, 4_000)
    if (cluster.isRunning(node)) cluster.limitFiles(node, USUAL)
    await restartUnlessOutlived(arena, node)
  },
}
