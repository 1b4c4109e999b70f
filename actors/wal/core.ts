/**
 * The log's decisions, part one: its state, and what submitting does to it.
 *
 * Two moments matter for every record. When it is *submitted*, the group's logical state changes (last index, terms, hard
 * state, mark): that is what the log will say once all that waits is durable. When it is *placed* (plan.ts), its segment is
 * known. Nothing is answered before a third moment, the completed sync of its group.
 */

import { assert } from '../kernel/assert.ts'
import { FIRST_LEVEL } from '../../topology/level.ts'
import type { Entry, HardState, Index, Term } from '../raft/protocol.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { GroupPlan } from '../../storage/logFiles.ts'
import type { LogRecovery } from '../../storage/recovery.ts'
import type { Position } from '../../storage/group.ts'
import type { WalRecord } from '../../storage/record.ts'
import type { WalConfig } from './config.ts'
import type { ReplicaMark, SnapshotMark, WalEvent, WalNotice } from './protocol.ts'

/** The disk's answers and the core's own delays: what the shell reports. No peer and no other actor can make them. */
export type WalDiskEvent =
  | { readonly type: 'wal.scanned' }
  | { readonly type: 'wal.replayed'; readonly recovery: LogRecovery }
  | { readonly type: 'wal.flush' }
  | { readonly type: 'wal.written' }
  /** The disk is full in the middle of a group: the rest is written when there is room. */
  | { readonly type: 'wal.writeStarved' }
  | { readonly type: 'wal.segmentPrepared'; readonly segment: number; readonly sizeBytes: number }
  | { readonly type: 'wal.prepareStarved' }
  | { readonly type: 'wal.segmentsRemoved' }
  | { readonly type: 'wal.entriesRead'; readonly segment: number; readonly records: readonly WalRecord[] }
  | { readonly type: 'wal.sealDue' }
  | { readonly type: 'wal.spaceRetryDue' }
  | { readonly type: 'wal.filesClosed' }
  /** Nothing that follows can be trusted: a failed sync, an I/O error, an unreadable directory. */
  | { readonly type: 'wal.diskFailed'; readonly reason: string }

export type WalInput = WalEvent | WalDiskEvent

export type WalEffect =
  | { readonly type: 'wal.scan' }
  | { readonly type: 'wal.requestFlush' }
  | { readonly type: 'wal.writeGroup'; readonly plan: GroupPlan }
  | { readonly type: 'wal.retryWrite' }
  | { readonly type: 'wal.prepareSegment'; readonly segment: number; readonly sizeBytes: number }
  | { readonly type: 'wal.removeSegments'; readonly segments: readonly number[] }
  | { readonly type: 'wal.readEntries'; readonly segment: number }
  | { readonly type: 'wal.delay'; readonly ms: number; readonly event: 'wal.sealDue' | 'wal.spaceRetryDue' }
  | { readonly type: 'wal.closeFiles' }
  | { readonly type: 'wal.notify'; readonly notice: WalNotice }

/** Sizes of the format, injected: a core imports nothing from storage. */
export interface WalLayout {
  readonly blockBytes: number
  readonly dataOffset: number
  readonly groupHeaderBytes: number
  readonly recordBytes: (record: WalRecord) => number
  /** The level that counts for a segment begun at a layout level: the newest at or below it at which the log's layout changed. */
  readonly segmentLevelAt: (level: number) => number
}

export interface Submission {
  readonly group: GroupId
  readonly records: readonly WalRecord[]
  /** Records already placed in a group. */
  placed: number
  readonly bytes: number
  readonly isReserved: boolean
  readonly notice: WalNotice | undefined
  /** When the last record is placed, the group needs this segment no more; 0 for none. */
  readonly frees: number
}

export interface Row { bytes: number; indexMin: Index; indexMax: Index }

