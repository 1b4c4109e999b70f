/**
 * The receiving side of a snapshot transfer.
 *
 *   chunk ──checksum, order──▶ raft.writeChunk ──▶ written ──▶ raft.snapshotAccepted
 *                                                    └─ all ─▶ raft.installSnapshot ──▶ verified, durable ──▶ raft.restore
 *
 * Rules:
 * - A snapshot that is not ahead of the commit index is refused; one that the log already contains is not needed, and only moves the
 *   commit index (section 7).
 * - Chunks belong to one transfer: one sender in one term, one snapshot, one size. Two leaders' files of the same snapshot need
 *   not have the same bytes, so a chunk of another transfer is never mixed in; it begins a new one, at its first byte, and only when no
 *   write of the old one is still under way (test: "chunks of another snapshot are never mixed in").
 * - From the last byte until the snapshot has taken force, nothing else touches the log: appends are not even looked at. The
 *   disk decides what of the log survives when it writes the snapshot's record, and it must see the log this member sees.
 * - The leader is told the total only when the snapshot is verified, in force and durable: that is an acceptance of everything
 *   up to it. Until then it is told, as often as it asks, that this takes its time.
 */

import { assert } from '../kernel/assert.ts'
import { commitTo, emitCommitted } from './commit.ts'
import { noteReplaced } from './durability.ts'
import { answerAppend, hearLeader } from './following.ts'
import { lastIndexOf, resetTo, termAt } from './log.ts'
import { createMembership } from './membership.ts'
import { membershipChanged } from './peers.ts'
import { send } from './state.ts'
import { isAcceptedBy } from './presentation.ts'
import type { Received } from './presentation.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Index, RaftLocalEvent } from './protocol.ts'
import type { IncomingSnapshot, RaftCore } from './state.ts'

type Local<Type extends RaftLocalEvent['type']> = Extract<RaftLocalEvent, { type: Type }>
type Chunk = Received<'raft.snapshotChunk'>

export const handleSnapshotChunk = (core: RaftCore, event: Chunk): void => {
  const { from, snapshotIndex, snapshotTerm } = event
  if (event.term < core.term) {
    refuse(core, from, snapshotIndex)
    return
  }
  hearLeader(core, from)
  const { following } = core
  if (following.isInstalling) {
    sayStillThere(core, event)
    return
  }
  if (snapshotIndex <= core.commitIndex) {
    refuse(core, from, snapshotIndex)
    return
  }
  if (core.isRestoring) return
  if (termAt(core.log, snapshotIndex) === snapshotTerm) {
    fastForward(core, event)
    return
  }
  if (core.crc32(event.bytes) !== event.crc) return
  takeChunk(core, event)
}

/** The leader asks by sending the end again. It hears that all of it is here but for the last byte, which stands for the installation. */
const sayStillThere = (core: RaftCore, event: Chunk): void => {
  const { incoming } = core.following
  if (incoming === null || !isSameTransfer(incoming, event)) return
  const { from, term, index, totalBytes } = incoming
  send(core, from, { type: 'raft.snapshotAccepted', term, snapshotIndex: index, nextOffset: totalBytes - 1 })
}

const refuse = (core: RaftCore, from: ReplicaId, snapshotIndex: Index): void => {
  send(core, from, { type: 'raft.snapshotRefused', term: core.term, snapshotIndex, reason: 'older' })
}

/** The log has the snapshot's last entry, so it has all of it; and a snapshot holds only what is committed. */
const fastForward = (core: RaftCore, { snapshotIndex }: Chunk): void => {
  const { following } = core
  following.incoming = null
  following.verifiedIndex = Math.max(following.verifiedIndex, snapshotIndex)
  following.owesAnswer = true
  commitTo(core, snapshotIndex)
  answerAppend(core)
}

const takeChunk = (core: RaftCore, event: Chunk): void => {
  const { following } = core
  if (following.incoming === null || !isSameTransfer(following.incoming, event)) {
    if (event.offset !== 0 || following.chunkWrites > 0) return
    following.incoming = incomingOf(event)
  }
  const { incoming } = following
  if (event.offset !== incoming.requestedBytes) {
    accept(core, incoming)
    return
  }
  const { bytes, offset, snapshotIndex, snapshotTerm, totalBytes } = event
  incoming.requestedBytes += bytes.length
  following.chunkWrites += 1
  core.effects.push({ type: 'raft.writeChunk', snapshotIndex, snapshotTerm, offset, totalBytes, bytes })
}

