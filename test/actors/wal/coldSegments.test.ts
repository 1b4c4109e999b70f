/**
 * The oldest segment is read once more before its file goes: what it lacks by then is told, never lost with it. And whatever happens
 * meanwhile, the file stays as long as it is read.
 */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../../actors/kernel/random.ts'
import { recoverLog } from '../../../storage/recovery.ts'
import { segmentName } from '../../../storage/segment.ts'
import { SPARE_BYTES, createRig, entriesOf, entryOf, vote } from '../../../torture/rig.ts'
import { segmentsOf } from '../../../torture/specimen.ts'
import type { DiskCall, DiskFault } from '../../../storage/memoryFileSystem.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { Rig, RigOptions } from '../../../torture/rig.ts'

const COLD = 9
const BUSY = 1
const COLD_PATH = `wal/${segmentName(1)}`

const restart = (rig: Rig, options: RigOptions = {}): Rig => {
  const image = rig.disk.crash({ random: createRandom(3), keep: 0 })
  rig.wal.stop()
  return createRig({ ...options, image }).open()
}

const fill = (rig: Rig, group: number, range: { readonly from: number; readonly to: number }): void => {
  for (let index = range.from; index <= range.to; index += 1) {
    rig.append(group, { entries: [entryOf(index, { bytes: 1_500 })] })
    rig.clock.advance(3)
  }
}

/** A vote and two entries of a cold group begin the first segment, the entries of a busy one fill it and begin the next. */
const cold = (options: RigOptions = {}): Rig => {
  const rig = createRig(options).open()
  rig.append(COLD, { hardState: { term: 3, vote: vote('z') }, entries: entriesOf(1, 2, { term: 3 }) })
  rig.clock.advance(10)
  fill(rig, BUSY, { from: 1, to: 8 })
  return rig
}

/** The busy group goes on and compacts, until the cold segment has to go. */
const wear = (rig: Rig): void => {
  for (let from = 9; from <= 57; from += 8) {
    fill(rig, BUSY, { from, to: from + 7 })
    rig.compact(BUSY, { index: from + 6, term: 1 })
    rig.clock.advance(10)
  }
}

const isThere = (rig: Rig): boolean => rig.disk.image().files.has(COLD_PATH)

/** Where things stand in the cold segment: its header block, a group of a vote and two entries, groups of one entry each. */
const GROUP_AT = 4_096
const VOTE_AT = GROUP_AT + 48
const ENTRY_AT = VOTE_AT + 40
const SECOND_AT = ENTRY_AT + 72
const NEXT_GROUP_AT = SECOND_AT + 72

const flip = (rig: Rig, at: number): void => rig.disk.corrupt(COLD_PATH, (bytes) => { bytes[at] = (bytes[at] ?? 0) ^ 1 })

