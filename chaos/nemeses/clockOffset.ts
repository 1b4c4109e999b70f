/** Wall clocks that jump by up to a day, there and back, on one node or on all by different amounts. */

import { between, chance } from '../../actors/kernel/random.ts'
import { anyNode, holdBetween } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const DAY_MS = 86_400_000

export const clockOffset: Nemesis = {
  name: 'clockOffset',
  needs: ['haunt'],
  strike: async (arena) => {
    const { cluster, random } = arena
    const victims = chance(random, 0.5) ? cluster.members : [anyNode(arena)]
    const offsets = victims.map(() => between(random, -DAY_MS, DAY_MS))
    arena.say(victims.map((node, i) => `${node} ${offsets[i]} ms`).join(', '))
    victims.forEach((node, i) => cluster.order(node, { order: 'offsetClock', ms: offsets[i] ?? 0 }))
    await holdBetween(arena, 1_000, 5_000)
    for (const node of victims) cluster.order(node, { order: 'offsetClock', ms: 0 })
  },
}
