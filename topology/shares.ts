/**
 * What an even share is: how many replicas a node should carry, and how many replicas of one shard a zone may have.
 *
 * Zones first. With m the smallest number for which all zones together can carry the copies of a shard at no more than m each, a
 * zone has of every shard either m or m - 1 replicas (all its nodes, where it has fewer). With at least as many zones as copies, m is 1:
 * replicas are in distinct zones. A node without a zone is a zone of its own.
 *
 * Then weights. All replicas are divided among zones in proportion to their nodes' weights, within what the zones must and may carry,
 * and a zone's among its nodes likewise, at most one of each shard. So where zones and weights do not agree, weights give way: a small
 * node that is alone in one of three zones carries one of three copies of everything.
 *
 * A share is a fraction; even is a whole number next to it (`low` and `high`). There is always a placement in which every node
 * is even: give each shard the fraction share / shardCount of each node, which obeys all limits; flows round to whole numbers.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import type { PlacementInput, RingNode } from './placement.ts'

/** Nodes and zones are numbers here: indices of `nodes` and `zones`. */
export interface Shares {
  /** Sorted by id. */
  readonly nodes: readonly RingNode[]
  readonly shardCount: number
  readonly copies: number
  readonly zoneOf: readonly number[]
  readonly zones: readonly ZoneRange[]
  /** Of all replicas, by node; and the whole numbers below and above it. */
  readonly share: readonly number[]
  readonly low: readonly number[]
  readonly high: readonly number[]
}

/** How many replicas of each single shard a zone has. */
export interface ZoneRange {
  readonly least: number
  readonly most: number
}

/** Fractions that are nearer to a whole number than this are that number. */
export const FRACTION_MIN = 1e-9

export const floorOf = (share: number): number => Math.floor(share + FRACTION_MIN)
export const ceilOf = (share: number): number => Math.ceil(share - FRACTION_MIN)

export const sharesOf = (input: PlacementInput): Shares => {
  const nodes = [...input.nodes].sort((a, b) => (a.id < b.id ? -1 : 1))
  assert(nodes.length > 0, 'a placement needs at least one node')
  for (const { weight } of nodes) assert(Number.isSafeInteger(weight) && weight >= 1, 'a weight is a whole number of at least 1')
  const copies = Math.min(input.replicationFactor, nodes.length)
  const { zoneOf, members } = zonesOf(nodes)
  const zones = rangesOf(members.map((zone) => zone.length), copies)
  const share = nodeShares({ nodes, members, zones, shardCount: input.shardCount, copies })
  return {
    nodes, shardCount: input.shardCount, copies, zoneOf, zones, share, low: share.map(floorOf), high: share.map(ceilOf),
  }
}

/** May one more replica of a shard, which has those of `found`, be on `node`, so that the others can still reach the zones they must? */
export const isZoneOpen = (shares: Shares, found: readonly number[], node: number): boolean => {
  const { zones, zoneOf, copies } = shares
  const zone = must(zoneOf[node], 'every node has a zone')
  const { most } = must(zones[zone], 'every zone has a range')
  if (zoneCount(shares, found, zone) >= most) return false
  return most === 1 || zonesMissing(shares, [...found, node]) <= copies - found.length - 1
}

export const zoneCount = ({ zoneOf }: Shares, replicas: readonly number[], zone: number): number => {
  let count = 0
  for (const node of replicas) if (zoneOf[node] === zone) count += 1
  return count
}

/** How many more replicas the zones with too few of a shard must get. */
export const zonesMissing = (shares: Shares, replicas: readonly number[]): number =>
  shares.zones.reduce((sum, { least }, zone) => (least === 0 ? sum : sum + Math.max(0, least - zoneCount(shares, replicas, zone))), 0)

const zonesOf = (nodes: readonly Pick<RingNode, 'zone'>[]): { readonly zoneOf: number[]; readonly members: number[][] } => {
  const byName = new Map<string, number>()
  const members: number[][] = []
  const zoneOf = nodes.map(({ zone }, node) => {
    const known = zone === '' ? undefined : byName.get(zone)
    const index = known ?? members.length
    if (known === undefined) members.push([])
    if (zone !== '') byName.set(zone, index)
    must(members[index], 'every zone has members').push(node)
    return index
  })
  return { zoneOf, members }
}

/** How many nodes each zone has. */
export const zoneSizesOf = (nodes: readonly Pick<RingNode, 'zone'>[]): number[] => zonesOf(nodes).members.map(({ length }) => length)

/** The replicas of one shard that some zone has to take, however they are spread; 1: all are apart. At most as many copies as nodes. */
export const crowdOf = (sizes: readonly number[], copies: number): number => {
  let most = 1
  while (sizes.reduce((sum, size) => sum + Math.min(most, size), 0) < copies) most += 1
  return most
}

const rangesOf = (sizes: readonly number[], copies: number): ZoneRange[] => {
  const most = crowdOf(sizes, copies)
  return sizes.map((size) => ({ least: Math.min(most - 1, size), most: Math.min(most, size) }))
}

interface Division {
  readonly nodes: readonly RingNode[]
  readonly members: readonly (readonly number[])[]
  readonly zones: readonly ZoneRange[]
  readonly shardCount: number
  readonly copies: number
}

const nodeShares = ({ nodes, members, zones, shardCount, copies }: Division): number[] => {
  const weightOf = (node: number): number => must(nodes[node], 'a zone has nodes').weight
  const portions = divide(shardCount * copies, members.map((zone, i) => ({
    weight: zone.reduce((sum, node) => sum + weightOf(node), 0),
    least: shardCount * (zones[i]?.least ?? 0),
    most: shardCount * (zones[i]?.most ?? 0),
  })))
  const share = nodes.map(() => 0)
  members.forEach((zone, i) => {
    const inside = divide(portions[i] ?? 0, zone.map((node) => ({ weight: weightOf(node), least: 0, most: shardCount })))
    zone.forEach((node, j) => { share[node] = inside[j] ?? 0 })
  })
  return share
}

interface Claim {
  readonly weight: number
  readonly least: number
  readonly most: number
}

/**
 * Divides in proportion to weight, within each claim's limits. What limits add to or take from the whole is found side by side; the
 * heavier side is settled first, and the rest is divided again (as CSS lays out flexible boxes).
 */
const divide = (whole: number, claims: readonly Claim[]): number[] => {
  if (claims.length === 1) return [whole]
  const portions: number[] = claims.map(() => 0)
  let open = claims.map((_, i) => i)
  let left = whole
  while (open.length > 0) {
    const weight = open.reduce((sum, i) => sum + claimAt(claims, i).weight, 0)
    const wishes = open.map((i) => (left * claimAt(claims, i).weight) / weight)
    const bent = open.map((i, at) => clamp(wishes[at] ?? 0, claimAt(claims, i)) - (wishes[at] ?? 0))
    const excess = bent.reduce((sum, by) => sum + by, 0)
    const isSettled = bent.map((by) => (Math.abs(excess) <= FRACTION_MIN ? true : excess > 0 ? by > 0 : by < 0))
    open.forEach((i, at) => { if (isSettled[at] === true) portions[i] = clamp(wishes[at] ?? 0, claimAt(claims, i)) })
    left -= open.reduce((sum, i, at) => (isSettled[at] === true ? sum + (portions[i] ?? 0) : sum), 0)
    open = open.filter((_, at) => isSettled[at] !== true)
  }
  return portions
}

const claimAt = (claims: readonly Claim[], index: number): Claim => must(claims[index], 'a portion has its claim')

const clamp = (value: number, { least, most }: Claim): number => Math.min(most, Math.max(least, value))
