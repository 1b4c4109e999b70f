/**
 * Which replicas of the cluster say of themselves that they count for nothing: this node's own, and those in the others' beacons. Told to
 * the planner of the meta group's leader. It informs; what follows is decided by the meta group and carried out by the groups' own logs
 * (docs/GUARANTEES.md). What a node says ever concerns its own replicas, and an id that was damaged once is damaged for good: old news does
 * no harm.
 */

import { groupKeyOf } from './namedReplicas.ts'
import type { DamagedReplica } from '../actors/topology/protocol.ts'
import type { Beacon } from './beacon.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { ReplicaId } from './ids.ts'

/** Between two looks. */
const LOOK_EVERY_MS = 1_000

export interface AilmentsOptions {
  readonly beacon: Pick<Beacon, 'damaged'>
  readonly host: Pick<ReplicaHost, 'damaged'>
}

export interface Ailments {
  readonly known: () => readonly DamagedReplica[]
  /** Nobody says that it counts for nothing. */
  readonly isWell: (group: DamagedReplica['group'], replica: ReplicaId) => boolean
  /** All of them, when they are others than at the last review; null when not. */
  readonly review: (now: number) => readonly DamagedReplica[] | null
}

export const createAilments = ({ beacon, host }: AilmentsOptions): Ailments => {
  let known: readonly DamagedReplica[] = []
  let lookedAt = Number.NEGATIVE_INFINITY
  return {
    known: () => known,
    isWell: (group, replica) => !known.some((one) => one.group === group && one.replica === replica),
    review: (now) => {
      if (now - lookedAt < LOOK_EVERY_MS) return null
      lookedAt = now
      const found = [...host.damaged(), ...beacon.damaged()].map(({ group, id }): DamagedReplica =>
        ({ group: groupKeyOf(group), replica: id }))
      if (isSame(found, known)) return null
      known = found
      return found
    },
  }
}

const isSame = (a: readonly DamagedReplica[], b: readonly DamagedReplica[]): boolean =>
  a.length === b.length && a.every(({ group, replica }, i) => group === b[i]?.group && replica === b[i]?.replica)
