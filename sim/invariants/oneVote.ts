/**
 * One vote a term (Raft, 5.2), across restarts: a replica grants its vote in a term to one candidate for ever,
 * and a leader has given its own to itself. A vote that was granted on the wire and forgotten on the disk shows
 * here as two grants.
 */

import type { Invariant, Problem } from '../view.ts'
import type { ReplicaId } from '../../topology/ids.ts'

export const createOneVote = (): Invariant => {
  const votes = new Map<string, ReplicaId>()
  const vote = (shard: number, term: number, ballot: { readonly voter: ReplicaId; readonly candidate: ReplicaId }): Problem => {
    const key = `${shard} ${term} ${ballot.voter}`
    const known = votes.get(key)
    if (known === undefined) votes.set(key, ballot.candidate)
    if (known === undefined || known === ballot.candidate) return null
    return `${ballot.voter} of shard ${shard} voted twice in term ${term}: for ${known} and for ${ballot.candidate}`
  }
  return {
    name: 'one vote a term across restarts',
    check: ({ shard, term, role, id }) => (role === 'leader' ? vote(shard, term, { voter: id, candidate: id }) : null),
    checkMail: ({ shard, from, to, message }) =>
      (message.type === 'raft.voteGranted' ? vote(shard, message.term, { voter: from, candidate: to }) : null),
  }
}
