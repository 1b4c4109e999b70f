/**
 * The log's decisions, part three: what of the queue fits where.
 *
 * While no segment stands ready ahead because the disk is full, `reserveBytes` of the last one is closed to client writes and
 * kept for votes, no-ops and marks. A reserved append may not overtake earlier ones of its own Raft group (its acknowledgement
 * vouches for them), so it takes them along.
 *
 * A replica record only stands in a segment whose version knows it: every one that this ShardKV begins, but an older one may have begun the
 * last, and then it waits for the next. A segment has one layout level: when the level in force is newer, the next group begins a segment
 * of it, unless none is prepared.
 */

import type { Index } from '../raft/protocol.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { WalRecord } from '../../storage/record.ts'
import { groupState } from './core.ts'
import type { SegmentSize, Submission, WalCore } from './core.ts'

export interface Target {
  readonly segment: SegmentSize
  readonly offset: number
  /** End of the space for groups: the last block is kept for a seal. */
  readonly limit: number
  /** The same for submissions that are not reserved. */
  readonly plainLimit: number
  readonly opens: boolean
  /** The segment's version knows replica records. */
  readonly holdsReplicas: boolean
}

const currentTarget = (core: WalCore): Target | undefined => {
  const segment = core.segments.at(-1)
  if (segment === undefined || !core.continues) return undefined
  if (core.segmentLevel < core.nextLevel && core.prepared !== undefined) return undefined
  const limit = segment.sizeBytes - core.layout.blockBytes
  const isHeldBack = core.isFull && core.prepared === undefined
  const plainLimit = isHeldBack ? limit - core.config.reserveBytes : limit
  return { segment, offset: core.end.offset, limit, plainLimit, opens: false, holdsReplicas: core.holdsReplicas }
}

const preparedTarget = (core: WalCore): Target | undefined => {
  const segment = core.prepared
  if (segment === undefined) return undefined
  const limit = segment.sizeBytes - core.layout.blockBytes
  return { segment, offset: core.layout.dataOffset, limit, plainLimit: limit, opens: true, holdsReplicas: true }
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
  const isHeldBack = target.plainLimit < target.limit
  const mayReserve = isHeldBack ? groupsWithReserved(queue) : undefined
  const passedOver = new Map<GroupId, PassedOver>()
  const taken: Taken[] = []
  let bytes = layout.groupHeaderBytes
  for (const submission of queue) {
    const passed = passedOver.get(submission.group)
    if (passed !== undefined && !mayOvertake(submission, passed)) {
      passOver(passed, submission)
      continue
    }
    const limit = mayReserve?.has(submission.group) === true ? target.limit : target.plainLimit
    const room = Math.min(limit - target.offset, Math.max(config.groupBytesMax, bytes))
    const { holdsReplicas } = target
    const part = partThatFits(core, submission, { room, bytes, isFirst: taken.length === 0, hard: limit - target.offset, holdsReplicas })
    if (part !== undefined) {
      taken.push(part)
      bytes += part.bytes
    }
    const isWhole = part !== undefined && submission.placed + part.count === submission.records.length
    if (!isWhole && !isHeldBack) break
    if (!isWhole) {
      const held = passed ?? { last: groupState(core, submission.group).placedLast, isAscending: true }
      passedOver.set(submission.group, held)
      passOver(held, submission)
    }
    if (taken.length >= submissionsMax) break
  }
  return taken
}

/** What of a group waits and is passed over: whether it merely adds to the log. */
interface PassedOver { last: Index; isAscending: boolean }

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

const groupsWithReserved = (queue: readonly Submission[]): ReadonlySet<GroupId> =>
  new Set(queue.filter(({ isReserved }) => isReserved).map(({ group }) => group))

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
