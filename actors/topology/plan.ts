/**
 * From where replicas are to where they should be: an ordered list of moves, and which of them may begin now.
 *
 * Laws (test/actors/topology/plan.test.ts): carrying the plan out reaches what is wanted in exactly as many moves as it lists; a reached
 * state has an empty plan; no node gains or loses a replica unless the difference asks for it; no group ever has fewer voters than it
 * began with, except where fewer are wanted; no group without a live majority is touched.
 *
 * Nothing oscillates, because what is wanted is a function of the nodes alone, and a difference is only ever made smaller. A move that has
 * become pointless (its node was lost or drains, or what it replaces came back), or would now cost the majority, is cancelled.
 */

import { nodeOf } from '../../topology/ids.ts'
import { activeNodes, groupsOf, movesOf, nodeIn, placementOf, replicasAfter, replicasWanted } from './clusterState.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'
import type { ClusterState, GroupKey, MoveId, MoveOfGroup } from './clusterState.ts'
import type { Preference } from './protocol.ts'
import type { Wanted } from './wanted.ts'

export interface PlanLimits {
  /** Moves under way in the cluster. Higher: sooner done, and more copying beside the load. */
  readonly movesMax: number
  /** Moves under way that one node gains or gives a replica by. */
  readonly movesPerNodeMax: number
}

export const defaultPlanLimits: PlanLimits = { movesMax: 4, movesPerNodeMax: 2 }

/** Orders of preference in one command. */
const PREFERENCES_MAX = 128

export interface PlanInput {
  readonly state: ClusterState
  readonly wanted: Wanted
  /** Nodes that are taken for dead. */
  readonly lost: readonly NodeId[]
  readonly limits: PlanLimits
}

export interface PlannedMove {
  readonly group: GroupKey
  readonly add: NodeId | null
  readonly remove: ReplicaId | null
}

export interface Plan {
  /** Everything that is left to do, in order, beyond the moves under way. */
  readonly all: readonly PlannedMove[]
  /** What of it may begin now. */
  readonly next: readonly PlannedMove[]
  readonly cancels: readonly MoveId[]
  /** Only once nothing moves: whom to prefer where all replicas are in place. */
  readonly preferences: readonly Preference[]
  /** Groups that need a change and have no live majority to make it. */
  readonly blocked: readonly GroupKey[]
}

/** Lower is sooner. */
const Urgency = { lost: 0, draining: 1, balance: 2 } as const
type Urgency = (typeof Urgency)[keyof typeof Urgency]

interface Step extends PlannedMove {
  readonly urgency: Urgency
  /** How many moves of the same group come before it. */
  readonly position: number
}

/** A slot of a group on the way to what is wanted: a replica, or null where a planned move will have put one. */
interface Slot {
  readonly node: NodeId
  readonly replica: ReplicaId | null
}

export const plan = (input: PlanInput): Plan => {
  const { state } = input
  const blocked: GroupKey[] = []
  const steps = groupsOf(state).flatMap((group) => {
    const sequence = sequenceOf(input, group)
    if (sequence.length === 0 || hasLiveMajority(slotsOf(input, group), input.lost)) return sequence
    blocked.push(group)
    return []
  })
  const order = steps.sort((a, b) => a.urgency - b.urgency || a.position - b.position)
  const next = state.isPaused ? [] : withinLimits(input, order)
  return {
    all: order.map(({ group, add, remove }) => ({ group, add, remove })),
    next,
    cancels: state.isPaused ? [] : movesOf(state).filter((found) => isPointless(input, found)).map(({ move }) => move.id),
    preferences: state.isPaused || next.length > 0 || movesOf(state).length > 0 ? [] : preferencesOf(input),
    blocked,
  }
}

const wantedNodes = ({ wanted }: PlanInput, group: GroupKey): readonly NodeId[] =>
  (group === 'meta' ? wanted.meta : wanted.shards[group] ?? [])

/** Where the group's replicas are once its move, if any, is done. */
const slotsOf = ({ state }: PlanInput, group: GroupKey): Slot[] => {
  const placement = placementOf(state, group)
  if (placement === undefined) return []
  const { replicas, move } = placement
  return slotsNow(move === null || move.step === 'undoing' ? replicas : replicasAfter(replicas, move))
}

const slotsNow = (replicas: readonly ReplicaId[]): Slot[] => replicas.map((replica) => ({ node: nodeOf(replica), replica }))