export interface GroupState {
  readonly group: GroupId
  hardState: HardState | undefined
  mark: SnapshotMark
  quarantine: string | undefined
  replica: ReplicaMark | undefined
  lastIndex: Index
  /** Where each term begins, ascending; nothing at or below the mark. */
  terms: { readonly index: Index; readonly term: Term }[]
  hardStateSegment: number
  markSegment: number
  quarantineSegment: number
  replicaSegment: number
  /** Replica records submitted and not yet placed: until then what was placed before is void already, and still pins its segments. */
  replicasWaiting: number
  /** Entries that may be live once what was placed is durable, by segment; what merely waits changes nothing here. */
  readonly rows: Map<number, Row>
  placedLast: Index
  placedMark: Index
  /** When the group was last asked for a snapshot, by `rounds`; -Infinity for never. */
  askedAt: number
}

export interface SegmentSize { readonly segment: number; readonly sizeBytes: number }

export interface InFlight {
  readonly plan: GroupPlan
  readonly notices: readonly WalNotice[]
  readonly bytes: number
}

export interface WalCore {
  readonly config: WalConfig
  readonly layout: WalLayout
  readonly effects: WalEffect[]
  readonly groups: Map<GroupId, GroupState>
  /** Waits for a group; limited by the owner through `isOverloaded` (walBacklogBytesMax). */
  queue: Submission[]
  backlogBytes: number
  /** Begun segments, ascending; the last is being written. */
  segments: SegmentSize[]
  removing: readonly SegmentSize[]
  prepared: SegmentSize | undefined
  preparing: SegmentSize | undefined
  nextSegment: number
  /** Whether the next group may stand in the last segment. */
  continues: boolean
  /** Of the last segment. */
  segmentLevel: number
  /** Of the next one. Above the last segment's: the log goes on in a new one as soon as one is prepared. */
  nextLevel: number
  /** The last segment's version knows replica records. Each that is begun does: a full disk could not begin one when the first is to go. */
  holdsReplicas: boolean
  end: Position
  /** Of the records in the last group that is no seal. Infinity: a process before this one wrote it. */
  lastGroupBytes: number
  firstSegment: number
  /** Segments below it may be removed: the group that says so is synced. */
  freedBelow: number
  inFlight: InFlight | undefined
  isSealed: boolean
  isFull: boolean
  /** This process has made a segment ahead, or found no room for one. Before, a disk that was full before it started may be so still. */
  isSpaceKnown: boolean
  isStarved: boolean
  isClosing: boolean
  isFlushRequested: boolean
  isSealTimerArmed: boolean
  isRetryArmed: boolean
  flushes: number
  flushesAtSealTimer: number
  /** A mark, a copy or a roll may have freed the oldest segment. */
  mayFree: boolean
  /** The same, or a segment that stands ready, since the oldest one was looked at: it may be time to copy what is left in it. */
  mayReclaim: boolean
  /** How far the log has grown in this life, in rounds of asks for snapshots (asks.ts). */
  rounds: number
  /** How many groups may be asked now. Grows with the log, by parts of one. */
  asksDue: number
  /** As of the last look, how many share a round. */
  groupsAsked: number
  /** The oldest segment while its live records are copied forward; 0 otherwise. */
  copyingSegment: number
  isReadingCopies: boolean
  /** Damage is in the log: no segment is removed before every replica that it may have harmed has been replaced. */
  isDamaged: boolean
  /** The newest segment that it is in. */
  damagedThrough: number
}

export interface WalCoreOptions {
  readonly config: WalConfig
  readonly layout: WalLayout
  readonly effects: WalEffect[]
}

