/**
 * What the log brings: committed entries, and snapshots in both directions.
 *
 * A snapshot is due when the log since the last one outweighs the state that the last one holds (within limits), so that writing
 * snapshots costs about as much as the writes themselves, and a restart replays about as much as it loads. Not the state as it is: one
 * that grows by every write would outweigh its log for ever.
 *
 * The first one of a replica that began with nothing, and the first after one at rest, come sooner, by a head start (actor.ts).
 *
 * A replica that is hardly written any longer (at rest) writes one for less, since its node keeps the log since the last one in memory.
 */

import { assert, must } from '../kernel/assert.ts'
import { complete } from './answer.ts'
import { applyEntry, ignoreChanges } from './apply.ts'
import { leads } from './core.ts'
import { isExpiryDue } from './expiry.ts'
import { answerReadyReads, loseProposal, maybeProposeTick } from './flush.ts'
import { logTimeAt } from './logTime.ts'
import { openRestore } from './restore.ts'
import { openSnapshot } from './snapshotCodec.ts'
import type { Entry } from '../raft/protocol.ts'
import type { ChangeObserver } from './expiry.ts'
import type { ShardCore } from './core.ts'
import type { OperationResult } from './operation.ts'
import type { ShardLocalEvent } from './protocol.ts'

type Local<Type extends ShardLocalEvent['type']> = Extract<ShardLocalEvent, { type: Type }>

/** What an entry costs in the log beside its payload. */
const ENTRY_LOG_BYTES = 64
/** At rest a snapshot is worth it for a log above this part of the state's weight: going through the state costs as much as it is large. */
const REST_STATE_SHARE = 8
/** How long after a failed snapshot the next is tried. */
const SNAPSHOT_RETRY_MS = 10_000

export const handleCommitted = (core: ShardCore, { entries }: Local<'raft.committed'>): void => {
  for (const entry of entries) takeEntry(core, entry)
  answerReadyReads(core)
  maybeSnapshot(core)
  if (core.isServing && isExpiryDue(core.state, logTimeAt(core.logTime, core.now))) core.effects.push({ type: 'shard.flushWanted' })
}

const takeEntry = (core: ShardCore, entry: Entry): void => {
  const next = core.state.appliedIndex + 1
  if (entry.index < next) return
  if (core.restore === null && entry.index === next) {
    apply(core, entry)
    return
  }
  core.held.push(entry)
  core.heldBytes += entry.payload.length
  assert(core.heldBytes <= core.limits.heldEntryBytesMax, `a shard holds at most ${core.limits.heldEntryBytesMax} bytes while it restores`)
}

const apply = (core: ShardCore, entry: Entry): void => {
  const results = applyEntry(core.state, entry, observerOf(core, entry))
  core.logBytes += entry.payload.length + ENTRY_LOG_BYTES
  core.writtenBytes += entry.payload.length
  const proposal = core.inFlight.get(entry.index)
  if (proposal === undefined) return
  core.inFlight.delete(entry.index)
  if (proposal.term !== entry.term) {
    loseProposal(core, proposal)
    return
  }
  proposal.operations.forEach((pending, i) => complete(core, pending, results[i] ?? notApplied))
}

const notApplied: OperationResult = {
  status: 'INTERNAL', revision: 0, definite: true, message: 'The entry could not be read and was skipped on every replica: report this.',
}

/** Only entries of the own leadership are announced: each by one node at most. */
const observerOf = (core: ShardCore, entry: Entry): ChangeObserver => {
  if (!core.announceChanges || !leads(core, entry.term)) return ignoreChanges
  return (key, revision, code) => {
    if (core.changesThisTurn >= core.limits.changesPerTurnMax) {
      core.counters.changesDropped += 1
      return
    }
    if (core.changesThisTurn === 0) core.effects.push({ type: 'shard.flushWanted' })
    core.changesThisTurn += 1
    core.effects.push({ type: 'shard.changed', key, revision, code })
  }
}

export const handleTick = (core: ShardCore, { now }: Local<'tick'>): void => {
  core.now = now
  maybeProposeTick(core)
  maybeRest(core)
  maybeSnapshot(core)
}

