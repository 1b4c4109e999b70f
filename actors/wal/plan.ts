/**
 * The log's decisions, part two: groups, seals, segments ahead, and a full disk.
 *
 * While one group is written and synced the next collects; a completion starts it. When the disk has no room for a segment ahead the
 * log says so at once, keeps what waits, and looks again every `spaceRetryMs`.
 */

import { assert, must } from '../kernel/assert.ts'
import type { GroupPlan } from '../../storage/logFiles.ts'
import type { LogRecovery } from '../../storage/recovery.ts'
import type { WalRecord } from '../../storage/record.ts'
import { growAsks, oweAllAsks } from './asks.ts'
import { groupState, notify, requestFlush, submit, trimRows } from './core.ts'
import type { SegmentSize, Submission, WalCore } from './core.ts'
import type { SnapshotMark, WalNotice } from './protocol.ts'
import { endCopying, giveUpCopies, lowestNeededSegment, reclaim, removeFreed } from './reclaim.ts'
import { placeReplica } from './replica.ts'
import { canFlush, endOfSeals, takeable, targetOf } from './take.ts'
import type { Target } from './take.ts'

export const handleReplayed = (core: WalCore, recovery: LogRecovery): void => {
  const { tail, report } = recovery
  core.isDamaged = report.damagedNode !== undefined
  core.damagedThrough = recovery.damagedThrough
  core.segments = [...recovery.segments]
  core.continues = tail.continues
  core.segmentLevel = tail.level
  core.holdsReplicas = tail.holdsReplicas
  core.end = tail.end
  core.isSealed = tail.isSealed
  core.nextSegment = tail.nextSegment
  core.firstSegment = tail.firstSegment
  core.mayFree = true
  for (const group of report.groups.values()) {
    const state = groupState(core, group.group)
    state.hardState = group.hardState
    state.mark = group.snapshot
    // What has left its node can not be harmed any more: of it there is the tombstone alone.
    state.quarantine = group.replica?.isRemoved === true ? undefined : group.quarantined
    state.replica = group.replica
    state.lastIndex = group.snapshot.index + group.entries.length
    for (const { index, term } of group.entries) {
      if (state.terms.at(-1)?.term !== term) state.terms.push({ index, term })
    }
  }
  for (const usage of recovery.usages) {
    const state = groupState(core, usage.group)
    state.hardStateSegment = usage.hardStateSegment
    state.markSegment = usage.markSegment
    state.quarantineSegment = usage.quarantineSegment
    state.replicaSegment = usage.replicaSegment
    for (const [segment, row] of usage.rows) {
      state.rows.set(segment, { ...row })
      state.placedLast = Math.max(state.placedLast, row.indexMax)
    }
    state.placedMark = state.mark.index
  }
  notify(core, { type: 'wal.recovered', report })
  if (!core.isDamaged) recordQuarantines(core)
  prepareAhead(core)
  armSeal(core)
}

/** Damage that was found is written down, so that it is remembered when the damaged segment has gone. */
const recordQuarantines = (core: WalCore): void => {
  for (const { group, quarantine, quarantineSegment } of core.groups.values()) {
    if (quarantine === undefined || quarantineSegment !== 0) continue
    submit(core, group, { records: [{ kind: 'quarantine', group, reason: quarantine }], isReserved: true })
  }
}

export const startFlush = (core: WalCore): void => {
  core.isFlushRequested = false
  const target = must(targetOf(core), 'a flush starts only when something fits')
  const taken = takeable(core, target, Number.POSITIVE_INFINITY)
  const records: WalRecord[] = []
  const notices: WalNotice[] = []
  let bytes = 0
  const whole = new Set<Submission>()
  for (const { submission, count, bytes: partBytes } of taken) {
    for (let at = 0; at < count; at += 1) {
      const record = submission.records[submission.placed + at] as WalRecord
      place(core, record, target.segment.segment)
      records.push(record)
    }
    submission.placed += count
    bytes += partBytes
    if (submission.placed < submission.records.length) continue
    whole.add(submission)
    if (submission.notice !== undefined) notices.push(submission.notice)
    if (submission.frees !== 0) groupState(core, submission.group).rows.delete(submission.frees)
  }
  core.queue = core.queue.filter((submission) => !whole.has(submission))
  endCopying(core)
  launch(core, { target, records, notices, bytes, isSeal: false })
}

interface Launch {
  readonly target: Pick<Target, 'segment' | 'offset' | 'opens'>
  readonly records: readonly WalRecord[]
  readonly notices: readonly WalNotice[]
  readonly bytes: number
  readonly isSeal: boolean
}

