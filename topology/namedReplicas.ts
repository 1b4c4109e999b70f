/** Which replicas the map names for a node, each with the voters its group begins from there. */

import { adoptGenesis, hostedOn, placementOf } from '../actors/topology/clusterState.ts'
import { must } from '../actors/kernel/assert.ts'
import { META_GROUP, generationOf } from './ids.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { ReplicaId } from './ids.ts'
import type { NamedReplica } from './replicaHost.ts'

export const namedFor = (state: ClusterState, genesis: Genesis): readonly NamedReplica[] =>
  hostedOn(state, genesis.node).map(({ group, replica }) => ({
    group: group === 'meta' ? META_GROUP : group,
    id: replica,
    voters: bornWith(genesis, group, replica) ?? votersOf(state, group),
  }))

/** A group's first replicas begin from the genesis, whatever the map has become since: their logs tell the rest. */
const bornWith = (genesis: Genesis, group: GroupKey, replica: ReplicaId): readonly ReplicaId[] | undefined =>
  (generationOf(replica) === 1 ? placementOf(adoptGenesis(genesis), group)?.replicas : undefined)

const votersOf = (state: ClusterState, group: GroupKey): readonly ReplicaId[] =>
  must(placementOf(state, group), 'a hosted group has a placement').replicas
