/**
 * What the nemeses of membership share. A cluster has as many members as it was born with, or one more: a spare comes before anybody
 * goes. A strike waits for moves for a while only; what they have not done by then goes on under the next strikes, and must be
 * done in the end (chaos/settleMembers.ts).
 */

import { existsSync } from 'node:fs'
import { chance, pick } from '../../actors/kernel/random.ts'
import { nodeId } from '../../topology/ids.ts'
import { emptyDirectory } from '../ground/emptyDirectory.ts'
import { hold, holdBetween } from './nemesis.ts'
import type { NodeView } from '../../gateway/admin/views.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Arena } from './nemesis.ts'

/** How long a strike waits for what the cluster does. */
export const MOVES_MS = 12_000
const POLL_MS = 150
const DECIDED_WITHIN_MS = 15_000

/** Whether it holds before the time, or the storm, is over. */
export const awaitIn = async (arena: Arena, withinMs: number, holds: () => Promise<boolean>): Promise<boolean> => {
  const deadline = performance.now() + withinMs
  for (;;) {
    if (await holds()) return true
    if (arena.over.aborted || performance.now() > deadline) return false
    await hold(arena, POLL_MS)
  }
}

/** A node as the cluster's map has it; undefined when it has none of that name, or nobody says. */
export const viewOf = async ({ cluster }: Arena, node: NodeId): Promise<NodeView | undefined> =>
  (await cluster.admin.nodes())?.nodes.find(({ id }) => id === node)

/** Starts one more: a name that was here before, on its old directory or a new one, or a new name. */
export const admitOne = async (arena: Arena): Promise<NodeId> => {
  const { cluster, random } = arena
  const node = freeName(arena)
  const isKnown = existsSync(cluster.directory(node))
  const isEmptied = isKnown && chance(random, 0.5)
  if (isEmptied) emptyDirectory(cluster.directory(node))
  arena.say(`${node} joins${isKnown ? ` again, ${isEmptied ? 'with nothing' : 'with its old directory'}` : ''}`)
  await comeBack(arena, node)
  return node
}

export const comeBack = async (arena: Arena, node: NodeId): Promise<void> => {
  await arena.cluster.admit(node)
  arena.start(node)
}

const freeName = ({ cluster: { roster } }: Arena): NodeId => {
  const taken = new Set([...roster.members, ...roster.leaving])
  for (let i = 1; ; i += 1) if (!taken.has(nodeId(`n${i}`))) return nodeId(`n${i}`)
}

export const NO_SPARE = 'no spare was there in time'

/** There is one member more than at birth, the map knows all of them, and none is taken for lost: one may go. */
export const hasSpare = async (arena: Arena): Promise<boolean> => {
  const { roster, admin } = arena.cluster
  if (roster.members.length <= roster.born) await admitOne(arena)
  return await awaitIn(arena, MOVES_MS, async () => {
    const active = new Set((await admin.nodes())?.nodes.filter(({ state, isLost }) => state === 'active' && !isLost).map(({ id }) => id))
    return roster.members.every((node) => active.has(node))
  })
}

/** Tells the cluster to let it go. A decision that nobody confirmed may come yet, so it is asked for again when all is calm. */
export const drain = async (arena: Arena, node: NodeId): Promise<void> => {
  const { cluster } = arena
  arena.say(`${node} drains`)
  cluster.roster.leave(node)
  const decision = await cluster.admin.drain(node, DECIDED_WITHIN_MS)
  if (typeof decision === 'object') throw new Error(`${node} may not drain: ${decision.refused}`)
}

/** It has ended by itself, and the supervisor has found nothing wrong with that. */
export const hasLeft = (arena: Arena, node: NodeId, withinMs: number): Promise<boolean> =>
  awaitIn(arena, withinMs, async () => !arena.cluster.roster.leaving.includes(node))

/** In the middle of its moves: the node or another one is killed, or cut off from everybody, for a moment. Or nothing. */
export const disturb = async (arena: Arena, node: NodeId): Promise<void> => {
  const { cluster, random } = arena
  const victim = chance(random, 0.5) ? node : pick(random, cluster.members) ?? node
  const harm = pick(random, ['nothing', 'kill', 'cut', 'cut'] as const) ?? 'nothing'
  await holdBetween(arena, 200, 1_500)
  if (harm === 'nothing' || !isThere(arena, victim)) return
  arena.say(`meanwhile ${victim} is ${harm === 'kill' ? 'killed' : 'cut off'}`)
  if (harm === 'kill') await arena.kill(victim)
  for (const link of harm === 'cut' ? cluster.links.of(victim) : []) {
    link.stall('toBroker')
    link.stall('fromBroker')
  }
  await holdBetween(arena, 500, 5_000)
  for (const link of cluster.links.of(victim)) link.mend()
  if (harm === 'kill' && isThere(arena, victim)) arena.start(victim)
}

const isThere = ({ cluster: { roster } }: Arena, node: NodeId): boolean =>
  roster.members.includes(node) || roster.leaving.includes(node)
