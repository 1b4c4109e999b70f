/** The line between a stalled disk and one that is busy or idle; a full one counts as stalled. */

import { describe, expect, test } from '@jest/globals'
import { DISK_STALL_MS, createDiskWatch } from '../../topology/diskWatch.ts'
import type { WalEvent, WalNotice } from '../../actors/wal/protocol.ts'

const append: WalEvent = { type: 'wal.append', group: 1, ticket: 1, submittedTerm: 1, entries: [], reserved: false }
const appended: WalNotice = { type: 'wal.appended', group: 1, ticket: 1, submittedTerm: 1, lastIndex: 1 }

describe('the disk watch', () => {
  test('calls a disk stalled when a write waits longer than an election timeout', () => {
    const watch = createDiskWatch()
    watch.submitted(append, 0)
    expect(watch.isStalled(DISK_STALL_MS)).toBe(false)
    expect(watch.isStalled(DISK_STALL_MS + 1)).toBe(true)
    watch.noticed(appended, DISK_STALL_MS + 2)
    expect(watch.isStalled(DISK_STALL_MS * 9)).toBe(false)
  })

  test('counts from the last progress while writes keep completing', () => {
    const watch = createDiskWatch()
    watch.submitted(append, 0)
    watch.submitted(append, 10)
    watch.noticed(appended, 900)
    expect(watch.isStalled(1_800)).toBe(false)
    expect(watch.isStalled(1_901)).toBe(true)
  })

  test.each(['wal.retired', 'wal.adopted'] as const)('what a replica had waiting is over with %s: the log dropped it', (type) => {
    const watch = createDiskWatch()
    watch.submitted(append, 0)
    watch.submitted(append, 0)
    watch.submitted({ ...append, group: 2 }, 0)
    watch.noticed({ type, group: 1, ticket: 7 }, 500)
    watch.noticed({ ...appended, group: 2 }, 600)
    expect(watch.isStalled(1e9)).toBe(false)
    // What comes after it counts as ever.
    watch.submitted(append, 1e9)
    expect(watch.isStalled(1e9 + DISK_STALL_MS + 1)).toBe(true)
  })

  test('what other groups wait for is not over with it', () => {
    const watch = createDiskWatch()
    watch.submitted({ ...append, group: 2 }, 0)
    watch.noticed({ type: 'wal.retired', group: 1, ticket: 7 }, 500)
    expect(watch.isStalled(501 + DISK_STALL_MS)).toBe(true)
  })

  test('an idle log is not a stalled one, a full disk is', () => {
    const watch = createDiskWatch()
    watch.submitted({ type: 'wal.close' }, 0)
    expect(watch.isStalled(1e9)).toBe(false)
    watch.noticed({ type: 'wal.spaceChanged', full: true }, 5)
    expect(watch.isStalled(6)).toBe(true)
    watch.noticed({ type: 'wal.spaceChanged', full: false }, 7)
    expect(watch.isStalled(8)).toBe(false)
  })
})