export const createWalCore = ({ config, layout, effects }: WalCoreOptions): WalCore => {
  assert(config.segmentBytes >= 3 * layout.blockBytes && config.segmentBytes % layout.blockBytes === 0,
    `segmentBytes is a multiple of ${layout.blockBytes} and at least three times that`)
  assert(config.segmentsWanted >= 1, 'segmentsWanted is at least 1')
  return {
    config, layout, effects, groups: new Map(), queue: [], backlogBytes: 0, segments: [], removing: [], prepared: undefined,
    preparing: undefined, nextSegment: 1, continues: false, segmentLevel: FIRST_LEVEL, nextLevel: FIRST_LEVEL, holdsReplicas: false,
    end: { segment: 0, offset: 0 }, lastGroupBytes: Number.POSITIVE_INFINITY, firstSegment: 1, freedBelow: 0, inFlight: undefined,
    isSealed: true, isFull: false, isSpaceKnown: false, isStarved: false, isClosing: false, isFlushRequested: false,
    isSealTimerArmed: false, isRetryArmed: false, flushes: 0, flushesAtSealTimer: 0, mayFree: false, mayReclaim: false, asksDue: 1,
    groupsAsked: 0, rounds: 0, copyingSegment: 0, isReadingCopies: false, isDamaged: false, damagedThrough: 0,
  }
}

export const groupState = (core: WalCore, group: GroupId): GroupState => {
  const known = core.groups.get(group)
  if (known !== undefined) return known
  const state: GroupState = {
    group, hardState: undefined, mark: { index: 0, term: 0 }, quarantine: undefined, replica: undefined, lastIndex: 0, terms: [],
    hardStateSegment: 0, markSegment: 0, quarantineSegment: 0, replicaSegment: 0, replicasWaiting: 0, rows: new Map(),
    placedLast: 0, placedMark: 0, askedAt: Number.NEGATIVE_INFINITY,
  }
  core.groups.set(group, state)
  return state
}

/** The group, for what only a replica that is there may say. */
const hosted = (core: WalCore, group: GroupId): GroupState => {
  const state = groupState(core, group)
  assert(state.replica?.isRemoved !== true, `group ${group}: nothing but a new replica comes behind a tombstone`)
  return state
}

/** The term of the group's entry at `index` as the log will be once all that waits is durable; undefined when it has none. */
export const termAt = (state: GroupState, index: Index): Term | undefined => {
  if (index === state.mark.index) return state.mark.term
  if (index < state.mark.index || index > state.lastIndex) return undefined
  for (let at = state.terms.length - 1; at >= 0; at -= 1) {
    const run = state.terms[at]
    if (run !== undefined && run.index <= index) return run.term
  }
  return undefined
}

export const notify = (core: WalCore, notice: WalNotice): void => {
  core.effects.push({ type: 'wal.notify', notice })
}

export const requestFlush = (core: WalCore): void => {
  if (core.isFlushRequested) return
  core.isFlushRequested = true
  core.effects.push({ type: 'wal.requestFlush' })
}

interface SubmissionOptions { readonly isReserved: boolean; readonly notice?: WalNotice; readonly frees?: number }

export const submit = (core: WalCore, group: GroupId, content: SubmissionOptions & { readonly records: readonly WalRecord[] }): void => {
  let bytes = 0
  for (const record of content.records) bytes += core.layout.recordBytes(record)
  core.backlogBytes += bytes
  const { records, isReserved, notice, frees = 0 } = content
  core.queue.push({ group, records, placed: 0, bytes, isReserved, notice, frees })
  if (core.inFlight === undefined) requestFlush(core)
}

/** Of what is not placed yet. */
export const bytesLeft = (core: WalCore, { records, placed, bytes }: Submission): number => {
  let left = bytes
  for (const record of records.slice(0, placed)) left -= core.layout.recordBytes(record)
  return left
}

type EventOf<Type extends WalInput['type']> = Extract<WalInput, { readonly type: Type }>

export const handleLevel = (core: WalCore, { level }: EventOf<'wal.level'>): void => {
  core.nextLevel = core.layout.segmentLevelAt(level)
}

