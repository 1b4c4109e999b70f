/**
 * A started member presents itself: before it promises anything to a peer, it shows that peer what its disk held, and waits until the
 * peer agrees that nothing it was promised is missing (promises.ts).
 *
 *   started ──raft.present──▶ every peer ──raft.presentAccepted──▶ this peer may be promised to
 *                                        ──raft.presentRefused───▶ quarantined: halted for good
 *
 * Until a peer has accepted, this member does not vote for it, does not answer its appends, does not campaign towards it and, as
 * leader, sends it nothing else. Nobody waits for a peer that is gone: presenting to all goes on for one maximum election
 * timeout (in which a started member neither votes nor campaigns anyway), and after that to whoever turns up.
 *
 * The presentation never changes while the member lives: it is what was durable at the start. `incarnation` tells the starts apart.
 */

import { createProgress } from './progress.ts'
import { isCurrent } from './membership.ts'
import { lastIndexOf } from './log.ts'
import { acceptsPresentation, isRefused, promiseOf } from './promises.ts'
import { configurationOf, peersOf, send, wantFlush } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { RaftEvent, RaftMessage } from './protocol.ts'
import type { RaftCore } from './state.ts'

export type Received<Type extends RaftMessage['type']> = Extract<RaftEvent, { type: Type; from: ReplicaId }>

export const isAcceptedBy = (core: RaftCore, peer: ReplicaId): boolean => core.presenting.accepted.has(peer)

/** May be counted on: it has accepted this member's presentation, and this member its. */
export const isTrusted = (core: RaftCore, peer: ReplicaId): boolean => isAcceptedBy(core, peer) && !isRefused(core, peer)

/** Not to be listened to: it has forgotten a promise, or a newer replica has taken its place on its node. */
export const isStranger = (core: RaftCore, peer: ReplicaId): boolean =>
  isRefused(core, peer) || !(isAcceptedBy(core, peer) || isCurrent(configurationOf(core), peer))

/** Presents to one peer, at most once a tick. */
export const presentTo = (core: RaftCore, peer: ReplicaId): void => {
  const { own, saidThisTick } = core.presenting
  if (saidThisTick.has(peer)) return
  saidThisTick.add(peer)
  send(core, peer, { type: 'raft.present', ...own })
}

export const tickPresenting = (core: RaftCore, ticks: number): void => {
  const { presenting, timing } = core
  presenting.saidThisTick.clear()
  presenting.ticks += ticks
  presenting.roundTicks += ticks
  if (presenting.ticks > timing.electionTicksMax || presenting.roundTicks < timing.heartbeatTicks) return
  presenting.roundTicks = 0
  for (const peer of peersOf(core)) if (!isAcceptedBy(core, peer)) presentTo(core, peer)
}

export const handlePresentAccepted = (core: RaftCore, { from, incarnation }: Received<'raft.presentAccepted'>): void => {
  if (incarnation !== core.presenting.own.incarnation || isAcceptedBy(core, from)) return
  core.presenting.accepted.add(from)
  if (core.role === 'leader') wantFlush(core)
}

/** Meant for this start, not for an earlier one whose refusal came late. */
export const isOwnRefusal = (core: RaftCore, { incarnation }: Received<'raft.presentRefused'>): boolean =>
  incarnation === core.presenting.own.incarnation

/** A peer has started. Its log may have lost what was not durable: as leader, find out where it stands from the beginning. */
export const handlePresent = (core: RaftCore, event: Received<'raft.present'>): void => {
  const { from, incarnation } = event
  if (!isCurrent(configurationOf(core), from)) return
  const isKnownStart = promiseOf(core, from).incarnation === incarnation
  if (!acceptsPresentation(core, from, event)) {
    const { term, matchIndex } = promiseOf(core, from)
    send(core, from, { type: 'raft.presentRefused', incarnation, term, index: matchIndex })
    return
  }
  send(core, from, { type: 'raft.presentAccepted', incarnation })
  if (core.role === 'leader' && !isKnownStart) restartProgress(core, from)
}

const restartProgress = (core: RaftCore, peer: ReplicaId): void => {
  const known = core.leading.progress.get(peer)
  if (known === undefined) return
  const restarted = createProgress(peer, Math.max(lastIndexOf(core.log), known.matchIndex) + 1)
  restarted.matchIndex = known.matchIndex
  restarted.ackedRound = known.ackedRound
  restarted.contactSentAt = known.contactSentAt
  core.leading.progress.set(peer, restarted)
  wantFlush(core)
}
