/**
 * A node that is slow and not dead: stopped and continued in a rhythm, for 2 to 8 s. It is never away for long enough to be given up, and
 * never there for long enough to do its part in time: much of what it says is old when it leaves.
 */

import { between, chance } from '../../actors/kernel/random.ts'
import { anyLeader, hold, someMinority } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const lameDuck: Nemesis = {
  name: 'lameDuck',
  needs: [],
  strike: async (arena) => {
    const { cluster, random } = arena
    const victims = chance(random, 0.6) ? [(await anyLeader(arena)).node] : someMinority(arena)
    const [asleepMs, awakeMs] = [between(random, 20, 400), between(random, 10, 100)]
    const endsAt = performance.now() + between(random, 2_000, 8_000)
    arena.say(`${victims.join(' ')}: ${awakeMs} ms awake after every ${asleepMs} ms asleep`)
    while (performance.now() < endsAt && !arena.over.aborted) {
      for (const node of victims) cluster.signal(node, 'SIGSTOP')
      await hold(arena, asleepMs)
      for (const node of victims) cluster.signal(node, 'SIGCONT')
      await hold(arena, awakeMs)
    }
  },
}
