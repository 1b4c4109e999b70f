/**
 * The leader's side of a snapshot transfer: a peer needs entries that the log no longer has, so it gets the newest stored snapshot, in
 * acknowledged, checksummed chunks (section 7).
 *
 *   needs old entries ──▶ raft.readChunk ──disk──▶ raft.snapshotChunk ──▶ peer writes ──▶ raft.snapshotAccepted ──▶ next chunks
 *                             (a window of a few)                                          (the total: installed)
 *
 * The window slides over acknowledged bytes. A gap makes the peer repeat what it has, and the transfer goes back there once;
 * silence makes it go back as well, and start anew when that was in vain. A transfer that began goes on with the same file even
 * when newer snapshots are stored: its file is kept, and the log behind it (retention.ts). When the file is gone after all, the peer is
 * probed again and gets the newest.
 *
 * A peer that finds damaged what it got is sent the newest snapshot if that is another one; else this member looks at its own file first,
 * and has another written where that is what is damaged (ownSnapshot.ts). Each time in a row the pause before the next attempt is twice as
 * long: where the damage is on the way, or at the peer, a whole snapshot is sent in vain.
 *
 * The last byte is acknowledged when the peer has verified the whole and it is in force, which takes as long as that takes. Meanwhile the
 * end is sent again and again, and the peer answers that it has it. As long as it answers, nothing is begun anew.
 *
 * A transfer to a voter that advances counts as progress of the leader (checkQuorum.ts). Otherwise:
 * 1. Of three members one is dead and one needs a snapshot that takes longer than commitStallElections maximum election timeouts.
 * 2. Nothing commits until it is there, so the leader steps down; the next one begins the transfer anew, and steps down in turn.
 * 3. The group never commits again (test: "A leader whose quorum waits for a long transfer stays leader ...").
 * One to a learner does not: nothing waits for it, and it would keep a leader in office whose own disk hangs.
 */

