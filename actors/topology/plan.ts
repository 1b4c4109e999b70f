/**
 * From where replicas are to where they should be: an ordered list of moves, and which of them may begin now.
 *
 * Laws (test/actors/topology/plan.test.ts): carrying the plan out reaches what is wanted in exactly as many moves as it lists; a reached
 * state has an empty plan; no node gains or loses a replica unless the difference asks for it; no group ever has fewer voters than it
 * began with, except where fewer are wanted; no group without a live majority is touched.
 *
 * Nothing oscillates, because what is wanted is a function of the nodes alone, and a difference is only ever made smaller. A move that has
 * become pointless (its node was lost or drains, or what it replaces came back), or would now cost the majority, is cancelled; so is one
 * that stands still in the way of another replica's replacement. Once it promotes only a node that is lost, or that drains while the move
 * stands still, makes it pointless.
 *
 * Leaders go first: where the preferred leader is on a node that drains, another replica that is there already is preferred before anything
 * moves, the one that is wanted for good where there is such a one. So clients wait for one election without any copying beside it, and
 * what is moved afterwards is followers (test: "hands each of its leaderships over once, and no other moves").
 *
 * A damaged replica counts for nothing. Where a majority of the others lives it is replaced by a new one, under a new id, on its own node,
 * whose log voids what the old one left; where its node is not wanted any more (it drains), by one elsewhere, like any replica.
 */

import { nodeOf } from '../../topology/ids.ts'
import { activeNodes, groupsOf, movesOf, nodeIn, placementOf, replicasAfter, replicasWanted } from './clusterState.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'
import type { ClusterState, GroupKey, MoveId, MoveOfGroup, Placement } from './clusterState.ts'
import type { DamagedReplica, Preference } from './protocol.ts'
import type { Wanted } from './wanted.ts'

export interface PlanLimits {
  /**
   * Moves under way in the cluster. Higher: sooner done, and more copying beside the load. Those that replace what is lost or damaged count
   * their like alone, so that there may be as many again; those that stand still are not counted,
   * nor are, here and below, those of groups without a live majority.
   */
  readonly movesMax: number
  /** Moves under way that one node gains or gives a replica by. As above, but those that stand still are counted. */
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
  /** Absent: none. */
  readonly damaged?: readonly DamagedReplica[]
  /** Moves under way that nothing has come of for minutes (standstill.ts). Absent: none. */
  readonly still?: readonly MoveId[]
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
  /** Whom to prefer: before anything moves, where a leader drains; else only once nothing moves and all replicas are in place. */
  readonly preferences: readonly Preference[]
  /** Groups that need a change and have no live majority to make it. */
  readonly blocked: readonly GroupKey[]
  /**
   * Groups that keep a replica on a node that drains: fewer than are wanted of the active nodes would be left, and who could take its place
   * is lost. That node may come back with its replicas; once it drains, too, fewer are wanted.
   */
  readonly heldBack: readonly GroupKey[]
}

/** Lower is sooner. `lost`: with its node, or damaged; either way it counts for nothing. */
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
  readonly isDamaged: boolean
}

export const plan = (input: PlanInput): Plan => {
  const { state } = input
  const blocked: GroupKey[] = []
  const heldBack: GroupKey[] = []
  const steps = groupsOf(state).flatMap((group) => {
    const { sequence, left } = sequenceOf(input, group)
    if (sequence.length === 0 || hasLiveMajority(slotsOf(input, group), input.lost)) {
      if (left.some(({ node }) => nodeIn(state, node)?.state === 'draining')) heldBack.push(group)
      return sequence
    }
    blocked.push(group)
    return []
  })
  const order = steps.sort((a, b) => a.urgency - b.urgency || a.position - b.position)
  const next = state.isPaused ? [] : withinLimits(input, order)
  return {
    all: order.map(({ group, add, remove }) => ({ group, add, remove })),
    next,
    cancels: movesOf(state).filter((found) => (state.isPaused ? addsNothing : isPointless)(input, found)).map(({ move }) => move.id),
    preferences: state.isPaused ? [] : preferencesNow(input, next.length > 0 || movesOf(state).length > 0),
    blocked,
    heldBack,
  }
}

const wantedNodes = ({ wanted }: PlanInput, group: GroupKey): readonly NodeId[] =>
  (group === 'meta' ? wanted.meta : wanted.shards[group] ?? [])

/** Where the group's replicas are once its move, if any, is done. */
const slotsOf = (input: PlanInput, group: GroupKey): Slot[] => {
  const placement = placementOf(input.state, group)
  if (placement === undefined) return []
  const { replicas, move } = placement
  return slotsNow(input, group, move === null || move.step === 'undoing' ? replicas : replicasAfter(replicas, move))
}

const slotsNow = (input: PlanInput, group: GroupKey, replicas: readonly ReplicaId[]): Slot[] =>
  replicas.map((replica) => ({ node: nodeOf(replica), replica, isDamaged: isDamaged(input, group, replica) }))

