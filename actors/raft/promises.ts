/**
 * The memory of promises: what each peer has said to this member that it must never forget.
 *
 * Raft assumes that what a replica acknowledged is on its disk for ever. A disk that lied, or an old copy of a directory put
 * back, breaks that silently: the replica votes twice, or helps to elect a leader without a committed entry. Nobody can see that
 * alone, but whoever received the promise can (docs/adr/0005-presentation.md). So every member remembers, while it lives, and compares
 * when a peer presents itself.
 *
 * What a peer owes to whoever it promised, for the newest term T it has promised in:
 * - a hard state of term T or higher;
 * - at term T itself, the vote it gave there, and a log that reaches what it accepted from T's leader.
 * A higher term clears both: it may have voted again, and its new leader may have cut its log, legitimately.
 *
 * A presentation is itself a promise of its term and vote, but of its log only when the last entry is of that same term. An older
 * suffix may be cut by the leader of that very term: a replica that presents (term 5, entries up to 120 of term 4) may honestly come
 * back with (term 5, up to 110).
 */

import type { BootId, ReplicaId } from '../../topology/ids.ts'
import type { Index, Presentation, Term } from './protocol.ts'
import type { PeerPromise, RaftCore } from './state.ts'

/** Takes note of a promise; one of an older term says nothing any more. */
export const notePromise = (core: RaftCore, from: ReplicaId, said: { term: Term, vote?: ReplicaId | '', matchIndex?: Index }): void => {
  const known = promiseOf(core, from)
  if (said.term < known.term) return
  if (said.term > known.term) {
    known.term = said.term
    known.vote = ''
    known.matchIndex = 0
  }
  if (said.vote !== undefined && said.vote !== '') known.vote = said.vote
  known.matchIndex = Math.max(known.matchIndex, said.matchIndex ?? 0)
}

export const isRefused = (core: RaftCore, replica: ReplicaId): boolean => core.promises.get(replica)?.refused !== undefined

/**
 * Sent by another process than the one that was accepted last. Two live under one name, or one is over and its mail came late: either way
 * the promise is not of the directory whose promises are remembered. Where one of the two is not known, nobody is suspected.
 */
export const isOfAnotherProcess = (core: RaftCore, mail: { readonly from: ReplicaId; readonly boot?: BootId }): boolean => {
  const accepted = core.promises.get(mail.from)?.boot
  return accepted !== undefined && mail.boot !== undefined && mail.boot !== accepted
}

/** Presented again while it lives: its promises since then are newer than what it started with. */
export const isAcceptedStart = (core: RaftCore, replica: ReplicaId, incarnation: number): boolean =>
  promiseOf(core, replica).incarnation === incarnation

/** Compares and remembers, for a start that is known to live: false when it has forgotten something, which is final for that start. */
export const acceptsPresentation = (core: RaftCore, from: ReplicaId, presented: Presentation): boolean => {
  const known = promiseOf(core, from)
  if (isBelow(presented, known)) {
    known.refused = presented.incarnation
    return false
  }
  known.refused = undefined
  known.incarnation = presented.incarnation
  const matchIndex = presented.lastTerm === presented.term ? presented.lastIndex : 0
  notePromise(core, from, { term: presented.term, vote: presented.vote, matchIndex })
  return true
}

const isBelow = (presented: Presentation, promised: PeerPromise): boolean => {
  if (presented.term !== promised.term) return presented.term < promised.term
  return presented.lastIndex < promised.matchIndex || (promised.vote !== '' && presented.vote !== promised.vote)
}

export const promiseOf = (core: RaftCore, replica: ReplicaId): PeerPromise => {
  const known = core.promises.get(replica)
  if (known !== undefined) return known
  const fresh: PeerPromise = { term: 0, vote: '', matchIndex: 0, incarnation: undefined, boot: undefined, claim: null, refused: undefined }
  core.promises.set(replica, fresh)
  return fresh
}