describe('a segment that is to be freed', () => {
  test('and has lost an acknowledged entry is neither copied nor removed: the log halts, and the next start knows whom it harms', () => {
    const rig = cold()
    flip(rig, SECOND_AT + 32)
    wear(rig)
    expect([rig.wal.state(), isThere(rig)]).toEqual(['halted', true])
    expect(rig.notices.at(-1)).toEqual({
      type: 'wal.failed', reason: expect.stringMatching(/^segment 1 .*does not read back. Nothing was removed.*Start the node again/),
    })
    const found = restart(rig).report()
    expect(found?.groups.get(COLD)?.quarantined).toMatch(/entry 2 is damaged/)
    expect(found?.groups.get(BUSY)?.quarantined).toBeUndefined()
  })

  test.each([
    ['a vote\'s payload', VOTE_AT + 32],
    ['a record\'s header', ENTRY_AT + 8],
    ['a group\'s header', GROUP_AT + 24],
    ['an entry that a compaction has covered since', NEXT_GROUP_AT + 100],
    ['its own header', 16],
  ])('and has lost %s likewise', (_, at) => {
    const rig = cold()
    flip(rig, at)
    wear(rig)
    expect([rig.wal.state(), isThere(rig)]).toEqual(['halted', true])
    const next = restart(rig)
    const isTold = expect.arrayContaining([expect.stringMatching(/segment 1: .*(damaged|read back)/)])
    expect([next.report()?.findings, isThere(next)]).toEqual([isTold, true])
  })

  test('and has lost all behind its first group, of which nothing in it tells, likewise: its successor tells where it ended', () => {
    const rig = restart(cold())
    rig.disk.corrupt(COLD_PATH, (bytes) => bytes.fill(0, NEXT_GROUP_AT))
    wear(rig)
    expect([rig.wal.state(), isThere(rig)]).toEqual(['halted', true])
    expect(restart(rig).report()?.damagedNode).toMatch(/does not read back/)
  })

  test('and can not be read any more likewise: the next start goes on without its replicas, or with all of them if it can read it', () => {
    let isBad = false
    const fault = ({ operation, path }: DiskCall): DiskFault | undefined =>
      (isBad && operation === 'read' && path === COLD_PATH ? { kind: 'error', code: 'EIO' } : undefined)
    const rig = restart(cold(), { fault })
    isBad = true
    wear(rig)
    expect([rig.wal.state(), isThere(rig)]).toEqual(['halted', true])
    expect(rig.notices.at(-1)).toEqual({
      type: 'wal.failed',
      reason: expect.stringMatching(/^segment 1 .* a part of it does not read back. Nothing was removed.*Start the node again/),
    })
    const next = restart(rig, { fault })
    expect([next.wal.state(), next.report()?.damagedNode, next.report()?.isUnread]).toEqual(['open', 'segment 1 can not be read', true])
    const read = restart(next)
    expect(read.report()?.isUnread).toBeUndefined()
    expect([read.report()?.damagedNode, read.report()?.groups.get(COLD)?.entries.length]).toEqual([undefined, 2])
  })

  test('goes in spite of damage that a start has found there and judged', () => {
    const rig = cold()
    rig.clock.advance(200)
    rig.disk.corrupt(COLD_PATH, (bytes) => { bytes[SECOND_AT + 32] = 0xee })
    const second = restart(rig)
    expect(second.report()?.groups.get(COLD)?.quarantined).toMatch(/entry 2 is damaged/)
    wear(second)
    expect([second.wal.state(), isThere(second)]).toEqual(['open', false])
    const found = restart(second).report()?.groups.get(COLD)
    expect([found?.quarantined, found?.hardState.term]).toEqual([expect.stringMatching(/entry 2 is damaged/), 3])
  })
})

describe('a segment that is read to be copied', () => {
  /**
   * Story: 1. The cold segment's size is asked for, to read it whole. 2. The cold group compacts; nothing pins the segment any more, its
   * file was closed and removed. 3. The read that followed found a closed file, and that ended the process.
   */
  test('stays until it is read, although a compaction frees it meanwhile, and then goes by itself', () => {
    let reads = 0
    let isUp = false
    const isRead = ({ operation, path }: DiskCall): boolean => isUp && operation === 'size' && path === COLD_PATH
    const first = createRig().open()
    first.append(COLD, { entries: entriesOf(1, 2) })
    fill(first, BUSY, { from: 1, to: 8 })
    const rig = restart(first, {
      latencyMs: (call) => (isRead(call) ? 5 : 0.2),
      fault: (call) => {
        if (isRead(call)) reads += 1
        return undefined
      },
    })
    isUp = true
    const hasBegun = (): boolean => reads > 0
    for (let index = 9; !hasBegun(); index += 1) {
      rig.append(BUSY, { entries: [entryOf(index, { bytes: 1_500 })] })
      rig.clock.advance(1)
      if (index % 8 === 0) rig.compact(BUSY, { index: index - 1, term: 1 })
    }
    rig.compact(COLD, { index: 2, term: 1 })
    rig.clock.advance(2)
    expect([rig.wal.backlogBytes(), isThere(rig)]).toEqual([0, true])
    rig.clock.advance(20)
    expect([rig.wal.state(), isThere(rig), reads]).toEqual(['open', false, 1])
  })
})

