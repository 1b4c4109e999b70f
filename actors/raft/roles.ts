/**
 * What a member does on becoming something: the entry actions of the chart, and the only writers of `role`.
 */

import { announce } from './announce.ts'
import { askForVotes, countSelf } from './election.ts'
import { touchHardState } from './durability.ts'
import { bytesBetween, lastIndexOf } from './log.ts'
import { membershipChanged } from './peers.ts'
import { refuseWaitingReads, releaseEarlyReads } from './readIndex.ts'
import { appendOwn } from './replication.ts'
import { EntryKind } from './protocol.ts'
import { createCampaign, createFollowing, createLeading, wantFlush } from './state.ts'
import { adoptTerm, followTerm } from './term.ts'
import { resetElectionTimer } from './timers.ts'
import { noteMark } from './upToDate.ts'
import type { RaftEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

const EMPTY = new Uint8Array(0)

/** Also on hearing of a newer term while already a follower: then only the term changes. */
export const becomeFollower = (core: RaftCore, event: RaftEvent): void => {
  leaveOldRole(core)
  followTerm(core, event)
  core.role = 'follower'
  announce(core)
}

/** A follower without a vote: it never campaigns. */
export const becomeLearner = (core: RaftCore, event: RaftEvent): void => {
  leaveOldRole(core)
  followTerm(core, event)
  core.role = 'learner'
  announce(core)
}

/** Asks whether an election could be won, in the term it is in. */
export const becomePreCandidate = (core: RaftCore): void => {
  core.role = 'preCandidate'
  core.leader = ''
  // A snapshot that is still arriving must not take force under a candidate.
  core.following.incoming = null
  resetElectionTimer(core)
  core.campaign = createCampaign()
  countSelf(core)
  announce(core)
  askForVotes(core)
}

/** Votes for itself in a new term. The requests leave when that vote is durable (election.ts, countOwnVote). */
export const becomeCandidate = (core: RaftCore, event: RaftEvent): void => {
  core.role = 'candidate'
  adoptTerm(core, core.term + 1)
  core.vote = core.self
  core.elections += 1
  touchHardState(core)
  resetElectionTimer(core)
  core.campaign = createCampaign(event.type === 'raft.timeoutNow')
  announce(core)
}

/**
 * Begins its term with an entry of its own: only by committing that does it learn what is committed (thesis 6.4), and only
 * entries of its own term may be committed by counting (section 5.4.2).
 */
export const becomeLeader = (core: RaftCore): void => {
  core.role = 'leader'
  core.leader = core.self
  core.elections = 0
  core.leading = createLeading(core.now)
  noteMark(core, core.commitIndex)
  core.leading.uncommittedBytes += bytesBetween(core.log, core.commitIndex + 1, lastIndexOf(core.log))
  membershipChanged(core)
  core.leading.noopIndex = appendOwn(core, EntryKind.noop, EMPTY)
  core.leading.isRoundWanted = true
  announce(core)
  wantFlush(core)
}

/** The no-op has committed: everything earlier leaders committed is known, and reads may be served. The time is known as well. */
export const becomeServing = (core: RaftCore): void => {
  core.reason = 'the first entry of the term has committed'
  core.leading.isServing = true
  announce(core)
  releaseEarlyReads(core)
}

/** For good: it may have forgotten a promise. Its disk remembers, so that a restart does not forget it again. */
export const becomeHalted = (core: RaftCore): void => {
  leaveOldRole(core)
  core.role = 'halted'
  core.leader = ''
  if (core.quarantined === undefined) {
    core.quarantined = core.reason
    core.effects.push({ type: 'raft.quarantine', reason: core.reason })
  }
  announce(core)
}

const leaveOldRole = (core: RaftCore): void => {
  if (core.role === 'follower' || core.role === 'learner') return
  if (core.role === 'leader') {
    refuseWaitingReads(core)
    core.leading = createLeading(core.now)
    core.following = createFollowing(core.commitIndex, core.following.chunkWrites)
  }
  core.leader = ''
  resetElectionTimer(core)
}
