/**
 * A started member presents itself: before it promises anything to a peer, it shows that peer what its disk held, and waits until the
 * peer agrees that nothing it was promised is missing (promises.ts).
 *
 *   started ──raft.present──▶ peer ──raft.presentChallenged──▶ alive? ──raft.presentConfirmed──▶ peer
 *           ◀──raft.presentAccepted── nothing is missing: this peer may be promised to
 *           ◀──raft.presentRefused─── quarantined: halted for good
 *
 * Until a peer has accepted, this member does not vote for it, does not answer its appends, does not campaign towards it and, as
 * leader, sends it nothing else. Nobody waits for a peer that is gone: presenting to all goes on for one maximum election
 * timeout (in which a started member neither votes nor campaigns anyway), and after that to whoever turns up.
 *
 * A presentation is what was durable at the start, and does not change while the member lives, but as below. `incarnation` tells the
 * starts apart.
 *
 * Why a presentation is judged only when its start is known to live (test: "a late presentation of an earlier start refuses nobody"):
 *   1. n2 starts and presents (term 4) to n1; the message is held up. n2 dies.
 *   2. n2 starts again, is accepted by n1, and votes for it in term 5.
 *   3. The message of step 1 arrives: it shows less than was promised, from a start n1 never heard of.
 *   4. If n1 took that for the newer start it would refuse n2 for good, and n2, which has forgotten nothing, would ignore a refusal
 *      that names a start it is not. Two such refusals in a group of three, and it never elects again.
 * Starts have no order that a restored directory could not repeat, so nothing in the message tells old from new. Rule: n1 asks, with a
 * fresh number, and judges what was presented when that very start has repeated the number. A start that is over can not.
 *
 * Why whoever is accepted confirms nothing more (test: "a late presentation of a living start, to a peer that has started anew ..."):
 *   1. n2 starts and presents (term 0) to n1; the message is held up. A repeated one is accepted.
 *   2. n1 starts again, and no longer knows which start of n2 it has accepted. n2 goes on: it elects n1 in term 3 and takes its entries.
 *   3. The message of step 1 arrives. n1 asks whether that start lives, and it does; it shows less than n2 has promised since.
 *   4. If n2 confirmed, it would be refused, and halt for good, and has forgotten nothing.
 * Rule: a start asks each peer for its judgement once, before its first promise to it. A start that forgot has been accepted by nobody,
 * so it confirms. Nothing waits for an answer: n1 counts n2 because n2 has accepted n1's own presentation.
 *
 * Why a refusal is for one start, and a living one that hears of another's presents itself anew (test: "a twin on an old copy ..."):
 *   1. A second process is started as n2, on a copy of its directory that is a second old. Nobody tells it in time that n2 lives.
 *   2. It presents to n1, shows that it lives, and shows less than n2 has promised n1. It is refused, halts, and its process ends.
 *   3. n2 goes on, and n1 has no longer any use for it: what it says may be the other's. One more failure, and the group stands still.
 * Rule: whoever speaks as a refused replica is told which start was refused. That one halts. A living one, which n1 had accepted, renews
 * its presentation to n1: what is durable now, under a new incarnation, and n1 judges it as any other. All it has promised was durable
 * before, and until n1 has accepted it again it promises n1 nothing: not what it took before and its disk completes meanwhile (test: "of
 * which it hears late, ...").
 *
 * Why it matters which process speaks (test: "a twin on a current copy ..."):
 *   1. A second process is started as n2, on a copy of its directory that lacks nothing. It is accepted, acknowledges an entry, and ends.
 *   2. n2 goes on, without the entry. It had been accepted long before, so nobody judges it again, and it elects n3 without the entry.
 * Rule: mail of another process than the one that was accepted last counts for nothing, and asks its sender to present itself anew.
 */

