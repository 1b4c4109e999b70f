/** How the log frees its oldest segment: by compactions, copies and snapshots that it asks for. */

import { describe, expect, test } from '@jest/globals'
import { segmentName } from '../../../storage/segment.ts'
import { spareBytes } from '../../../storage/segmentFiles.ts'
import { createRig, entriesOf, entryOf, vote } from '../../../torture/rig.ts'
import { fill, restart, segmentsOn, typesOf } from '../../support/logRig.ts'
import type { Rig } from '../../../torture/rig.ts'

const segmentsIn = (rig: Rig): number => rig.wal.bytes() / 16_384

describe('freeing segments', () => {
  test('a segment with nothing live goes once the mark is durable, and not before', () => {
    const rig = createRig({ config: { segmentsWanted: 99 } }).open()
    fill(rig, 1, { from: 1, to: 20 })
    const bytes = rig.wal.bytes()
    rig.compact(1, { index: 19, term: 1 })
    expect(segmentsOn(rig)).toContain(`wal/${segmentName(1)}`)
    rig.clock.advance(5)
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    expect(rig.wal.bytes()).toBeLessThan(bytes)
  })

  /** As file systems do that never write in place, and quotas. The log ended, and with it the node. */
  describe.each(['ENOSPC', 'EDQUOT'])('where there is no room to remove one (%s)', (code) => {
    const freedWithoutRoom = () => {
      const disk = { isFull: false }
      const rig = createRig({
        config: { segmentsWanted: 99, spaceRetryMs: 200 },
        fault: ({ operation }) => (disk.isFull && operation === 'remove' ? { kind: 'error', code } : undefined),
      }).open()
      fill(rig, 1, { from: 1, to: 20 })
      disk.isFull = true
      rig.compact(1, { index: 19, term: 1 })
      rig.clock.advance(1_000)
      return { disk, rig }
    }

    test('it goes when there is', () => {
      const { disk, rig } = freedWithoutRoom()
      const ticket = rig.append(1, { entries: [entryOf(21)] })
      rig.clock.advance(10)
      expect([rig.wal.state(), rig.isAcknowledged(ticket)]).toEqual(['open', true])
      expect(segmentsOn(rig)).toContain(`wal/${segmentName(1)}`)
      disk.isFull = false
      rig.clock.advance(300)
      expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    })

    test('the log can be closed, and the next one has everything', () => {
      const { rig } = freedWithoutRoom()
      rig.wal.send({ type: 'wal.close' })
      rig.clock.advance(1_000)
      expect([rig.wal.state(), typesOf(rig).at(-1)]).toEqual(['closed', 'wal.closed'])
      expect(restart(rig).report()?.groups.get(1)?.entries.length).toBe(1)
    })
  })

  test('a cold group with few live records is copied forward, vote and all', () => {
    const rig = createRig().open()
    rig.append(9, { hardState: { term: 3, vote: vote('z') }, entries: entriesOf(1, 2, { term: 3 }) })
    for (let round = 0; round < 8; round += 1) {
      fill(rig, 1, { from: round * 8 + 1, to: round * 8 + 8 })
      rig.compact(1, { index: round * 8 + 7, term: 1 })
      rig.clock.advance(10)
    }
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    expect(typesOf(rig)).not.toContain('wal.snapshotWanted')
    const found = restart(rig).report()?.groups.get(9)
    expect([found?.hardState, found?.entries.length, found?.quarantined]).toEqual([{ term: 3, vote: 'z:1' }, 2, undefined])
  })

  test('a group with much in the oldest segment is asked for a snapshot, the biggest first', () => {
    const rig = createRig({ config: { copyForwardBytesMax: 1_000 } }).open()
    rig.append(9, { entries: [entryOf(1, { bytes: 300 })] })
    fill(rig, 1, { from: 1, to: 30 })
    const wanted = rig.notices.filter((notice) => notice.type === 'wal.snapshotWanted').map(({ group }) => group)
    expect(wanted.length).toBeGreaterThan(0)
    expect(new Set(wanted)).toEqual(new Set([1]))
    rig.compact(1, { index: 29, term: 1 })
    rig.clock.advance(50)
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    expect(restart(rig).report()?.groups.get(9)?.entries.length).toBe(1)
  })

  /** So many entries of a cold group, then traffic of another that is compacted as it goes. */
  const afterTraffic = (entries: number): Rig => {
    const rig = createRig({ config: { copyForwardBytesMax: 1_000, segmentsWanted: 2 } }).open()
    rig.append(9, { entries: Array.from({ length: entries }, (_, i) => entryOf(i + 1, { bytes: 1_500 })) })
    for (let round = 0; round < 30; round += 1) {
      fill(rig, 1, { from: round * 8 + 1, to: round * 8 + 8 })
      rig.compact(1, { index: round * 8 + 7, term: 1 })
      rig.clock.advance(10)
    }
    return rig
  }

  test('a cold group with much to keep and no snapshot to give pins the log to twice what it should be, and is copied then', () => {
    const rig = afterTraffic(6)
    expect(typesOf(rig)).toContain('wal.snapshotWanted')
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    expect(segmentsOn(rig).length).toBeLessThanOrEqual(6)
    expect(restart(rig).report()?.groups.get(9)?.entries.length).toBe(6)
  })

  test('it is copied as soon as the next segment stands ready, though nothing else has changed', () => {
    const rig = createRig({
      config: { copyForwardBytesMax: 1_000, segmentsWanted: 2 }, latencyMs: ({ path }) => (path.endsWith('.new') ? 5 : 0.2),
    }).open()
    rig.append(9, { entries: [entryOf(1, { bytes: 1_500 })] })
    let last = 0
    const write = (): void => {
      last += 1
      rig.append(1, { entries: [entryOf(last, { bytes: 700 })] })
      rig.clock.advance(2)
    }
    // Up to the turn in which it becomes too long: the next segment is not made yet.
    for (write(); segmentsIn(rig) <= 4; write()) {
      rig.compact(1, { index: last - 1, term: 1 })
      rig.clock.advance(200)
    }
    const holdsFirst = (): boolean => segmentsOn(rig).includes(`wal/${segmentName(1)}`)
    rig.clock.advance(200)
    expect(holdsFirst()).toBe(true)
    write()
    rig.clock.advance(50)
    write()
    rig.clock.advance(50)
    expect(holdsFirst()).toBe(false)
    expect(restart(rig).report()?.groups.get(9)?.entries.length).toBe(1)
  })

  test('a log of which most lives is copied no further, however far beyond that it is', () => {
    const rig = afterTraffic(80)
    expect(segmentsOn(rig).length).toBeGreaterThan(8)
    rig.clock.advance(1_000)
    const groups = rig.groups.length
    rig.clock.advance(10_000)
    expect(rig.groups.length).toBe(groups)
    expect(restart(rig).report()?.groups.get(9)?.entries.length).toBe(80)
  })

  /** As by default, a sixteenth of the size; a new segment takes longer to be made than a group to be written. */
  const MIB = 1_048_576
  const whenFull = (segments: number, perTurn: number): Rig => {
    const config = { segmentBytes: MIB, groupBytesMax: MIB / 4, reserveBytes: MIB / 16, copyForwardBytesMax: MIB / 64, segmentsWanted: 8 }
    const rig = createRig({
      capacityBytes: segments * MIB + spareBytes(MIB) + 4_096, config, latencyMs: ({ path }) => (path.endsWith('.new') ? 8 : 2),
    }).open()
    const settle = (): boolean => rig.clock.runUntil(() => rig.wal.backlogBytes() === 0 || rig.wal.isFull(), 200)
    for (let index = 1; index <= 1_300; index += 50) {
      rig.append(9, { entries: Array.from({ length: 50 }, (_, i) => entryOf(index + i, { bytes: 3_200 })) })
      settle()
    }
    for (let index = 1; !rig.wal.isFull() && index < 2_000; index += 1) {
      rig.append(1, { entries: [entryOf(index, { bytes: 60_000 })] })
      if (index % perTurn === 0) settle()
      if (index % 32 === 0) rig.compact(1, { index: index - 1, term: 1 })
    }
    expect(rig.wal.isFull()).toBe(true)
    rig.clock.advance(500)
    return rig
  }

  test('copies leave what is kept for votes on a disk that fills up meanwhile', () => {
    for (const [segments, perTurn] of [[17, 1], [17.5, 1], [19, 4]] as const) {
      const rig = whenFull(segments, perTurn)
      const votes = Array.from({ length: 16 }, (_, i) => {
        const entries = [entryOf(1, { bytes: 600 })]
        const ticket = rig.append(100 + i, { hardState: { term: 2, vote: vote('a') }, entries, reserved: true })
        rig.clock.advance(10)
        return ticket
      })
      rig.clock.advance(100)
      expect(votes.every(rig.isAcknowledged)).toBe(true)
      rig.compact(9, { index: 1_290, term: 1 })
      rig.clock.advance(20_000)
      expect(rig.wal.isFull()).toBe(false)
      const found = restart(rig).report()?.groups.get(9)
      expect([found?.snapshot.index, found?.entries.length, found?.quarantined]).toEqual([1_290, 10, undefined])
    }
  })

  test('a copy never truncates: entries that came after it in index order stay', () => {
    const rig = createRig().open()
    rig.append(9, { entries: entriesOf(1, 3) })
    fill(rig, 1, { from: 1, to: 9 })
    rig.append(9, { entries: entriesOf(4, 6) })
    rig.clock.advance(5)
    for (let round = 1; round < 8; round += 1) {
      fill(rig, 1, { from: round * 9 + 1, to: round * 9 + 9 })
      rig.compact(1, { index: round * 9 + 8, term: 1 })
    }
    rig.clock.advance(20)
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
    expect(restart(rig).report()?.groups.get(9)?.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6])
  })
})
