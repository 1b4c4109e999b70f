/**
 * Which nodes have been silent for longer than their replicas are waited for: `lost`, to the planner of the meta group's leader. It
 * informs; what follows from it is decided by the meta group and carried out by the groups' own logs.
 *
 * Silence may be the listener's own fault. Three rules, against three cases:
 *
 * 1. Only time counts in which this node hears: beacons of most of those that are there, itself included, and of one other at least. Where
 *    the broker was away, this process stood still, or its own connection is dead, every silence stays as long as it was.
 * 2. Whoever the failure detector takes for alive, with the help of others, is not lost: two nodes may not hear each other.
 * 3. But not for ever: whoever stays silent MUTE_PATIENCE times as long is lost all the same. It is of no use, or its beacons are not
 *    understood: a node without its data path says only that it is mute (topology/beacon.ts).
 *
 * "There" is who is heard, or taken for alive. Not all members: where five of nine have burned down the four that are left hear no
 * majority any more, and may have that of the meta group and of most shards.
 *
 * A node is waited for from when it is known to be one of the cluster's. Before that its beacons are refused, so one that has just joined
 * was never heard, or last in an earlier life: it is young, not lost.
 */

import { ALIVE_FOR_MS } from './beacon.ts'
import type { Beacon } from './beacon.ts'
import type { NodeId } from './ids.ts'

/** Between two looks; as often as a node speaks. */
const LOOK_EVERY_MS = 1_000
/** More time between two looks than this was none of hearing: the process stood still. */
const LOOK_MS_MAX = 2 * LOOK_EVERY_MS
/** Times `lostAfterMs`. Higher: what only gossip hears is of no use for longer; lower: what only this node does not hear moves sooner. */
export const MUTE_PATIENCE = 10

export interface AbsencesOptions {
  readonly self: NodeId
  readonly lostAfterMs: number
  readonly beacon: Pick<Beacon, 'heardAt'>
  /** Whom this node's failure detector takes for alive; nobody while there is none. */
  readonly present: () => ReadonlySet<NodeId>
}

export interface Absences {
  /** As of the last review. */
  readonly known: () => readonly NodeId[]
  /** The lost of these nodes, sorted, when they are others than at the last review; null when not. Looks once a second. */
  readonly review: (nodes: readonly NodeId[], now: number) => readonly NodeId[] | null
}

/** For how long this node has listened for a beacon in vain, since the last one or since the node is a member. */
interface Silence {
  readonly heardAt: number | undefined
  readonly ms: number
}

export const createAbsences = ({ self, lostAfterMs, beacon, present }: AbsencesOptions): Absences => {
  let silences: ReadonlyMap<NodeId, Silence> = new Map()
  let lookedAt = Number.NEGATIVE_INFINITY
  let lost: readonly NodeId[] = []

  const silenceOf = (node: NodeId, listenedMs: number): Silence => {
    const heardAt = beacon.heardAt(node)
    const known = silences.get(node)
    return { heardAt, ms: known?.heardAt === heardAt && known !== undefined ? known.ms + listenedMs : 0 }
  }
  const isHeard = (node: NodeId, now: number): boolean => now - (beacon.heardAt(node) ?? Number.NEGATIVE_INFINITY) < ALIVE_FOR_MS

  return {
    known: () => lost,
    review: (nodes, now) => {
      if (now - lookedAt < LOOK_EVERY_MS) return null
      const alive = present()
      const others = nodes.filter((node) => node !== self)
      const isHearing = isMost(others.filter((node) => isHeard(node, now)), others.filter((node) => isHeard(node, now) || alive.has(node)))
      const listenedMs = isHearing ? Math.min(now - lookedAt, LOOK_MS_MAX) : 0
      lookedAt = now
      silences = new Map(others.map((node) => [node, silenceOf(node, listenedMs)]))
      const isLost = (node: NodeId): boolean =>
        (silences.get(node)?.ms ?? 0) > lostAfterMs * (alive.has(node) ? MUTE_PATIENCE : 1) && (isHearing || lost.includes(node))
      const found = others.filter(isLost).toSorted()
      if (found.length === lost.length && found.every((node, i) => node === lost[i])) return null
      lost = found
      return found
    },
  }
}

/** This node is one of those that are there, and hears itself. */
const isMost = ({ length: heard }: readonly NodeId[], { length: there }: readonly NodeId[]): boolean =>
  heard > 0 && 2 * (heard + 1) > there + 1
