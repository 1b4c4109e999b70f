/**
 * How far apart the replicas of a shard can be, and the changes that would take some of that away: refused, unless they are forced. So is
 * what leaves the shards, or the meta group, with one replica where there were more: no disk may be lost from then on.
 *
 * Of two sets of nodes the worse is the one that lacks more nodes for the replicas that are wanted; else the one in which more replicas of
 * a shard must share one zone, or in which fewer zones have one. It is a matter of what is possible, not of where replicas are today: the
 * planner brings them as far apart as it can, before as after. So a node that joins never makes anything worse. Lost nodes do not count,
 * here as in wanted.ts: a lost node that is drained takes nothing away that was there.
 *
 * This is asked before a change is proposed (topology/changes.ts), not when it is applied. Who is lost is known to the leader alone; and
 * members of two versions must not judge one entry of the log differently. The epoch makes it exact all the same: what was judged for
 * an epoch is applied at that epoch, or not at all.
 */

import { apply } from './apply.ts'
import { activeNodes, replicasWanted } from './clusterState.ts'
import { namesText, refused } from './refusals.ts'
import { crowdOf, zoneSizesOf } from '../../topology/shares.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { ClusterNode, ClusterState } from './clusterState.ts'
import type { CommandKind, Refused, Wish } from './protocol.ts'

export interface Spread {
  readonly wanted: number
  /** Nodes that are missing for as many replicas as are wanted. */
  readonly missing: number
  /** Replicas of a shard, or zones that can have one: whichever are fewer. */
  readonly apart: number
  /** Replicas of a shard that one zone has to take. 1: all are in distinct zones. */
  readonly crowd: number
}

/** Only these can make it worse. */
export const spreadKinds: readonly CommandKind[] = ['drainNode', 'removeNode', 'setZone', 'setReplicationFactor']

export const spreadOf = (state: ClusterState, lost: readonly NodeId[]): Spread => {
  const sizes = zoneSizesOf(usableNodes(state, lost))
  const usable = sizes.reduce((sum, size) => sum + size, 0)
  const wanted = state.replicationFactor
  const copies = Math.min(wanted, usable)
  return { wanted, missing: wanted - copies, apart: Math.min(copies, sizes.length), crowd: crowdOf(sizes, copies) }
}

export const isWorse = (after: Spread, before: Spread): boolean => {
  if (after.missing !== before.missing) return after.missing > before.missing
  return after.crowd > before.crowd || sharing(after) > sharing(before)
}

/** Why the change would take nodes or zones away that replicas need, or all redundancy; null when it would not, or would change nothing. */
export const refuseWorse = (state: ClusterState, lost: readonly NodeId[], wish: Wish): Refused | null => {
  const worsening = worseningOf(state, lost, wish)
  if (worsening === null) return refuseLone(state, wish)
  const { after, before, isHeldBack } = worsening
  if (after.missing > before.missing) return refused(state, 'tooFewNodes', nodesText(after, lost, isHeldBack))
  return refused(state, 'zonesTooFew', zonesText(worsening))
}

/** What it takes away all the same when it is forced, for whoever forces it; null when nothing. */
export const costOf = (state: ClusterState, lost: readonly NodeId[], wish: Wish): string | null => {
  const worsening = worseningOf(state, lost, wish)
  const costs = [...(worsening === null ? [] : [worseningText(worsening, lost)]), ...lonesOf(state, wish).map(loneCost)]
  return costs.length === 0 ? null : costs.join('; ')
}

const worseningText = (worsening: Worsening, lost: readonly NodeId[]): string => {
  const { after, before, isHeldBack } = worsening
  if (after.missing <= before.missing) return sharedText(worsening)
  const [copies, were] = [after, before].map(({ wanted, missing }) => wanted - missing) as [number, number]
  const first = isHeldBack ? `it keeps its replicas until ${namesText(lost)}, now lost, comes back; if that is drained, too, ` : ''
  return `${first}every shard has ${copies} of ${after.wanted} replicas, and goes on after ${comparedText(copies, were)}`
}

/** What would have one replica, and has more. */
type Lone = 'shards' | 'meta'

const lonesOf = (state: ClusterState, wish: Wish): Lone[] => {
  const then = changed(state, wish)
  if (then === null) return []
  const seats = (of: ClusterState): number => replicasWanted(of, 'meta', activeNodes(of).length)
  return [
    ...(then.replicationFactor === 1 && state.replicationFactor > 1 ? ['shards' as const] : []),
    ...(seats(then) === 1 && seats(state) > 1 ? ['meta' as const] : []),
  ]
}

