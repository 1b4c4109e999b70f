/** Elections: split votes, refusals of every kind, terms without a leader. */

import { defineSubject, isSameLife } from './mark.ts'
import type { VoteRefusal } from '../../actors/raft/protocol.ts'
import type { ReplicaView } from '../view.ts'

const refusals = {
  staleTerm: 'a vote was refused to a stale term',
  staleLog: 'a vote was refused to a stale log',
  votedForOther: 'a vote was refused because another had it',
  leaderAlive: 'a vote was refused because a leader was alive',
  freshlyStarted: 'a vote was refused by a member that had just started',
  notPresented: 'a vote was refused to a member that had not presented itself',
} as const satisfies Record<VoteRefusal, string>

export const elections = defineSubject('elections', [
  ...Object.values(refusals),
  'two candidates asked for votes in one term',
  'a candidate lost to a split vote',
  'a candidate stepped down for the leader of its own term',
  'a candidate met a newer term',
  'a pre-candidate gave up and left its term as it was',
  'a pre-vote could not be decided in time',
  'a term passed without a leader',
  'a leader was elected by a quorum of three',
  'a member came back with a vote that it had given',
], (hit) => {
  /** Who asked for real votes, and which terms had a leader, by shard and term. */
  const asked = new Map<string, Set<string>>()
  const led = new Set<string>()
  const termOf = ({ shard }: ReplicaView, term: number): string => `${shard} ${term}`

  const onCandidate = (view: ReplicaView, before: ReplicaView): void => {
    if (view.role === 'leader' || view.role === 'candidate') return
    const term = termOf(view, before.term)
    if (view.term > before.term) hit('a candidate met a newer term')
    else if (led.has(term)) hit('a candidate stepped down for the leader of its own term')
    else if ((asked.get(term)?.size ?? 0) > 1) hit('a candidate lost to a split vote')
  }
  const onLeader = (view: ReplicaView): void => {
    led.add(termOf(view, view.term))
    const previous = termOf(view, view.term - 1)
    if (asked.has(previous) && !led.has(previous)) hit('a term passed without a leader')
    if (view.voters.length === 5) hit('a leader was elected by a quorum of three')
  }
  return {
    onMail: ({ shard, from, message }) => {
      if (message.type === 'raft.voteRefused' || message.type === 'raft.preVoteRefused') hit(refusals[message.reason])
      if (message.type !== 'raft.requestVote') return
      const key = `${shard} ${message.term}`
      const candidates = asked.get(key) ?? new Set()
      asked.set(key, candidates.add(from))
      if (candidates.size > 1) hit('two candidates asked for votes in one term')
    },
    onLine: ({ what, details }) => {
      if (what === 'raft' && details.includes('role=preCandidate') && details.endsWith('the election was not decided')) {
        hit('a pre-vote could not be decided in time')
      }
    },
    onView: (view, before) => {
      if (!isSameLife(view, before)) {
        if (view.life > 1 && view.vote !== '') hit('a member came back with a vote that it had given')
        return
      }
      if (before.role === 'candidate') onCandidate(view, before)
      if (before.role === 'preCandidate' && view.role === 'follower' && view.term === before.term) {
        hit('a pre-candidate gave up and left its term as it was')
      }
      if (view.role === 'leader' && before.role !== 'leader') onLeader(view)
    },
  }
})