describe('a copied mark on a full disk', () => {
  const SEGMENT_BYTES = 16_384
  const RECORD_BYTES = 32
  /** Of the rig (torture/rig.ts). */
  const RESERVE_BYTES = 2_048
  const logEnd = (rig: Rig): number =>
    recoverLog(new Map(segmentsOf(rig.disk.image()).map(({ segment, bytes }) => [segment, bytes]))).tail.end.offset
  const isBegun = (rig: Rig, segment: number): boolean =>
    rig.disk.image().files.get(`wal/${segmentName(segment)}`)?.some((byte) => byte !== 0) === true

  /** The busy group's entries until the segment is begun; the last index. */
  const fillUntil = (rig: Rig, from: number, segment: number): number => {
    let index = from
    for (; !isBegun(rig, segment); index += 1) fill(rig, BUSY, { from: index, to: index })
    return index - 1
  }
  const voteOf = (bytes: number): ReplicaId => 'v'.repeat(bytes) as ReplicaId

  /** Votes of a third group until fewer than two records and a group's header fit, beside what is kept for tombstones. */
  const fillReserve = (rig: Rig): void => {
    const limit = SEGMENT_BYTES - 4_096 - RESERVE_BYTES / 16 - 2 * RECORD_BYTES - 96
    for (let term = 2; logEnd(rig) < limit - 32; term += 1) {
      const bytes = Math.min(1_000, limit - logEnd(rig) - 48 - RECORD_BYTES - 8)
      rig.append(5, { hardState: { term, vote: voteOf(Math.max(0, bytes)) }, reserved: true })
      rig.clock.advance(2)
    }
  }

  /**
   * Story: 1. On a full disk the cold group's vote and mark at 1 are to be copied out of segment 1: the vote fits, the mark waits. 2. The
   * group compacts to 3, and that mark, which may make room, overtakes the copy. 3. There is room again: the copy of the old mark
   * is placed, in a later segment. Taken for the newest, it let the segment with the mark at 3 go, and entries 2 and 3 were gone already.
   */
  test('that a newer one has overtaken does not hide it: the newer one stays', () => {
    const rig = createRig({ capacityBytes: 3 * SEGMENT_BYTES + SPARE_BYTES, config: { spaceRetryMs: 20, sealDelayMs: 100_000 } }).open()
    rig.append(COLD, { hardState: { term: 1, vote: voteOf(60) }, entries: entriesOf(1, 1) })
    rig.clock.advance(2)
    rig.compact(COLD, { index: 1, term: 1 })
    rig.clock.advance(2)
    const inFirst = fillUntil(rig, 1, 2) - 1
    rig.append(COLD, { entries: entriesOf(2, 3) })
    rig.clock.advance(2)
    const last = fillUntil(rig, inFirst + 2, 3)
    rig.append(COLD, { entries: entriesOf(4, 4) })
    rig.clock.advance(2)
    expect(rig.wal.isFull()).toBe(true)
    fillReserve(rig)
    rig.compact(BUSY, { index: inFirst, term: 1 })
    rig.clock.advance(2)
    rig.compact(COLD, { index: 3, term: 1 })
    rig.clock.advance(2)
    expect(rig.wal.backlogBytes()).toBeGreaterThan(0)
    rig.disk.setCapacity(1_000_000)
    rig.clock.advance(60)
    for (let index = last + 1; rig.disk.image().files.has(`wal/${segmentName(3)}`); index += 1) {
      fill(rig, BUSY, { from: index, to: index })
      if (index % 3 === 0) rig.compact(BUSY, { index: index - 2, term: 1 })
    }
    const found = restart(rig).report()?.groups.get(COLD)
    expect([found?.quarantined, found?.snapshot.index, found?.entries.map(({ index }) => index)]).toEqual([undefined, 3, [4]])
  })
})
