/**
 * The meta leader's side of every move: what to order of which group, and which step the answers allow.
 *
 *   step       ordered of the group                           what the answer must show            then the step is
 *   adding     voters = replicas, learners = [add]            in force, and `add` has caught up    promote (it has begun: ADR 9)
 *   promoting  voters = replicas - remove + add               in force                             finish 'moved'
 *   undoing    voters = replicas, learners = []               in force                             finish 'undone'
 *                                                             the promotion stands (see below)     finish 'moved'
 *
 * An order carries the epoch of the entry that began its step, and a group takes none that is not newer than its configuration. So
 * orders may be lost, doubled and late. "In force" means: the committed configuration names exactly these members *and carries exactly
 * this epoch*. The epoch matters where nothing else changes:
 *   1. Move 3 of shard 7 begins at epoch 10. Its order (learner n4) is delayed. It is cancelled at epoch 11.
 *   2. The shard has voters = replicas already. Were that enough, move 3 would end here.
 *   3. The delayed order arrives, is newer than the configuration, and n4, which has deleted its replica, is a learner for good.
 * So an undoing writes an entry of epoch 11, and the order of epoch 10 is refused (test: "ends every move, whatever is lost").
 *
 * A cancellation may come after the promotion was carried out. Then the undoing would make a voter of `remove`, which is no member any
 * more and so has not caught up: every leader refuses it for good. The answer shows the promotion committed, and the move is done. Where
 * nothing was removed there is nothing to refuse, and the undoing is carried out.
 *
 * Everything is derived from the state and from answers to its own orders: a new leader starts with an empty driver. One conversation
 * per move under way, at most one move per group.
 */

import { movesOf, replicasAfter } from './clusterState.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { OrderOutcome } from '../raft/protocol.ts'
import type { ClusterState, Move, MoveId, MoveOfGroup } from './clusterState.ts'
import type { MoveOrder, MoveReport, Wish } from './protocol.ts'

/** After an answer the order is repeated this much later: it also asks how far the learner is. */
const POLL_TICKS = 4
/** Without an answer it is repeated after this many ticks, then after twice as many, up to the maximum. */
const SILENCE_TICKS_FIRST = 4
const SILENCE_TICKS_MAX = 64
/** A learner has caught up when it lacks at most this many of the leader's entries: a few round trips under load. */
const CATCH_UP_ENTRIES_MAX = 256

interface Conversation {
  /** Of the step it is about. */
  readonly epoch: number
  waitTicks: number
  /** Orders since the last answer. */
  unanswered: number
  report: MoveReport | null
}

export interface Driver {
  readonly conversations: Map<MoveId, Conversation>
}

export const createDriver = (): Driver => ({ conversations: new Map() })

/** The orders that are to be sent now. `ticks` have passed since it was last asked. */
export const ordersDue = (driver: Driver, state: ClusterState, ticks: number): MoveOrder[] => {
  const moves = movesOf(state)
  forgetEnded(driver, moves)
  return moves.flatMap((found) => {
    const conversation = conversationAbout(driver, found)
    conversation.waitTicks -= ticks
    if (conversation.waitTicks > 0) return []
    conversation.waitTicks = Math.min(SILENCE_TICKS_FIRST * 2 ** conversation.unanswered, SILENCE_TICKS_MAX)
    conversation.unanswered += 1
    return [orderOf(found)]
  })
}

const forgetEnded = ({ conversations }: Driver, moves: readonly MoveOfGroup[]): void => {
  const under = new Set(moves.map(({ move }) => move.id))
  for (const id of conversations.keys()) if (!under.has(id)) conversations.delete(id)
}

const conversationAbout = ({ conversations }: Driver, { move }: MoveOfGroup): Conversation => {
  const known = conversations.get(move.id)
  if (known?.epoch === move.orderedAt) return known
  const begun: Conversation = { epoch: move.orderedAt, waitTicks: 0, unanswered: 0, report: null }
  conversations.set(move.id, begun)
  return begun
}

export const orderOf = ({ group, placement: { replicas }, move }: MoveOfGroup): MoveOrder => {
  const order = { group, move: move.id, epoch: move.orderedAt }
  switch (move.step) {
    case 'adding': return { ...order, voters: replicas, learners: move.add === null ? [] : [move.add] }
    case 'promoting': return { ...order, voters: replicasAfter(replicas, move), learners: [] }
    case 'undoing': return { ...order, voters: replicas, learners: [] }
  }
  move.step satisfies never
}

