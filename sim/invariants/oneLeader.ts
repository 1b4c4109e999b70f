/**
 * Election safety (Raft, figure 3): at most one leader in a term, over all lives of all replicas. Judged by what
 * replicas believe and by what they send: an append or a heartbeat is a claim to lead.
 */

import type { Invariant, Problem } from '../view.ts'
import type { ReplicaId } from '../../topology/ids.ts'

export const createOneLeader = (): Invariant => {
  const leaders = new Map<string, ReplicaId>()
  const claim = (shard: number, term: number, replica: ReplicaId): Problem => {
    const key = `${shard} ${term}`
    const known = leaders.get(key)
    if (known === undefined) leaders.set(key, replica)
    return known === undefined || known === replica ? null : `shard ${shard} has two leaders in term ${term}: ${known} and ${replica}`
  }
  return {
    name: 'at most one leader a term',
    check: ({ shard, term, role, id }) => (role === 'leader' ? claim(shard, term, id) : null),
    checkMail: ({ shard, from, message }) => {
      switch (message.type) {
        case 'raft.append':
        case 'raft.heartbeat':
        case 'raft.snapshotChunk':
        case 'raft.timeoutNow': return claim(shard, message.term, from)
        default: return null
      }
    },
  }
}