const refuseLone = (state: ClusterState, wish: Wish): Refused | null => {
  const [lone] = lonesOf(state, wish)
  if (lone === undefined) return null
  const instead = lone === 'meta' ? 'add a node first' : 'keep 3'
  return refused(state, 'noRedundancy', `${loneText(lone, 'would have')}: ${instead}, or force it`)
}

const loneText = (lone: Lone, has: string): string =>
  (lone === 'shards' ? `every shard ${has} one replica, and is lost with its disk`
    : `the meta group ${has} one replica, and the map of the cluster is lost with its disk`)

const loneCost = (lone: Lone): string => loneText(lone, 'has')

interface Worsening {
  readonly before: Spread
  readonly after: Spread
  /** The zones that are left, by name. */
  readonly names: readonly string[]
  /** Its replicas wait for nodes that are lost. */
  readonly isHeldBack: boolean
}

/** Null when it would be refused anyway, or change nothing. */
const changed = (state: ClusterState, wish: Wish): ClusterState | null => {
  const { state: then, outcome } = apply(state, { ...wish, expectedEpoch: state.epoch, at: 0, by: '', request: '' })
  return outcome.kind === 'applied' ? then : null
}

const worseningOf = (state: ClusterState, lost: readonly NodeId[], wish: Wish): Worsening | null => {
  const then = changed(state, wish)
  if (then === null) return null
  const before = spreadOf(state, lost)
  const after = spreadOf(then, lost)
  if (!isWorse(after, before)) return null
  const isHeldBack = wish.kind === 'drainNode' && isAnyAwaited(then, lost)
  return { before, after, names: zoneNames(usableNodes(then, lost)), isHeldBack }
}

const comparedText = (copies: number, were: number): string => {
  const [now, before] = [copies, were].map(failuresText) as [string, string]
  return now === before ? `${now}, as before` : `${now}, not ${before}`
}

/** How many of so many replicas may fail while a majority is left. */
const failuresText = (copies: number): string => {
  const failures = Math.max(0, Math.floor((copies - 1) / 2))
  if (failures === 0) return 'no failure'
  return failures === 1 ? '1 failure' : `${failures} failures`
}

const usableNodes = (state: ClusterState, lost: readonly NodeId[]): ClusterNode[] =>
  activeNodes(state).filter(({ id }) => !lost.includes(id))

const sharing = ({ wanted, missing, apart }: Spread): number => wanted - missing - apart

/** Their replicas may come back, so the planner gives up no other for want of them (plan.ts, `heldBack`). */
const isAnyAwaited = (state: ClusterState, lost: readonly NodeId[]): boolean => activeNodes(state).some(({ id }) => lost.includes(id))

const nodesText = ({ wanted, missing }: Spread, lost: readonly NodeId[], isHeldBack: boolean): string => {
  const away = lost.length === 0 ? '' : `, beside those that are lost (${namesText(lost)})`
  const forced = isHeldBack ? 'force it: it keeps replicas until those that are lost have come back, or are drained, too, which leaves'
    : 'force it, which leaves'
  return `${wanted} replicas of every shard need ${wanted} active nodes and ${wanted - missing} would be left${away}: `
    + `add a node first, or lower the replication factor, or ${forced} ${wanted - missing} of ${wanted} replicas`
}

const sharedText = ({ after: { wanted, missing, crowd }, names }: Worsening): string => {
  const copies = wanted - missing
  return `${crowd} of the ${copies} replicas of a shard share one of ${names.length} zones (${namesText(names)}), whose failure `
    + majorityText(copies, crowd)
}

const majorityText = (copies: number, crowd: number): string =>
  ((copies - crowd) * 2 > copies ? 'leaves a majority of them' : 'takes the majority of them')

const zonesText = ({ after: { wanted, missing, crowd }, before, names }: Worsening): string => {
  const copies = wanted - missing
  const today = before.crowd === 1 ? 'each can be in a zone of its own' : `no more than ${before.crowd} have to share one`
  return `the ${copies} replicas of a shard would have ${names.length} zones to be in (${namesText(names)}), and ${crowd} of them `
    + `would share one, whose failure ${majorityText(copies, crowd)}; as it is, ${today}: add a node in another zone first, or `
    + 'ask for fewer replicas, or force it'
}

/** A node without a zone is a zone of its own. */
const zoneNames = (nodes: readonly ClusterNode[]): string[] =>
  [...new Set(nodes.map(({ id, zone }) => (zone === '' ? `${id} alone` : zone)))]
