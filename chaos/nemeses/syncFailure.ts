/**
 * A sync that fails: the process must end, since the kernel may have dropped what it could not write. Then it is started again.
 *
 * Only where a shard makes the log sync. A node that has just joined syncs nothing but the file of the cluster map, which is written anew
 * each time, as a file of another name, until it is there: it promises nothing by it, and goes on.
 */

import { anyLeader, anyNode, holdBetween } from './nemesis.ts'
import { chance } from '../../actors/kernel/random.ts'
import type { Nemesis } from './nemesis.ts'

const ENDS_WITHIN_MS = 10_000

export const syncFailure: Nemesis = {
  name: 'syncFailure',
  needs: ['haunt'],
  strike: async (arena) => {
    const { cluster, random } = arena
    const node = chance(random, 0.5) ? (await anyLeader(arena)).node : anyNode(arena)
    const hosts = (await cluster.reports()).filter(({ replicas }) => replicas.length > 0).map((report) => report.node.id)
    if (!hosts.includes(node)) return arena.missed(`${node} has no shard that makes its log sync`)
    arena.say(node)
    arena.expectExit(node)
    cluster.order(node, { order: 'failSyncs', count: 1_000 })
    const code = await cluster.ended(node, ENDS_WITHIN_MS)
    if (cluster.isRunning(node)) throw new Error(`${node} goes on although its syncs fail`)
    arena.say(`${node} ended with ${code}`)
    await holdBetween(arena, 100, 1_000)
    arena.start(node)
  },
}
