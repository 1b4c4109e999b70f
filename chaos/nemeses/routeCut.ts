/**
 * Routes between clustered brokers: one broker cut off from the others, or one pair from each other; the clients of each stay
 * connected.
 */

import { chance, pick, shuffle } from '../../actors/kernel/random.ts'
import { holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const routeCut: Nemesis = {
  name: 'routeCut',
  needs: ['brokers'],
  strike: async (arena) => {
    const { routes } = arena.cluster.brokers
    const names = routes.map((_, i) => `b${i + 1}`)
    const linkTo = (name: string) => routes[names.indexOf(name)]
    const [one = 'b1', ...others] = shuffle(arena.random, names)
    const apart = chance(arena.random, 0.5) ? others : others.slice(0, 1)
    arena.say(`${one} | ${apart.join(' ')}`)
    for (const other of apart) {
      linkTo(one)?.cut(other)
      linkTo(other)?.cut(one)
    }
    await holdBetween(arena, 1_000, 7_000)
    for (const route of routes) route.mend()
  },
}

/** The same without a reset: routes that carry nothing in one direction until the brokers notice. */
export const routeStall: Nemesis = {
  name: 'routeStall',
  needs: ['brokers'],
  strike: async (arena) => {
    const route = pick(arena.random, arena.cluster.brokers.routes)
    const direction = chance(arena.random, 0.5) ? 'toBroker' : 'fromBroker'
    arena.say(`${route?.name ?? ''} ${direction}`)
    route?.stall(direction)
    await holdBetween(arena, 500, 6_000)
    route?.mend()
  },
}
