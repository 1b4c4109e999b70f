/**
 * Confirmation rounds: how a leader learns that it still leads, for reads, for the lease and for CheckQuorum.
 *
 *   raft.read ──▶ gathered ──flush: round r starts──▶ waiting(r, commit index) ──a quorum answered r or later──▶ raft.readReady
 *
 * A round is one `raft.heartbeat` to every peer, with a number that is fresh for every attempt and belongs to this leader's
 * term. Rules:
 * - A read joins only a round that starts after it arrived: an answer to an earlier one may predate a newer leader's writes.
 * - Its index is the commit index when the round starts, and rounds for reads start only once this leader's no-op has committed, so it
 *   covers everything any earlier leader committed (thesis 6.4).
 * - An answer to round r confirms every round up to r: it was sent after all of them had started.
 * - A heartbeat's round confirms reads too, so a lost round is repeated by the next heartbeat, under a new number.
 * - Losing the leadership refuses every read that waits (roles.ts); the shard checks once more when it answers.
 *
 * Rounds are pipelined: every turn with reads starts one, without waiting for the last. One in flight plus one waiting would save some
 * thirty bytes per peer and turn, and cost every read that arrives during a round up to a second round trip. A round needs no state but
 * its send time, so many are as cheap as two; `roundsInFlightMax` bounds them when answers stay away.
 *
 * Time is counted from when a round was *sent*. Answers buffered during a pause arrive together afterwards and look fresh, but say only
 * that the peer followed when it answered, which was after the round was sent.
 *
 * The lease (thesis 6.4.1). A peer that answered round r, sent at s, grants no vote before s + the minimum election timeout,
 * transfers apart. So until then, by this leader's monotonic clock and less a margin for clocks that run differently, no other
 * leader exists. A member that has just started has forgotten it, and so grants nothing for one maximum election timeout.
 *
 * Monotonic clocks stand still while a machine is suspended, and there the others elect somebody. Ticks say nothing of that time. The wall
 * clock does, once it is right again (wallClocks.ts): where it has gained on the monotonic one, rounds sent until then carry no lease any
 * more (test: "the lease does not outlast a suspend of the machine ..."), however little it was; by more a leader steps down
 * (checkQuorum.ts). One that stood still as well, as in some pauses of virtual machines, is not noticed: docs/GUARANTEES.md.
 *
 * Answers to heartbeats may leave before the follower's term is durable. They promise no term and no entry, only that the follower knew
 * no newer leader, which stays true whatever it forgets: votes are durable before they are given, so the term in which it could have
 * helped another leader is not forgotten. And the stickiness a crash forgets is covered by the silence of a started member.
 *
 * Sources: thesis 6.4 and 6.4.1; etcd-io/raft's ReadOnlySafe, and etcd issue 20418 for why a number is never used twice.
 */

import { progressFor } from './peers.ts'
import { isTrusted, presentTo, tellRefused } from './presentation.ts'
import { isRefused } from './promises.ts'
import { quorumValue } from './quorum.ts'
import { ROUNDS_REMEMBERED, configurationOf, send, wantFlush } from './state.ts'
import { compareClocks } from './wallClocks.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Received } from './presentation.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore, WaitingRead } from './state.ts'

type Read = Extract<RaftLocalEvent, { type: 'raft.read' }>

export const isSettled = (core: RaftCore): boolean => core.commitIndex >= core.leading.noopIndex

export const handleRead = (core: RaftCore, event: Read): void => {
  const { leading, limits } = core
  core.now = event.now
  leading.quietTicks = 0
  if (event.lease) {
    compareClocks(core, event)
    if (isLeaseValid(core)) core.effects.push({ type: 'raft.readReady', read: event.read, index: core.commitIndex, term: core.term })
    else core.effects.push({ type: 'raft.readRefused', read: event.read, reason: 'leaseUnavailable' })
    return
  }
  if (leading.gatheredReads.length + leading.waitingReads.length >= limits.readsWaitingMax) {
    core.effects.push({ type: 'raft.readRefused', read: event.read, reason: 'tooManyWaiting' })
    return
  }
  leading.gatheredReads.push(event.read)
  if (isSettled(core)) wantFlush(core)
}

