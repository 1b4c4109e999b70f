/**
 * Jepsen's two schedules against NATS (https://jepsen.io/analyses/nats-2.12.1), shortened: a minority is paused (or killed) while
 * the others go on; one of those is killed and loses its unsynced writes; it and the ones that slept are the majority for a while,
 * and the rest, which knows better, is away; then everything heals. What was acknowledged in between must still be there.
 */

import { chance, shuffle } from '../../actors/kernel/random.ts'
import { FALLS_BEHIND_MS, fallBehind } from './forgetfulKill.ts'
import { hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

const PHASE_MS = 4_000

export const jepsenNats: Nemesis = {
  name: 'jepsenNats',
  needs: ['haunt'],
  strike: async (arena) => {
    const { cluster, random } = arena
    const members = shuffle(random, cluster.members)
    const minority = (members.length - 1) / 2
    const asleep = members.slice(0, minority)
    const [forgetful, ...knowing] = members.slice(minority)
    if (forgetful === undefined) return
    const isKill = chance(random, 0.5)
    arena.say(`${isKill ? 'killed' : 'paused'}: ${asleep.join(' ')}; then ${forgetful} forgets; then without ${knowing.join(' ')}`)
    if (isKill) await Promise.all(asleep.map(arena.kill))
    else for (const node of asleep) cluster.signal(node, 'SIGSTOP')
    await hold(arena, PHASE_MS - FALLS_BEHIND_MS)
    await fallBehind(arena, [forgetful])
    await arena.kill(forgetful)
    for (const node of knowing) cluster.signal(node, 'SIGSTOP')
    for (const node of asleep) {
      if (isKill) arena.start(node)
      else cluster.signal(node, 'SIGCONT')
    }
    arena.start(forgetful)
    await hold(arena, PHASE_MS)
    for (const node of knowing) cluster.signal(node, 'SIGCONT')
  },
}
