/**
 * Where replicas live when nothing lives anywhere yet: a consistent-hash ring with virtual nodes, weights, zones and a load bound.
 * Where they live after a change of the nodes is topology/rebalance.ts; what an even share is, topology/shares.ts.
 *
 * Every node stands on a ring of 2^32 points, once per virtual node (VIRTUAL_NODES_PER_WEIGHT times its weight). A shard's
 * replicas are the first distinct nodes met when walking clockwise from the shard's point. Passed over is a node in a zone that has as
 * many replicas of the shard as it may have, and a node that already carries its share times LOAD_SLACK, so that no node is full
 * while others idle ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup, Zadimoghaddam, 2016).
 *
 * What gives way to what, where not all can be had: replicas of a shard are always distinct; zones are kept apart before a bound is
 * (a shard that finds only full nodes ignores the bound, never the zones); weights say how even looks within what zones allow.
 *
 * Clusters of equal weights and without zones were born by the walk alone, and a genesis record must come out the same to the byte for
 * ever. So their placement is left as the walk made it, within the bound; any other is evened (every node at its share, rounded).
 *
 * Laws (test/topology/ring.test.ts): placement is a pure function of the set of nodes, the shard count and the replication factor;
 * replicas are distinct; zones are apart; loads are within the bound or even; leaders are within one of even.
 *
 * Departure: points are FNV-1a hashes passed through MurmurHash3's finaliser, since FNV alone leaves names that differ in
 * their last character close together on the ring.
 */

import { must } from '../actors/kernel/assert.ts'
import { createBoard } from './board.ts'
import { even } from './evening.ts'
import { fnv1a32, mix32 } from './hash.ts'
import { spreadLeaders } from './leaders.ts'
import { isZoneOpen, sharesOf } from './shares.ts'
import type { NodeId } from './ids.ts'
import type { Placement, PlacementInput, RingNode } from './placement.ts'
import type { Shares } from './shares.ts'

const VIRTUAL_NODES_PER_WEIGHT = 128
/** A node carries at most its fair share times this. Lower is more even, higher moves less on a join or leave. */
const LOAD_SLACK = 1.15

interface RingPoint {
  readonly at: number
  readonly node: number
}

export const place = (input: PlacementInput): Placement => {
  const shares = sharesOf(input)
  const replicas = walkAll(shares)
  if (!isPlain(shares.nodes)) even(createBoard(shares, { replicas, before: replicas.map(() => []) }))
  const spread = spreadLeaders(shares, replicas, replicas.map(() => []))
  return { replicas: spread.map((shard) => shard.map((node) => nodeAt(shares.nodes, node).id)) }
}

const isPlain = (nodes: readonly RingNode[]): boolean =>
  nodes.every(({ weight, zone }) => zone === '' && weight === nodes[0]?.weight)

const nodeAt = (nodes: readonly RingNode[], index: number): RingNode => must(nodes[index], 'a replica names a node of the ring')

const walkAll = (shares: Shares): number[][] => {
  const points = ringOf(shares.nodes)
  const bounds = shares.nodes.map((_, node) => loadBound(shares, node))
  const load = shares.nodes.map(() => 0)
  return Array.from({ length: shares.shardCount }, (_, shard) => {
    const from = shardPoint(shard)
    const within = walk({ points, from, shares, accepts: (node) => (load[node] ?? 0) < (bounds[node] ?? 0) })
    const complete = within.length === shares.copies ? within : walk({ points, from, shares, accepts: () => true })
    for (const node of complete) load[node] = (load[node] ?? 0) + 1
    return complete
  })
}

/** The most replicas that the walk gives a node while others have room. */
const loadBound = ({ share }: Shares, node: number): number => Math.ceil((share[node] ?? 0) * LOAD_SLACK)

/** Where a shard's walk begins. */
export const shardPoint = (shard: number): number => mix32(fnv1a32(`shard/${shard}`))

const ringOf = (nodes: readonly RingNode[]): RingPoint[] => {
  const points: RingPoint[] = []
  nodes.forEach(({ id, weight }, node) => {
    for (let i = 0; i < weight * VIRTUAL_NODES_PER_WEIGHT; i += 1) points.push({ at: mix32(fnv1a32(`${id}#${i}`)), node })
  })
  return points.sort((a, b) => a.at - b.at || a.node - b.node)
}

/** The ring cut into equal arcs: for each, the node that a walk from its start meets first. */
export const ringArcs = (nodes: readonly RingNode[], arcs: number): readonly NodeId[] => {
  const points = ringOf(nodes)
  return Array.from({ length: arcs }, (_, arc) => {
    const { node } = must(points[firstAtOrAfter(points, (arc / arcs) * 2 ** 32)], 'the ring has points')
    return nodeAt(nodes, node).id
  })
}

interface Walk {
  readonly points: readonly RingPoint[]
  readonly from: number
  readonly shares: Shares
  readonly accepts: (node: number) => boolean
}

const walk = ({ points, from, shares, accepts }: Walk): number[] => {
  const found: number[] = []
  const start = firstAtOrAfter(points, from)
  for (let step = 0; step < points.length && found.length < shares.copies; step += 1) {
    const { node } = must(points[(start + step) % points.length], 'the ring has points')
    if (!found.includes(node) && accepts(node) && isZoneOpen(shares, found, node)) found.push(node)
  }
  return found
}

const firstAtOrAfter = (points: readonly RingPoint[], at: number): number => {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (must(points[middle], 'binary search stays inside').at < at) low = middle + 1
    else high = middle
  }
  return low % points.length
}
