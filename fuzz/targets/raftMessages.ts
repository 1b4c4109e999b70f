/** A drawn message of every kind that members of a Raft group send. */

import { between, chance } from '../../actors/kernel/random.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import { drawBytes, drawU32, drawWhole, one } from '../draw.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Entry, RaftMessage, VoteRefusal } from '../../actors/raft/protocol.ts'

const voteRefusals: readonly VoteRefusal[] = ['staleTerm', 'staleLog', 'votedForOther', 'leaderAlive', 'freshlyStarted', 'notPresented']

/** Indexes without a gap, terms that never fall nor pass the message's. */
const drawAppend = (random: Random): RaftMessage => {
  const prevTerm = between(random, 0, 5)
  const prevIndex = drawWhole(random) % 1_000_000
  let term = prevTerm
  const entries = Array.from({ length: between(random, 0, 5) }, (_, i): Entry => {
    term += between(random, 0, 2)
    return { term, index: prevIndex + 1 + i, kind: one(random, Object.values(EntryKind)), payload: drawBytes(random, 50) }
  })
  return { type: 'raft.append', term: term + between(random, 0, 2), prevTerm, prevIndex, commitIndex: drawWhole(random), entries }
}

const drawChunk = (random: Random): RaftMessage => {
  const bytes = drawBytes(random, 80)
  const offset = between(random, 0, 100_000)
  return {
    type: 'raft.snapshotChunk', term: drawWhole(random), snapshotTerm: drawWhole(random), snapshotIndex: drawWhole(random), offset,
    totalBytes: offset + bytes.length + between(random, 0, 1_000), crc: drawU32(random), bytes,
  }
}

const kinds: readonly ((random: Random) => RaftMessage)[] = [
  (r) => ({ type: 'raft.requestPreVote', term: drawWhole(r), lastTerm: drawWhole(r), lastIndex: drawWhole(r) }),
  (r) => ({ type: 'raft.preVoteGranted', term: drawWhole(r) }),
  (r) => ({ type: 'raft.preVoteRefused', term: drawWhole(r), reason: one(r, voteRefusals) }),
  (r) => ({ type: 'raft.requestVote', term: drawWhole(r), lastTerm: drawWhole(r), lastIndex: drawWhole(r), transfer: chance(r, 0.5) }),
  (r) => ({ type: 'raft.voteGranted', term: drawWhole(r), wallMs: drawWhole(r) }),
  (r) => ({ type: 'raft.voteRefused', term: drawWhole(r), reason: one(r, voteRefusals) }),
  drawAppend,
  drawAppend,
  (r) => ({ type: 'raft.appendAccepted', term: drawWhole(r), matchIndex: drawWhole(r) }),
  (r) => ({
    type: 'raft.appendRejected', term: drawWhole(r), rejectedIndex: drawWhole(r), hintIndex: drawWhole(r), hintTerm: drawWhole(r),
  }),
  (r) => ({ type: 'raft.heartbeat', term: drawWhole(r), commitIndex: drawWhole(r), round: drawWhole(r) }),
  (r) => ({ type: 'raft.heartbeatAcked', term: drawWhole(r), round: drawWhole(r), diskStalled: chance(r, 0.5) }),
  drawChunk,
  (r) => ({ type: 'raft.snapshotAccepted', term: drawWhole(r), snapshotIndex: drawWhole(r), nextOffset: drawWhole(r) }),
  (r) => ({
    type: 'raft.snapshotRefused', term: drawWhole(r), snapshotIndex: drawWhole(r), reason: one(r, ['older', 'damaged', 'noSpace'] as const),
  }),
  (r) => ({ type: 'raft.timeoutNow', term: drawWhole(r) }),
  (r) => ({
    type: 'raft.present', incarnation: drawU32(r), term: drawWhole(r),
    vote: chance(r, 0.5) ? '' : replicaId(nodeId('n3'), between(r, 1, 9)), lastTerm: drawWhole(r), lastIndex: drawWhole(r),
  }),
  (r) => ({ type: 'raft.presentAccepted', incarnation: drawU32(r) }),
  (r) => ({ type: 'raft.presentRefused', incarnation: drawU32(r), term: drawWhole(r), index: drawWhole(r) }),
  (r) => ({ type: 'raft.presentChallenged', incarnation: drawU32(r), challenge: drawU32(r) }),
  (r) => ({ type: 'raft.presentConfirmed', incarnation: drawU32(r), challenge: drawU32(r) }),
]

export const drawRaftMessage = (random: Random): RaftMessage => one(random, kinds)(random)
