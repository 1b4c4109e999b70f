/** One node more under load: shards come to it. Where a spare is there already, that one leaves first. */

import { MOVES_MS, NO_SPARE, admitOne, awaitIn, disturb, drain, hasLeft, hasSpare, viewOf } from './membership.ts'
import type { Nemesis } from './nemesis.ts'

export const join: Nemesis = {
  name: 'join',
  needs: ['members', 'links'],
  strike: async (arena) => {
    const { roster } = arena.cluster
    const spare = roster.members.at(-1)
    if (roster.members.length > roster.born && spare !== undefined) {
      if (!await hasSpare(arena)) return arena.missed(NO_SPARE)
      await drain(arena, spare)
      if (!await hasLeft(arena, spare, MOVES_MS)) return arena.missed(`${spare} has not left in time`)
    }
    const node = await admitOne(arena)
    await disturb(arena, node)
    const carries = async (): Promise<boolean> => ((await viewOf(arena, node))?.replicas ?? 0) > 0
    arena.say(`${node} ${await awaitIn(arena, MOVES_MS, carries) ? 'carries something' : 'carries nothing yet'}`)
  },
}
