/**
 * Notices a log that has stopped completing writes. A leader whose disk hangs would hold its leadership and commit nothing; a
 * quorum whose disks hang gains nothing from another leader. So members are told, and say so in their heartbeat answers.
 */

import type { WalEvent, WalNotice } from '../actors/wal/protocol.ts'

/** A write older than this, in milliseconds, means that the disk is stalled: the longest election timeout. */
export const DISK_STALL_MS = 1_000

export interface DiskWatch {
  readonly submitted: (event: WalEvent, now: number) => void
  readonly noticed: (notice: WalNotice, now: number) => void
  readonly isStalled: (now: number) => boolean
}

export const createDiskWatch = (): DiskWatch => {
  let waiting = 0
  let progressAt = 0
  let isFull = false
  return {
    submitted: (event, now) => {
      if (event.type !== 'wal.append') return
      if (waiting === 0) progressAt = now
      waiting += 1
    },
    noticed: (notice, now) => {
      if (notice.type === 'wal.spaceChanged') isFull = notice.full
      if (notice.type !== 'wal.appended') return
      waiting -= 1
      progressAt = now
    },
    isStalled: (now) => isFull || (waiting > 0 && now - progressAt > DISK_STALL_MS),
  }
}
