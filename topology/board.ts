/** A placement while it is being changed: who carries what, how far each node is from its share, and which replica may go where. */

import { must } from '../actors/kernel/assert.ts'
import { fnv1a32, mix32 } from './hash.ts'
import { zoneCount } from './shares.ts'
import type { Shares } from './shares.ts'

export interface Board {
  readonly shares: Shares
  /** Per shard its nodes, changed in place. */
  readonly replicas: number[][]
  /** Where a shard's replicas really are today: only leaving one of these, or entering none of them, is a move. */
  readonly before: readonly (readonly number[])[]
  /** Per node, the shards it carries. */
  readonly carried: readonly Set<number>[]
  readonly put: (shard: number, node: number) => void
  readonly take: (shard: number, node: number) => void
  /** Replicas carried above (positive) or below the node's share. */
  readonly excess: (node: number) => number
  /** Does the shard still obey distinctness and zones with its replica on `from` on `to` instead? */
  readonly canShift: (shard: number, from: number, to: number) => boolean
  /** A fixed order of the nodes for each shard: where several are as good, the lowest is taken. */
  readonly rank: (shard: number, node: number) => number
}

export interface Standing {
  readonly replicas: number[][]
  readonly before: readonly (readonly number[])[]
}

export const createBoard = (shares: Shares, { replicas, before }: Standing): Board => {
  const carried = shares.nodes.map(() => new Set<number>())
  const carriedBy = (node: number): Set<number> => must(carried[node], 'a replica is on a node')
  const replicasOf = (shard: number): number[] => must(replicas[shard], 'every shard has replicas')
  replicas.forEach((nodes, shard) => { for (const node of nodes) carriedBy(node).add(shard) })
  const hashes = shares.nodes.map(({ id }) => fnv1a32(id))
  return {
    shares, replicas, before, carried,
    put: (shard, node) => {
      replicasOf(shard).push(node)
      carriedBy(node).add(shard)
    },
    take: (shard, node) => {
      const nodes = replicasOf(shard)
      nodes.splice(nodes.indexOf(node), 1)
      carriedBy(node).delete(shard)
    },
    excess: (node) => carriedBy(node).size - (shares.share[node] ?? 0),
    canShift: (shard, from, to) => {
      const nodes = replicasOf(shard)
      return nodes.includes(from) && !nodes.includes(to) && isZoneKept(shares, nodes, { from, to })
    },
    rank: (shard, node) => mix32((hashes[node] ?? 0) ^ mix32(shard)),
  }
}

const isZoneKept = (shares: Shares, nodes: readonly number[], { from, to }: { readonly from: number; readonly to: number }): boolean => {
  const left = must(shares.zoneOf[from], 'every node has a zone')
  const entered = must(shares.zoneOf[to], 'every node has a zone')
  if (left === entered) return true
  if (zoneCount(shares, nodes, entered) >= (shares.zones[entered]?.most ?? 0)) return false
  const { least } = must(shares.zones[left], 'every zone has a range')
  return least === 0 || zoneCount(shares, nodes, left) > least
}
