/** SIGKILL of a node that leads, and the time until each of its shards acknowledges again. */

import { awaitAcknowledgement } from '../clients/probes.ts'
import { isServing } from '../ground/cluster.ts'
import { anyLeader, hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const DOWN_MS = 500
/** A time counts only where the others were all there: with two of three away nobody can be elected. */
const WHOLE_WITHIN_MS = 10_000

export const killLeader: Nemesis = {
  name: 'killLeader',
  needs: [],
  strike: async (arena) => {
    const { cluster } = arena
    const isWhole = await cluster.until('every shard is served', isServing(cluster), WHOLE_WITHIN_MS).then(() => true, () => false)
    const { node, shards } = await anyLeader(arena)
    arena.say(`leader ${node} of ${shards.length} shards`)
    await arena.kill(node)
    const waits = await Promise.all(shards.map((shard) => awaitAcknowledgement(arena.prober, shard, cluster.shardCount)))
    if (arena.isTimed && isWhole) arena.times.leaderKilled.push(...waits)
    await hold(arena, DOWN_MS)
    arena.start(node)
  },
}
