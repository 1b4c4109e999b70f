/** A log whose disk writes and syncs in one call, as on Linux (storage/syncedWriter.ts): what it calls durable, and what it does not. */

import { expect, test } from '@jest/globals'
import { createRandom } from '../../../actors/kernel/random.ts'
import { createRig, entriesOf } from '../../../torture/rig.ts'
import type { DiskCall, DiskFault } from '../../../storage/memoryFileSystem.ts'
import type { Rig } from '../../../torture/rig.ts'

interface Watched {
  readonly rig: Rig
  /** The calls that write or sync, in order, since `watch`. */
  readonly calls: string[]
  /** Counts from here on, and makes every call that writes and syncs end so. */
  readonly watch: (fault?: DiskFault) => void
  readonly mend: () => void
}

const settled = (): Watched => {
  const calls: string[] = []
  let fault: DiskFault | undefined
  const rig = createRig({
    hasSyncedWrites: true, config: { segmentBytes: 1_048_576, spaceRetryMs: 50 },
    fault: ({ operation }: DiskCall) => {
      if (['writev', 'datasync', 'writeSynced'].includes(operation)) calls.push(operation)
      return operation === 'writeSynced' ? fault : undefined
    },
  }).open()
  rig.append(9, { entries: entriesOf(1, 1) })
  rig.clock.advance(300)
  return {
    rig, calls,
    watch: (wanted) => {
      calls.length = 0
      fault = wanted
    },
    mend: () => { fault = undefined },
  }
}

const leftOf = (rig: Rig, keep: number): number | undefined =>
  createRig({ image: rig.disk.crash({ random: createRandom(3), keep }) }).open().report()?.groups.get(1)?.entries.length

test('a group is one call, and on the disk when it is acknowledged', () => {
  const { rig, calls, watch } = settled()
  watch()
  const ticket = rig.append(1, { entries: entriesOf(1, 3) })
  rig.clock.runUntil(() => rig.isAcknowledged(ticket), 10)
  expect([calls, rig.isAcknowledged(ticket), leftOf(rig, 0)]).toEqual([['writeSynced'], true, 3])
})

test('a group that goes by pieces is acknowledged with its last one', () => {
  const { rig, calls, watch, mend } = settled()
  watch({ kind: 'short', bytes: 100 })
  const ticket = rig.append(1, { entries: entriesOf(1, 10) })
  rig.clock.advance(0.5)
  expect([calls.length > 1, rig.isAcknowledged(ticket)]).toEqual([true, false])
  mend()
  rig.clock.advance(2)
  expect([new Set(calls), rig.isAcknowledged(ticket), leftOf(rig, 0)]).toEqual([new Set(['writeSynced']), true, 10])
})

test('a write that syncs and fails is told once, never tried again, and nothing is acknowledged any more', () => {
  const { rig, calls, watch, mend } = settled()
  watch({ kind: 'error', code: 'EIO' })
  const ticket = rig.append(1, { entries: entriesOf(1, 3) })
  rig.clock.advance(2)
  mend()
  rig.append(1, { entries: entriesOf(4, 6) })
  rig.clock.advance(10_000)
  expect([rig.wal.state(), calls, rig.isAcknowledged(ticket)]).toEqual(['halted', ['writeSynced'], false])
  expect(rig.notices.at(-1)).toEqual({ type: 'wal.failed', reason: expect.stringMatching(/fsync failed.*start the node again/) })
  expect(leftOf(rig, 0)).toBeUndefined()
})

/**
 * Story: 1. A write that syncs meets a lack of space while its pages are written out: the kernel reports it and drops them; they are read
 * on. 2. There is room. 3. A sync alone would write nothing and succeed. So all of the group is written again, and acknowledged then.
 */
test('a lack of space that a write met, or its sync, is waited for: the whole group is written again before it is acknowledged', () => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const { rig, calls, watch, mend } = settled()
    watch({ kind: 'error', code })
    const ticket = rig.append(1, { entries: entriesOf(1, 3) })
    rig.clock.advance(20)
    expect([rig.wal.state(), rig.isAcknowledged(ticket)]).toEqual(['blocked', false])
    mend()
    rig.clock.runUntil(() => rig.isAcknowledged(ticket), 500)
    expect([new Set(calls), rig.isAcknowledged(ticket), leftOf(rig, 0)]).toEqual([new Set(['writeSynced']), true, 3])
  }
})

test('what a failed write left in the page cache alone is on the disk once a restart has reported it', () => {
  const { rig, watch } = settled()
  watch({ kind: 'error', code: 'EIO' })
  rig.append(1, { entries: entriesOf(1, 3) })
  rig.clock.advance(5)
  expect(rig.wal.state()).toBe('halted')
  const second = createRig({ cache: rig.disk.kill(), hasSyncedWrites: true }).open()
  expect(second.report()?.groups.get(1)?.entries.length).toBe(3)
  expect(leftOf(second, 0)).toBe(3)
})
