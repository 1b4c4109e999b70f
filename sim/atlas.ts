/**
 * Which disks may be damaged: of every group a majority of voters keeps a good copy, so that whatever a quorum acknowledged is on a good
 * disk of every quorum that is left. (TigerBeetle's fault atlas does this by sector; here a damaged replica counts for nothing.)
 *
 * A replica that took a damaged one's place is good again once the map counts it among the voters: by then the members' own log has
 * said so with a majority of good ones. While a move is under way the voters may be those before it or those after it.
 */

import { groupsOf, placementOf, replicasAfter } from '../actors/topology/clusterState.ts'
import { generationOf, nodeOf } from '../topology/ids.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { Machine } from './cluster.ts'

type Harm = Pick<Machine, 'id' | 'isDamaged' | 'soundFrom'>

/** Damage is put on the machine's disk. Replicas that no map has named yet can not be on it. */
export const harm = (machine: Machine, newest: Pick<ClusterState, 'nextGeneration'>): void => {
  machine.isDamaged = true
  machine.soundFrom = newest.nextGeneration
}

/** It was on the disk when damage was put there: it may be quarantined, and counts for nothing. */
export const isHarmed = ({ isDamaged, soundFrom }: Harm, replica: ReplicaId): boolean => isDamaged && generationOf(replica) < soundFrom

/** One that is damaged already may be damaged again. */
export const mayDamage = (machines: readonly Harm[], newest: ClusterState, machine: Pick<Machine, 'id'>): boolean => {
  const isGood = (replica: ReplicaId): boolean =>
    nodeOf(replica) !== machine.id && machines.some((one) => one.id === nodeOf(replica) && !isHarmed(one, replica))
  return groupsOf(newest).every((group) =>
    votersOf(newest, group).every((voters) => voters.filter(isGood).length > voters.length / 2))
}

/** Before a move that is under way, and after it. */
export const votersOf = (state: ClusterState, group: GroupKey): readonly (readonly ReplicaId[])[] => {
  const placement = placementOf(state, group)
  if (placement === undefined) return []
  const { replicas, move } = placement
  return move === null ? [replicas] : [replicas, replicasAfter(replicas, move)]
}