const isDamaged = ({ damaged = [] }: PlanInput, group: GroupKey, replica: ReplicaId): boolean =>
  damaged.some((one) => one.replica === replica && one.group === group)

/** `left`: the slots when all of it is done. */
const sequenceOf = (input: PlanInput, group: GroupKey): { readonly sequence: Step[]; readonly left: readonly Slot[] } => {
  const sequence: Step[] = []
  let slots = slotsOf(input, group)
  for (let step = stepFrom(input, group, slots); step !== null; step = stepFrom(input, group, slots)) {
    const { add, remove } = step
    sequence.push({ ...step, position: sequence.length })
    slots = slots.filter(({ replica }) => replica === null || replica !== remove)
    if (add !== null) slots = [...slots, { node: add, replica: null, isDamaged: false }]
  }
  return { sequence, left: slots }
}

/**
 * The next step towards what is wanted, or null. A live majority stays one without a check: who is added lives, and whoever is dead goes
 * before anybody who lives, since the dead are never wanted.
 */
const stepFrom = (input: PlanInput, group: GroupKey, slots: readonly Slot[]): Omit<Step, 'position'> | null => {
  const { state } = input
  const wanted = wantedNodes(input, group)
  const ill = slots.find((slot) => slot.isDamaged && wanted.includes(slot.node))
  if (ill !== undefined) return { group, add: ill.node, remove: ill.replica, urgency: Urgency.lost }
  const missing = wanted.find((node) => slots.every((slot) => slot.node !== node))
  const leaving = slots.filter(({ node }) => !wanted.includes(node)).reverse()
    .sort((a, b) => urgencyOf(input, a) - urgencyOf(input, b))[0]
  const urgency = leaving === undefined ? Urgency.balance : urgencyOf(input, leaving)
  const remove = leaving?.replica ?? null
  if (missing === undefined) {
    const mayDrop = slots.length - 1 >= replicasWanted(state, group, activeNodes(state).length)
    return remove !== null && mayDrop ? { group, add: null, remove, urgency } : null
  }
  // A group of one becomes two first; one that lacks replicas gains before it swaps, unless it holds a dead one.
  const isAdded = remove === null || slots.length === 1 || (slots.length < wanted.length && urgency !== Urgency.lost)
  return { group, add: missing, remove: isAdded ? null : remove, urgency }
}

const urgencyOf = ({ state, lost }: PlanInput, { node, isDamaged: isIll }: Slot): Urgency => {
  if (isIll || lost.includes(node)) return Urgency.lost
  return nodeIn(state, node)?.state === 'active' ? Urgency.balance : Urgency.draining
}

const hasLiveMajority = (slots: readonly Slot[], lost: readonly NodeId[]): boolean =>
  slots.filter(({ node, isDamaged: isIll }) => !isIll && !lost.includes(node)).length * 2 > slots.length

/**
 * What is lost or damaged is replaced as if nothing else moved: an even spread can wait, redundancy can not (test: "waits for no copy that
 * could wait as well"). What stands still keeps its nodes busy, and nobody else; what has no majority can neither end nor be undone, copies
 * nothing, and keeps nobody busy.
 */
const withinLimits = (input: PlanInput, order: readonly Step[]): PlannedMove[] => {
  const { state, still = [], limits } = input
  const under = movesOf(state)
  const busy = new Set(under.map(({ group }) => group))
  const all = createTally()
  const urgent = createTally()
  const talliesOf = (isUrgent: boolean): readonly Tally[] => (isUrgent ? [all, urgent] : [all])
  for (const { group, placement, move: { id, add, remove } } of under) {
    if (!hasLiveMajority(slotsNow(input, group, placement.replicas), input.lost)) continue
    const ends = endsOf(input, add === null ? null : nodeOf(add), remove)
    const isUrgent = remove !== null && (input.lost.includes(nodeOf(remove)) || isDamaged(input, group, remove))
    for (const tally of talliesOf(isUrgent)) carry(tally, ends, still.includes(id) ? 0 : 1)
  }
  const chosen: PlannedMove[] = []
  for (const { group, add, remove, position, urgency } of order) {
    const isUrgent = urgency === Urgency.lost
    const { moves, ofNode } = isUrgent ? urgent : all
    if (position > 0 || busy.has(group) || moves >= limits.movesMax) continue
    const ends = endsOf(input, add, remove)
    if (ends.some((node) => (ofNode.get(node) ?? 0) >= limits.movesPerNodeMax)) continue
    for (const tally of talliesOf(isUrgent)) carry(tally, ends, 1)
    chosen.push({ group, add, remove })
  }
  return chosen
}

interface Tally {
  moves: number
  readonly ofNode: Map<NodeId, number>
}

const createTally = (): Tally => ({ moves: 0, ofNode: new Map() })

