/**
 * The log's decisions, part four: freeing the oldest segment.
 *
 * One log serves all groups, so one cold group could pin every segment. A segment is pinned by live entries, and by the newest
 * hard state, mark, quarantine or replica record of a group. The latter are rewritten from memory; few live entries are read back and
 * copied forward; many call for snapshots (asks.ts), after which the group's own compaction frees the segment. A group that
 * is never written again never gets there: its log is kept back to the snapshot before its newest, so that with one snapshot, or none
 * since those entries, they stay live for good. So beyond twice the segments wanted many are copied, too.
 *
 * How a segment goes: the group that holds the last copy or mark carries the raised `firstSegment` in its header. Only when that
 * group is synced are files removed. Torn, it takes the raise with it; after it, a file that is still there is a left-over.
 *
 * What is read back is all that the segment held, or an error that ends the process (storage/coldSegment.ts): what would not be copied
 * would be lost with the file.
 */

import type { Index } from '../raft/protocol.ts'
import type { WalRecord } from '../../storage/record.ts'
import { askForSnapshots } from './asks.ts'
import { bytesLeft, submit, termAt } from './core.ts'
import type { GroupState, WalCore } from './core.ts'

/** How many times `segmentsWanted` a log may hold while it waits for snapshots. */
const SEGMENTS_OVER_WANTED_MAX = 2

/**
 * The owner says that every replica it is to have began behind all of the damage. What is damaged, or lies before it, is then of replicas
 * that are no more, and may go like any other; as long as a group has anything there, it stays.
 */
export const handleDamageReplaced = (core: WalCore): void => {
  if (!core.isDamaged || [...core.groups.values()].some((state) => isHarmed(core, state))) return
  core.isDamaged = false
  core.mayFree = true
}

const isHarmed = ({ damagedThrough }: WalCore, state: GroupState): boolean => {
  const { hardStateSegment, markSegment, quarantineSegment, replicaSegment } = state
  // A tombstone says the same wherever it stands, and is copied forward like any other.
  if (state.replica?.isRemoved === true && state.replicasWaiting === 0 && state.quarantine === undefined) return false
  const segments = [...state.rows.keys(), hardStateSegment, markSegment, quarantineSegment, replicaSegment]
  return state.replicasWaiting > 0 || state.quarantine !== undefined || segments.some((segment) => segment > 0 && segment <= damagedThrough)
}

/** The lowest segment that holds anything live. */
export const lowestNeededSegment = (core: WalCore): number => {
  if (core.isDamaged) return core.firstSegment
  for (const { segment } of core.segments) {
    if (isPinned(core, segment)) return segment
  }
  return core.segments.at(-1)?.segment ?? core.firstSegment
}

const isPinned = (core: WalCore, segment: number): boolean => {
  for (const state of core.groups.values()) {
    if (state.rows.has(segment) || hasSmallState(state, segment)) return true
  }
  return false
}

const hasSmallState = (state: GroupState, segment: number): boolean =>
  state.hardStateSegment === segment || state.markSegment === segment || state.quarantineSegment === segment
  || state.replicaSegment === segment

/**
 * Frees the oldest segment when the log holds more than it should, or the disk is full. One step at a time. It is called after every
 * write, and looks at the groups only where they may be in its way no longer, or somebody may be asked.
 */
export const reclaim = (core: WalCore): void => {
  const oldest = core.segments[0]?.segment
  const hasEnough = core.segments.length <= (core.isFull ? 1 : core.config.segmentsWanted)
  if (oldest === undefined || hasEnough || core.isDamaged || core.isClosing || core.copyingSegment !== 0) return
  if (core.removing.length > 0 || oldest < core.firstSegment || (!core.mayReclaim && core.asksDue < 1)) return
  core.mayReclaim = false
  let pins = 0
  let bytes = 0
  for (const { rows } of core.groups.values()) {
    const row = rows.get(oldest)
    if (row === undefined) continue
    pins += 1
    bytes += row.bytes
  }
  if (bytes > core.config.copyForwardBytesMax && !isMuchToBeCopied(core)) {
    askForSnapshots(core)
    return
  }
  core.copyingSegment = oldest
  core.isReadingCopies = pins > 0
  if (pins > 0) core.effects.push({ type: 'wal.readEntries', segment: oldest })
  else copyForward(core, oldest, [])
}