const launch = (core: WalCore, { target, records, notices, bytes, isSeal }: Launch): void => {
  const at = { segment: target.segment.segment, offset: target.offset }
  const previous = core.end
  const firstBefore = core.firstSegment
  const leftEmpty = target.opens ? emptyAtEnd(core) : 0
  if (target.opens) {
    core.segments.push(target.segment)
    core.prepared = undefined
    core.nextSegment = at.segment + 1
    core.continues = true
    core.segmentLevel = core.nextLevel
    core.holdsReplicas = true
    core.mayFree = true
  }
  if (core.mayFree) {
    core.firstSegment = lowestNeededSegment(core)
    core.mayFree = false
    core.mayReclaim = true
  }
  const opens = target.opens
    ? { previous, sizeBytes: target.segment.sizeBytes, firstSegment: firstBefore, holdsReplicas: core.holdsReplicas }
    : undefined
  const plan: GroupPlan = { at, opens, synced: previous, firstSegment: core.firstSegment, isSeal, level: core.segmentLevel, records }
  core.end = { segment: at.segment, offset: at.offset + core.layout.groupHeaderBytes + bytes }
  growAsks(core, leftEmpty + core.end.offset - (target.opens ? 0 : previous.offset))
  core.isSealed = isSeal
  if (!isSeal) core.lastGroupBytes = bytes
  core.inFlight = { plan, notices, bytes }
  core.flushes += 1
  core.effects.push({ type: 'wal.writeGroup', plan })
  prepareAhead(core)
}

/** What the last segment will never hold. It counts, since segments are what there may be so many of. An end that nobody knows is far. */
const emptyAtEnd = ({ segments, end }: WalCore): number => Math.max(0, (segments.at(-1)?.sizeBytes ?? 0) - end.offset)

/** A record's segment is known now: the older one it stood in no longer needs it. */
const place = (core: WalCore, record: WalRecord, segment: number): void => {
  const state = groupState(core, record.group)
  switch (record.kind) {
    case 'entry':
    case 'copiedEntry': {
      const { index } = record.entry
      if (record.kind === 'entry') {
        if (index <= state.placedLast) trimRows(state, { from: 0, to: index - 1 })
        state.placedLast = index
      }
      if (index <= state.placedMark) return
      const row = state.rows.get(segment) ?? { bytes: 0, indexMin: index, indexMax: index }
      row.bytes += core.layout.recordBytes(record)
      row.indexMin = Math.min(row.indexMin, index)
      row.indexMax = Math.max(row.indexMax, index)
      state.rows.set(segment, row)
      return
    }
    case 'hardState': state.hardStateSegment = segment; return
    case 'snapshotMark':
    case 'compactMark': placeMark(core, record, segment); return
    case 'quarantine': state.quarantineSegment = segment; return
    case 'replica': placeReplica(core, record, segment); return
  }
  record satisfies never
}

/** On a full disk a compaction may have overtaken the copy of an older mark: that says nothing any more, and pins nothing. */
const placeMark = (core: WalCore, record: Extract<WalRecord, { readonly mark: SnapshotMark }>, segment: number): void => {
  const state = groupState(core, record.group)
  const { index } = record.mark
  if (index < state.placedMark) return
  core.mayFree = true
  state.markSegment = segment
  state.placedMark = index
  if (record.kind === 'compactMark' || record.keepsTail) {
    trimRows(state, { from: index + 1, to: Number.POSITIVE_INFINITY })
    return
  }
  state.rows.clear()
  state.placedLast = index
}

export const needsSeal = (core: WalCore): boolean => !core.isSealed && core.continues

const sealOffset = (core: WalCore): number => Math.ceil(core.end.offset / core.layout.blockBytes) * core.layout.blockBytes

/** An empty group in a block of its own: it proves that the last group had been synced, and shares no page with it. */
export const startSeal = (core: WalCore): void => {
  core.isSealTimerArmed = false
  const segment = must(core.segments.at(-1), 'there is a segment to seal')
  const offset = sealOffset(core)
  assert(offset + core.layout.groupHeaderBytes <= segment.sizeBytes, 'the last block of a segment is kept for its seal')
  launch(core, { target: { segment, offset, opens: false }, records: [], notices: [], bytes: 0, isSeal: true })
}

export const becomeClosing = (core: WalCore): void => {
  core.isClosing = true
}

/** A group is under way. */
export const isWriting = (core: WalCore): boolean => core.inFlight !== undefined

/** Work under way that uses the files. */
const isBusy = (core: WalCore): boolean =>
  isWriting(core) || core.preparing !== undefined || core.isReadingCopies || core.removing.length > 0

export const mustFlushToClose = (core: WalCore): boolean => core.isClosing && !isWriting(core) && canFlush(core)

export const mustSealToClose = (core: WalCore): boolean => core.isClosing && !isBusy(core) && needsSeal(core)

export const canClose = (core: WalCore): boolean => core.isClosing && !isBusy(core) && !needsSeal(core)

