/**
 * Terms: when a message makes this member leave the term it is in, and when it must first be told who this member is.
 *
 * A newer term makes whoever hears of it a follower of that term, who then reads the message again (the chart's `readAgain`).
 * Exceptions, which are the point of this file:
 * - A pre-vote changes nobody's term: it only asks (thesis 9.6). Its grants name a term that nobody is in yet.
 * - A vote request is not heeded while a leader was heard within the minimum election timeout, nor by a member that has just
 *   started and has forgotten whether it heard one; a transfer by that very leader is the exception (thesis 4.2.3, 3.10).
 * - A refusal names the refuser's own term only when that is why it refused.
 */

import { assert } from '../kernel/assert.ts'
import { forgetRewrites, touchHardState } from './durability.ts'
import { isAcceptedBy } from './presentation.ts'
import type { RaftEvent, Term } from './protocol.ts'
import type { RaftCore } from './state.ts'
import { createFollowing } from './state.ts'

/** The term this event obliges its reader to enter; 0 when it obliges to nothing. */
const bindingTerm = (core: RaftCore, event: RaftEvent): Term => {
  switch (event.type) {
    case 'raft.append':
    case 'raft.heartbeat':
    case 'raft.snapshotChunk':
    case 'raft.appendRejected':
    case 'raft.heartbeatAcked':
    case 'raft.snapshotRefused': return event.term
    case 'raft.requestVote': return isHeeded(core, event.transfer) ? event.term : 0
    case 'raft.preVoteRefused':
    case 'raft.voteRefused': return event.reason === 'staleTerm' ? event.term : 0
    default: return 0
  }
}

export const isNewerTerm = (core: RaftCore, event: RaftEvent): boolean => bindingTerm(core, event) > core.term

export const isFresh = (core: RaftCore): boolean => core.freshTicks > 0

/**
 * A leader may be alive: this member is one, or has heard one. The counter reaches electionTicksMin + 1 only after that many
 * whole ticks minus one, which is the minimum election timeout (timing.ts); the read lease is built on this.
 */
export const isLeaderAlive = (core: RaftCore): boolean =>
  core.role === 'leader' || core.ticksSinceLeader <= core.timing.electionTicksMin

const isHeeded = (core: RaftCore, isTransfer: boolean): boolean => !isFresh(core) && (isTransfer || !isLeaderAlive(core))

/** Asks for a promise, and its sender has not yet accepted this member's presentation. */
export const isUnpresented = (core: RaftCore, event: RaftEvent): boolean => {
  switch (event.type) {
    case 'raft.requestPreVote':
    case 'raft.requestVote':
    case 'raft.append':
    case 'raft.heartbeat':
    case 'raft.snapshotChunk':
    case 'raft.timeoutNow': return !isAcceptedBy(core, event.from)
    default: return false
  }
}

/** Enters a newer term: nobody voted for, no leader known, nothing of the new leader's log verified but what is committed. */
export const adoptTerm = (core: RaftCore, term: Term): void => {
  assert(term > core.term, `terms only grow: ${core.term} to ${term}`)
  const { isInstalling, incoming, chunkWrites } = core.following
  core.term = term
  core.vote = ''
  core.leader = ''
  core.following = createFollowing(core.commitIndex, chunkWrites)
  core.following.isInstalling = isInstalling
  if (isInstalling) core.following.incoming = incoming
  touchHardState(core)
  forgetRewrites(core)
}

/** Adopts the event's term when it binds and is newer. */
export const followTerm = (core: RaftCore, event: RaftEvent): void => {
  if (isNewerTerm(core, event)) adoptTerm(core, bindingTerm(core, event))
}
