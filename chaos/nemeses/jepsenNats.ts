/**
 * Jepsen's two schedules against NATS (https://jepsen.io/analyses/nats-2.12.1), shortened unless the run is told their 30 s a phase
 * (`--phase-seconds`, in a storm that has room for them): a minority is paused (or killed) while the others go on; one of those is killed
 * and loses its unsynced writes; it and the ones that slept are the majority for a while, and the rest, which knows better, is away; then
 * everything heals. What was acknowledged in between must still be there.
 */

import { chance, shuffle } from '../../actors/kernel/random.ts'
import { FALLS_BEHIND_MS, fallBehind } from './forgetfulKill.ts'
import { hold } from './nemesis.ts'
import type { Nemesis } from './nemesis.ts'

export const jepsenNats: Nemesis = {
  name: 'jepsenNats',
  needs: ['haunt'],
  strike: async (arena) => {
    const { cluster, random, phaseMs } = arena
    const members = shuffle(random, cluster.members)
    const minority = (members.length - 1) / 2
    const asleep = members.slice(0, minority)
    const [forgetful, ...knowing] = members.slice(minority)
    if (forgetful === undefined) return
    const isKill = chance(random, 0.5)
    arena.say(`${isKill ? 'killed' : 'paused'}: ${asleep.join(' ')}; then ${forgetful} forgets; then without ${knowing.join(' ')}`)
    if (isKill) await Promise.all(asleep.map(arena.kill))
    else for (const node of asleep) cluster.signal(node, 'SIGSTOP')
    await hold(arena, Math.max(0, phaseMs - FALLS_BEHIND_MS))
    await fallBehind(arena, [forgetful])
    await arena.kill(forgetful)
    for (const node of knowing) cluster.signal(node, 'SIGSTOP')
    for (const node of asleep) {
      if (isKill) arena.start(node)
      else cluster.signal(node, 'SIGCONT')
    }
    arena.start(forgetful)
    await hold(arena, phaseMs)
    for (const node of knowing) cluster.signal(node, 'SIGCONT')
  },
}
