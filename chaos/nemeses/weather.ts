/** Loss, delay, duplication and reordering on the links of all nodes, for the whole storm. */

import { fraction } from '../../actors/kernel/random.ts'
import { hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const FOR_EVER_MS = 3_600_000

export const weather: Nemesis = {
  name: 'weather',
  needs: ['links'],
  isWeather: true,
  strike: async (arena) => {
    const { random, cluster } = arena
    const drawn = {
      loss: fraction(random) * 0.03, duplication: fraction(random) * 0.2,
      reordering: fraction(random) * 0.1, delayMsMean: fraction(random) * 10,
    }
    arena.say(Object.entries(drawn).map(([name, value]) => `${name} ${value.toFixed(3)}`).join(', '))
    const links = cluster.members.flatMap((node) => cluster.links.of(node))
    for (const link of links) link.setWeather(drawn, random)
    await hold(arena, FOR_EVER_MS)
    for (const link of links) link.setWeather(null, random)
  },
}
