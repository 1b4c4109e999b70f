/**
 * Which replicas the map names for a node, each with the voters its group begins from there.
 *
 * Asked again after every step of every replica that begins or ends. States are never changed in place, so the answer to one is kept:
 * walking a map of 1,024 shards anew for each of 600 replicas cost a starting node six seconds.
 */

import { adoptGenesis, hostedOn, placementOf } from '../actors/topology/clusterState.ts'
import { must } from '../actors/kernel/assert.ts'
import { META_GROUP, generationOf } from './ids.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { NodeId, ReplicaId } from './ids.ts'
import type { NamedReplica } from './replicaHost.ts'

export const createNamed = (genesis: Genesis): ((state: ClusterState) => readonly NamedReplica[]) => {
  const born = adoptGenesis(genesis)
  let known: { readonly state: ClusterState; readonly named: readonly NamedReplica[] } | null = null
  return (state) => {
    if (known?.state !== state) known = { state, named: namedIn(state, born, genesis.node) }
    return known.named
  }
}

const namedIn = (state: ClusterState, born: ClusterState, self: NodeId): readonly NamedReplica[] =>
  hostedOn(state, self).map(({ group, replica, isAdded, isUndone }) => ({
    group: group === 'meta' ? META_GROUP : group,
    id: replica,
    isAdded,
    isUndone,
    voters: bornWith(born, group, replica) ?? votersOf(state, group),
  }))

/** A group's first replicas begin from the genesis, whatever the map has become since: their logs tell the rest. */
const bornWith = (born: ClusterState, group: GroupKey, replica: ReplicaId): readonly ReplicaId[] | undefined =>
  (generationOf(replica) === 1 ? placementOf(born, group)?.replicas : undefined)

const votersOf = (state: ClusterState, group: GroupKey): readonly ReplicaId[] =>
  must(placementOf(state, group), 'a hosted group has a placement').replicas