export const handleAppend = (core: WalCore, event: EventOf<'wal.append'>): void => {
  const { group, hardState, entries } = event
  const state = hosted(core, group)
  const records: WalRecord[] = []
  if (hardState !== undefined) {
    state.hardState = hardState
    records.push({ kind: 'hardState', group, hardState })
  }
  for (const entry of entries) {
    addEntry(state, entry)
    records.push({ kind: 'entry', group, entry })
  }
  submit(core, group, {
    records, isReserved: event.reserved,
    notice: { type: 'wal.appended', group, ticket: event.ticket, submittedTerm: event.submittedTerm, lastIndex: state.lastIndex },
  })
}

const addEntry = (state: GroupState, entry: Entry): void => {
  assert(entry.index > state.mark.index && entry.index <= state.lastIndex + 1,
    `group ${state.group}: entry ${entry.index} follows the log, which reaches from ${state.mark.index} to ${state.lastIndex}`)
  if (entry.index <= state.lastIndex) truncateFrom(state, entry.index)
  if (state.terms.at(-1)?.term !== entry.term) state.terms.push({ index: entry.index, term: entry.term })
  state.lastIndex = entry.index
}

const truncateFrom = (state: GroupState, index: Index): void => {
  while ((state.terms.at(-1)?.index ?? 0) >= index) state.terms.pop()
  state.lastIndex = index - 1
}

/** Only entries in [from, to] stay live; a row's bytes shrink in proportion. */
export const trimRows = (state: GroupState, range: { readonly from: Index; readonly to: Index }): void => {
  for (const [segment, row] of state.rows) {
    const indexMin = Math.max(row.indexMin, range.from)
    const indexMax = Math.min(row.indexMax, range.to)
    if (indexMin > indexMax) {
      state.rows.delete(segment)
      continue
    }
    row.bytes = Math.ceil(row.bytes * (indexMax - indexMin + 1) / (row.indexMax - row.indexMin + 1))
    row.indexMin = indexMin
    row.indexMax = indexMax
  }
}

export const handleInstallSnapshot = (core: WalCore, event: EventOf<'wal.installSnapshot'>): void => {
  const { group, mark } = event
  const state = hosted(core, group)
  assert(mark.index >= state.mark.index, `group ${group}: an installed snapshot is never older than the log's mark`)
  const keepsTail = termAt(state, mark.index) === mark.term
  setMark(state, mark)
  if (!keepsTail) {
    state.terms = []
    state.lastIndex = mark.index
  }
  submit(core, group, {
    records: [{ kind: 'snapshotMark', group, mark, keepsTail }], isReserved: true,
    notice: { type: 'wal.snapshotMarked', group, ticket: event.ticket, mark },
  })
}

/** A mark that is not newer says nothing new. */
export const handleCompact = (core: WalCore, event: EventOf<'wal.compact'>): void => {
  const { group, mark } = event
  const state = hosted(core, group)
  if (mark.index <= state.mark.index) return
  assert(mark.index <= state.lastIndex, `group ${group}: a compaction covers entries of the log`)
  setMark(state, mark)
  submit(core, group, { records: [{ kind: 'compactMark', group, mark }], isReserved: true })
}

const setMark = (state: GroupState, mark: SnapshotMark): void => {
  const next = termAt(state, mark.index + 1)
  state.mark = mark
  state.lastIndex = Math.max(state.lastIndex, mark.index)
  const later = state.terms.filter((run) => run.index > mark.index + 1)
  state.terms = next === undefined ? later : [{ index: mark.index + 1, term: next }, ...later]
}

export const handleQuarantine = (core: WalCore, event: EventOf<'wal.quarantine'>): void => {
  const { group, reason, ticket } = event
  hosted(core, group).quarantine = reason
  submit(core, group, {
    records: [{ kind: 'quarantine', group, reason }], isReserved: true, notice: { type: 'wal.quarantined', group, ticket },
  })
}

/** Bytes of every file of the log. */
export const logBytes = (core: WalCore): number => {
  let sum = core.prepared?.sizeBytes ?? 0
  for (const { sizeBytes } of core.segments) sum += sizeBytes
  for (const { sizeBytes } of core.removing) sum += sizeBytes
  return sum
}