import { must } from '../kernel/assert.ts'
import { createProgress } from './progress.ts'
import { isCurrent } from './membership.ts'
import { lastIndexOf, termAt } from './log.ts'
import { acceptsPresentation, isAcceptedStart, isRefused, promiseOf } from './promises.ts'
import { configurationOf, peersOf, send, wantFlush } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Presentation, RaftEvent, RaftMessage } from './protocol.ts'
import type { RaftCore } from './state.ts'

export type Received<Type extends RaftMessage['type']> = Extract<RaftEvent, { type: Type; from: ReplicaId }>

export const isAcceptedBy = (core: RaftCore, peer: ReplicaId): boolean => core.presenting.accepted.has(peer)

/** May be counted on: it has accepted this member's presentation, and this member its. */
export const isTrusted = (core: RaftCore, peer: ReplicaId): boolean => isAcceptedBy(core, peer) && !isRefused(core, peer)

/** Not to be listened to: it has forgotten a promise, or a newer replica has taken its place on its node. */
export const isStranger = (core: RaftCore, peer: ReplicaId): boolean =>
  isRefused(core, peer) || !(isAcceptedBy(core, peer) || isCurrent(configurationOf(core), peer))

/** What this member presents to that peer. */
const presentationFor = ({ presenting }: RaftCore, peer: ReplicaId): Presentation => presenting.renewed.get(peer) ?? presenting.own

const isOwn = (core: RaftCore, { from, incarnation }: { readonly from: ReplicaId; readonly incarnation: number }): boolean =>
  incarnation === presentationFor(core, from).incarnation

/** Presents to one peer, at most once a tick. */
export const presentTo = (core: RaftCore, peer: ReplicaId): void => {
  const { saidThisTick } = core.presenting
  if (saidThisTick.has(peer)) return
  saidThisTick.add(peer)
  send(core, peer, { type: 'raft.present', ...presentationFor(core, peer) })
}

/** It presents to everybody, or has just presented to somebody and may do so again after this tick. */
export const isPresenting = ({ presenting, timing }: RaftCore): boolean =>
  presenting.saidThisTick.size > 0 || presenting.ticks <= timing.electionTicksMax

export const tickPresenting = (core: RaftCore, ticks: number): void => {
  const { presenting, timing } = core
  if (presenting.saidThisTick.size > 0) presenting.saidThisTick.clear()
  presenting.ticks += ticks
  presenting.roundTicks += ticks
  if (presenting.ticks > timing.electionTicksMax || presenting.roundTicks < timing.heartbeatTicks) return
  presenting.roundTicks = 0
  for (const peer of peersOf(core)) if (!isAcceptedBy(core, peer)) presentTo(core, peer)
}

export const handlePresentAccepted = (core: RaftCore, event: Received<'raft.presentAccepted'>): void => {
  if (!isOwn(core, event) || isAcceptedBy(core, event.from)) return
  core.presenting.accepted.add(event.from)
  if (core.role === 'leader') wantFlush(core)
}

/** Meant for this start, not for an earlier one whose refusal came late, nor for a twin. */
export const isOwnRefusal = (core: RaftCore, event: Received<'raft.presentRefused'>): boolean => isOwn(core, event)

/**
 * The peer takes this member for the start that it refused, unless it is late: one way or the other a new judgement does no harm. One that
 * waits for its judgement, and has nothing else that would make it speak, says again what it presented.
 */
export const handleOthersRefusal = (core: RaftCore, { from }: Received<'raft.presentRefused'>): void => {
  const { presenting, durability, log } = core
  if (!isAcceptedBy(core, from)) {
    presentTo(core, from)
    return
  }
  if (presenting.saidThisTick.has(from) || !durability.isHardStateDurable) return
  const lastIndex = durability.durableIndex
  const lastTerm = must(termAt(log, lastIndex), 'only what is durable is compacted')
  presenting.renewed.set(from, { incarnation: core.random.uint32(), term: core.term, vote: core.vote, lastTerm, lastIndex })
  presenting.accepted.delete(from)
  presenting.ticks = 0
  presentTo(core, from)
}