/** Closing a log that waits for space: what waits was never acknowledged. */
export const abandonWrite = (core: WalCore): void => {
  core.queue = []
  core.inFlight = undefined
  core.isSealed = true
}

export const handleWritten = (core: WalCore): void => {
  const { plan, notices, bytes } = must(core.inFlight, 'a completion answers a group')
  core.inFlight = undefined
  core.backlogBytes -= bytes
  core.isStarved = false
  for (const notice of notices) notify(core, notice)
  core.freedBelow = plan.firstSegment
  removeFreed(core)
  reviewSpace(core)
  reclaim(core)
  prepareAhead(core)
  armSeal(core)
}

/** Asks for the segment ahead, or for a bigger one when the next record needs it. */
export const prepareAhead = (core: WalCore): void => {
  if (core.preparing !== undefined || core.isRetryArmed || (core.isClosing && core.queue.length === 0)) return
  const sizeBytes = sizeNeeded(core)
  if (core.prepared !== undefined && core.prepared.sizeBytes >= sizeBytes) return
  core.preparing = { segment: core.nextSegment, sizeBytes }
  core.prepared = undefined
  core.effects.push({ type: 'wal.prepareSegment', ...core.preparing })
}

/** The usual size, unless a waiting record fits no usual segment. */
const sizeNeeded = (core: WalCore): number => {
  const { layout, config, queue } = core
  const next = queue[0]?.records[queue[0].placed]
  const record = next === undefined ? 0 : layout.recordBytes(next)
  const bytes = layout.dataOffset + layout.groupHeaderBytes + record + layout.blockBytes
  return Math.max(config.segmentBytes, Math.ceil(bytes / layout.blockBytes) * layout.blockBytes)
}

export const handleSegmentPrepared = (core: WalCore, prepared: SegmentSize): void => {
  core.preparing = undefined
  core.prepared = prepared
  core.isSpaceKnown = true
  core.mayReclaim = true
  reviewSpace(core)
  if (core.queue.length > 0) requestFlush(core)
}

/** Also when a flush was asked for and nothing fits: a segment that is big enough may have to be made. */
export const handleFlushWithoutRoom = (core: WalCore): void => {
  core.isFlushRequested = false
  if (core.queue.length > 0) prepareAhead(core)
}

export const handlePrepareStarved = (core: WalCore): void => {
  core.preparing = undefined
  becomeFull(core)
}

export const handleWriteStarved = (core: WalCore): void => {
  core.isStarved = true
  becomeFull(core)
}

const becomeFull = (core: WalCore): void => {
  core.isSpaceKnown = true
  if (!core.isFull) {
    core.isFull = true
    notify(core, { type: 'wal.spaceChanged', full: true })
  }
  armRetry(core)
  giveUpCopies(core)
  oweAllAsks(core)
  reclaim(core)
}

const armRetry = (core: WalCore): void => {
  if (core.isRetryArmed) return
  core.isRetryArmed = true
  core.effects.push({ type: 'wal.delay', ms: core.config.spaceRetryMs, event: 'wal.spaceRetryDue' })
}

/** The disk has room again once a segment stands ready ahead and no write waits for space. */
const reviewSpace = (core: WalCore): void => {
  if (!core.isFull || core.isStarved || core.prepared === undefined) return
  core.isFull = false
  notify(core, { type: 'wal.spaceChanged', full: false })
  armSeal(core)
}

export const handleSpaceRetry = (core: WalCore): void => {
  core.isRetryArmed = false
  prepareAhead(core)
}

export const retryWrite = (core: WalCore): void => {
  core.isRetryArmed = false
  core.effects.push({ type: 'wal.retryWrite' })
}

export const handleSegmentsRemoved = (core: WalCore): void => {
  core.removing = []
  if (!core.isFull || core.isStarved) return
  core.isRetryArmed = false
  prepareAhead(core)
}

/** Where a full disk leaves the seal out, the next group proves the last one, or a seal once there is room (`reviewSpace`). */
const hasRoomForSeal = (core: WalCore): boolean => sealOffset(core) + core.layout.groupHeaderBytes <= endOfSeals(core)

const armSeal = (core: WalCore): void => {
  if (core.isSealTimerArmed || !needsSeal(core) || !hasRoomForSeal(core)) return
  core.isSealTimerArmed = true
  core.flushesAtSealTimer = core.flushes
  core.effects.push({ type: 'wal.delay', ms: core.config.sealDelayMs, event: 'wal.sealDue' })
}

/** Idle since the timer was armed, and not sealed yet. */
export const isSealDue = (core: WalCore): boolean =>
  !isWriting(core) && needsSeal(core) && hasRoomForSeal(core) && core.flushes === core.flushesAtSealTimer

export const rearmSeal = (core: WalCore): void => {
  core.isSealTimerArmed = false
  armSeal(core)
}
