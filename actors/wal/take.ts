/**
 * The log's decisions, part three: what of the queue fits where.
 *
 * While no segment stands ready ahead because the disk is full, `reserveBytes` of the last one is closed to client writes and
 * kept for votes, no-ops and marks. A reserved append may not overtake earlier ones of its own Raft group (its acknowledgement
 * vouches for them), so it takes them along, all of them or none: where they are more than may go along, that group waits for room,
 * and no other does. The last of the reserve is for replicas that come and go: a tombstone makes room.
 *
 * A replica record only stands in a segment whose version knows it: every one that this ShardKV begins, but an older one may have begun the
 * last, and then it waits for the next. A segment has one layout level: when the level in force is newer, the next group begins a segment
 * of it, unless none is prepared.
 */

import type { Index } from '../raft/protocol.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { WalRecord } from '../../storage/record.ts'
import { bytesLeft, groupState } from './core.ts'
import type { SegmentSize, Submission, WalCore } from './core.ts'
import { isBeginning } from './replica.ts'

/** Parts of the reserve: what may go along with something reserved, what a seal may take a block of, and what is for beginnings alone. */
const ALONG_FRACTION = 0.5
const SEALED_FRACTION = 0.25
const BEGINNINGS_FRACTION = 0.0625

export interface Target {
  readonly segment: SegmentSize
  readonly offset: number
  readonly limits: Limits
  readonly opens: boolean
  /** The segment's version knows replica records. */
  readonly holdsReplicas: boolean
}

/** Where the space of a segment ends, by what would go there. The last block is kept for a seal at the end or for closing the log. */
export interface Limits {
  /** Of a replica, or its tombstone. */
  readonly beginning: number
  /** Of what else is reserved. */
  readonly reserved: number
  /** Of an idle log's seal behind a group that is smaller than its block. */
  readonly seal: number
  /** Of what is not reserved, where something behind it is. */
  readonly along: number
  readonly plain: number
}

const limitsOf = (core: WalCore, { sizeBytes }: SegmentSize, reserveBytes: number): Limits => {
  const end = sizeBytes - core.layout.blockBytes
  const plain = end - reserveBytes
  return {
    beginning: end, reserved: end - reserveBytes * BEGINNINGS_FRACTION, seal: plain + reserveBytes * SEALED_FRACTION,
    along: plain + reserveBytes * ALONG_FRACTION, plain,
  }
}

/** The disk is full, or may be: the last segment is all there is. */
const isHeldBack = (core: WalCore): boolean => (core.isFull || !core.isSpaceKnown) && core.prepared === undefined

const currentTarget = (core: WalCore): Target | undefined => {
  const segment = core.segments.at(-1)
  if (segment === undefined || !core.continues) return undefined
  if (core.segmentLevel < core.nextLevel && core.prepared !== undefined) return undefined
  const limits = limitsOf(core, segment, isHeldBack(core) ? core.config.reserveBytes : 0)
  return { segment, offset: core.end.offset, limits, opens: false, holdsReplicas: core.holdsReplicas }
}

/** How far an idle log's seal may go. On a full disk it takes a block from what is kept for votes, which is much behind a single vote. */
export const endOfSeals = (core: WalCore): number => {
  const segment = core.segments.at(-1)
  if (segment === undefined || !core.isFull || core.prepared !== undefined) return Number.POSITIVE_INFINITY
  const limits = limitsOf(core, segment, core.config.reserveBytes)
  return core.lastGroupBytes < core.layout.blockBytes ? limits.seal : limits.reserved
}

const preparedTarget = (core: WalCore): Target | undefined => {
  const segment = core.prepared
  if (segment === undefined) return undefined
  return { segment, offset: core.layout.dataOffset, limits: limitsOf(core, segment, 0), opens: true, holdsReplicas: true }
}

/** Where something of what waits can go now. */
export const targetOf = (core: WalCore): Target | undefined => {
  for (const target of [currentTarget(core), preparedTarget(core)]) {
    if (target !== undefined && takeable(core, target, 1).length > 0) return target
  }
  return undefined
}

export const canFlush = (core: WalCore): boolean => targetOf(core) !== undefined

export interface Taken { readonly submission: Submission; readonly count: number; readonly bytes: number }