export const refuseRead = (core: RaftCore, { read }: { readonly read: number }): void => {
  core.effects.push({ type: 'raft.readRefused', read, reason: 'notLeader' })
}

/** Losing the leadership: nothing that waited can be confirmed any more. */
export const refuseWaitingReads = (core: RaftCore): void => {
  for (const { read } of core.leading.waitingReads) refuseRead(core, { read })
  for (const read of core.leading.gatheredReads) refuseRead(core, { read })
}

const isLeaseValid = (core: RaftCore): boolean => {
  const { timing, leading } = core
  const leaseMs = timing.electionTicksMin * timing.tickMs * (1 - timing.leaseDriftPercent / 100)
  const sentAt = quorumSentAt(core)
  return isSettled(core) && leading.transfer === null && !leading.isLeaseVoid && core.now - sentAt < leaseMs
    && sentAt > leading.suspendedAt
}

/** When the newest round was sent that a quorum has answered; infinite for a group of one, whose quorum is itself. */
export const quorumSentAt = (core: RaftCore): number => quorumValue(configurationOf(core), (member) => {
  if (member === core.self) return Number.POSITIVE_INFINITY
  return isRefused(core, member) ? Number.NEGATIVE_INFINITY : contactOf(core, member)
})

const contactOf = (core: RaftCore, member: ReplicaId): number =>
  core.leading.progress.get(member)?.contactSentAt ?? Number.NEGATIVE_INFINITY

/** At the end of a turn: a round, when reads wait for one or the leader is new. */
export const startGatheredRound = (core: RaftCore): void => {
  const { leading, limits } = core
  const isWanted = leading.gatheredReads.length > 0 && isSettled(core)
  if (!leading.isRoundWanted && !isWanted) return
  if (leading.round - leading.confirmedRound >= limits.roundsInFlightMax) return
  startRound(core)
}

export const startRound = (core: RaftCore): void => {
  const { leading } = core
  leading.round += 1
  leading.isRoundWanted = false
  leading.heartbeatTicks = 0
  leading.roundSentAt[leading.round % ROUNDS_REMEMBERED] = core.now
  if (isSettled(core)) {
    for (const read of leading.gatheredReads) leading.waitingReads.push({ read, index: core.commitIndex, round: leading.round })
    leading.gatheredReads = []
  }
  for (const { id, matchIndex } of leading.progress.values()) {
    if (isRefused(core, id)) tellRefused(core, id)
    else if (isTrusted(core, id)) {
      const commitIndex = Math.min(core.commitIndex, matchIndex)
      send(core, id, { type: 'raft.heartbeat', term: core.term, commitIndex, round: leading.round })
    } else presentTo(core, id)
  }
  confirmRounds(core)
}

export const handleHeartbeatAcked = (core: RaftCore, event: Received<'raft.heartbeatAcked'>): void => {
  const progress = progressFor(core, event)
  if (progress === undefined || event.round > core.leading.round) return
  progress.isDiskStalled = event.diskStalled
  if (event.round <= progress.ackedRound) return
  progress.ackedRound = event.round
  if (core.leading.round - event.round >= ROUNDS_REMEMBERED) return
  progress.contactSentAt = core.leading.roundSentAt[event.round % ROUNDS_REMEMBERED] ?? Number.NEGATIVE_INFINITY
  confirmRounds(core)
}

/** Answers every read whose round a quorum has confirmed. */
const confirmRounds = (core: RaftCore): void => {
  const { leading } = core
  const confirmed = quorumValue(configurationOf(core), (member) => {
    if (member === core.self) return leading.round
    return isRefused(core, member) ? 0 : leading.progress.get(member)?.ackedRound ?? 0
  })
  if (confirmed <= leading.confirmedRound) return
  leading.confirmedRound = confirmed
  const { waitingReads } = leading
  let ready = 0
  for (; ready < waitingReads.length; ready += 1) {
    const { read, index, round } = waitingReads[ready] as WaitingRead
    if (round > confirmed) break
    core.effects.push({ type: 'raft.readReady', read, index, term: core.term })
  }
  if (ready > 0) waitingReads.splice(0, ready)
}

/** The no-op has committed: reads that arrived before may have their round. */
export const releaseEarlyReads = (core: RaftCore): void => {
  if (core.leading.gatheredReads.length > 0) wantFlush(core)
}
