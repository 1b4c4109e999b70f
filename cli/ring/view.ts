/**
 * What `shardkv ring` shows: nodes with their share of the replicas, and every shard's replicas, from the nodes' own reports.
 *
 * Reports carry neither weights nor zones yet: every node counts as weight 1, in no zone.
 */

import { sharesOf } from '../../topology/shares.ts'
import { isNodeId } from '../../topology/ids.ts'
import type { ClusterStatus, ShardStatus } from '../status/merge.ts'

export interface RingView {
  readonly cluster: string
  readonly epoch: number
  readonly shardCount: number
  readonly nodes: readonly RingViewNode[]
  readonly shards: readonly RingViewShard[]
}

export interface RingViewNode {
  readonly id: string
  readonly state: string
  readonly weight: number
  readonly zone: string
  readonly replicas: number
  /** How many replicas would be even, a fraction. */
  readonly share: number
  readonly leads: number
}

export interface RingViewShard {
  readonly id: number
  readonly leader: string | null
  readonly replicas: readonly string[]
}

export const ringViewOf = ({ cluster, epoch, shardCount, nodes, shards }: ClusterStatus): RingView => {
  const placed = shards.map(({ id, leader, replicas }) => ({ id, leader, replicas: replicas.map(({ node }) => node) }))
  const ringNodes = nodes.flatMap(({ id }) => (isNodeId(id) ? [{ id, weight: 1, zone: '' }] : []))
  const shares = sharesOf({ nodes: ringNodes, shardCount, replicationFactor: Math.max(1, ...shards.map(copiesOf)) })
  return {
    cluster, epoch, shardCount,
    nodes: nodes.map(({ id, state }) => {
      const at = shares.nodes.findIndex((node) => node.id === id)
      return {
        id, state,
        weight: shares.nodes[at]?.weight ?? 0,
        zone: shares.nodes[at]?.zone ?? '',
        replicas: placed.filter(({ replicas }) => replicas.includes(id)).length,
        share: shares.share[at] ?? 0,
        leads: placed.filter(({ leader }) => leader === id).length,
      }
    }),
    shards: placed,
  }
}

const copiesOf = ({ replicas }: ShardStatus): number => replicas.length
