/**
 * The cluster map: who is in the cluster and where each shard's replicas live. Its epoch changes only with membership and placement;
 * who leads is a hint beside it, never part of it.
 *
 * It is born from the genesis record; from then on the meta group owns it.
 */

import type { Genesis } from '../actors/wal/protocol.ts'
import { must } from '../actors/kernel/assert.ts'
import { nodeOf, replicaId } from './ids.ts'
import { rebalance } from './rebalance.ts'
import { place } from './ring.ts'
import type { ClusterId, NodeId, ReplicaId, ShardId } from './ids.ts'

export interface ClusterMap {
  readonly cluster: ClusterId
  readonly epoch: number
  readonly shardCount: number
  readonly nodes: readonly NodeId[]
  /** Per shard, in preference order. */
  readonly replicas: readonly (readonly ReplicaId[])[]
}

export interface GenesisInput {
  readonly cluster: ClusterId
  readonly members: readonly NodeId[]
  readonly shardCount: number
  readonly replicationFactor: number
  readonly createdAtMs: number
}

/** The same record for every member but for its own name: deterministic, so that any member can check any other's. */
export const createGenesis = (input: GenesisInput): Genesis[] => {
  const members = [...input.members].sort()
  const wanted = {
    nodes: members.map((id) => ({ id, weight: 1, zone: '' })),
    shardCount: input.shardCount,
    replicationFactor: input.replicationFactor,
  }
  // Evened at once, or the first thing a new cluster did would be to move replicas.
  const { replicas } = rebalance(place(wanted), wanted)
  const shared = {
    cluster: input.cluster,
    shardCount: input.shardCount,
    members,
    replicas: replicas.map((nodes) => nodes.map((node) => replicaId(node, 1))),
    createdAtMs: input.createdAtMs,
  }
  return members.map((node) => ({ ...shared, node }))
}

export const mapOfGenesis = (genesis: Genesis): ClusterMap => ({
  cluster: genesis.cluster,
  epoch: 1,
  shardCount: genesis.shardCount,
  nodes: genesis.members,
  replicas: genesis.replicas,
})

/** The shards with a replica on `node`, with that replica. */
export const hostedBy = (map: ClusterMap, node: NodeId): { readonly shard: ShardId; readonly replica: ReplicaId }[] =>
  map.replicas.flatMap((replicas, shard) =>
    replicas.filter((replica) => nodeOf(replica) === node).map((replica) => ({ shard: shard as ShardId, replica })))

export const preferredLeader = (map: ClusterMap, shard: ShardId): ReplicaId =>
  must(map.replicas[shard]?.[0], 'every shard has at least one replica')
