/**
 * What is placed on what: the nodes, and the replicas of each shard on them. `place` (ring.ts) makes a placement where there is none;
 * `rebalance` (rebalance.ts) makes the next one out of the one that stands. Both are pure functions of what is in the cluster map.
 */

import type { NodeId } from './ids.ts'

export interface RingNode {
  readonly id: NodeId
  /** Relative capacity, a whole number of at least 1. */
  readonly weight: number
  /** Nodes of one zone may fail together. '' is no zone: the node is apart from all others. */
  readonly zone: string
}

/** Per shard its replicas' nodes in preference order: the first is the preferred leader. */
export interface Placement {
  readonly replicas: readonly (readonly NodeId[])[]
}

export interface PlacementInput {
  /** Nodes that may carry replicas: without those that drain or have left. In any order. */
  readonly nodes: readonly RingNode[]
  readonly shardCount: number
  /** Replicas wanted per shard; fewer where there are fewer nodes. */
  readonly replicationFactor: number
}
