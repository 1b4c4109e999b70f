/**
 * Which nodes have been silent for longer than their replicas are waited for: `lost`, to the planner of the meta group's leader. It
 * informs; what follows from it is decided by the meta group and carried out by the groups' own logs (P5).
 */

import type { Beacon } from './beacon.ts'
import type { NodeId } from './ids.ts'

export interface AbsencesOptions {
  readonly self: NodeId
  /** When this node began to listen: a node that was never heard is waited for from then on. */
  readonly since: number
  readonly lostAfterMs: number
  readonly beacon: Pick<Beacon, 'heardAt'>
}

export interface Absences {
  /** The lost of these nodes, sorted, when they are others than at the last review; null when not. */
  readonly review: (nodes: readonly NodeId[], now: number) => readonly NodeId[] | null
}

export const createAbsences = ({ self, since, lostAfterMs, beacon }: AbsencesOptions): Absences => {
  let known: readonly NodeId[] = []
  return {
    review: (nodes, now) => {
      const lost = nodes.filter((node) => node !== self && now - (beacon.heardAt(node) ?? since) > lostAfterMs).toSorted()
      if (lost.length === known.length && lost.every((node, i) => node === known[i])) return null
      known = lost
      return lost
    },
  }
}
