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
  /** Writes that are not answered; a group without any has no row. */
  const waiting = new Map<GroupId, number>()
  let progressAt = 0
  let isFull = false
  const answered = (group: GroupId, writes: number, now: number): void => {
    const left = (waiting.get(group) ?? 0) - writes
    if (left > 0) waiting.set(group, left)
    else waiting.delete(group)
    progressAt = now
  }
  return {
    submitted: (event, now) => {
      if (event.type !== 'wal.append') return
      if (waiting.size === 0) progressAt = now
      waiting.set(event.group, (waiting.get(event.group) ?? 0) + 1)
    },
    noticed: (notice, now) => {
      switch (notice.type) {
        case 'wal.spaceChanged': isFull = notice.full; return
        case 'wal.appended': answered(notice.group, 1, now); return
        case 'wal.adopted':
        case 'wal.retired': answered(notice.group, Number.POSITIVE_INFINITY, now); return
        default:
      }
    },
    isStalled: (now) => isFull || (waiting.size > 0 && now - progressAt > DISK_STALL_MS),
  }
}
