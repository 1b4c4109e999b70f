/**
 * The leader's side of log replication (sections 5.3 and 5.5): proposals become entries, entries go to the peers and to the own
 * disk at the same time, answers move the peers' match indexes.
 *
 *   raft.propose ──▶ log ──raft.flush──▶ wal.append + raft.append to every peer ──▶ answers ──▶ commit
 *
 * Proposals of one turn of the event loop leave together, at its flush. Appends are pipelined: a peer whose log is known to match gets
 * the next before it has answered the last, within its window. An append lost is noticed by the gap the next one makes (a rejection)
 * or by silence (resendTicks), and answered by probing from the last index known to match.
 */

import { assert } from '../kernel/assert.ts'
import { mustWait, take } from './allowance.ts'
import { isToBeTimed, noteDelays } from './delays.ts'
import { submit } from './durability.ts'
import { appendEntry, bytesOf, entriesWithin, lastIndexOf, lastNotAbove, termAt } from './log.ts'
import { noteEntry } from './membership.ts'
import { membershipChanged, noteMatch, progressFor } from './peers.ts'
import { isTrusted } from './presentation.ts'
import { becomeProbe, canSend, noteSent } from './progress.ts'
import { notePromise } from './promises.ts'
import { EntryKind } from './protocol.ts'
import { startGatheredRound } from './readIndex.ts'
import { pump, retryTransfer, startTransfer } from './snapshotTransfer.ts'
import { send, wantFlush } from './state.ts'
import type { Received } from './presentation.ts'
import type { Progress } from './progress.ts'
import type { Entry, Index, ProposalRefusal, RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Local<Type extends RaftLocalEvent['type']> = Extract<RaftLocalEvent, { type: Type }>

/** The window of a learner is at least so many appends: its node does something else between two, and answers before it has them all. */
const LEARNER_APPENDS = 4

export const handlePropose = (core: RaftCore, { proposal, payload }: Local<'raft.propose'>): void => {
  const refusal = refusalOf(core, payload)
  if (refusal !== null) {
    core.effects.push({ type: 'raft.proposalRefused', proposal, reason: refusal })
    return
  }
  const index = appendOwn(core, EntryKind.batch, payload)
  core.effects.push({ type: 'raft.proposed', proposal, term: core.term, index })
  wantFlush(core)
}

const refusalOf = (core: RaftCore, payload: Uint8Array): ProposalRefusal | null => {
  const { leading, limits } = core
  if (leading.transfer !== null) return 'transferring'
  if (payload.length > limits.proposalBytesMax) return 'tooLarge'
  if (leading.uncommittedBytes > 0 && leading.uncommittedBytes + payload.length > limits.uncommittedBytesMax) return 'tooManyUncommitted'
  return null
}

export const refuseProposal = (core: RaftCore, { proposal }: Local<'raft.propose'>): void => {
  core.effects.push({ type: 'raft.proposalRefused', proposal, reason: 'notLeader' })
}

/** Appends an entry of the own term; it leaves with the next flush. */
export const appendOwn = (core: RaftCore, kind: EntryKind, payload: Uint8Array): Index => {
  const entry: Entry = { term: core.term, index: lastIndexOf(core.log) + 1, kind, payload }
  appendEntry(core.log, entry)
  core.leading.uncommittedBytes += bytesOf(entry)
  core.leading.writtenBytes += bytesOf(entry)
  core.leading.quietTicks = 0
  if (noteEntry(core.membership, entry)) membershipChanged(core)
  return entry.index
}

/** End of a turn: the disk and the peers get what was gathered, and reads their round. */
export const handleFlush = (core: RaftCore, { now }: Local<'raft.flush'>): void => {
  core.now = now
  submit(core)
  for (const progress of core.leading.progress.values()) {
    noteDelays(core, progress)
    if (progress.isLearner) pump(core, progress)
    sendAppends(core, progress)
  }
  startGatheredRound(core)
}

/** Sends what the peer lacks, as far as its window allows. */
export const sendAppends = (core: RaftCore, progress: Progress): void => {
  if (hasAll(core, progress) || !isTrusted(core, progress.id)) return
  while (canSend(progress, core.limits)) {
    const prevIndex = progress.nextIndex - 1
    const prevTerm = termAt(core.log, prevIndex)
    if (prevTerm === undefined) {
      startTransfer(core, progress)
      return
    }
    if (mustWait(core.allowance, progress)) return
    const isSilent = progress.state === 'probe' && progress.silentProbes > 1
    const entries = isSilent ? [] : entriesWithin(core.log, progress.nextIndex, appendBytesMax(core, progress))
    if (entries.length === 0 && progress.state === 'replicate') return
    const before = progress.inFlightBytes
    noteSent(progress, entries, core.now)
    if (progress.isLearner) take(core.allowance, progress.inFlightBytes - before)
    send(core, progress.id, {
      type: 'raft.append', term: core.term, prevTerm, prevIndex, commitIndex: core.commitIndex, entries,
    })
  }
}

/** A voter that was sent everything: what a flush for a read finds. Of a learner the allowance is to be told that nothing waits. */
const hasAll = ({ log }: RaftCore, { state, isLearner, nextIndex }: Progress): boolean =>
  state === 'replicate' && !isLearner && nextIndex > lastIndexOf(log)

const appendBytesMax = ({ limits }: RaftCore, { isLearner }: Progress): number =>
  (isLearner ? Math.min(limits.appendBytesMax, limits.learnerBytesInFlightMax / LEARNER_APPENDS) : limits.appendBytesMax)

export const handleAppendAccepted = (core: RaftCore, event: Received<'raft.appendAccepted'>): void => {
  const progress = progressFor(core, event)
  if (progress === undefined) return
  const lastIndex = lastIndexOf(core.log)
  assert(event.matchIndex <= lastIndex, `${event.from} matches ${event.matchIndex}; this leader's log ends at ${lastIndex}`)
  notePromise(core, event.from, { term: event.term, matchIndex: event.matchIndex })
  noteMatch(core, progress, event.matchIndex)
  if (isToBeTimed(progress)) wantFlush(core)
}

/**
 * The peer has no such entry before the append. Its hint is where its log may still agree with ours; the last of our entries at
 * or below it, of a term no newer, is the next guess: one round trip per term that differs, not per entry (end of section 5.3).
 */
export const handleAppendRejected = (core: RaftCore, event: Received<'raft.appendRejected'>): void => {
  const progress = progressFor(core, event)
  if (progress === undefined || progress.state === 'snapshot') return
  if (event.rejectedIndex <= progress.matchIndex) return
  if (progress.state === 'probe' && event.rejectedIndex !== progress.nextIndex - 1) return
  const guess = lastNotAbove(core.log, event.hintIndex, event.hintTerm).index
  const prevIndex = Math.max(progress.matchIndex, Math.min(guess, event.rejectedIndex - 1))
  becomeProbe(progress, prevIndex + 1)
  progress.silentProbes = 0
  wantFlush(core)
}

const isAwaited = ({ state, isAwaitingProbe, inFlight }: Progress): boolean =>
  state === 'snapshot' || isAwaitingProbe || inFlight.length > 0

/** Something may have to be sent again. */
export const isAnyAwaited = ({ leading }: RaftCore): boolean => {
  for (const progress of leading.progress.values()) if (isAwaited(progress)) return true
  return false
}

/** What was sent and not answered for a while is taken as lost. */
export const resendToSilent = (core: RaftCore, ticks: number): void => {
  for (const progress of core.leading.progress.values()) {
    progress.silentTicks += ticks
    if (progress.state === 'snapshot') {
      if (progress.silentTicks >= core.timing.snapshotRetryTicks) retryTransfer(core, progress)
      continue
    }
    if (!isAwaited(progress) || progress.silentTicks < core.timing.resendTicks) continue
    becomeProbe(progress, progress.state === 'probe' ? progress.nextIndex : progress.matchIndex + 1)
    progress.silentProbes += 1
    sendAppends(core, progress)
  }
}
