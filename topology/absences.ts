/**
 * Which nodes have been silent for longer than their replicas are waited for: `lost`, to the planner of the meta group's leader. It
 * informs; what follows from it is decided by the meta group and carried out by the groups' own logs.
 *
 * Silence alone may be this node's own: after an outage of the broker nobody was heard. So whoever the failure detector sees alive, with
 * the help of others, is not lost. A node that gossips without sending beacons is never lost: it is for a person to stop or remove it.
 *
 * A node is waited for from when it is known to be one of the cluster's. Before that its beacons are refused, so one that has just joined
 * was never heard, or last in an earlier life: it is young, not lost.
 */

import type { Beacon } from './beacon.ts'
import type { NodeId } from './ids.ts'

export interface AbsencesOptions {
  readonly self: NodeId
  readonly lostAfterMs: number
  readonly beacon: Pick<Beacon, 'heardAt'>
  /** Whether this node's failure detector says that the other lives; no while there is none. */
  readonly seesAlive: (node: NodeId) => boolean
}

export interface Absences {
  /** As of the last review. */
  readonly known: () => readonly NodeId[]
  /** The lost of these nodes, sorted, when they are others than at the last review; null when not. */
  readonly review: (nodes: readonly NodeId[], now: number) => readonly NodeId[] | null
}

export const createAbsences = ({ self, lostAfterMs, beacon, seesAlive }: AbsencesOptions): Absences => {
  /** When each of the nodes was first seen among them, without a break. */
  const memberSince = new Map<NodeId, number>()
  let lostBefore: readonly NodeId[] = []
  const isLost = (node: NodeId, now: number): boolean =>
    now - Math.max(beacon.heardAt(node) ?? Number.NEGATIVE_INFINITY, memberSince.get(node) ?? now) > lostAfterMs
  return {
    known: () => lostBefore,
    review: (nodes, now) => {
      for (const node of memberSince.keys()) if (!nodes.includes(node)) memberSince.delete(node)
      for (const node of nodes) if (!memberSince.has(node)) memberSince.set(node, now)
      const lost = nodes.filter((node) => node !== self && isLost(node, now) && !seesAlive(node)).toSorted()
      if (lost.length === lostBefore.length && lost.every((node, i) => node === lostBefore[i])) return null
      lostBefore = lost
      return lost
    },
  }
}
