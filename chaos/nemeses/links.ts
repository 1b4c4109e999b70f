/**
 * What can become of the links of some nodes, or of a client's: reset, held and then released in one burst, or half-open; or nodes do not
 * hear each other and clients hear them all.
 */

import { chance, pick, shuffle } from '../../actors/kernel/random.ts'
import { anyLeader, holdBetween, someMinority } from './nemesis.ts'
import type { Link } from '../proxy/link.ts'
import type { Arena, Nemesis } from './nemesis.ts'

interface Harm {
  readonly what: string
  readonly to: (link: Link) => void
}

const harms = (arena: Arena): Harm => {
  const direction = chance(arena.random, 0.5) ? 'toBroker' as const : 'fromBroker' as const
  return pick(arena.random, [
    { what: 'reset', to: (link: Link) => link.cut() },
    { what: `${direction} held, then a burst`, to: (link: Link) => link.stall(direction) },
    { what: 'held both ways, then a burst', to: (link: Link) => { link.stall('toBroker'); link.stall('fromBroker') } },
    { what: `half-open ${direction}`, to: (link: Link) => link.mute(direction) },
  ]) ?? { what: 'reset', to: (link) => link.cut() }
}

const strikeAt = async (arena: Arena, victims: readonly string[]): Promise<void> => {
  const { what, to } = harms(arena)
  arena.say(`${victims.join(' ')} ${what}`)
  const links = victims.flatMap((victim) => arena.cluster.links.of(victim))
  for (const link of links) to(link)
  await holdBetween(arena, 300, 8_000)
  for (const link of links) link.mend()
}

export const nodeLinks: Nemesis = {
  name: 'nodeLinks',
  needs: ['links'],
  strike: async (arena) => strikeAt(arena, chance(arena.random, 0.5) ? [(await anyLeader(arena)).node] : someMinority(arena)),
}

export const clientLinks: Nemesis = {
  name: 'clientLinks',
  needs: ['links'],
  strike: (arena) => strikeAt(arena, shuffle(arena.random, arena.clients).slice(0, Math.ceil(arena.clients.length / 2))),
}

/**
 * A leader that no other node hears, or that hears none, or both, and whom every client still reaches: for a moment it and its successor
 * get every request. It must answer no stale read, and must not call undone what its successor may find in its log.
 */
export const peersCut: Nemesis = {
  name: 'peersCut',
  needs: ['links'],
  strike: async (arena) => {
    const { node } = await anyLeader(arena)
    const both = ['toBroker', 'fromBroker'] as const
    const directions = pick(arena.random, [both, both, ['toBroker'], ['fromBroker']] as const) ?? both
    arena.say(`${node} and its peers, ${directions.join(' ')}`)
    const links = arena.cluster.links.of(node)
    for (const link of links) for (const direction of directions) link.isolate(direction)
    await holdBetween(arena, 300, 5_000)
    for (const link of links) link.mend()
  },
}
