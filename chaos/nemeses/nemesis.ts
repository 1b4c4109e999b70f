/**
 * What a nemesis is, and the arena in which it strikes. One nemesis a file; each leaves everything whole again, and so does `heal`
 * at the end of the storm for all of them. A strike holds its harm by `hold`, which ends early when the storm is over.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { must } from '../../actors/kernel/assert.ts'
import { between, pick, shuffle } from '../../actors/kernel/random.ts'
import { leadershipsOf } from '../ground/cluster.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { SmallDisk } from '../ground/smallDisk.ts'
import type { Leadership, TestCluster } from '../ground/cluster.ts'
import type { Times } from '../times.ts'

/**
 * What the ground must have: links for nodes and clients, chaos/inside in the nodes, three brokers, a small disk under n1; members that
 * may come and go, so that a silent one is soon replaced; another build.
 */
export type Need = 'links' | 'haunt' | 'brokers' | 'smallDisk' | 'members' | 'nextBuild'

export interface Nemesis {
  readonly name: string
  readonly needs: readonly Need[]
  /** It leaves a replica that counts for nothing: nothing may follow that could need it. */
  readonly isLast?: boolean
  /** What an operator does with care: no caller of the SDK may notice. */
  readonly isGentle?: boolean
  /** It lasts for the whole storm, under the others. */
  readonly isWeather?: boolean
  /** A bar is held against its times: it comes early in a storm, so that the storm is not over before its turn. */
  readonly isMeasured?: boolean
  readonly strike: (arena: Arena) => Promise<void>
}

export interface Arena {
  readonly cluster: TestCluster
  /** Never through a link. */
  readonly prober: Bus
  readonly random: Random
  readonly times: Times
  readonly smallDisk: SmallDisk | null
  /** Names of the connections of clients, for their links. */
  readonly clients: readonly string[]
  /** False while weather makes every time longer. */
  readonly isTimed: boolean
  /** How long each phase of a schedule of phases lasts, in ms. */
  readonly phaseMs: number
  /** Aborted when the storm is over. */
  readonly over: AbortSignal
  readonly say: (text: string) => void
  /** The strike could not do what it is for, and counts for none. Says why. */
  readonly missed: (why: string) => void
  /** Ends the process of a node, and leaves it so. */
  readonly kill: (node: NodeId) => Promise<void>
  readonly start: (node: NodeId) => void
  /** A node has died as the leader that it was. */
  readonly noteLeaderKill: () => void
  /** A process of this node may end by itself from here on, until it is started again. */
  readonly expectExit: (node: NodeId) => void
  /** It runs, and from here on may not end by itself any more; or it has ended. */
  readonly hasOutlived: (node: NodeId) => boolean
}

/** Holds the harm for so long, or until the storm is over. */
export const hold = async (arena: Pick<Arena, 'over'>, ms: number): Promise<void> => {
  await pause(ms, undefined, { signal: arena.over }).catch(() => {})
}

export const holdBetween = (arena: Arena, msMin: number, msMax: number): Promise<void> => hold(arena, between(arena.random, msMin, msMax))

export const anyNode = ({ cluster, random }: Arena): NodeId => must(pick(random, cluster.members), 'a cluster has members')

/** Fewer than half of the members, at least one. */
export const someMinority = ({ cluster, random }: Arena): readonly NodeId[] => {
  const countMax = Math.max(1, Math.floor((cluster.members.length - 1) / 2))
  return shuffle(random, cluster.members).slice(0, between(random, 1, countMax))
}

/** A node that leads something, and what, by shard; the leader of a random shard, not of most. Where nobody leads any node, and nothing. */
export const anyLeader = async (arena: Arena): Promise<{ readonly node: NodeId; readonly led: ReadonlyMap<number, Leadership> }> => {
  const leaderships = [...leadershipsOf(await arena.cluster.reports())]
  const node = pick(arena.random, [...new Set(leaderships.map(([, leadership]) => leadership.node))]) ?? anyNode(arena)
  return { node, led: new Map(leaderships.filter(([, leadership]) => leadership.node === node)) }
}
