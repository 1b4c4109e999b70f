/**
 * What the log brings: committed commands, and snapshots in both directions, as a shard does it (actors/shard/commits.ts).
 *
 * Apply never throws on what it is given: an entry that does not decode changes nothing, on every member alike, and is counted.
 */

import { assert, must } from '../kernel/assert.ts'
import { EntryKind } from '../raft/protocol.ts'
import { apply } from './apply.ts'
import { decodeCommand, decodeState, encodeState } from './codec.ts'
import { answerOutcome, answerReadyReads, loseProposal } from './requests.ts'
import { refused } from './refusals.ts'
import type { Entry } from '../raft/protocol.ts'
import type { ShardLocalEvent, SnapshotChunks } from '../shard/protocol.ts'
import type { ClusterState } from './clusterState.ts'
import type { TopologyCore } from './core.ts'
import type { Outcome } from './protocol.ts'

type Local<Type extends ShardLocalEvent['type']> = Extract<ShardLocalEvent, { type: Type }>

/** What an entry costs in the log beside its payload. */
const ENTRY_LOG_BYTES = 64
/** How long after a failed snapshot the next is tried. */
const SNAPSHOT_RETRY_MS = 10_000
const CHUNK_BYTES_MAX = 64 * 1_024
/** A wish of its own that was refused for more than its epoch is a difference of opinion between plan and apply: it is no use to hurry. */
const UNFIT_REST_TICKS = 100

export const handleCommitted = (core: TopologyCore, { entries }: Local<'raft.committed'>): void => {
  for (const entry of entries) takeEntry(core, entry)
  answerReadyReads(core)
  maybeSnapshot(core)
}

const takeEntry = (core: TopologyCore, entry: Entry): void => {
  const next = core.appliedIndex + 1
  if (entry.index < next) return
  if (core.restore === null && entry.index === next) {
    applyEntry(core, entry)
    return
  }
  core.held.push(entry)
  core.heldBytes += entry.payload.length
  const { heldEntryBytesMax } = core.limits
  assert(core.heldBytes <= heldEntryBytesMax, `a member holds at most ${heldEntryBytesMax} bytes while it restores`)
}

const applyEntry = (core: TopologyCore, entry: Entry): void => {
  core.appliedIndex = entry.index
  core.appliedTerm = entry.term
  core.logBytes += entry.payload.length + ENTRY_LOG_BYTES
  const outcome = entry.kind === EntryKind.batch ? applyCommand(core, entry.payload) : null
  const proposal = core.inFlight.get(entry.index)
  if (proposal === undefined) return
  core.inFlight.delete(entry.index)
  if (proposal.term !== entry.term || outcome === null) {
    loseProposal(core, proposal)
    return
  }
  if (proposal.asker !== null) {
    answerOutcome(core, proposal.asker, outcome)
    return
  }
  core.isDeciding = false
  if (outcome.kind === 'refused' && outcome.reason !== 'staleEpoch') core.restTicks = UNFIT_REST_TICKS
}

const applyCommand = (core: TopologyCore, payload: Uint8Array): Outcome => {
  const command = decodeCommand(payload)
  if ('reason' in command) {
    core.undecodable += 1
    return refused(core.state, 'invalid', command.reason)
  }
  const { state, outcome } = apply(core.state, command)
  if (state !== core.state) becomeState(core, state)
  return outcome
}

const becomeState = (core: TopologyCore, state: ClusterState): void => {
  core.state = state
  core.effects.push({ type: 'topology.applied', state })
}

export const handleSnapshotWanted = (core: TopologyCore): void => {
  core.isSnapshotWanted = true
  maybeSnapshot(core)
}

/** Another is written, though nothing may have been applied since. One that is being written will do. */
export const handleSnapshotLost = (core: TopologyCore): void => {
  if (core.isSnapshotting) return
  core.snapshotIndex = 0
  handleSnapshotWanted(core)
}

export const maybeSnapshot = (core: TopologyCore): void => {
  const isDue = core.isSnapshotWanted || core.logBytes > core.limits.snapshotLogBytes
  if (!isDue || core.isSnapshotting || core.restore !== null || core.now < core.snapshotNotBefore) return
  if (core.appliedIndex === core.snapshotIndex) return
  core.isSnapshotWanted = false
  core.isSnapshotting = true
  core.logBytes = 0
  core.effects.push({ type: 'topology.writeSnapshot', index: core.appliedIndex, term: core.appliedTerm, chunks: chunksOf(core.state) })
}

/** The state never changes in place, so it is the cut. */
const chunksOf = (state: ClusterState): SnapshotChunks => {
  let bytes: Uint8Array | null = null
  let offset = 0
  return {
    next: () => {
      bytes ??= encodeState(state)
      if (offset >= bytes.length) return { done: true, value: undefined }
      const value = bytes.subarray(offset, offset + CHUNK_BYTES_MAX)
      offset += value.length
      return { done: false, value }
    },
  }
}

export const handleSnapshotWritten = (core: TopologyCore, { index }: Local<'shard.snapshotWritten'>): void => {
  core.isSnapshotting = false
  core.snapshotIndex = Math.max(core.snapshotIndex, index)
  maybeSnapshot(core)
}

export const handleSnapshotFailed = (core: TopologyCore): void => {
  core.isSnapshotting = false
  core.isSnapshotWanted = true
  core.snapshotNotBefore = core.now + SNAPSHOT_RETRY_MS
}

/** From now on there is no state, though nothing of the snapshot is read yet: why, see actors/shard/commits.ts. */
export const handleRestoring = (core: TopologyCore): void => {
  core.restore = []
}

export const handleRestoreChunk = (core: TopologyCore, { bytes }: Local<'shard.restoreChunk'>): void => {
  must(core.restore, 'a chunk comes after the beginning').push(bytes.slice())
}

/** The store has verified the bytes: what does not decode is another version or a bug, and ends the process. */
export const handleRestored = (core: TopologyCore, { index, term }: Local<'shard.restored'>): void => {
  const state = decodeState(joined(must(core.restore, 'what is restored was begun')))
  assert(!('reason' in state), 'reason' in state ? state.reason : '')
  core.restore = null
  core.appliedIndex = index
  core.appliedTerm = term
  core.snapshotIndex = index
  core.logBytes = 0
  becomeState(core, state)
  const { held } = core
  core.held = []
  core.heldBytes = 0
  for (const entry of held) takeEntry(core, entry)
}

const joined = (chunks: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