const isSameTransfer = (incoming: IncomingSnapshot, event: Chunk): boolean =>
  incoming.from === event.from && incoming.term === event.term && incoming.index === event.snapshotIndex
  && incoming.snapshotTerm === event.snapshotTerm && incoming.totalBytes === event.totalBytes

const incomingOf = ({ from, term, snapshotIndex, snapshotTerm, totalBytes }: Chunk): IncomingSnapshot =>
  ({ from, term, index: snapshotIndex, snapshotTerm, totalBytes, requestedBytes: 0, writtenBytes: 0 })

/** Says how much is written. To the transfer's leader only, and never the total: that is said when it is installed. */
const accept = (core: RaftCore, { from, term, index, writtenBytes, totalBytes }: IncomingSnapshot): void => {
  if (term !== core.term || writtenBytes === totalBytes) return
  send(core, from, { type: 'raft.snapshotAccepted', term, snapshotIndex: index, nextOffset: writtenBytes })
}

export const handleChunkWritten = (core: RaftCore, event: Local<'raft.chunkWritten'>): void => {
  const { following } = core
  following.chunkWrites -= 1
  const { incoming } = following
  if (incoming?.index !== event.snapshotIndex) return
  incoming.writtenBytes = Math.max(incoming.writtenBytes, event.nextOffset)
  if (incoming.writtenBytes < incoming.totalBytes) {
    accept(core, incoming)
    return
  }
  if (incoming.index <= core.commitIndex) {
    // A late append has overtaken it.
    following.incoming = null
    if (incoming.term === core.term) refuse(core, incoming.from, incoming.index)
    return
  }
  following.isInstalling = true
  const { index: snapshotIndex, snapshotTerm, totalBytes } = incoming
  core.effects.push({ type: 'raft.installSnapshot', snapshotIndex, snapshotTerm, totalBytes })
}

/** A chunk could not be written, or the whole does not verify: the leader begins again later. */
export const handleSnapshotDamaged = (core: RaftCore, event: Local<'raft.snapshotDamaged'>): void => {
  const { following } = core
  const { incoming } = following
  if (following.isInstalling) following.isInstalling = false
  else following.chunkWrites -= 1
  following.incoming = null
  if (incoming?.index !== event.snapshotIndex || incoming.term !== core.term) return
  send(core, incoming.from, { type: 'raft.snapshotRefused', term: core.term, snapshotIndex: event.snapshotIndex, reason: event.reason })
}

/** The snapshot is verified and its record durable. It takes force whatever the term is by now: what it holds is committed. */
export const handleSnapshotInstalled = (core: RaftCore, event: Local<'raft.snapshotInstalled'>): void => {
  const { following } = core
  const { incoming } = following
  assert(following.isInstalling, 'a snapshot is installed when it was asked for')
  following.isInstalling = false
  following.incoming = null
  if (event.index > core.commitIndex) takeForce(core, event)
  if (incoming === null || incoming.term !== core.term || !core.durability.isHardStateDurable || !isAcceptedBy(core, incoming.from)) return
  following.verifiedIndex = Math.max(following.verifiedIndex, event.index)
  send(core, incoming.from, {
    type: 'raft.snapshotAccepted', term: core.term, snapshotIndex: event.index, nextOffset: incoming.totalBytes,
  })
}

const takeForce = (core: RaftCore, { index, term, totalBytes, configuration }: Local<'raft.snapshotInstalled'>): void => {
  core.snapshot = { index, term, totalBytes }
  core.snapshotDoubt = null
  if (termAt(core.log, index) === term) {
    // A late append has brought the same entries meanwhile; the disk has kept the log, and so does this member.
    core.durability.durableIndex = Math.max(core.durability.durableIndex, index)
    commitTo(core, index)
    return
  }
  resetTo(core.log, { index, term })
  noteReplaced(core, index)
  Object.assign(core.membership, createMembership(index, configuration))
  membershipChanged(core)
  assert(lastIndexOf(core.log) === index, 'an installed snapshot is the whole log')
  core.commitIndex = index
  core.emittedIndex = index
  core.isRestoring = true
  core.effects.push({ type: 'raft.restore', index, term })
  emitCommitted(core)
}
