/**
 * The next placement, out of the one that stands and the nodes there are now: what stands is kept, and only what must move, moves.
 * A pure function of the cluster map, since the map holds the placement; docs/adr/0007-minimal-movement.md says why it is not one of
 * the nodes alone.
 *
 * In this order:
 * 1. Replicas on nodes that are no longer there are gone; so are those in a zone that has too many of the shard, or too few elsewhere,
 *    and those above the replication factor. The node furthest above its share loses first, the leader last.
 * 2. What a shard lacks goes to the node furthest below its share in a zone that is open.
 * 3. Nodes above or below even are evened (evening.ts), replicas of step 2 first.
 * 4. Leaders stay where they are, and are spread (leaders.ts).
 */

import { must } from '../actors/kernel/assert.ts'
import { createBoard } from './board.ts'
import { even } from './evening.ts'
import { spreadLeaders } from './leaders.ts'
import { FRACTION_MIN, isZoneOpen, sharesOf, zoneCount, zonesMissing } from './shares.ts'
import type { Board } from './board.ts'
import type { Placement, PlacementInput } from './placement.ts'
import type { Shares } from './shares.ts'

/** `previous` may name nodes that are not in `input.nodes` any more, and have more or fewer replicas than wanted, or none. */
export const rebalance = (previous: Placement, input: PlacementInput): Placement => {
  const shares = sharesOf(input)
  const before = standingOf(previous, shares)
  const board = createBoard(shares, { replicas: before.map((nodes) => [...nodes]), before })
  for (let shard = 0; shard < shares.shardCount; shard += 1) trim(board, shard)
  for (let shard = 0; shard < shares.shardCount; shard += 1) fill(board, shard)
  even(board)
  const heirs = board.replicas.map((nodes, shard) => {
    const leader = nodes.find((node) => shares.nodes[node]?.id === previous.replicas[shard]?.[0])
    return leader === undefined ? nodes.filter((node) => before[shard]?.includes(node)) : [leader]
  })
  const spread = spreadLeaders(shares, board.replicas, heirs)
  return { replicas: spread.map((nodes) => nodes.map((node) => must(shares.nodes[node], 'a replica is on a node').id)) }
}

const standingOf = ({ replicas }: Placement, { nodes, shardCount }: Shares): number[][] => {
  const indexOf = new Map(nodes.map(({ id }, index) => [id, index]))
  return Array.from({ length: shardCount }, (_, shard) =>
    [...new Set(replicas[shard] ?? [])].map((id) => indexOf.get(id)).filter((index) => index !== undefined))
}

const trim = (board: Board, shard: number): void => {
  const nodes = must(board.replicas[shard], 'every shard has its place')
  for (;;) {
    const victims = victimsOf(board.shares, nodes)
    if (victims.length === 0) return
    const followers = victims.filter((node) => node !== nodes[0])
    const candidates = followers.length === 0 ? victims : followers
    board.take(shard, candidates.reduce((a, b) => (board.excess(b) > board.excess(a) + FRACTION_MIN ? b : a)))
  }
}

/** The replicas of which one has to go; none when all may stay. */
const victimsOf = (shares: Shares, nodes: readonly number[]): readonly number[] => {
  const room = (node: number, limit: 'least' | 'most'): number => {
    const zone = must(shares.zoneOf[node], 'every node has a zone')
    return zoneCount(shares, nodes, zone) - must(shares.zones[zone], 'every zone has a range')[limit]
  }
  const crowded = nodes.filter((node) => room(node, 'most') > 0)
  if (crowded.length > 0) return crowded
  if (zonesMissing(shares, nodes) <= shares.copies - nodes.length) return []
  return nodes.filter((node) => room(node, 'least') > 0)
}

const fill = (board: Board, shard: number): void => {
  const { shares } = board
  const nodes = must(board.replicas[shard], 'every shard has its place')
  while (nodes.length < shares.copies) {
    const open = shares.nodes.map((_, node) => node).filter((node) => !nodes.includes(node) && isZoneOpen(shares, nodes, node))
    board.put(shard, open.reduce((best, node) => (isLighter(board, shard, { node, best }) ? node : best)))
  }
}

const isLighter = (board: Board, shard: number, { node, best }: { readonly node: number; readonly best: number }): boolean => {
  const lighter = board.excess(best) - board.excess(node)
  if (Math.abs(lighter) > FRACTION_MIN) return lighter > 0
  return board.rank(shard, node) < board.rank(shard, best)
}
