/**
 * Elections (section 5.2), asked for twice: a pre-vote that changes nobody's term, then the vote itself (thesis 9.6).
 *
 * Who is refused, and why (both kinds):
 *   staleTerm       the asker's term is over; the refusal tells it the newer one
 *   staleLog        the asker's log is behind (section 5.4.1): it may lack a committed entry
 *   votedForOther   one vote a term
 *   leaderAlive     a leader was heard within the minimum election timeout, or is this member; not when that leader asked for it
 *   freshlyStarted  this member has forgotten whom it promised to stick to; it waits for one maximum election timeout
 *   notPresented    this member has first to be accepted by the asker (presentation.ts)
 * The last two pass by themselves, so the asker does not count them and asks again.
 *
 * A vote leaves when it is durable, and so do the candidate's own vote and its requests: a candidate that asked, crashed and came back
 * with a shorter log could otherwise win by votes for the longer one. A learner answers like everybody: it may be a voter in a
 * configuration it has not received yet (thesis 4.2.2).
 *
 * A member whose state is still being loaded from a snapshot votes like any other, but would serve nothing as leader until it has it, which
 * is seconds for a big one. So it lets the others go first: it does not take over at its leader's word, and waits longer before it stands.
 */

import { touchHardState } from './durability.ts'
import { lastIndexOf, lastTermOf } from './log.ts'
import { isVoter } from './membership.ts'
import { isAcceptedBy, isTrusted, presentTo, tellRefused } from './presentation.ts'
import { isRefused, notePromise } from './promises.ts'
import { voteResult } from './quorum.ts'
import { configurationOf, isSelfVoter, send, waitedIn } from './state.ts'
import { isFresh, isLeaderAlive } from './term.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Received } from './presentation.ts'
import type { Index, RaftEvent, RaftLocalEvent, Term, VoteRefusal } from './protocol.ts'
import type { RaftCore, Vote } from './state.ts'

type Tick = Extract<RaftLocalEvent, { type: 'tick' }>
type RequestPreVote = Received<'raft.requestPreVote'>
type RequestVote = Received<'raft.requestVote'>

/** Time for an election once these ticks have passed. Not while a snapshot is taking force: the log is about to be replaced. */
export const isElectionDue = (core: RaftCore, { ticks }: Tick): boolean =>
  core.electionTicks + ticks >= electionDueAt(core) && core.freshTicks <= waitedIn(core, ticks) && isSelfVoter(core)
  && !core.following.isInstalling

/** So many ticks after the election timer was reset. Whoever lets others go first waits longer than the longest timeout that they draw. */
export const electionDueAt = (core: RaftCore): number =>
  core.electionTimeout + (letsOthersGoFirst(core) ? core.timing.electionTicksMax : 0)

/**
 * Not for ever, since all of them may be loading. Nor before it has heard a leader in this life: where all were started together, nobody
 * is ready, and the first election is not put off (test: "Members that all load their state elect as soon as others").
 */
const letsOthersGoFirst = ({ role, isRestoring, ticksSinceLeader }: RaftCore): boolean =>
  role === 'follower' && isRestoring && ticksSinceLeader < Number.POSITIVE_INFINITY

/** May take over at its leader's word. */
export const maySucceed = (core: RaftCore, { from, term }: Received<'raft.timeoutNow'>): boolean =>
  term === core.term && from === core.leader && isSelfVoter(core) && !isFresh(core) && !core.following.isInstalling && !core.isRestoring

export const hasWon = (core: RaftCore): boolean => resultOf(core) === 'won'

export const hasLost = (core: RaftCore): boolean => resultOf(core) === 'lost'

const resultOf = (core: RaftCore): 'won' | 'lost' | 'pending' =>
  voteResult(configurationOf(core), (voter) => (isRefused(core, voter) ? false : core.campaign.votes.get(voter)?.isGranted))

/** Asks every voter that has not answered. */
export const askForVotes = (core: RaftCore): void => {
  const { campaign, term } = core
  campaign.silentTicks = 0
  const { voters, outgoing } = configurationOf(core)
  const log = { lastTerm: lastTermOf(core.log), lastIndex: lastIndexOf(core.log) }
  for (const voter of new Set([...voters, ...outgoing])) {
    if (voter === core.self || campaign.votes.has(voter)) continue
    if (isRefused(core, voter)) tellRefused(core, voter)
    else if (!isAcceptedBy(core, voter)) presentTo(core, voter)
    else if (core.role === 'candidate') send(core, voter, { type: 'raft.requestVote', term, ...log, transfer: campaign.isTransfer })
    else send(core, voter, { type: 'raft.requestPreVote', term: term + 1, ...log })
  }
}

/** The candidate's own vote is on disk, and with it every entry its requests speak of: now it may ask. */
export const countOwnVote = (core: RaftCore): void => {
  if (!core.durability.isHardStateDurable || core.campaign.votes.has(core.self)) return
  countSelf(core)
  askForVotes(core)
}

