/**
 * No acknowledgement before it is durable: whatever a replica said on the wire it still knows in its next life
 * (docs/TESTING.md T4, T6).
 *
 * A promise is a granted vote, an accepted append, an installed snapshot, or the leader's own share in a commit.
 * What a new life shows first is what its disk held. It may show more; it may show another log only where a
 * newer term has replaced it. Replicas on a damaged disk are excused: they answer for themselves by quarantine.
 */

import type { Index, Term } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant, Problem, ReplicaView, SentMail } from '../view.ts'
import type { GroupLedger } from '../ledger.ts'

interface Promised {
  /** The newest term it has shown to anybody. */
  term: Term
  voteTerm: Term
  vote: ReplicaId | ''
  /** Of the newest term in which it accepted anything: how far. */
  acceptedTerm: Term
  acceptedIndex: Index
}

/** By term: another leader's snapshot of the same index may have another length. */
const transferOf = (shard: number, from: ReplicaId, to: ReplicaId, { term, snapshotIndex }: Transfer): string =>
  `${shard} ${from} ${to} ${term} ${snapshotIndex}`

interface Transfer {
  readonly term: Term
  readonly snapshotIndex: Index
}

export const createPromisesKept = (): Invariant => {
  const promises = new Map<string, Promised>()
  /** Bytes of the snapshots that are sent: whoever says that it has all of them says that it is installed. */
  const totals = new Map<string, number>()
  const promisedBy = (shard: number, id: ReplicaId): Promised => {
    const key = `${shard} ${id}`
    const known = promises.get(key)
    if (known !== undefined) return known
    const fresh: Promised = { term: 0, voteTerm: 0, vote: '', acceptedTerm: 0, acceptedIndex: 0 }
    promises.set(key, fresh)
    return fresh
  }
  const accept = (promised: Promised, term: Term, index: Index): void => {
    promised.term = Math.max(promised.term, term)
    if (term > promised.acceptedTerm) {
      promised.acceptedTerm = term
      promised.acceptedIndex = index
    } else if (term === promised.acceptedTerm) promised.acceptedIndex = Math.max(promised.acceptedIndex, index)
  }
  const note = ({ shard, from, to, message }: SentMail): void => {
    if (message.type === 'raft.snapshotChunk') totals.set(transferOf(shard, from, to, message), message.totalBytes)
    const promised = promisedBy(shard, from)
    if (message.type === 'raft.appendAccepted') accept(promised, message.term, message.matchIndex)
    if (message.type === 'raft.snapshotAccepted' && message.nextOffset === totals.get(transferOf(shard, to, from, message))) {
      accept(promised, message.term, message.snapshotIndex)
    }
    if (message.type === 'raft.voteGranted') {
      promised.term = Math.max(promised.term, message.term)
      promised.voteTerm = message.term
      promised.vote = to
    }
  }
  return {
    name: 'no acknowledgement before it is durable',
    checkMail: (mail) => {
      note(mail)
      return null
    },
    check: (view) => {
      if (view.role === 'leader') accept(promisedBy(view.shard, view.id), view.term, view.matchIndex.get(view.id) ?? 0)
      return null
    },
    checkStart: (view, ledger) => (view.isDamaged ? null : checkKept(promisedBy(view.shard, view.id), view, ledger)),
  }
}

const checkKept = (promised: Promised, view: ReplicaView, ledger: GroupLedger): Problem => {
  const forgot = (what: string): string => `${view.id} of shard ${view.shard} forgot in life ${view.life}: ${what}`
  if (view.term < promised.term) return forgot(`it was in term ${promised.term} and starts in ${view.term}`)
  if (promised.voteTerm === view.term && promised.vote !== view.vote) {
    return forgot(`it voted for ${promised.vote} in term ${view.term} and remembers "${view.vote}"`)
  }
  if (promised.acceptedTerm === view.term && view.lastIndex < promised.acceptedIndex) {
    return forgot(`it accepted index ${promised.acceptedIndex} in term ${view.term}; its log ends at ${view.lastIndex}`)
  }
  return checkCommitted(promised, view, ledger)
}

/**
 * What it accepted and the cluster had committed by then is never replaced, whatever the term. An entry that was committed only by a
 * later leader says nothing: the log it accepted may legitimately have had another one there (figure 8 of the paper).
 */
const checkCommitted = (promised: Promised, view: ReplicaView, { lines }: GroupLedger): Problem => {
  for (let index = Math.min(promised.acceptedIndex, lines.length); index > view.snapshotIndex; index -= 1) {
    const committed = lines[index - 1]?.entry.term
    const held = view.entryAt(index)?.term
    if (held !== committed && committingTerm(lines, index) <= promised.acceptedTerm) {
      return `${view.id} of shard ${view.shard} accepted index ${index} of term ${committed ?? 0}, which is committed,`
        + ` and starts with ${held ?? 'nothing'} there`
    }
  }
  return null
}

/** A leader commits by counting an entry of its own term, the last of those that are committed together. */
const committingTerm = (lines: GroupLedger['lines'], index: Index): Term => {
  const at = lines[index - 1]?.committedAt
  let last = index
  while (lines[last]?.committedAt === at) last += 1
  return lines[last - 1]?.entry.term ?? 0
}