const sequenceOf = (input: PlanInput, group: GroupKey): Step[] => {
  const steps: Step[] = []
  let slots = slotsOf(input, group)
  for (let step = stepFrom(input, group, slots); step !== null; step = stepFrom(input, group, slots)) {
    const { add, remove } = step
    steps.push({ ...step, position: steps.length })
    slots = slots.filter(({ replica }) => replica === null || replica !== remove)
    if (add !== null) slots = [...slots, { node: add, replica: null }]
  }
  return steps
}

/**
 * The next step towards what is wanted, or null. A live majority stays one without a check: who is added lives, and whoever is dead goes
 * before anybody who lives, since the dead are never wanted.
 */
const stepFrom = (input: PlanInput, group: GroupKey, slots: readonly Slot[]): Omit<Step, 'position'> | null => {
  const { state } = input
  const wanted = wantedNodes(input, group)
  const missing = wanted.find((node) => slots.every((slot) => slot.node !== node))
  const leaving = slots.filter(({ node }) => !wanted.includes(node)).reverse()
    .sort((a, b) => urgencyOf(input, a.node) - urgencyOf(input, b.node))[0]
  const urgency = leaving === undefined ? Urgency.balance : urgencyOf(input, leaving.node)
  const remove = leaving?.replica ?? null
  if (missing === undefined) {
    const mayDrop = slots.length - 1 >= replicasWanted(state, group, activeNodes(state).length)
    return remove !== null && mayDrop ? { group, add: null, remove, urgency } : null
  }
  // A group of one becomes two first; one that lacks replicas gains before it swaps, unless it holds a dead one.
  const isAdded = remove === null || slots.length === 1 || (slots.length < wanted.length && urgency !== Urgency.lost)
  return { group, add: missing, remove: isAdded ? null : remove, urgency }
}

const urgencyOf = ({ state, lost }: PlanInput, node: NodeId): Urgency => {
  if (lost.includes(node)) return Urgency.lost
  return nodeIn(state, node)?.state === 'active' ? Urgency.balance : Urgency.draining
}

const hasLiveMajority = (slots: readonly Slot[], lost: readonly NodeId[]): boolean =>
  slots.filter(({ node }) => !lost.includes(node)).length * 2 > slots.length

const withinLimits = ({ state, lost, limits }: PlanInput, order: readonly Step[]): PlannedMove[] => {
  const under = movesOf(state)
  const load = new Map<NodeId, number>()
  const endsOf = (add: NodeId | null, remove: ReplicaId | null): NodeId[] => {
    const ends = [add, remove === null ? null : nodeOf(remove)].filter((node) => node !== null)
    return [...new Set(ends)].filter((node) => !lost.includes(node))
  }
  const carry = (node: NodeId): void => {
    load.set(node, (load.get(node) ?? 0) + 1)
  }
  for (const { move } of under) endsOf(move.add === null ? null : nodeOf(move.add), move.remove).forEach(carry)
  const busy = new Set(under.map(({ group }) => group))
  const chosen: PlannedMove[] = []
  for (const { group, add, remove, position } of order) {
    if (under.length + chosen.length >= limits.movesMax) break
    const ends = endsOf(add, remove)
    if (position > 0 || busy.has(group) || ends.some((node) => (load.get(node) ?? 0) >= limits.movesPerNodeMax)) continue
    ends.forEach(carry)
    chosen.push({ group, add, remove })
  }
  return chosen
}

const isPointless = (input: PlanInput, { group, placement, move }: MoveOfGroup): boolean => {
  const { state, lost } = input
  if (move.step === 'undoing') return false
  if (!hasLiveMajority(slotsOf(input, group), lost) && hasLiveMajority(slotsNow(placement.replicas), lost)) return true
  const wanted = wantedNodes(input, group)
  if (move.add === null) return move.remove !== null && wanted.includes(nodeOf(move.remove))
  const target = nodeOf(move.add)
  if (lost.includes(target)) return true
  if (move.step !== 'adding') return false
  if (nodeIn(state, target)?.state !== 'active') return true
  return !wanted.includes(target) && (move.remove === null || wanted.includes(nodeOf(move.remove)))
}

const preferencesOf = (input: PlanInput): Preference[] => {
  const found: Preference[] = []
  for (const [shard, { replicas }] of input.state.shards.entries()) {
    const wanted = input.wanted.shards[shard] ?? []
    const ordered = wanted.flatMap((node) => replicas.filter((replica) => nodeOf(replica) === node))
    if (ordered.length !== replicas.length || ordered.join() === replicas.join()) continue
    found.push({ shard: shard as Preference['shard'], replicas: ordered })
    if (found.length === PREFERENCES_MAX) break
  }
  return found
}
