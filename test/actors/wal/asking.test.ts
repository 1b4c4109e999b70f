/**
 * Whom the log asks for snapshots, and when: groups that are in the way of freeing the oldest segment take turns, as the log grows.
 *
 * Twelve segments are wanted, so that a round comes with every three that the log grows by.
 */

import { describe, expect, test } from '@jest/globals'
import { segmentName } from '../../../storage/segment.ts'
import { createRig, entriesOf, entryOf, SPARE_BYTES, vote } from '../../../torture/rig.ts'
import type { Rig } from '../../../torture/rig.ts'
import { restart, segmentsOn } from '../../support/logRig.ts'

const ENTRY_BYTES = 1_000
const SEGMENT_BYTES = 65_536
const WANTED = 12
const GROUPS = [1, 2, 3, 4]
/** What the log grows by from one ask to the next with four groups in the way: a quarter of a round. */
const STEP_BYTES = WANTED * SEGMENT_BYTES / 16
/** So many entries, with what is between them. */
const bytesOf = (entries: number): number => entries * (ENTRY_BYTES + 60)

const asksOf = (rig: Rig): number[] => rig.notices.flatMap((notice) => (notice.type === 'wal.snapshotWanted' ? [notice.group] : []))

const CONFIG = { segmentBytes: SEGMENT_BYTES, groupBytesMax: SEGMENT_BYTES / 2, segmentsWanted: WANTED }

const hasFirst = (rig: Rig): boolean => segmentsOn(rig).includes(`wal/${segmentName(1)}`)

/** A log with shards that are written in turn. A snapshot of one frees what is before its last one. */
const createShards = (groups: readonly number[]) => {
  const rig = createRig({ config: CONFIG }).open()
  const last = new Map<number, number>()
  const snapshots = new Map<number, number>()
  const append = (group: number, count = 1): void => {
    const from = (last.get(group) ?? 0) + 1
    rig.append(group, { entries: entriesOf(from, from + count - 1, { bytes: ENTRY_BYTES }) })
    last.set(group, from + count - 1)
    rig.clock.advance(2)
  }
  const snapshot = (group: number): void => {
    const previous = snapshots.get(group)
    if (previous !== undefined) rig.compact(group, { index: previous, term: 1 })
    snapshots.set(group, last.get(group) ?? 0)
  }
  let turn = 0
  /** So many more entries, each of the next shard. Returns how many asks came with each. */
  const write = (count: number, heard: (asked: readonly number[]) => void = () => undefined): number[] =>
    Array.from({ length: count }, () => {
      const known = asksOf(rig).length
      append(groups[turn % groups.length] ?? 0)
      turn += 1
      const asked = asksOf(rig).slice(known)
      heard(asked)
      return asked.length
    })
  const writeUntilAsked = (): void => {
    for (let tries = 0; tries < 1_500; tries += 1) if ((write(1)[0] ?? 0) > 0) return
    throw new Error('nobody was asked')
  }
  return { rig, append, snapshot, write, writeUntilAsked }
}

const inRounds = (asked: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.floor(asked.length / size) }, (_, i) => asked.slice(i * size, i * size + size))

