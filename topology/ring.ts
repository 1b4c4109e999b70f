/**
 * Where replicas live: a consistent-hash ring with virtual nodes, weights and a load bound.
 *
 * Every node stands on a ring of 2^32 points, once per virtual node (VIRTUAL_NODES_PER_WEIGHT times its weight). A shard's
 * replicas are the first distinct nodes met when walking clockwise from the shard's point. A node that already carries its
 * share times LOAD_SLACK is passed over, so that no node is full while others idle ("Consistent Hashing with Bounded Loads",
 * Mirrokni, Thorup, Zadimoghaddam, 2016). Preferred leaders are then spread so that counts differ by at most one wherever the
 * replicas allow it.
 *
 * Laws (test/topology/ring.test.ts): placement is a pure function of its input; replicas of a shard are distinct; a join or a leave
 * moves about the node's share and leaves most of the rest where it is; no node passes its bound.
 *
 * Departure: points are FNV-1a hashes passed through MurmurHash3's finaliser, since FNV alone leaves names that differ in
 * their last character close together on the ring.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import { fnv1a32 } from './hash.ts'
import type { NodeId } from './ids.ts'

export interface RingNode {
  readonly id: NodeId
  /** Relative capacity, at least 1. */
  readonly weight: number
}

export interface Placement {
  /** Per shard, in preference order: the first is the preferred leader. */
  readonly replicas: readonly (readonly NodeId[])[]
}

export interface PlacementInput {
  readonly nodes: readonly RingNode[]
  readonly shardCount: number
  /** Replicas wanted per shard; fewer where there are fewer nodes. */
  readonly replicationFactor: number
}

const VIRTUAL_NODES_PER_WEIGHT = 128
/** A node carries at most its fair share times this. Lower is more even, higher moves less on a join or leave. */
const LOAD_SLACK = 1.15

interface RingPoint {
  readonly at: number
  readonly node: number
}

export const place = (input: PlacementInput): Placement => {
  const nodes = [...input.nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
  assert(nodes.length > 0, 'a placement needs at least one node')
  const copies = Math.min(input.replicationFactor, nodes.length)
  const points = ringOf(nodes)
  const bounds = boundsOf(nodes, input.shardCount * copies)
  const load = nodes.map(() => 0)
  const chosen: number[][] = []
  for (let shard = 0; shard < input.shardCount; shard += 1) {
    const from = mix(fnv1a32(`shard/${shard}`))
    const within = walk({ points, from, copies, accepts: (node) => (load[node] ?? 0) < (bounds[node] ?? 0) })
    const complete = within.length === copies ? within : walk({ points, from, copies, accepts: () => true })
    for (const node of complete) load[node] = (load[node] ?? 0) + 1
    chosen.push(complete)
  }
  return { replicas: spreadLeaders(chosen, nodes.length).map((shard) => shard.map((node) => nodeAt(nodes, node).id)) }
}

const nodeAt = (nodes: readonly RingNode[], index: number): RingNode => must(nodes[index], 'a replica names a node of the ring')

/** MurmurHash3's 32-bit finaliser: every input bit reaches every output bit. */
const mix = (hash: number): number => {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

const ringOf = (nodes: readonly RingNode[]): RingPoint[] => {
  const points: RingPoint[] = []
  nodes.forEach(({ id, weight }, node) => {
    for (let i = 0; i < weight * VIRTUAL_NODES_PER_WEIGHT; i += 1) points.push({ at: mix(fnv1a32(`${id}#${i}`)), node })
  })
  return points.sort((a, b) => a.at - b.at || a.node - b.node)
}

const boundsOf = (nodes: readonly RingNode[], replicasTotal: number): number[] => {
  const weightTotal = nodes.reduce((sum, node) => sum + node.weight, 0)
  return nodes.map(({ weight }) => Math.ceil((replicasTotal * weight / weightTotal) * LOAD_SLACK))
}

interface Walk {
  readonly points: readonly RingPoint[]
  readonly from: number
  readonly copies: number
  readonly accepts: (node: number) => boolean
}

const walk = ({ points, from, copies, accepts }: Walk): number[] => {
  const found: number[] = []
  const start = firstAtOrAfter(points, from)
  for (let step = 0; step < points.length && found.length < copies; step += 1) {
    const { node } = must(points[(start + step) % points.length], 'the ring has points')
    if (!found.includes(node) && accepts(node)) found.push(node)
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

/**
 * Reorders each shard's replicas so that the first, its preferred leader, is spread evenly: greedy, then augmenting paths from the
 * node with most leaders to one with at least two fewer, until there is none.
 */
const spreadLeaders = (shards: readonly number[][], nodeCount: number): number[][] => {
  const leaders = Array.from({ length: nodeCount }, () => 0)
  const leaderOf = shards.map((replicas) => {
    const least = replicas.reduce((best, node) => ((leaders[node] ?? 0) < (leaders[best] ?? 0) ? node : best))
    leaders[least] = (leaders[least] ?? 0) + 1
    return least
  })
  while (shiftOneLeader(shards, leaderOf, leaders)) { /* until no path improves the spread */ }
  return shards.map((replicas, shard) => {
    const leader = must(leaderOf[shard], 'every shard has a leader')
    return [leader, ...replicas.filter((node) => node !== leader)]
  })
}

const shiftOneLeader = (shards: readonly number[][], leaderOf: number[], leaders: number[]): boolean => {
  const order = leaders.map((_, node) => node).sort((a, b) => (leaders[b] ?? 0) - (leaders[a] ?? 0) || a - b)
  for (const from of order) {
    const path = pathToLighter(shards, leaderOf, { from, below: (leaders[from] ?? 0) - 1, leaders })
    if (path === null) continue
    for (const { shard, to } of path) {
      const old = must(leaderOf[shard], 'every shard has a leader')
      leaders[old] = (leaders[old] ?? 0) - 1
      leaders[to] = (leaders[to] ?? 0) + 1
      leaderOf[shard] = to
    }
    return true
  }
  return false
}

interface Step {
  readonly shard: number
  readonly to: number
}

/** Breadth first: shards led by `from` may be led by any of their replicas, and so on, until a node with fewer than `below` leaders. */
const pathToLighter = (
  shards: readonly number[][],
  leaderOf: readonly number[],
  goal: { readonly from: number; readonly below: number; readonly leaders: readonly number[] },
): Step[] | null => {
  const cameBy = new Map<number, { readonly step: Step; readonly previous: number }>()
  const queue = [goal.from]
  for (const node of queue) {
    if ((goal.leaders[node] ?? 0) < goal.below) return stepsTo(node, cameBy, goal.from)
    shards.forEach((replicas, shard) => {
      if (leaderOf[shard] !== node) return
      for (const to of replicas) {
        if (to === goal.from || cameBy.has(to)) continue
        cameBy.set(to, { step: { shard, to }, previous: node })
        queue.push(to)
      }
    })
  }
  return null
}

const stepsTo = (node: number, cameBy: ReadonlyMap<number, { readonly step: Step; readonly previous: number }>, from: number): Step[] => {
  const steps: Step[] = []
  for (let at = node; at !== from;) {
    const { step, previous } = must(cameBy.get(at), 'a path leads back to its start')
    steps.push(step)
    at = previous
  }
  return steps
}