/** What fits, in order. Past `submissionsMax` nothing more is looked at. */
export const takeable = (core: WalCore, target: Target, submissionsMax: number): Taken[] => {
  const { layout, config, queue } = core
  const { limits } = target
  const isLimited = limits.plain < limits.beginning
  const along = isLimited ? goingAlong(core, target) : undefined
  const passedOver = new Map<GroupId, PassedOver>()
  const taken: Taken[] = []
  let bytes = layout.groupHeaderBytes
  for (const submission of queue) {
    const passed = passedOver.get(submission.group)
    if (passed !== undefined && !mayOvertake(submission, passed)) {
      passOver(passed, submission)
      continue
    }
    const limit = limits[classOf(submission, along)]
    const room = Math.min(limit - target.offset, Math.max(config.groupBytesMax, bytes))
    const { holdsReplicas } = target
    const part = partThatFits(core, submission, { room, bytes, isFirst: taken.length === 0, hard: limit - target.offset, holdsReplicas })
    if (part !== undefined) {
      taken.push(part)
      bytes += part.bytes
    }
    const isWhole = part !== undefined && submission.placed + part.count === submission.records.length
    if (!isWhole && !isLimited) break
    if (!isWhole) {
      const held = passed ?? passedOverOf(core, submission.group)
      passedOver.set(submission.group, held)
      passOver(held, submission)
    }
    if (taken.length >= submissionsMax) break
  }
  return taken
}

/** What of a group waits and is passed over: whether it merely adds to the log. */
interface PassedOver { last: Index; isAscending: boolean }

const passedOverOf = (core: WalCore, group: GroupId): PassedOver =>
  ({ last: groupState(core, group).placedLast, isAscending: true })

const passOver = (passed: PassedOver, { records, placed }: Submission): void => {
  for (const record of records.slice(placed)) {
    if (record.kind === 'snapshotMark' || record.kind === 'replica') passed.isAscending = false
    if (record.kind !== 'entry') continue
    if (record.entry.index <= passed.last) passed.isAscending = false
    passed.last = record.entry.index
  }
}

/**
 * On a full disk a compaction may overtake what waits, since it may make room for it. A mark ahead of the entries it covers says the
 * same, unless something that waits replaces part of the log: then the mark would stand on entries that no longer count.
 */
const mayOvertake = ({ records }: Submission, passed: PassedOver): boolean =>
  passed.isAscending && records.length === 1 && records[0]?.kind === 'compactMark'

const classOf = (submission: Submission, along: ReadonlySet<Submission> | undefined): Exclude<keyof Limits, 'seal'> => {
  if (submission.isReserved) return isBeginning(submission) ? 'beginning' : 'reserved'
  return along?.has(submission) === true ? 'along' : 'plain'
}

interface Run { bytes: number; readonly submissions: Submission[]; readonly passed: PassedOver }

/**
 * What is not reserved and waits before something reserved of its group, if all of it fits. What stands behind the last reserved record
 * has no part in it, and a run that is too long none at all: it would take what others need, and its group would wait all the same.
 */
const goingAlong = (core: WalCore, { offset, limits }: Target): ReadonlySet<Submission> => {
  const along = new Set<Submission>()
  const runs = new Map<GroupId, Run>()
  // What may go before it, up to `plain`, needs nothing of this; what is reserved does.
  let room = limits.along - Math.max(offset, limits.plain) - core.layout.groupHeaderBytes
  for (const submission of core.queue) {
    const { group, isReserved } = submission
    const run = runs.get(group)
    if (!isReserved) {
      runs.set(group, extended(core, run, submission))
      continue
    }
    const bytes = bytesLeft(core, submission)
    const isHeld = run !== undefined && !mayOvertake(submission, run.passed)
    if (isHeld && run.bytes + bytes > room) continue
    room -= bytes
    if (!isHeld) continue
    runs.delete(group)
    room -= run.bytes
    for (const each of run.submissions) along.add(each)
  }
  return along
}

const extended = (core: WalCore, known: Run | undefined, submission: Submission): Run => {
  const run = known ?? { bytes: 0, submissions: [], passed: passedOverOf(core, submission.group) }
  run.bytes += bytesLeft(core, submission)
  run.submissions.push(submission)
  passOver(run.passed, submission)
  return run
}

interface Space {
  readonly room: number
  readonly bytes: number
  readonly isFirst: boolean
  readonly hard: number
  readonly holdsReplicas: boolean
}

/** The next records of a submission that fit. The first record of a group may exceed the group's usual size, never the segment. */
const partThatFits = (core: WalCore, submission: Submission, space: Space): Taken | undefined => {
  let bytes = 0
  let count = 0
  for (let at = submission.placed; at < submission.records.length; at += 1) {
    const record = submission.records[at] as WalRecord
    if (record.kind === 'replica' && !space.holdsReplicas) break
    const size = core.layout.recordBytes(record)
    const limit = space.isFirst && count === 0 ? space.hard : space.room
    if (space.bytes + bytes + size > limit) break
    bytes += size
    count += 1
  }
  const isEmpty = submission.records.length === 0 && space.bytes <= space.room
  return count > 0 || isEmpty ? { submission, count, bytes } : undefined
}
