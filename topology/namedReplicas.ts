/**
 * Which replicas the map names for a node, each with the voters its group begins from there.
 *
 * Asked again after every step of every replica that begins or ends. States are never changed in place, so the answer to one is kept:
 * walking a map of 1,024 shards anew for each of 600 replicas cost a starting node six seconds.
 *
 * None of the replicas that groups were born with is for a directory that joined later, whatever an old map says. Its name may have been a
 * member's from the beginning: then the genesis, which stands in for a map that was lost or never written, names replicas that another
 * directory had. Begun again from nothing they would vote, against what they had promised there:
 *   1. n1 is drained while n2 is away: n3 and n4 have what is acknowledged. n1 leaves, and its disk is thrown away.
 *   2. n1 joins again with an empty one. It dies when the genesis is written, and the map not yet.
 *   3. It comes back, and so does n2; both are cut off from the others. To both of them the group is still n1, n2, n3: they elect n2.
 */

import { adoptGenesis, hostedOn, placementOf } from '../actors/topology/clusterState.ts'
import { must } from '../actors/kernel/assert.ts'
import { META_GROUP, generationOf, shardOfGroup } from './ids.ts'
import { GENERATION_OF_GENESIS } from './knownReplicas.ts'
import { othersAt } from './outgrown.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { GroupId, NodeId, ReplicaId } from './ids.ts'

/** A replica that the map names for this node. `voters`: its group's as it was born, or as the map had them when this replica came. */
export interface NamedReplica {
  readonly group: GroupId
  readonly id: ReplicaId
  /** A move has ordered it, and as far as this map knows it has no vote yet: it may be begun. */
  readonly isAdded: boolean
  /** The move that ordered it is being undone: whether it was begun or not, it is begun no more. */
  readonly isUndone: boolean
  readonly voters: readonly ReplicaId[]
  /** By the map it had fellow voters at this epoch; null: by the map it may be alone (outgrown.ts). */
  readonly othersAt: number | null
}

export const createNamed = (genesis: Genesis): ((state: ClusterState) => readonly NamedReplica[]) => {
  const born = adoptGenesis(genesis)
  let known: { readonly state: ClusterState; readonly named: readonly NamedReplica[] } | null = null
  return (state) => {
    if (known?.state !== state) known = { state, named: namedIn(state, born, genesis) }
    return known.named
  }
}

const namedIn = (state: ClusterState, born: ClusterState, { node, hasJoined }: Genesis): readonly NamedReplica[] => {
  const hosted = hostedOn(state, node)
  const own = hasJoined === true ? hosted.filter(({ replica }) => generationOf(replica) !== GENERATION_OF_GENESIS) : hosted
  return own.map(({ group, replica, isAdded, isUndone }) => ({
    group: groupIdOf(group),
    id: replica,
    isAdded,
    isUndone,
    voters: bornWith(born, group, replica) ?? votersOf(state, group),
    othersAt: othersAt(state, group, replica),
  }))
}

/** A replica that no map names any more, whose files are still here. */
export const unnamed = (group: GroupId, id: ReplicaId): NamedReplica =>
  ({ group, id, isAdded: false, isUndone: false, voters: [], othersAt: null })

/** The groups whose first replica here the state still names. */
export const bornHereIn = (state: ClusterState, node: NodeId): readonly GroupId[] =>
  hostedOn(state, node).filter(({ replica }) => generationOf(replica) === GENERATION_OF_GENESIS).map(({ group }) => groupIdOf(group))

export const groupIdOf = (group: GroupKey): GroupId => (group === 'meta' ? META_GROUP : group)

export const groupKeyOf = (group: GroupId): GroupKey => shardOfGroup(group) ?? 'meta'

/** A group's first replicas begin from the genesis, whatever the map has become since: their logs tell the rest. */
const bornWith = (born: ClusterState, group: GroupKey, replica: ReplicaId): readonly ReplicaId[] | undefined =>
  (generationOf(replica) === GENERATION_OF_GENESIS ? placementOf(born, group)?.replicas : undefined)

const votersOf = (state: ClusterState, group: GroupKey): readonly ReplicaId[] =>
  must(placementOf(state, group), 'a hosted group has a placement').replicas