const carry = (tally: Tally, ends: readonly NodeId[], moves: number): void => {
  tally.moves += moves
  for (const node of ends) tally.ofNode.set(node, (tally.ofNode.get(node) ?? 0) + 1)
}

/** The nodes that copy. */
const endsOf = ({ lost }: PlanInput, add: NodeId | null, remove: ReplicaId | null): NodeId[] => {
  const ends = [add, remove === null ? null : nodeOf(remove)].filter((node) => node !== null)
  return [...new Set(ends)].filter((node) => !lost.includes(node))
}

const countsForNothing = (input: PlanInput, group: GroupKey, replica: ReplicaId): boolean =>
  input.lost.includes(nodeOf(replica)) || isDamaged(input, group, replica)

/** What it adds counts for nothing, so that it may never end: a pause, too, lets it be taken back. */
const addsNothing = (input: PlanInput, { group, move }: MoveOfGroup): boolean =>
  move.step !== 'undoing' && move.add !== null && countsForNothing(input, group, move.add)

const standsStill = ({ still }: PlanInput, move: MoveId): boolean => still?.includes(move) === true

/**
 * It stands still in the way of the replacement of another of its group's replicas. Where its voters change after all at that moment the
 * cancellation comes too late, and it counts as done.
 */
const bars = (input: PlanInput, { group, placement, move }: MoveOfGroup): boolean => {
  if (!standsStill(input, move.id)) return false
  if (move.remove !== null && countsForNothing(input, group, move.remove)) return false
  const isWaiting = placement.replicas.some((replica) => countsForNothing(input, group, replica))
  return isWaiting && hasLiveMajority(slotsNow(input, group, placement.replicas), input.lost)
}

const isPointless = (input: PlanInput, found: MoveOfGroup): boolean => {
  const { group, placement, move } = found
  const { state, lost } = input
  if (move.step === 'undoing') return false
  if (bars(input, found)) return true
  if (!hasLiveMajority(slotsOf(input, group), lost) && hasLiveMajority(slotsNow(input, group, placement.replicas), lost)) return true
  const wanted = wantedNodes(input, group)
  if (move.add === null) return move.remove !== null && wanted.includes(nodeOf(move.remove))
  const target = nodeOf(move.add)
  // A damaged one may never get its vote. If it has it already the move counts as done, and is followed by the next.
  if (addsNothing(input, found)) return true
  const isLeaving = nodeIn(state, target)?.state !== 'active'
  // It becomes a voter within seconds, unless its disk is full: whoever drains that node gets rid of it.
  if (move.step !== 'adding') return isLeaving && standsStill(input, move.id)
  if (isLeaving) return true
  return !wanted.includes(target) && (move.remove === null || wanted.includes(nodeOf(move.remove)))
}

const preferencesNow = (input: PlanInput, isAnyMove: boolean): Preference[] => {
  const leaving = preferencesOf(input, orderWithoutLeaving)
  return leaving.length > 0 || isAnyMove ? leaving : preferencesOf(input, orderInPlace)
}

type PlacedShard = Placement & Pick<Preference, 'shard'>
type OrderOf = (input: PlanInput, placed: PlacedShard, wanted: readonly NodeId[]) => readonly ReplicaId[] | null

const preferencesOf = (input: PlanInput, orderOf: OrderOf): Preference[] => {
  const found: Preference[] = []
  for (const [at, placement] of input.state.shards.entries()) {
    const shard = at as Preference['shard']
    const replicas = orderOf(input, { ...placement, shard }, input.wanted.shards[at] ?? [])
    if (replicas === null || replicas.join() === placement.replicas.join()) continue
    found.push({ shard, replicas })
    if (found.length === PREFERENCES_MAX) break
  }
  return found
}

/** As it is wanted, once every replica is where it is wanted. */
const orderInPlace: OrderOf = (_input, { replicas }, wanted) => {
  const ordered = inOrder(replicas, wanted)
  return ordered.length === replicas.length ? ordered : null
}

/** Its leader drains, and can hand over to another that is there already and stays: that one in front. */
const orderWithoutLeaving: OrderOf = (input, { shard, replicas, move }, wanted) => {
  const [first] = replicas
  const lives = (replica: ReplicaId): boolean => !input.lost.includes(nodeOf(replica)) && !isDamaged(input, shard, replica)
  if (move !== null || first === undefined || nodeIn(input.state, nodeOf(first))?.state !== 'draining' || !lives(first)) return null
  if (replicas.filter(lives).length * 2 <= replicas.length) return null
  const heir = inOrder(replicas, wanted).find(lives)
  return heir === undefined ? null : [heir, ...replicas.filter((replica) => replica !== heir)]
}

/** Those on wanted nodes. */
const inOrder = (replicas: readonly ReplicaId[], wanted: readonly NodeId[]): ReplicaId[] =>
  wanted.flatMap((node) => replicas.filter((replica) => nodeOf(replica) === node))