import { assert } from '../kernel/assert.ts'
import { mustWait, take } from './allowance.ts'
import { isToBeTimed } from './delays.ts'
import { askForAnother, doubtSnapshot, isNewest } from './ownSnapshot.ts'
import { noteMatch, progressFor } from './peers.ts'
import { isTrusted } from './presentation.ts'
import { becomeProbe, becomeSnapshot } from './progress.ts'
import { notePromise } from './promises.ts'
import { keepFor } from './retention.ts'
import { send, wantFlush } from './state.ts'
import type { Received } from './presentation.ts'
import type { Progress, SnapshotTransfer } from './progress.ts'
import type { Index, RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Local<Type extends RaftLocalEvent['type']> = Extract<RaftLocalEvent, { type: Type }>

/** In retries: with the defaults a second, and at most sixteen. */
const PAUSE_MAX = 16

const pauseAfter = (damagedSnapshots: number): number =>
  (damagedSnapshots === 0 ? 0 : Math.min(PAUSE_MAX, 2 ** (damagedSnapshots - 1)))

export const startTransfer = (core: RaftCore, progress: Progress): void => {
  const { snapshot } = core
  assert(snapshot !== null && snapshot.index >= core.log.base.index, 'what the log no longer has is in a stored snapshot')
  becomeSnapshot(progress, {
    ...snapshot, requestedBytes: 0, acknowledgedBytes: 0, wasSent: false, rewoundBytes: -1, retries: 0, asked: [],
    pause: pauseAfter(progress.damagedSnapshots),
  })
  keepFor(core, progress, snapshot.totalBytes)
  pump(core, progress)
}

/** More of the log would have to be kept than may be: the newest snapshot instead, at once or when the log proves too short. */
export const giveUpKept = (core: RaftCore, progress: Progress): void => {
  progress.keptBytesMax = 0
  if (progress.transfer !== null) startTransfer(core, progress)
}

/** A lost snapshot was written anew, or a newer one: whoever was sent it, or waits for it, gets that, at once. */
export const replaceTransfers = (core: RaftCore, lostIndex: Index): void => {
  for (const progress of core.leading.progress.values()) {
    if (progress.transfer?.index !== lostIndex) continue
    progress.damagedSnapshots = 0
    startTransfer(core, progress)
  }
}

/**
 * Asks the disk for chunks as far as the window allows, and the allowance of a learner. Of one that did not answer last time a
 * chunk is enough to hear whether it is back: a window of them, again and again, would be taken from those that listen.
 */
export const pump = (core: RaftCore, progress: Progress): void => {
  const { transfer } = progress
  if (transfer === null || transfer.pause > 0 || !isTrusted(core, progress.id)) return
  if (core.snapshotDoubt === 'lost' && isNewest(core, transfer)) return
  const { chunkBytesMax, chunksInFlightMax } = core.limits
  const chunksMax = progress.isLearner && transfer.retries > 0 ? 1 : chunksInFlightMax
  const end = Math.min(transfer.totalBytes, transfer.acknowledgedBytes + chunkBytesMax * chunksMax)
  while (transfer.requestedBytes < end) {
    if (mustWait(core.allowance, progress)) return
    const offset = transfer.requestedBytes
    const lengthMax = Math.min(chunkBytesMax, transfer.totalBytes - offset)
    if (progress.isLearner) take(core.allowance, lengthMax)
    core.effects.push({
      type: 'raft.readChunk', to: progress.id, snapshotIndex: transfer.index, snapshotTerm: transfer.term, offset, lengthMax,
    })
    transfer.requestedBytes += lengthMax
    transfer.wasSent ||= transfer.requestedBytes === transfer.totalBytes
    transfer.asked.push({ endOffset: transfer.requestedBytes, sentAt: core.now })
  }
}

/** The transfer that an event is about, if it is still the one under way. */
const transferOf = (progress: Progress | undefined, snapshotIndex: number): SnapshotTransfer | null =>
  progress?.transfer?.index === snapshotIndex ? progress.transfer : null

export const handleChunkRead = (core: RaftCore, event: Local<'raft.chunkRead'>): void => {
  const transfer = transferOf(core.leading.progress.get(event.to), event.snapshotIndex)
  if (transfer === null || !isTrusted(core, event.to)) return
  const { offset, crc, bytes } = event
  send(core, event.to, {
    type: 'raft.snapshotChunk', term: core.term, snapshotTerm: transfer.term, snapshotIndex: transfer.index,
    offset, totalBytes: transfer.totalBytes, crc, bytes,
  })
}

/**
 * The file is gone, or its disk does not give it. Probing again finds the newest one; after the time of a lost append, so that a broken
 * disk is not asked in a loop.
 */
export const handleChunkReadFailed = (core: RaftCore, event: Local<'raft.chunkReadFailed'>): void => {
  const progress = core.leading.progress.get(event.to)
  if (progress === undefined || transferOf(progress, event.snapshotIndex) === null) return
  if (isNewest(core, { index: event.snapshotIndex })) doubtSnapshot(core)
  becomeProbe(progress, progress.nextIndex)
  progress.isAwaitingProbe = true
}

export const handleSnapshotAccepted = (core: RaftCore, event: Received<'raft.snapshotAccepted'>): void => {
  const progress = progressFor(core, event)
  if (progress === undefined) return
  if (isInstalled(progress, event)) {
    noteInstalled(core, progress, event)
    return
  }
  const transfer = transferOf(progress, event.snapshotIndex)
  if (transfer === null) return
  if (event.nextOffset > transfer.acknowledgedBytes) {
    noteAcknowledged(progress, transfer, event.nextOffset)
    transfer.requestedBytes = Math.max(transfer.requestedBytes, event.nextOffset)
    transfer.retries = 0
    progress.silentTicks = 0
    if (!progress.isLearner) core.leading.stalledTicks = 0
  } else if (event.nextOffset === transfer.acknowledgedBytes) noteStillThere(transfer)
  if (isToBeTimed(progress)) wantFlush(core)
  else pump(core, progress)
}

/** Of the transfer under way, or of one that was given up for another too early. */
const isInstalled = ({ transfer, earlier }: Progress, { snapshotIndex, nextOffset }: Received<'raft.snapshotAccepted'>): boolean =>
  [transfer, earlier].some((sent) => sent?.index === snapshotIndex && sent.totalBytes === nextOffset)

const noteInstalled = (core: RaftCore, progress: Progress, event: Received<'raft.snapshotAccepted'>): void => {
  const { from, term, snapshotIndex, nextOffset } = event
  progress.deliveredBytes += nextOffset
  // It begins to load that now. What it has answered by then says nothing of it.
  if (progress.isLearner) progress.isDiskStalled = true
  notePromise(core, from, { term, matchIndex: snapshotIndex })
  noteMatch(core, progress, snapshotIndex)
  // Said twice it counts once.
  progress.earlier = null
  progress.damagedSnapshots = 0
  if (progress.transfer === null) return
  // The log does not reach that far back any more. What was sent of the next one meanwhile, the peer has not looked at.
  restart(progress.transfer)
  pump(core, progress)
}

/** It answers, and has no more than before: there was a gap, or it has everything and its disk is busy with it. */
const noteStillThere = (transfer: SnapshotTransfer): void => {
  transfer.retries = 0
  if (transfer.rewoundBytes === transfer.acknowledgedBytes) return
  transfer.rewoundBytes = transfer.acknowledgedBytes
  rewind(transfer, transfer.acknowledgedBytes)
}

const noteAcknowledged = (progress: Progress, transfer: SnapshotTransfer, offset: number): void => {
  transfer.acknowledgedBytes = offset
  const answered = transfer.asked.filter(({ endOffset }) => endOffset <= offset)
  progress.answeredSentAt ??= answered[0]?.sentAt ?? null
  transfer.asked.splice(0, answered.length)
}

/** What lies behind is asked for again. */
const rewind = (transfer: SnapshotTransfer, offset: number): void => {
  transfer.requestedBytes = offset
  transfer.asked = []
}

/** `older`: the peer has committed past the snapshot, so its log agrees there. `noSpace`: again, later. */
export const handleSnapshotRefused = (core: RaftCore, event: Received<'raft.snapshotRefused'>): void => {
  const progress = progressFor(core, event)
  const transfer = transferOf(progress, event.snapshotIndex)
  if (progress === undefined || transfer === null) return
  progress.silentTicks = 0
  switch (event.reason) {
    case 'older':
      becomeProbe(progress, Math.max(transfer.index, progress.matchIndex) + 1)
      wantFlush(core)
      return
    case 'noSpace':
      restart(transfer)
      transfer.pause = 1
      return
    case 'damaged': sendAnother(core, progress, transfer); return
  }
  event.reason satisfies never
}

/** It is not told where the damage is: in the file here, on the way, or on the peer's disk. */
const sendAnother = (core: RaftCore, progress: Progress, transfer: SnapshotTransfer): void => {
  progress.damagedSnapshots += 1
  if (!isNewest(core, transfer)) {
    startTransfer(core, progress)
    return
  }
  doubtSnapshot(core)
  restart(transfer)
  transfer.pause = pauseAfter(progress.damagedSnapshots)
}

const restart = (transfer: SnapshotTransfer): void => {
  transfer.acknowledgedBytes = 0
  rewind(transfer, 0)
  transfer.rewoundBytes = -1
}

/** Nothing was acknowledged for a while: from the last acknowledged byte again, and the time after that from the beginning. */
export const retryTransfer = (core: RaftCore, progress: Progress): void => {
  const { transfer } = progress
  if (transfer === null) return
  progress.silentTicks = 0
  transfer.pause = Math.max(0, transfer.pause - 1)
  if (transfer.pause > 0) return
  if (core.snapshotDoubt !== null && isNewest(core, transfer)) {
    if (core.snapshotDoubt === 'lost') askForAnother(core)
    return
  }
  transfer.retries += 1
  if (transfer.retries > 1 && !isNewest(core, transfer)) {
    startTransfer(core, progress)
    return
  }
  if (transfer.retries > 1) restart(transfer)
  rewind(transfer, transfer.acknowledgedBytes)
  transfer.rewoundBytes = -1
  pump(core, progress)
}
