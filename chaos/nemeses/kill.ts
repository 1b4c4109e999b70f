/** SIGKILL: one node, a minority, all at once, or one after the other. */

import { pick } from '../../actors/kernel/random.ts'
import { anyNode, hold, holdBetween, someMinority } from './nemesis.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Arena, Nemesis } from './nemesis.ts'

const modes = ['one', 'minority', 'all', 'rolling'] as const
const BETWEEN_MS = 700

export const kill: Nemesis = {
  name: 'kill',
  needs: [],
  strike: async (arena) => {
    const mode = pick(arena.random, modes) ?? 'one'
    if (mode === 'rolling') return await roll(arena)
    const victims = { one: [anyNode(arena)], minority: someMinority(arena), all: arena.cluster.members }[mode]
    arena.say(`${mode}: ${victims.join(' ')}`)
    await killAndRestart(arena, victims)
  },
}

export const killAndRestart = async (arena: Arena, victims: readonly NodeId[]): Promise<void> => {
  await Promise.all(victims.map(arena.kill))
  await holdBetween(arena, 100, 2_500)
  for (const node of victims) arena.start(node)
}

const roll = async (arena: Arena): Promise<void> => {
  arena.say('rolling')
  for (const node of arena.cluster.members) {
    if (arena.over.aborted) return
    await killAndRestart(arena, [node])
    await hold(arena, BETWEEN_MS)
  }
}