/** An answer to an order of another step is no answer. */
export const noteReport = ({ conversations }: Driver, report: MoveReport): void => {
  const conversation = conversations.get(report.move)
  if (conversation === undefined || conversation.epoch !== report.epoch) return
  conversation.report = report
  conversation.unanswered = 0
  conversation.waitTicks = Math.min(conversation.waitTicks, POLL_TICKS)
}

/** The first step that an answer allows, or null. Asked again after every state and every answer. */
export const stepDue = (driver: Driver, state: ClusterState): Wish | null => {
  for (const found of movesOf(state)) {
    const conversation = driver.conversations.get(found.move.id)
    if (conversation === undefined || conversation.epoch !== found.move.orderedAt || conversation.report === null) continue
    const step = stepAfter(found, conversation.report)
    if (step !== null) return step
  }
  return null
}

const stepAfter = (found: MoveOfGroup, report: MoveReport): Wish | null => {
  const { move } = found
  const isInForce = isCarriedOut(orderOf(found), report)
  switch (move.step) {
    case 'adding': return isInForce && hasCaughtUp(move.add, report) ? { kind: 'promote', move: move.id } : null
    case 'promoting': return isInForce ? { kind: 'finish', move: move.id, result: 'moved' } : null
    case 'undoing':
      if (isInForce) return { kind: 'finish', move: move.id, result: 'undone' }
      return isPromotionCommitted(found, report) ? { kind: 'finish', move: move.id, result: 'moved' } : null
  }
  move.step satisfies never
}

const isCarriedOut = (order: MoveOrder, { configuration }: MoveReport): boolean =>
  configuration.epoch === order.epoch && configuration.outgoing.length === 0
  && isSameSet(configuration.voters, order.voters) && isSameSet(configuration.learners, order.learners)

/**
 * Outcomes of which the leader has made sure that it leads still (topology/topologyAnswers.ts). A configuration of the order's own epoch
 * is what it is whoever tells of it. But one that counts whatever its epoch is may be one that the group had before: a move that only
 * removes leaves what there was before somebody was added (test: "takes no configuration that was there before for a promotion ...").
 */
export const isNews = (outcome: OrderOutcome): boolean => outcome === 'behind' || outcome === 'leaves'

const isPromotionCommitted = ({ placement, move }: MoveOfGroup, { configuration, outcome }: MoveReport): boolean =>
  isNews(outcome) && move.remove !== null && configuration.outgoing.length === 0
  && isSameSet(configuration.voters, replicasAfter(placement.replicas, move))

/**
 * It has something of the leader's log, whose beginning may be all there is: a replica that has not begun lacks no more than that of a
 * young group, and its node, which takes "promoting" for "begun before", would not begin it any more (test: "promotes nobody who has
 * nothing, in a group so young that it lacks little").
 */
const hasCaughtUp = (add: ReplicaId | null, report: MoveReport): boolean =>
  (matchOf(add, report) ?? 0) > 0 && (lackOf(add, report) ?? Number.POSITIVE_INFINITY) <= CATCH_UP_ENTRIES_MAX

/** Entries of the leader's log that the replica lacks; undefined while the leader says nothing of it. */
const lackOf = (add: ReplicaId | null, report: MoveReport): number | undefined => {
  const last = report.matches.reduce((most, { index }) => Math.max(most, index), 0)
  const own = matchOf(add, report)
  return own === undefined ? undefined : last - own
}

const matchOf = (add: ReplicaId | null, { matches }: MoveReport): number | undefined =>
  matches.find(({ replica }) => replica === add)?.index

/** As far as the group's leader has said that the log of the replica which is being added equals its own; 0 when it has said nothing. */
export const matchOfMove = ({ conversations }: Driver, { id, add }: Move): number => {
  const report = conversations.get(id)?.report ?? null
  return report === null ? 0 : matchOf(add, report) ?? 0
}

export interface MoveProgress {
  readonly move: MoveId
  /** Entries of the leader's log that the replica which is being added lacks. */
  readonly entriesLeft: number
}

/** Of the moves whose groups have said so. Part of every status: a member that talks to no group does not go through the map for it. */
export const progressOf = ({ conversations }: Driver, state: ClusterState): MoveProgress[] => {
  if (conversations.size === 0) return []
  return movesOf(state).flatMap(({ move }) => {
    const report = conversations.get(move.id)?.report ?? null
    const entriesLeft = report === null ? undefined : lackOf(move.add, report)
    return entriesLeft === undefined ? [] : [{ move: move.id, entriesLeft }]
  })
}

const isSameSet = (a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean =>
  a.length === b.length && a.every((replica) => b.includes(replica))
