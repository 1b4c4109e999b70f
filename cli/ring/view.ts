/**
 * What `shardkv ring` shows: nodes with their share of the replicas, and every shard's replicas, from the nodes' own reports. Weights and
 * zones are the map's; a node that drains has no share. Where only older nodes answer, every node counts as weight 1, in no zone.
 */

import { sharesOf } from '../../topology/shares.ts'
import { isNodeId } from '../../topology/ids.ts'
import type { MemberPlace } from '../../topology/report.ts'
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

export const ringViewOf = ({ cluster, epoch, shardCount, nodes, places, shards }: ClusterStatus): RingView => {
  const placed = shards.map(({ id, leader, replicas }) => ({ id, leader, replicas: replicas.map(({ node }) => node) }))
  const placeOf = (id: string): Place => places.find((place) => place.id === id) ?? { weight: 1, zone: '', isActive: true }
  const known = nodes.flatMap(({ id }) => (isNodeId(id) ? [{ id, ...placeOf(id) }] : []))
  const active = known.filter(({ isActive }) => isActive)
  const ringNodes = (active.length === 0 ? known : active).map(({ id, weight, zone }) => ({ id, weight, zone }))
  const shares = sharesOf({ nodes: ringNodes, shardCount, replicationFactor: Math.max(1, ...shards.map(copiesOf)) })
  return {
    cluster, epoch, shardCount,
    nodes: nodes.map(({ id, state }) => {
      const at = shares.nodes.findIndex((node) => node.id === id)
      return {
        id, state,
        weight: placeOf(id).weight,
        zone: placeOf(id).zone,
        replicas: placed.filter(({ replicas }) => replicas.includes(id)).length,
        share: shares.share[at] ?? 0,
        leads: placed.filter(({ leader }) => leader === id).length,
      }
    }),
    shards: placed,
  }
}

type Place = Omit<MemberPlace, 'id'>

const copiesOf = ({ replicas }: ShardStatus): number => replicas.length