/** None while one is read: it may be that one, and a closed file can not be read on. What is held back goes when the reading is over. */
export const removeFreed = (core: WalCore): void => {
  const gone = core.segments.filter(({ segment }) => segment < core.freedBelow)
  if (gone.length === 0 || core.isReadingCopies || core.removing.length > 0) return
  core.segments = core.segments.filter(({ segment }) => segment >= core.freedBelow)
  core.removing = gone
  core.effects.push({ type: 'wal.removeSegments', segments: gone.map(({ segment }) => segment) })
}

/**
 * Two thirds of the log are dead: copies of what lives then free more than they take, and come to an end, though where records are big
 * half of each segment may stay empty. A full disk has no room for copies, and one that has not made the next segment yet may be.
 */
const isMuchToBeCopied = (core: WalCore): boolean => {
  const { layout, config } = core
  if (core.isFull || core.prepared === undefined || core.segments.length <= SEGMENTS_OVER_WANTED_MAX * config.segmentsWanted) return false
  let live = 0
  for (const { rows } of core.groups.values()) for (const { bytes } of rows.values()) live += bytes
  let whole = 0
  for (const { sizeBytes } of core.segments) whole += sizeBytes - layout.dataOffset - layout.blockBytes
  return live * 3 <= whole
}

/**
 * Writes again what is live in the segment. What was read may be older than what was decided since, so each entry is compared
 * with the log as it stands now. The segment stays pinned until the copies are placed.
 */
export const copyForward = (core: WalCore, segment: number, records: readonly WalRecord[]): void => {
  core.isReadingCopies = false
  if (core.isClosing) {
    giveUpCopying(core)
    return
  }
  for (const state of core.groups.values()) {
    const copies = state.replicasWaiting > 0 ? [] : [...smallState(state, segment), ...liveEntries(state, segment, records)]
    if (copies.length === 0 && !state.rows.has(segment)) continue
    submit(core, state.group, { records: copies, isReserved: true, frees: segment })
  }
  if (core.isFull) giveUpCopies(core)
  endCopying(core)
  removeFreed(core)
}

/**
 * A log that is to close frees nothing any more, and the segment stays for its next life. It must not write, either: where it gave up a
 * group that found no room, what follows would be written behind that.
 */
const giveUpCopying = (core: WalCore): void => {
  core.copyingSegment = 0
  removeFreed(core)
}

/** On a full disk many copies would take what is kept for votes and marks. What they were to free stays pinned, and nothing is lost. */
export const giveUpCopies = (core: WalCore): void => {
  let bytes = 0
  for (const submission of core.queue) if (submission.frees !== 0) bytes += bytesLeft(core, submission)
  if (bytes <= core.config.copyForwardBytesMax) return
  core.backlogBytes -= bytes
  core.queue = core.queue.filter(({ frees }) => frees === 0)
  endCopying(core)
}

/** Over once every copy is placed. */
export const endCopying = (core: WalCore): void => {
  const segment = core.copyingSegment
  if (segment === 0 || core.isReadingCopies || core.queue.some(({ frees }) => frees === segment)) return
  core.copyingSegment = 0
  core.mayFree = true
}

/** Of two entries with one index the later in the log counts, and none that stands before its group's replica. */
const liveEntries = (state: GroupState, segment: number, records: readonly WalRecord[]): WalRecord[] => {
  const live = new Map<Index, WalRecord>()
  if (!state.rows.has(segment)) return []
  for (const record of records) {
    if (record.group !== state.group) continue
    if (record.kind === 'replica' && !record.isCopied) live.clear()
    if (record.kind !== 'entry' && record.kind !== 'copiedEntry') continue
    const { entry } = record
    if (entry.index <= state.mark.index || termAt(state, entry.index) !== entry.term) continue
    live.set(entry.index, { kind: 'copiedEntry', group: state.group, entry })
  }
  return [...live.values()]
}

const smallState = (state: GroupState, segment: number): WalRecord[] => {
  const { group } = state
  const records: WalRecord[] = []
  if (state.replicaSegment === segment && state.replica !== undefined) {
    records.push({ kind: 'replica', group, replica: state.replica, isCopied: true })
  }
  if (state.hardStateSegment === segment && state.hardState !== undefined) {
    records.push({ kind: 'hardState', group, hardState: state.hardState })
  }
  if (state.markSegment === segment) records.push({ kind: 'compactMark', group, mark: state.mark })
  if (state.quarantineSegment === segment && state.quarantine !== undefined) {
    records.push({ kind: 'quarantine', group, reason: state.quarantine })
  }
  return records
}
