/**
 * How damage shows in one replica. Null while nothing is known to be wrong.
 *
 *   suspect      some of its files were damaged; what is left seems enough, and its peers have not agreed to that yet. Or the file of its
 *                newest snapshot went bad while it ran, and another is being written (actors/raft/ownSnapshot.ts)
 *   quarantined  it may have forgotten a promise: it counts for nothing, and waits to be replaced
 *   repairing    the move that replaces it is under way; so is the new replica's, which takes its place on the same node
 *
 *   suspect ──a quorum has accepted what it presented──▶ well
 *      └──what it lacks may have been promised──▶ quarantined ──a move is committed──▶ repairing ──▶ gone
 */

import { nodeOf } from './ids.ts'
import type { Placement } from '../actors/topology/clusterState.ts'
import type { ReplicaHealth } from './report.ts'
import type { ReplicaId } from './ids.ts'

export interface ReplicaFindings {
  readonly id: ReplicaId
  readonly isQuarantined: boolean
  readonly isSuspect: boolean
}

export const healthOf = ({ id, isQuarantined, isSuspect }: ReplicaFindings, placement: Placement | undefined): ReplicaHealth | null => {
  if (isRepairing(id, isQuarantined, placement)) return 'repairing'
  if (isQuarantined) return 'quarantined'
  return isSuspect ? 'suspect' : null
}

const isRepairing = (id: ReplicaId, isQuarantined: boolean, placement: Placement | undefined): boolean => {
  const move = placement?.move ?? null
  if (move === null || move.step === 'undoing' || move.add === null || move.remove === null) return false
  const isOnItsNode = nodeOf(move.add) === nodeOf(move.remove)
  return (move.remove === id && (isQuarantined || isOnItsNode)) || (move.add === id && isOnItsNode)
}
