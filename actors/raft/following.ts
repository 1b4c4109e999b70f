/**
 * The follower's side of log replication (section 5.3).
 *
 * `verifiedIndex` is how far this log is known to equal the leader's. Only that much may be accepted, and only that much may be
 * committed, whatever commit index a message carries: what lies behind it may be an older leader's leftovers.
 *
 * An acceptance leaves when it is durable: entries after their fsync, and the term itself before the first acceptance in it. One
 * acceptance may answer many appends. A rejection promises nothing and leaves at once.
 */

import { assert } from '../kernel/assert.ts'
import { announce } from './announce.ts'
import { commitTo } from './commit.ts'
import { noteRewritten } from './durability.ts'
import { appendEntry, lastIndexOf, lastNotAbove, termAt, truncateFrom } from './log.ts'
import { forgetFrom, noteEntry } from './membership.ts'
import { membershipChanged } from './peers.ts'
import { knownTermAt, send } from './state.ts'
import { resetElectionTimer } from './timers.ts'
import { noteMark } from './upToDate.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import { isAcceptedBy } from './presentation.ts'
import type { Received } from './presentation.ts'
import type { Entry, Index, Term } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Append = Received<'raft.append'>

export const handleAppend = (core: RaftCore, event: Append): void => {
  if (event.term < core.term) {
    reject(core, event)
    return
  }
  hearLeader(core, event.from)
  noteMark(core, event.commitIndex)
  if (core.following.isInstalling) return
  const { prevIndex, prevTerm, entries } = withoutCommitted(core, event)
  if (termAt(core.log, prevIndex) !== prevTerm) {
    assert(prevIndex > core.commitIndex, `the leader's log has committed entry ${prevIndex} as this one`)
    reject(core, event)
    return
  }
  const { following } = core
  store(core, entries)
  following.verifiedIndex = Math.max(following.verifiedIndex, prevIndex + entries.length)
  following.owesAnswer = true
  followCommit(core, event.commitIndex)
  answerAppend(core)
}

/**
 * The leader of this term is alive. A timeout drawn before it was known may be that of a start or of many failed elections, and is drawn
 * anew, or a member that never campaigns would wait as long when this leader dies (test: "a member that has heard a leader ...").
 */
export const hearLeader = (core: RaftCore, from: ReplicaId): void => {
  core.electionTicks = 0
  core.ticksSinceLeader = 0
  core.elections = 0
  if (core.leader === from) return
  assert(core.leader === '', `term ${core.term} has one leader: ${core.leader}, not ${from}`)
  core.leader = from
  resetElectionTimer(core)
  core.reason = 'a leader is heard'
  announce(core)
}

interface Placement {
  readonly prevIndex: Index
  readonly prevTerm: Term
  readonly entries: readonly Entry[]
}

/** What is committed is in every leader's log already (section 5.4): an old append is looked at only from there on. */
const withoutCommitted = (core: RaftCore, { prevIndex, prevTerm, entries }: Append): Placement => {
  const skipped = core.commitIndex - prevIndex
  if (skipped <= 0) return { prevIndex, prevTerm, entries }
  const last = entries[skipped - 1]
  if (last === undefined) return { prevIndex: core.commitIndex, prevTerm: knownTermAt(core, core.commitIndex), entries: [] }
  assert(last.term === knownTermAt(core, last.index), `committed entry ${last.index} is never overwritten`)
  return { prevIndex: last.index, prevTerm: last.term, entries: entries.slice(skipped) }
}

/** Appends what is missing; the first entry that conflicts, and all after it, are an older leader's and go. */
const store = (core: RaftCore, entries: readonly Entry[]): void => {
  let isChanged = false
  for (const entry of entries) {
    const term = termAt(core.log, entry.index)
    if (term === entry.term) continue
    if (term !== undefined) isChanged = cutFrom(core, entry.index) || isChanged
    appendEntry(core.log, entry)
    isChanged = noteEntry(core.membership, entry) || isChanged
  }
  if (isChanged) membershipChanged(core)
}

const cutFrom = (core: RaftCore, index: Index): boolean => {
  assert(index > core.commitIndex, `entry ${index} is committed and is never cut; commit is ${core.commitIndex}`)
  assert(index > core.following.verifiedIndex, `entry ${index} is the leader's own; verified up to ${core.following.verifiedIndex}`)
  truncateFrom(core.log, index)
  noteRewritten(core, index)
  return forgetFrom(core.membership, index)
}

/** The hint: the last entry at or before the refused one whose term the leader's log may still have there. */
const reject = (core: RaftCore, { from, prevIndex, prevTerm }: Append): void => {
  const hint = lastNotAbove(core.log, Math.min(prevIndex, lastIndexOf(core.log)), prevTerm)
  const hintIndex = Math.max(hint.index, core.commitIndex)
  send(core, from, {
    type: 'raft.appendRejected', term: core.term, rejectedIndex: prevIndex, hintIndex, hintTerm: knownTermAt(core, hintIndex),
  })
}

/** Accepts what is verified and durable, once it is worth saying. */
export const answerAppend = (core: RaftCore): void => {
  const { following, durability } = core
  // What was taken before the presentation was renewed is promised when the leader has accepted that.
  if (core.leader === '' || !isAcceptedBy(core, core.leader) || !durability.isHardStateDurable) return
  const matchIndex = Math.min(following.verifiedIndex, durability.durableIndex)
  const isComplete = matchIndex === following.verifiedIndex
  if (!(following.owesAnswer && isComplete) && matchIndex <= following.answeredIndex) return
  if (isComplete) following.owesAnswer = false
  following.answeredIndex = matchIndex
  send(core, core.leader, { type: 'raft.appendAccepted', term: core.term, matchIndex })
}

const followCommit = (core: RaftCore, leaderCommit: Index): void => {
  const index = Math.min(leaderCommit, core.following.verifiedIndex)
  if (index > core.commitIndex) commitTo(core, index)
}

/** A learner that is loading its state asks not to be counted on yet: as a voter it could serve nothing. A voter counts all the same. */
const isNotToBeCounted = ({ isDiskStalled, isRestoring, role }: RaftCore): boolean => isDiskStalled || (isRestoring && role === 'learner')

export const handleHeartbeat = (core: RaftCore, event: Received<'raft.heartbeat'>): void => {
  if (event.term === core.term) {
    hearLeader(core, event.from)
    followCommit(core, event.commitIndex)
  }
  send(core, event.from, { type: 'raft.heartbeatAcked', term: core.term, round: event.round, diskStalled: isNotToBeCounted(core) })
}
