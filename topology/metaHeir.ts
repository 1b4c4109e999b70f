/**
 * Who is to lead the meta group instead of a replica that leaves it: of those that have a vote now and stay, are steady (their beacons
 * were heard for a while, and they serve) and well, the one with most of the log. Nobody, where none is: to hand over to the dead, or to
 * one that never votes again, keeps everybody from deciding for an election timeout, and the order to leave, which comes again, would ask
 * the same one again.
 */

import { nodeOf } from './ids.ts'
import type { RaftStatus } from '../actors/raft/status.ts'
import type { NodeId, ReplicaId } from './ids.ts'

export interface MetaHeirInput {
  readonly self: ReplicaId
  /** The group's voters once this replica has left. A newcomer among them has no vote before that. */
  readonly staying: readonly ReplicaId[]
  readonly status: Pick<RaftStatus, 'configuration' | 'matchIndex'>
  readonly isSteady: (node: NodeId) => boolean
  /** Its node does not say that it counts for nothing (ailments.ts). */
  readonly isWell: (voter: ReplicaId) => boolean
}

export const metaHeir = ({ self, staying, status, isSteady, isWell }: MetaHeirInput): ReplicaId | undefined => {
  const { configuration, matchIndex } = status
  const match = (voter: ReplicaId): number => matchIndex.get(voter) ?? 0
  const fit = configuration.voters.filter((voter) => voter !== self && staying.includes(voter) && isSteady(nodeOf(voter)))
  return fit.filter(isWell).toSorted((a, b) => match(b) - match(a))[0]
}