describe('groups in the way of the oldest segment', () => {
  test('are asked one by one as the log grows, each once a round, from when it holds more segments than wanted', () => {
    const { rig, write, writeUntilAsked } = createShards(GROUPS)
    writeUntilAsked()
    // The one that is asked for is written, and one is made ahead.
    expect(segmentsOn(rig).length).toBeGreaterThanOrEqual(WANTED + 1)
    expect(segmentsOn(rig).length).toBeLessThanOrEqual(WANTED + 2)
    expect(asksOf(rig).length).toBe(1)
    const asks = write(800)
    expect(Math.max(...asks)).toBe(1)
    const total = asks.reduce((sum, count) => sum + count, 0)
    expect(total).toBeGreaterThanOrEqual(Math.floor(bytesOf(800) / STEP_BYTES))
    // What segments leave empty counts.
    expect(total).toBeLessThanOrEqual(bytesOf(800) / STEP_BYTES * 1.2 + 1)
    const rounds = inRounds(asksOf(rig), GROUPS.length)
    expect(rounds.map((round) => [...round].sort())).toEqual(rounds.map(() => GROUPS))
    expect(rounds).toEqual(rounds.map(() => rounds[0]))
  })

  test('free it by what they write when asked, and the log stays near what is wanted', () => {
    const groups = Array.from({ length: 16 }, (_, i) => i + 1)
    const { rig, snapshot, write } = createShards(groups)
    let most = 0
    const grow = (entries: number): number[] => {
      most = 0
      return write(entries, (asked) => {
        asked.forEach(snapshot)
        most = Math.max(most, rig.wal.bytes() / SEGMENT_BYTES)
      })
    }
    // None has a snapshot: until each has written two the log grows by half of what is wanted.
    grow(2_000)
    expect(hasFirst(rig)).toBe(false)
    expect(most).toBeLessThanOrEqual(WANTED * 1.5 + 2)
    const asks = grow(4_000)
    expect(most).toBeLessThanOrEqual(WANTED + 3)
    expect(Math.max(...asks)).toBe(1)
    const lengths = bytesOf(4_000) / (WANTED * SEGMENT_BYTES)
    expect(asks.reduce((sum, count) => sum + count, 0)).toBeLessThan(lengths * groups.length * 3)
  })

  /** Each segment that should go then waits for the one before, and for as long as a snapshot takes. */
  test('are those in the way of any segment beyond what is wanted: snapshots that take long make the log no longer', () => {
    const groups = Array.from({ length: 16 }, (_, i) => i + 1)
    const { rig, snapshot, write } = createShards(groups)
    const due: { readonly at: number; readonly group: number }[] = []
    let most = 0
    for (let at = 0; at < 6_000; at += 1) {
      write(1, (asked) => { due.push(...asked.map((group) => ({ at: at + 60, group }))) })
      while (due[0] !== undefined && due[0].at <= at) snapshot(due.shift()?.group ?? 0)
      most = Math.max(most, rig.wal.bytes() / SEGMENT_BYTES)
    }
    expect(most).toBeLessThanOrEqual(WANTED * 1.5 + 3)
  })

  test('that can not answer cost the others nothing, and are asked again, once a round', () => {
    const { rig, snapshot, write } = createShards(GROUPS)
    let written = 0
    const heard: number[] = []
    write(2_000, (groups) => {
      written += 1
      for (const group of groups) {
        if (group === 3) heard.push(written)
        if (group !== 3 || heard.length > 4) snapshot(group)
      }
    })
    expect(inRounds(asksOf(rig), 4).slice(0, 2).map((round) => [...round].sort())).toEqual([GROUPS, GROUPS])
    expect(heard.length).toBeGreaterThan(5)
    // Alone in the way, too, it has a whole round for each. What segments leave empty is a part of it.
    const perRound = 3 * SEGMENT_BYTES / bytesOf(1) * 0.85
    expect(heard.slice(1).filter((at, i) => at - (heard[i] ?? 0) < perRound)).toEqual([])
    expect(hasFirst(rig)).toBe(false)
  })

  test('are those with much in it: what is little together is copied when the others have gone', () => {
    const { rig, snapshot, write } = createShards([1, 2])
    for (const group of [11, 12, 13]) rig.append(group, { entries: [entryOf(1, { bytes: 500 })] })
    write(2_000, (asked) => { asked.forEach(snapshot) })
    expect(new Set(asksOf(rig))).toEqual(new Set([1, 2]))
    expect(hasFirst(rig)).toBe(false)
    const groups = restart(rig).report()?.groups
    expect([11, 12, 13].map((group) => groups?.get(group)?.entries.length)).toEqual([1, 1, 1])
  })

  test('make room for copies of what is left as soon as they have gone, not when the next ask would be due', () => {
    const { rig, write, writeUntilAsked } = createShards([1])
    rig.append(11, { entries: [entryOf(1)] })
    writeUntilAsked()
    write(4)
    rig.compact(1, { index: 100, term: 1 })
    write(4)
    expect(asksOf(rig)).toEqual([1])
    expect(hasFirst(rig)).toBe(false)
  })

  test('are not asked for what grew while nothing was in the way: a log that gets beyond its limit again asks one', () => {
    const { rig, snapshot, write, writeUntilAsked } = createShards(GROUPS)
    writeUntilAsked()
    write(100)
    const known = asksOf(rig).length
    for (let round = 0; round < 40; round += 1) {
      write(100)
      GROUPS.forEach(snapshot)
    }
    expect(asksOf(rig).length - known).toBeLessThanOrEqual(4)
    expect(segmentsOn(rig).length).toBeLessThan(WANTED)
    const before = asksOf(rig).length
    writeUntilAsked()
    expect(asksOf(rig).length - before).toBe(1)
    expect(write(30)).toEqual(Array.from({ length: 30 }, () => 0))
  })

  test('are asked several at once by writes that are worth several', () => {
    const { rig, append, writeUntilAsked } = createShards(Array.from({ length: 16 }, (_, i) => i + 1))
    writeUntilAsked()
    const known = asksOf(rig).length
    append(1, 30)
    expect(asksOf(rig).length - known).toBe(Math.floor(bytesOf(30) / (STEP_BYTES / 4)))
  })

  test('are asked by the next process, too, one at first', () => {
    const { rig, writeUntilAsked } = createShards(GROUPS)
    writeUntilAsked()
    const next = restart(rig, { config: CONFIG })
    next.append(5, { entries: [entryOf(1)] })
    next.clock.advance(5)
    expect(asksOf(next).length).toBe(1)
  })
})

describe('on a full disk', () => {
  const RETRY_MS = 200
  const full = () => {
    const config = { segmentsWanted: 99, spaceRetryMs: RETRY_MS, copyForwardBytesMax: 1_000 }
    const rig = createRig({ capacityBytes: 4 * 16_384 + SPARE_BYTES, config }).open()
    let index = 0
    while (!rig.wal.isFull() && index < 100) {
      index += 1
      for (const group of GROUPS) rig.append(group, { entries: [entryOf(index, { bytes: ENTRY_BYTES })] })
      rig.clock.advance(3)
    }
    expect(rig.wal.isFull()).toBe(true)
    return { rig, index }
  }

  test('all are asked when it is found full, and at every retry, but not with every write', () => {
    const { rig } = full()
    expect(inRounds(asksOf(rig), 4).map((round) => [...round].sort())).toEqual([GROUPS])
    for (let term = 2; term < 12; term += 1) {
      const ticket = rig.append(9, { hardState: { term, vote: vote('a') }, reserved: true })
      rig.clock.advance(5)
      expect(rig.isAcknowledged(ticket)).toBe(true)
    }
    expect(asksOf(rig).length).toBe(4)
    rig.clock.advance(RETRY_MS)
    expect(asksOf(rig).length).toBe(8)
    rig.clock.advance(3 * RETRY_MS)
    const rounds = inRounds(asksOf(rig), 4)
    expect(rounds.map((round) => [...round].sort())).toEqual([GROUPS, GROUPS, GROUPS, GROUPS, GROUPS])
  })

  test('those that answer make room', () => {
    const { rig, index } = full()
    for (const group of asksOf(rig)) rig.compact(group, { index: index - 2, term: 1 })
    rig.clock.advance(4 * RETRY_MS)
    expect([rig.wal.isFull(), hasFirst(rig)]).toEqual([false, false])
  })
})
