/**
 * The leader's table of peers: who is in it, whose answers count, and what follows when one's match index moves.
 *
 * The table follows the configuration in force, so an answer of a removed replica finds no row. A peer counts only while it is trusted
 * (presentation.ts). Learners have a row, but the quorum functions never ask for it.
 */

import { advanceCommit } from './commit.ts'
import { lastIndexOf, termAt } from './log.ts'
import { isCurrent, isVoter } from './membership.ts'
import { isTrusted } from './presentation.ts'
import { becomeProbe, canSend, createProgress, noteAccepted } from './progress.ts'
import { maybeSendTimeoutNow } from './leadershipTransfer.ts'
import { noteCaughtUp } from './retention.ts'
import { configurationOf, peersOf, wantFlush } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Progress } from './progress.ts'
import type { Index } from './protocol.ts'
import type { RaftCore } from './state.ts'

/** The row of a peer whose answer counts: of this term, from a member, which has forgotten nothing. */
export const progressFor = (core: RaftCore, event: { readonly term: number, readonly from: ReplicaId }): Progress | undefined =>
  event.term === core.term && isTrusted(core, event.from) ? core.leading.progress.get(event.from) : undefined

/** A configuration was appended, or one was cut. */
export const membershipChanged = (core: RaftCore): void => {
  const configuration = configurationOf(core)
  refreshAccepted(core)
  if (core.role !== 'leader') return
  const { progress } = core.leading
  const peers = peersOf(core)
  for (const peer of progress.keys()) if (!peers.includes(peer)) progress.delete(peer)
  for (const peer of peers) if (!progress.has(peer)) progress.set(peer, createProgress(peer, lastIndexOf(core.log) + 1))
  for (const [peer, row] of progress) row.isLearner = !isVoter(configuration, peer)
  // What was written before there was a new replica is what it is behind.
  core.leading.writtenBytes = 0
}

/** Whoever has judged this start is never asked again (presentation.ts), also where it lost its place by an entry that was cut. */
const refreshAccepted = ({ presenting: { accepted, replaced }, membership: { configuration } }: RaftCore): void => {
  const move = (from: Set<ReplicaId>, to: Set<ReplicaId>, isCurrentNow: boolean): void => {
    for (const peer of from) {
      if (isCurrent(configuration, peer) !== isCurrentNow) continue
      from.delete(peer)
      to.add(peer)
    }
  }
  move(accepted, replaced, false)
  move(replaced, accepted, true)
}

/** A peer's durable log is known to reach `matchIndex`. */
export const noteMatch = (core: RaftCore, progress: Progress, matchIndex: Index): void => {
  noteAccepted(progress, matchIndex)
  if (progress.state === 'snapshot' && termAt(core.log, progress.matchIndex) !== undefined) {
    becomeProbe(progress, progress.matchIndex + 1)
  }
  advanceCommit(core)
  maybeSendTimeoutNow(core, progress)
  noteCaughtUp(core, progress)
  if (canSend(progress, core.limits) && (progress.state === 'probe' || progress.nextIndex <= lastIndexOf(core.log))) wantFlush(core)
}
