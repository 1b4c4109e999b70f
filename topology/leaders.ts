/**
 * Who should lead: reorders each shard's replicas so that the first, its preferred leader, is spread evenly. A node's share of leaders is
 * its share of replicas divided by the copies of a shard; even is a whole number next to it. Equal nodes lead equally many, give or take
 * one, wherever the replicas allow it.
 *
 * Leaders of before stay, and a shard that has lost its leader gets one of the replicas it had before, if one is left: that one can take
 * over at once, before anything is copied. Then leaderships are shifted along the shortest paths (a shard of the first node to its replica
 * on the second, a shard of the second to the third) from a node with too many, or to one with too few. A shift makes the spread
 * narrower by one, and there is no other, so it ends, ends the same for the same input, and changes nothing when it is done again.
 */

import { must } from '../actors/kernel/assert.ts'
import { FRACTION_MIN, ceilOf, floorOf } from './shares.ts'
import type { Shares } from './shares.ts'

interface Lead {
  readonly shards: readonly (readonly number[])[]
  readonly leaderOf: number[]
  readonly counts: number[]
  readonly share: readonly number[]
}

/** `heirs`: each shard's leader until now, alone, where it may stay; else the replicas that stay; where there are none, any will do. */
export const spreadLeaders = (
  { share, copies }: Shares, shards: readonly (readonly number[])[], heirs: readonly (readonly number[])[],
): number[][] => {
  const lead: Lead = { shards, leaderOf: [], counts: share.map(() => 0), share: share.map((replicas) => replicas / copies) }
  for (const [leader, ...others] of heirs) if (leader !== undefined && others.length === 0) count(lead, leader, 1)
  shards.forEach((replicas, shard) => {
    const own = heirs[shard] ?? []
    const candidates = own.length === 0 ? replicas : own
    lead.leaderOf[shard] = candidates.reduce((best, node) => (excess(lead, node) < excess(lead, best) ? node : best))
    if (own.length !== 1) count(lead, leaderAt(lead, shard), 1)
  })
  while (shiftOneLeader(lead)) { /* until no path improves the spread */ }
  return shards.map((replicas, shard) => {
    const leader = leaderAt(lead, shard)
    return [leader, ...replicas.filter((node) => node !== leader)]
  })
}

const leaderAt = ({ leaderOf }: Lead, shard: number): number => must(leaderOf[shard], 'every shard has a leader')

const excess = ({ counts, share }: Lead, node: number): number => (counts[node] ?? 0) - (share[node] ?? 0)

const count = ({ counts }: Lead, node: number, by: number): void => { counts[node] = (counts[node] ?? 0) + by }

const improves = (lead: Lead, from: number, to: number): boolean => {
  const isNarrower = excess(lead, from) - excess(lead, to) > 1 + FRACTION_MIN
  const isTooMany = (lead.counts[from] ?? 0) > ceilOf(lead.share[from] ?? 0)
  const isTooFew = (lead.counts[to] ?? 0) < floorOf(lead.share[to] ?? 0)
  return isNarrower && (isTooMany || isTooFew)
}

const shiftOneLeader = (lead: Lead): boolean => {
  const order = lead.counts.map((_, node) => node).sort((a, b) => excess(lead, b) - excess(lead, a) || a - b)
  const least = must(order.at(-1), 'there are nodes')
  const led: number[][] = lead.counts.map(() => [])
  lead.leaderOf.forEach((leader, shard) => led[leader]?.push(shard))
  for (const from of order) {
    if (excess(lead, from) - excess(lead, least) <= 1 + FRACTION_MIN) return false
    const path = pathToLighter(lead, led, from)
    if (path === null) continue
    for (const { shard, to } of path) {
      count(lead, leaderAt(lead, shard), -1)
      count(lead, to, 1)
      lead.leaderOf[shard] = to
    }
    return true
  }
  return false
}

interface Step {
  readonly shard: number
  readonly to: number
}

interface Arrival {
  readonly step: Step
  readonly previous: number
}

/** Breadth first: shards led by `from` may be led by any of their replicas, and so on, until a node that improves the spread. */
const pathToLighter = (lead: Lead, led: readonly (readonly number[])[], from: number): Step[] | null => {
  const cameBy = new Map<number, Arrival>()
  const queue = [from]
  for (const node of queue) {
    if (improves(lead, from, node)) return stepsTo(node, cameBy, from)
    for (const shard of led[node] ?? []) {
      for (const to of must(lead.shards[shard], 'every shard has replicas')) {
        if (to === from || cameBy.has(to)) continue
        cameBy.set(to, { step: { shard, to }, previous: node })
        queue.push(to)
      }
    }
  }
  return null
}

const stepsTo = (node: number, cameBy: ReadonlyMap<number, Arrival>, from: number): Step[] => {
  const steps: Step[] = []
  for (let at = node; at !== from;) {
    const { step, previous } = must(cameBy.get(at), 'a path leads back to its start')
    steps.push(step)
    at = previous
  }
  return steps
}