export const countSelf = (core: RaftCore): void => {
  core.campaign.votes.set(core.self, { isGranted: true, wallAheadMs: core.wallAheadMs })
}

export const tickCampaign = (core: RaftCore, ticks: number): void => {
  core.campaign.silentTicks += ticks
  if (core.campaign.silentTicks < core.timing.heartbeatTicks || !core.campaign.votes.has(core.self)) return
  askForVotes(core)
}

export const handlePreVoteGranted = (core: RaftCore, { from, term }: Received<'raft.preVoteGranted'>): void => {
  if (term === core.term + 1) countVote(core, from, { isGranted: true, wallAheadMs: 0 })
}

export const handlePreVoteRefused = (core: RaftCore, { from, term, reason }: Received<'raft.preVoteRefused'>): void => {
  if (term === core.term + 1 && isFinal(reason)) countVote(core, from, { isGranted: false, wallAheadMs: 0 })
}

/** Also as leader: a vote that comes late brings its voter's clock (wallClocks.ts). */
export const handleVoteGranted = (core: RaftCore, { from, term, wallMs }: Received<'raft.voteGranted'>): void => {
  if (term !== core.term) return
  notePromise(core, from, { term, vote: core.self })
  countVote(core, from, { isGranted: true, wallAheadMs: wallMs - core.now })
}

export const handleVoteRefused = (core: RaftCore, { from, term, reason }: Received<'raft.voteRefused'>): void => {
  if (term === core.term && isFinal(reason)) countVote(core, from, { isGranted: false, wallAheadMs: 0 })
}

const isFinal = (reason: VoteRefusal): boolean => reason !== 'freshlyStarted' && reason !== 'notPresented'

const countVote = (core: RaftCore, from: ReplicaId, vote: Vote): void => {
  if (!isVoter(configurationOf(core), from) || !isTrusted(core, from) || core.campaign.votes.has(from)) return
  core.campaign.votes.set(from, vote)
}

export const answerPreVote = (core: RaftCore, event: RequestPreVote): void => {
  const { from, term } = event
  const refusal = preVoteRefusal(core, event)
  if (refusal === null) send(core, from, { type: 'raft.preVoteGranted', term })
  else send(core, from, { type: 'raft.preVoteRefused', term: refusal === 'staleTerm' ? core.term : term, reason: refusal })
}

const preVoteRefusal = (core: RaftCore, { term, lastTerm, lastIndex }: RequestPreVote): VoteRefusal | null => {
  if (term <= core.term) return 'staleTerm'
  if (isFresh(core)) return 'freshlyStarted'
  if (isLeaderAlive(core)) return 'leaderAlive'
  return isUpToDate(core, lastTerm, lastIndex) ? null : 'staleLog'
}

export const answerVote = (core: RaftCore, event: RequestVote): void => {
  const { from, term } = event
  const refusal = voteRefusal(core, event)
  if (refusal !== null) {
    send(core, from, { type: 'raft.voteRefused', term: refusal === 'staleTerm' ? core.term : term, reason: refusal })
    return
  }
  if (core.vote === '') {
    core.vote = from
    core.electionTicks = 0
    touchHardState(core)
  }
  core.following.owesVote = true
  sendDurableVote(core)
}

/** A request of a newer term that was heeded has been made the own term before this (term.ts). */
const voteRefusal = (core: RaftCore, { from, term, lastTerm, lastIndex }: RequestVote): VoteRefusal | null => {
  if (term < core.term) return 'staleTerm'
  if (isFresh(core)) return 'freshlyStarted'
  if (term > core.term) return 'leaderAlive'
  if (core.vote === from) return null
  if (core.vote !== '' || core.leader !== '') return 'votedForOther'
  return isUpToDate(core, lastTerm, lastIndex) ? null : 'staleLog'
}

const isUpToDate = (core: RaftCore, lastTerm: Term, lastIndex: Index): boolean => {
  const ownTerm = lastTermOf(core.log)
  return lastTerm > ownTerm || (lastTerm === ownTerm && lastIndex >= lastIndexOf(core.log))
}

/** Sends the vote that is owed, if it is on disk. */
export const sendDurableVote = (core: RaftCore): void => {
  const { following, vote, term, wallMs } = core
  if (!following.owesVote || vote === '' || !isAcceptedBy(core, vote) || !core.durability.isHardStateDurable) return
  following.owesVote = false
  send(core, vote, { type: 'raft.voteGranted', term, wallMs })
}

/** To be promised anything, an asker must know this member first. */
export const presentFirst = (core: RaftCore, event: RaftEvent): void => {
  if (!('from' in event && 'term' in event)) return
  const { from, term } = event
  presentTo(core, from)
  if (event.type === 'raft.requestPreVote') send(core, from, { type: 'raft.preVoteRefused', term, reason: 'notPresented' })
  if (event.type === 'raft.requestVote') send(core, from, { type: 'raft.voteRefused', term, reason: 'notPresented' })
}
