/** SIGKILL of a node that leads, and the time until each of its shards acknowledges again. */

import { awaitAcknowledgement } from '../clients/probes.ts'
import { anyLeader, hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const DOWN_MS = 500

export const killLeader: Nemesis = {
  name: 'killLeader',
  needs: [],
  strike: async (arena) => {
    const { cluster } = arena
    const { node, shards } = await anyLeader(arena)
    arena.say(`leader ${node} of ${shards.length} shards`)
    await arena.kill(node)
    const waits = await Promise.all(shards.map((shard) => awaitAcknowledgement(arena.prober, shard, cluster.shardCount)))
    if (arena.isTimed) arena.times.leaderKilled.push(...waits)
    await hold(arena, DOWN_MS)
    arena.start(node)
  },
}
