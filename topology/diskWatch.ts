/**
 * Notices a log that has stopped completing writes. A leader whose disk hangs would hold its leadership and commit nothing; a
 * quorum whose disks hang gains nothing from another leader. So members are told, and say so in their heartbeat answers.
 *
 * What waits is counted for each group: whatever a replica had waiting when its successor began, or when it was retired, is dropped
 * without an answer (actors/wal/replica.ts), and must not count as waiting for ever.
 */

import type { GroupId } from './ids.ts'
import type { WalEvent, WalNotice } from '../actors/wal/protocol.ts'

/** A write older than this, in milliseconds, means that the disk is stalled: the longest election timeout. */
export const DISK_STALL_MS = 1_000

export interface DiskWatch {
  readonly submitted: (event: WalEvent, now: number) => void
  readonly noticed: (notice: WalNotice, now: number) => void
  readonly isStalled: (now: number) => boolean
}

export const createDiskWatch = (): DiskWatch => {
  /** Writes that are not answered. A row that is down to none stays until its group is retired: rows would come and go with every write. */
  const waiting = new Map<GroupId, number>()
  let groupsWaiting = 0
  let progressAt = 0
  let isFull = false
  const answered = (group: GroupId, writes: number, now: number): void => {
    progressAt = now
    const before = waiting.get(group) ?? 0
    if (before === 0) return
    const left = Math.max(0, before - writes)
    waiting.set(group, left)
    if (left === 0) groupsWaiting -= 1
  }
  return {
    submitted: (event, now) => {
      if (event.type !== 'wal.append') return
      if (groupsWaiting === 0) progressAt = now
      const before = waiting.get(event.group) ?? 0
      if (before === 0) groupsWaiting += 1
      waiting.set(event.group, before + 1)
    },
    noticed: (notice, now) => {
      switch (notice.type) {
        case 'wal.spaceChanged': isFull = notice.full; return
        case 'wal.appended': answered(notice.group, 1, now); return
        case 'wal.adopted': answered(notice.group, Number.POSITIVE_INFINITY, now); return
        case 'wal.retired':
          answered(notice.group, Number.POSITIVE_INFINITY, now)
          waiting.delete(notice.group)
          return
        default:
      }
    },
    isStalled: (now) => isFull || (groupsWaiting > 0 && now - progressAt > DISK_STALL_MS),
  }
}