/** Whoever speaks as a refused replica is told which start was refused, at most once a tick. */
export const tellRefused = (core: RaftCore, peer: ReplicaId): void => {
  const { saidThisTick } = core.presenting
  const incarnation = promiseOf(core, peer).refused
  if (incarnation === undefined || saidThisTick.has(peer)) return
  saidThisTick.add(peer)
  refuse(core, peer, incarnation)
}

/**
 * To another process than the one that was accepted, at most once a tick: a refusal of no start at all. It halts nobody, since whoever was
 * accepted hears it too; each that lives presents itself anew, and is judged.
 */
export const askAnew = (core: RaftCore, peer: ReplicaId): void => {
  const { saidThisTick } = core.presenting
  if (saidThisTick.has(peer)) return
  saidThisTick.add(peer)
  refuse(core, peer, core.random.uint32())
}

/** A start that was accepted before is accepted again, while none is refused; any other must first show that it is alive. */
export const handlePresent = (core: RaftCore, event: Received<'raft.present'>): void => {
  const { from, incarnation } = event
  if (!isCurrent(configurationOf(core), from)) return
  const isKnown = !isRefused(core, from) && isAcceptedStart(core, from, incarnation)
  if (promiseOf(core, from).refused === incarnation) refuse(core, from, incarnation)
  else if (isKnown) send(core, from, { type: 'raft.presentAccepted', incarnation })
  else challenge(core, event)
}

/** One claim a peer: of several starts presented in turn only the living one answers, and it presents until it is answered. */
const challenge = (core: RaftCore, { from, incarnation, term, vote, lastTerm, lastIndex }: Received<'raft.present'>): void => {
  const known = promiseOf(core, from)
  if (known.claim?.presented.incarnation !== incarnation) {
    known.claim = { presented: { incarnation, term, vote, lastTerm, lastIndex }, challenge: core.random.uint32() }
  }
  send(core, from, { type: 'raft.presentChallenged', incarnation, challenge: known.claim.challenge })
}

export const handlePresentChallenged = (core: RaftCore, event: Received<'raft.presentChallenged'>): void => {
  const { from, incarnation, challenge: asked } = event
  if (!isOwn(core, event) || isAcceptedBy(core, from)) return
  send(core, from, { type: 'raft.presentConfirmed', incarnation, challenge: asked })
}

/** The peer has just started. Its log may have lost what was not durable: as leader, find out where it stands from the beginning. */
export const handlePresentConfirmed = (core: RaftCore, event: Received<'raft.presentConfirmed'>): void => {
  const { from, incarnation } = event
  const known = promiseOf(core, from)
  const { claim } = known
  const isAnswer = claim !== null && claim.challenge === event.challenge && claim.presented.incarnation === incarnation
  if (!isAnswer || !isCurrent(configurationOf(core), from)) return
  known.claim = null
  if (!acceptsPresentation(core, from, claim.presented)) {
    refuse(core, from, incarnation)
    return
  }
  known.boot = event.boot
  send(core, from, { type: 'raft.presentAccepted', incarnation })
  if (core.role === 'leader') restartProgress(core, from)
}

const refuse = (core: RaftCore, peer: ReplicaId, incarnation: number): void => {
  const { term, matchIndex } = promiseOf(core, peer)
  send(core, peer, { type: 'raft.presentRefused', incarnation, term, index: matchIndex })
}

const restartProgress = (core: RaftCore, peer: ReplicaId): void => {
  const known = core.leading.progress.get(peer)
  if (known === undefined) return
  const restarted = createProgress(peer, Math.max(lastIndexOf(core.log), known.matchIndex) + 1)
  restarted.matchIndex = known.matchIndex
  restarted.ackedRound = known.ackedRound
  restarted.contactSentAt = known.contactSentAt
  restarted.isLearner = known.isLearner
  // It loads what it starts from, and has not said yet that it is done.
  restarted.isDiskStalled = known.isLearner
  restarted.deliveredBytes = known.deliveredBytes
  restarted.keptBytesMax = known.keptBytesMax
  core.leading.progress.set(peer, restarted)
  wantFlush(core)
}