/** Looks once every `restMs` whether anything worth the name was written since it last looked. */
const maybeRest = (core: ShardCore): void => {
  const { limits, now, writtenBytes } = core
  if (core.snapshot !== null || core.restore !== null) return
  if (!isWorthResting(core) || now - core.restSince < limits.restMs) return
  if (writtenBytes - core.restMark <= limits.restBytesMax) {
    core.isSnapshotWanted = true
    core.isAtRest = true
  }
  core.restSince = now
  core.restMark = writtenBytes
}

/** Whether a snapshot would free an amount of memory that is worth going through the state for. */
const isWorthResting = ({ limits, state, logBytes }: ShardCore): boolean =>
  logBytes > Math.max(limits.restLogBytesMin, state.keyBytes / REST_STATE_SHARE)

/** Whether a tick may do more than tell the time, by what can be seen without looking closely (kernel/owedTicks.ts). */
export const isTickDue = (core: ShardCore): boolean => {
  const { state } = core
  const mayExpire = core.isServing && (state.deadlines.firstKey() !== undefined || state.sessions.open.size > 0)
  return mayExpire || core.isSnapshotWanted || isLogFull(core) || isWorthResting(core)
}

export const handleSnapshotWanted = (core: ShardCore): void => {
  core.isSnapshotWanted = true
  maybeSnapshot(core)
}

/** Another is written, though nothing may have been applied since. One that is being written will do. */
export const handleSnapshotLost = (core: ShardCore): void => {
  if (core.snapshot !== null) return
  core.snapshotIndex = 0
  handleSnapshotWanted(core)
}

const maybeSnapshot = (core: ShardCore): void => {
  const { state } = core
  const isDue = core.isSnapshotWanted || isLogFull(core)
  if (!isDue || core.snapshot !== null || core.restore !== null || core.now < core.snapshotNotBefore) return
  if (state.appliedIndex === core.snapshotIndex) return
  core.isSnapshotWanted = false
  core.logBytes = 0
  core.headStartNow = core.isAtRest ? core.headStart : 0
  core.isAtRest = false
  core.snapshotKeyBytes = state.keyBytes
  const chunks = openSnapshot(state)
  core.snapshot = chunks
  core.effects.push({ type: 'shard.writeSnapshot', index: state.appliedIndex, term: state.appliedTerm, chunks })
}

const isLogFull = ({ limits, logBytes, headStartNow, snapshotKeyBytes }: ShardCore): boolean =>
  logBytes > (1 - headStartNow) * Math.max(limits.snapshotLogBytesMin, Math.min(snapshotKeyBytes, limits.snapshotLogBytesMax))

export const handleSnapshotWritten = (core: ShardCore, { index }: Local<'shard.snapshotWritten'>): void => {
  core.snapshot = null
  core.snapshotIndex = Math.max(core.snapshotIndex, index)
  maybeSnapshot(core)
}

export const handleSnapshotFailed = (core: ShardCore): void => {
  core.snapshot?.close()
  core.snapshot = null
  core.isSnapshotWanted = true
  core.snapshotNotBefore = core.now + SNAPSHOT_RETRY_MS
}

/**
 * From now on there is no state, though it may take a while until the first of the snapshot is read: the members in force at what was
 * applied are forgotten, so no snapshot may be written of it (test: "are not written of what an installed one takes the place of").
 */
export const handleRestoring = (core: ShardCore): void => {
  core.restore = openRestore()
}

export const handleRestoreChunk = (core: ShardCore, { bytes }: Local<'shard.restoreChunk'>): void =>
  must(core.restore, 'a chunk comes after the beginning').push(bytes)

/** The snapshot replaces whatever was applied; entries that came meanwhile follow. */
export const handleRestored = (core: ShardCore, { index, term }: Local<'shard.restored'>): void => {
  const restored = must(core.restore, 'what is restored was begun').finish()
  assert('state' in restored, 'reason' in restored ? restored.reason : '')
  const { state } = restored
  assert(state.appliedIndex === index && state.appliedTerm === term,
    `the snapshot of ${term}/${index} holds the state of ${state.appliedTerm}/${state.appliedIndex}`)
  core.state = state
  core.restore = null
  core.snapshotIndex = index
  core.snapshotKeyBytes = state.keyBytes
  core.logBytes = 0
  // What is applied since the snapshot says where it stands.
  core.headStartNow = 0
  core.isAtRest = false
  const { held } = core
  core.held = []
  core.heldBytes = 0
  for (const entry of held) takeEntry(core, entry)
  maybeSnapshot(core)
}
