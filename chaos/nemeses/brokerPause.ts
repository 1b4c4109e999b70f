/**
 * SIGSTOP of a nats-server: everything that it carries stands still, then arrives in one burst. Now and then for so long that connections
 * are given up, and attempts to make new ones as well, which all wake together.
 */

import { chance, pick } from '../../actors/kernel/random.ts'
import { holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const brokerPause: Nemesis = {
  name: 'brokerPause',
  needs: [],
  strike: async (arena) => {
    const { servers } = arena.cluster.brokers
    const server = pick(arena.random, servers)
    arena.say(`broker ${server === undefined ? '' : servers.indexOf(server) + 1}`)
    server?.signal('SIGSTOP')
    await (chance(arena.random, 0.2) ? holdBetween(arena, 11_000, 16_000) : holdBetween(arena, 200, 6_000))
    server?.signal('SIGCONT')
  },
}
