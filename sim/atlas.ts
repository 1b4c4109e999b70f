/**
 * Which disks may be damaged: of every group a majority of voters keeps a good copy, so that whatever a quorum acknowledged is on a good
 * disk of every quorum that is left. (TigerBeetle's fault atlas does this by sector; here a damaged replica counts for nothing.)
 *
 * Damage to a snapshot is harm to its group alone: the machine's other replicas answer for themselves as if nothing had happened.
 *
 * A replica that took a damaged one's place is good again once the map counts it among the voters: by then the members' own log has
 * said so with a majority of good ones. While a move is under way the voters may be those before it or those after it.
 */

import { groupsOf, placementOf, replicasAfter } from '../actors/topology/clusterState.ts'
import { generationOf, nodeOf } from '../topology/ids.ts'
import { groupIdOf } from '../topology/namedReplicas.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { GroupId, ReplicaId } from '../topology/ids.ts'
import type { Machine } from './cluster.ts'

type Harm = Pick<Machine, 'id' | 'isDamaged' | 'soundFrom' | 'rotten'>

const SNAPSHOT = /^snapshots\/(\d+)\//

/** Damage is put on the machine's disk, at `place` as the disk tells it, or anywhere. No replica is on it that no map has named yet. */
export const harm = (machine: Machine, { nextGeneration }: Pick<ClusterState, 'nextGeneration'>, place = ''): void => {
  const group = SNAPSHOT.exec(place)?.[1]
  if (group !== undefined) {
    machine.rotten.set(Number(group), nextGeneration)
    return
  }
  machine.isDamaged = true
  machine.soundFrom = nextGeneration
}

export const hasDamage = ({ isDamaged, rotten }: Harm): boolean => isDamaged || rotten.size > 0

/** It was on the disk when damage was put there: it may be quarantined, and counts for nothing. */
export const isHarmed = ({ soundFrom, rotten }: Harm, group: GroupId, replica: ReplicaId): boolean =>
  generationOf(replica) < Math.max(soundFrom, rotten.get(group) ?? 0)

/** One that is damaged already may be damaged again. */
export const mayDamage = (machines: readonly Harm[], newest: ClusterState, machine: Pick<Machine, 'id'>): boolean => {
  const isGood = (group: GroupId, replica: ReplicaId): boolean =>
    nodeOf(replica) !== machine.id && machines.some((one) => one.id === nodeOf(replica) && !isHarmed(one, group, replica))
  return groupsOf(newest).every((group) => votersOf(newest, group).every((voters) =>
    voters.filter((voter) => isGood(groupIdOf(group), voter)).length > voters.length / 2))
}

/** Before a move that is under way, and after it. */
export const votersOf = (state: ClusterState, group: GroupKey): readonly (readonly ReplicaId[])[] => {
  const placement = placementOf(state, group)
  if (placement === undefined) return []
  const { replicas, move } = placement
  return move === null ? [replicas] : [replicas, replicasAfter(replicas, move)]
}
