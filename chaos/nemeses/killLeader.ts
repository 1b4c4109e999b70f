/** SIGKILL of a node that leads, and the time until each of its shards acknowledges again. */

import { awaitAcknowledgement } from '../clients/probes.ts'
import { isServing, leadershipsOf } from '../ground/cluster.ts'
import { anyLeader, hold } from './nemesis.ts'
import type { Leadership } from '../ground/cluster.ts'
import type { Nemesis } from './nemesis.ts'

const DOWN_MS = 500
/** A time counts only where the others were all there: with two of three away nobody can be elected. */
const WHOLE_WITHIN_MS = 30_000

export const killLeader: Nemesis = {
  name: 'killLeader',
  needs: [],
  isMeasured: true,
  strike: async (arena) => {
    const { cluster } = arena
    const isWhole = await cluster.until('every shard is served', isServing(cluster), WHOLE_WITHIN_MS).then(() => true, () => false)
    const { node, led } = await anyLeader(arena)
    arena.say(`leader ${node} of ${led.size} shards`)
    await arena.kill(node)
    const waits = await Promise.all([...led.keys()].map((shard) => awaitAcknowledgement(arena.prober, shard, cluster.shardCount)))
    if (arena.isTimed && isWhole) arena.times.leaderKilled.push(...waits)
    const [reports] = await Promise.all([cluster.reports(), hold(arena, DOWN_MS)])
    if (hasSuccessor(led, leadershipsOf(reports))) arena.noteLeaderKill()
    else arena.say(`nobody has succeeded ${node}: it counts for no kill of a leader`)
    arena.start(node)
  },
}

/**
 * Whether somebody else leads what the killed node led, in a later term: it died a leader. The death of who led nothing, or is not
 * succeeded, tries nothing.
 */
export const hasSuccessor = (before: ReadonlyMap<number, Leadership>, after: ReadonlyMap<number, Leadership>): boolean =>
  [...before].some(([shard, { node, term }]) => {
    const now = after.get(shard)
    return now !== undefined && now.node !== node && now.term > term
  })
