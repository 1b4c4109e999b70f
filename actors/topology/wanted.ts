/**
 * Where replicas should live, for the nodes there are: shards where they stand, less what must move (topology/rebalance.ts); the meta
 * group near where it is. A replica that is being moved stands where it is going.
 *
 * Only active nodes that are not lost take part. `lost` is the verdict of whoever waits for silent nodes (never of this file): such a
 * node keeps its membership, so replicas move away from it only where another node can take them.
 *
 * The meta group has 1, 3 or 5 replicas by the number of active nodes. Those it has stay, as long as zones are spread as evenly as they
 * can be: each seat goes to the zone that has fewest so far, members of the group first, then the others in the ring's order.
 */

import { must } from '../kernel/assert.ts'
import { nodeOf } from '../../topology/ids.ts'
import { rebalance } from '../../topology/rebalance.ts'
import { place } from '../../topology/ring.ts'
import { activeNodes, replicasAfter, replicasWanted } from './clusterState.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Placement } from '../../topology/placement.ts'
import type { ClusterNode, ClusterState } from './clusterState.ts'

export interface Wanted {
  /** Per shard, in preference order. */
  readonly shards: readonly (readonly NodeId[])[]
  readonly meta: readonly NodeId[]
}

/** With nobody left to carry anything, everything stays where it is. */
export const wantedOf = (state: ClusterState, lost: readonly NodeId[]): Wanted => {
  const usable = activeNodes(state).filter(({ id }) => !lost.includes(id))
  if (usable.length === 0) {
    return { shards: state.shards.map(({ replicas }) => replicas.map(nodeOf)), meta: state.meta.replicas.map(nodeOf) }
  }
  const { shardCount, replicationFactor } = state
  const { replicas } = rebalance(standingOf(state), { nodes: usable, shardCount, replicationFactor })
  return { shards: replicas, meta: metaWanted(state, usable) }
}

const standingOf = ({ shards }: ClusterState): Placement => ({
  replicas: shards.map(({ replicas, move }) =>
    (move === null || move.step === 'undoing' ? replicas : replicasAfter(replicas, move)).map(nodeOf)),
})

const metaWanted = (state: ClusterState, usable: readonly ClusterNode[]): NodeId[] => {
  const seats = Math.min(replicasWanted(state, 'meta', activeNodes(state).length), usable.length)
  const members = state.meta.replicas.map(nodeOf)
  const { replicas: [one] } = place({ nodes: usable, shardCount: 1, replicationFactor: usable.length })
  const ring = must(one, 'one shard was placed')
  const order = [...members.filter((id) => ring.includes(id)), ...ring.filter((id) => !members.includes(id))]
  const zones = new Map(usable.map(({ id, zone }) => [id, zone]))
  const taken: NodeId[] = []
  while (taken.length < seats) taken.push(inRarestZone(order.filter((id) => !taken.includes(id)), taken, zones))
  return taken
}

const inRarestZone = (candidates: readonly NodeId[], taken: readonly NodeId[], zones: ReadonlyMap<NodeId, string>): NodeId => {
  const crowd = (node: NodeId): number => taken.filter((other) => zones.get(other) === zones.get(node)).length
  return candidates.reduce((best, node) => (crowd(node) < crowd(best) ? node : best))
}
