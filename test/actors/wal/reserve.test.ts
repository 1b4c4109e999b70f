/**
 * What a full disk keeps for votes, no-ops, marks and tombstones, by default 1 MiB, serves every Raft group: what of one waits takes it
 * from no other.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { walConfigDefaults } from '../../../actors/wal/config.ts'
import { GROUP_HEADER_BYTES } from '../../../storage/group.ts'
import { BLOCK_BYTES, segmentName } from '../../../storage/segment.ts'
import { createRig, entriesOf, entryOf, vote } from '../../../torture/rig.ts'
import { restart } from '../../support/logRig.ts'
import type { Rig } from '../../../torture/rig.ts'

const BUSY = 1
const ENTRY_BYTES = 60_000
const SEGMENT_BYTES = walConfigDefaults.segmentBytes
const RESERVE_BYTES = walConfigDefaults.reserveBytes
/** The most of one group that a leader has under way (raft/limits.ts bytesInFlightMax), and more than the reserve. */
const MANY = 70

interface Full { readonly rig: Rig; readonly last: number }

/** The disk has no room for a second segment, and the busy group has filled what there is for its entries; the last one waits. */
const full = (): Full => {
  const rig = createRig({ capacityBytes: 2 * SEGMENT_BYTES, config: walConfigDefaults }).open()
  let last = 0
  let ticket = 0
  do {
    last += 1
    ticket = rig.append(BUSY, { entries: [entryOf(last, { bytes: ENTRY_BYTES })] })
    rig.clock.advance(20)
  } while (rig.isAcknowledged(ticket))
  expect(rig.wal.isFull()).toBe(true)
  return { rig, last }
}

/** Submits a vote of the group, and waits long enough for a seal behind it. */
const isVoteWritten = (rig: Rig, group: number, term: number, bytes = 1): boolean => {
  const ticket = rig.append(group, { hardState: { term, vote: vote('x'.repeat(bytes)) }, reserved: true })
  rig.clock.advance(200)
  return rig.isAcknowledged(ticket)
}

/** Votes, one at a time, that are written before one is not. */
const votesWritten = (rig: Rig, most: number): number => {
  for (let count = 0; count < most; count += 1) if (!isVoteWritten(rig, 2 + count % 200, 100 + count)) return count
  return most
}

/** The last that the segment holds is a group's header at the start of a block, and nothing else. */
const isSealed = (rig: Rig): boolean => {
  const bytes = must(rig.disk.image().files.get(`wal/${segmentName(1)}`), 'the segment that is written')
  return bytes.findLastIndex((byte) => byte !== 0) % BLOCK_BYTES < GROUP_HEADER_BYTES
}

/** So many more of the busy group wait, each in a submission of its own. */
const wait = ({ rig, last }: Full, count: number): number[] =>
  entriesOf(last + 1, last + count, { bytes: ENTRY_BYTES }).map((entry) => rig.append(BUSY, { entries: [entry] }))

