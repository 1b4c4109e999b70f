/** SIGKILL of a nats-server, now and then of all, then started again at once or after a while; the time until every shard acknowledges. */

import { chance, pick } from '../../actors/kernel/random.ts'
import { awaitAcknowledgement } from '../clients/probes.ts'
import { holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const brokerRestart: Nemesis = {
  name: 'brokerRestart',
  needs: [],
  isMeasured: true,
  strike: async (arena) => {
    const { cluster, random } = arena
    const { servers } = cluster.brokers
    const one = pick(random, servers)
    const victims = one === undefined || chance(random, 0.3) ? servers : [one]
    const isLong = chance(random, 0.3)
    arena.say(`${victims.length} of ${servers.length}${isLong ? ', away for a while' : ''}`)
    await Promise.all(victims.map((server) => server.kill()))
    if (isLong) await holdBetween(arena, 500, 4_000)
    const launched = performance.now()
    await Promise.all(victims.map((server) => server.launch()))
    const shards = Array.from({ length: cluster.shardCount }, (_, shard) => shard)
    await Promise.all(shards.map((shard) => awaitAcknowledgement(arena.prober, shard, cluster.shardCount)))
    if (arena.isTimed) arena.times.brokerRestarted.push(performance.now() - launched)
  },
}
