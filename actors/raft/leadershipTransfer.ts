/**
 * Handing leadership over (thesis 3.10): no new proposals, let the chosen peer catch up, then tell it to campaign at once.
 *
 * The transfer ends when the peer's term arrives, or after a maximum election timeout, when proposals are taken again. The peer's vote
 * requests say that they are a transfer, so that voters do not stick to this leader. That breaks the promise the read lease is built
 * on. TimeoutNow may be delivered long after the transfer was given up, so from the moment it is sent no lease holds in this term
 * (test: "a lease stays void after an aborted transfer, because TimeoutNow may still arrive").
 */

import { canElect } from './diskQuorum.ts'
import { lastIndexOf } from './log.ts'
import { isVoter } from './membership.ts'
import { isTrusted } from './presentation.ts'
import { configurationOf, send } from './state.ts'
import type { Progress } from './progress.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

export const handleTransferLeadership = (core: RaftCore, { to }: Extract<RaftLocalEvent, { type: 'raft.transferLeadership' }>): void => {
  if (core.leading.transfer !== null) return
  const progress = core.leading.progress.get(to)
  if (progress === undefined || !isVoter(configurationOf(core), to) || !isTrusted(core, to)) {
    abort(core)
    return
  }
  core.leading.transfer = { to, ticks: 0, isSent: false }
  maybeSendTimeoutNow(core, progress)
}

/** The peer has everything this leader will ever append before it steps down, and others can write their votes (diskQuorum.ts). */
export const maybeSendTimeoutNow = (core: RaftCore, progress: Progress): void => {
  const { transfer } = core.leading
  if (transfer?.to !== progress.id || transfer.isSent || progress.matchIndex < lastIndexOf(core.log)) return
  if (!canElect(core)) return
  transfer.isSent = true
  core.leading.isLeaseVoid = true
  send(core, progress.id, { type: 'raft.timeoutNow', term: core.term })
}

export const tickTransfer = (core: RaftCore, ticks: number): void => {
  const { transfer } = core.leading
  if (transfer === null) return
  transfer.ticks += ticks
  if (transfer.ticks > core.timing.electionTicksMax) abort(core)
}

/** Whoever asked for the transfer has stopped sending proposals, and must know that it may go on. */
const abort = (core: RaftCore): void => {
  core.leading.transfer = null
  core.effects.push({ type: 'raft.transferAborted', term: core.term })
}