describe('on a full disk', () => {
  /**
   * Story: 1. 4 MiB of a busy group wait. 2. Its leadership moves: its new term is reserved, and may not overtake what waits. 3. What
   * waited went along, as far as it fitted, and filled what was kept for the votes of all others.
   */
  test('a busy group\'s vote leaves the votes of others their room, however much of it waits', () => {
    const stage = full()
    wait(stage, MANY)
    expect([isVoteWritten(stage.rig, BUSY, 9), votesWritten(stage.rig, 1_000)]).toEqual([false, 1_000])
  })

  test('votes of others, one at a time, leave room for what goes along with one', () => {
    const { rig } = full()
    expect(votesWritten(rig, 300)).toBe(300)
    const entry = rig.append(900, { entries: [entryOf(1, { bytes: ENTRY_BYTES })] })
    expect([isVoteWritten(rig, 900, 9), rig.isAcknowledged(entry)]).toEqual([true, true])
  })

  test('what waits behind a vote does not go along', () => {
    const { rig } = full()
    const other = rig.append(2, { hardState: { term: 9, vote: vote('x') }, reserved: true })
    const tickets = [1, 2, 3].map((index) => rig.append(2, { entries: [entryOf(index, { bytes: ENTRY_BYTES })] }))
    rig.clock.advance(50)
    expect([rig.isAcknowledged(other), tickets.some(rig.isAcknowledged)]).toEqual([true, false])
  })

  test('a little that waits goes along with its group\'s vote, and what is too much for that keeps no other group waiting', () => {
    const stage = full()
    const { rig } = stage
    wait(stage, MANY)
    rig.append(BUSY, { hardState: { term: 9, vote: vote('x') }, reserved: true })
    const entries = entriesOf(1, 3, { bytes: ENTRY_BYTES }).map((entry) => rig.append(2, { entries: [entry] }))
    expect([isVoteWritten(rig, 2, 9), entries.every(rig.isAcknowledged)]).toEqual([true, true])
    const found = restart(rig).report()?.groups.get(2)
    expect([found?.hardState.term, found?.entries.length]).toEqual([9, 3])
  })

  test('what goes along with votes takes half of what is kept for them, all groups and times together', () => {
    const { rig } = full()
    let written = 0
    for (let group = 2; group < 100; group += 1) {
      const entry = rig.append(group, { entries: [entryOf(1, { bytes: ENTRY_BYTES })] })
      isVoteWritten(rig, group, 9)
      if (rig.isAcknowledged(entry)) written += ENTRY_BYTES
    }
    expect([written > 0, written <= RESERVE_BYTES / 2 + ENTRY_BYTES]).toEqual([true, true])
    const others = Array.from({ length: 500 }, (_, i) => isVoteWritten(rig, 200 + i, 9))
    expect(others.every(Boolean)).toBe(true)
  })

  test('a start leaves the reserve to votes before it knows that the disk is full', () => {
    const { rig } = full()
    rig.wal.stop()
    const again = createRig({ on: rig, config: walConfigDefaults }).open()
    for (const entry of entriesOf(1, 30, { bytes: ENTRY_BYTES })) again.append(2, { entries: [entry] })
    again.clock.advance(300)
    expect([again.wal.isFull(), isVoteWritten(again, 3, 9)]).toEqual([true, true])
  })

  test('a compaction takes nothing along that it may overtake', () => {
    const stage = full()
    const { rig } = stage
    const tickets = wait(stage, 3)
    rig.compact(BUSY, { index: 1, term: 1 })
    rig.clock.advance(200)
    expect(tickets.some(rig.isAcknowledged)).toBe(false)
    expect(restart(rig).report()?.groups.get(BUSY)?.snapshot.index).toBe(1)
  })

  test('votes that come one at a time take no block each for a seal: thousands have room', () => {
    const { rig } = full()
    expect(votesWritten(rig, 3_000)).toBe(3_000)
  })

  test('behind what is more than a block an idle log seals itself, also where it leaves other seals out', () => {
    const { rig } = full()
    votesWritten(rig, 300)
    isVoteWritten(rig, 2, 900, 5_000)
    expect(isSealed(rig)).toBe(true)
  })

  test('an idle log that left its seal out is sealed as soon as there is room', () => {
    const { rig } = full()
    rig.retire(BUSY, 1)
    votesWritten(rig, 300)
    expect(isSealed(rig)).toBe(false)
    rig.disk.setCapacity(10 * SEGMENT_BYTES)
    rig.clock.advance(walConfigDefaults.spaceRetryMs + 200)
    expect([rig.wal.isFull(), isSealed(rig)]).toEqual([false, true])
  })

  /** A node may have some two hundred replicas, and each that leaves makes room when the others have left, too. */
  test('tombstones have a place when votes have used all they may', () => {
    const { rig } = full()
    for (const bytes of [4_000, 1]) {
      let group = 300
      do group += 1
      while (isVoteWritten(rig, group, 9, bytes))
    }
    const tickets = Array.from({ length: 250 }, (_, i) => {
      const ticket = rig.retire(1_000 + i, 1)
      rig.clock.advance(200)
      return ticket
    })
    expect([rig.wal.isFull(), tickets.every(rig.isAcknowledged)]).toEqual([true, true])
    expect(restart(rig).report()?.groups.get(1_249)?.replica).toEqual({ generation: 1, isRemoved: true })
  })
})
