/**
 * Replicas of a group that come and go in one node's log: a new one begins from nothing, a removed one leaves a tombstone, whatever the
 * disk does, however often both are copied forward, and whatever is damaged before them.
 */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../../actors/kernel/random.ts'
import { walConfigDefaults } from '../../../actors/wal/config.ts'
import { createWalCore, handleAppend } from '../../../actors/wal/core.ts'
import { copyForward } from '../../../actors/wal/reclaim.ts'
import { handleAdopt, placeReplica } from '../../../actors/wal/replica.ts'
import { createLogFiles } from '../../../storage/logFiles.ts'
import { createMemoryFileSystem } from '../../../storage/memoryFileSystem.ts'
import { recordBytes } from '../../../storage/record.ts'
import { segmentName } from '../../../storage/segment.ts'
import { livesProblem } from '../../../torture/lives.ts'
import { FULL_DISK_BYTES, SPARE_BYTES, createRig, entriesOf, entryOf, vote } from '../../../torture/rig.ts'
import { createVirtualClock } from '../../../torture/virtualClock.ts'
import type { Rig, RigOptions } from '../../../torture/rig.ts'
import type { RecoveredGroup } from '../../../actors/wal/protocol.ts'
import type { DiskImage } from '../../../storage/memoryFileSystem.ts'
import type { WalRecord } from '../../../storage/record.ts'

const SEEDS = 60
const FULL_DISK_SEED = 20_000

const restart = (rig: Rig, options: RigOptions = {}): Rig => {
  const image = rig.disk.crash({ random: createRandom(3), keep: 0 })
  rig.wal.stop()
  return createRig({ ...options, image }).open()
}

const found = (rig: Rig, group: number): RecoveredGroup | undefined => rig.report()?.groups.get(group)

const empty = { hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] }

/** A rig whose group 1 has a vote, entries and a mark, on disk. */
const lived = (options: RigOptions = {}): Rig => {
  const rig = createRig(options).open()
  rig.append(1, { hardState: { term: 4, vote: vote('a') }, entries: entriesOf(1, 6, { term: 4 }) })
  rig.compact(1, { index: 2, term: 4 })
  rig.clock.advance(10)
  return rig
}

/** Writes and compacts group 9 until segments have been freed `rounds` times over. */
const wear = (rig: Rig, rounds: number, group = 9): void => {
  const from = rig.models.get(group)?.steps.filter(({ kind }) => kind === 'entry').length ?? 0
  for (let index = from + 1; index <= from + rounds * 8; index += 1) {
    rig.append(group, { entries: [entryOf(index, { bytes: 1_500 })] })
    rig.clock.advance(3)
    if (index % 8 === 0) rig.compact(group, { index: index - 1, term: 1 })
  }
  rig.clock.advance(10)
}

const segmentsOn = (rig: Rig): string[] => [...rig.disk.image().files.keys()]

const versionOf = (rig: Rig, segment: number): number | undefined => rig.disk.image().files.get(`wal/${segmentName(segment)}`)?.[8]

/** As an older ShardKV left it, each list of records in a segment of its own, of version 1: it began such until a replica came or went. */
const oldLog = (...segments: readonly (readonly WalRecord[])[]): DiskImage => {
  const clock = createVirtualClock()
  const disk = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) })
  const files = createLogFiles({ fileSystem: disk, directory: 'wal', newSalt: 7 })
  const wait = (begin: (done: () => void) => void): void => {
    let isDone = false
    begin(() => { isDone = true })
    expect(clock.runUntil(() => isDone, 1_000)).toBe(true)
  }
  let previous = { segment: 0, offset: 0 }
  wait((done) => files.open(() => {}, done))
  for (const [before, records] of segments.entries()) {
    const at = { segment: before + 1, offset: 4_096 }
    const opens = { previous, sizeBytes: 16_384, firstSegment: 1, holdsReplicas: false }
    wait((done) => files.prepare(at.segment, opens.sizeBytes, done))
    wait((done) => files.write({ at, opens, synced: previous, firstSegment: 1, isSeal: false, level: 1, records }, done))
    previous = { segment: at.segment, offset: at.offset + 48 + records.reduce((sum, record) => sum + recordBytes(record), 0) }
  }
  return disk.image()
}

const voteRecord = (group: number, term: number): WalRecord => ({ kind: 'hardState', group, hardState: { term, vote: vote('x') } })
const entryRecords = (group: number, from: number, to: number): WalRecord[] =>
  entriesOf(from, to, { bytes: 1_500 }).map((entry) => ({ kind: 'entry', group, entry }))

describe('a new replica', () => {
  test('begins from nothing, and what it says afterwards is its own', () => {
    const rig = lived()
    const ticket = rig.adopt(1, 40)
    rig.append(1, { hardState: { term: 1, vote: vote('b') }, entries: entriesOf(1, 2) })
    rig.clock.advance(20)
    expect(rig.isAcknowledged(ticket)).toBe(true)
    expect(found(restart(rig), 1)).toEqual({
      group: 1, hardState: { term: 1, vote: 'b:1' }, snapshot: { index: 0, term: 0 }, entries: entriesOf(1, 2),
      replica: { generation: 40, isRemoved: false },
    })
  })

  test('is answered once it is on disk, and not before: until then the old one is in force', () => {
    let hangs = false
    const rig = lived({ fault: ({ operation }) => (hangs && operation === 'datasync' ? { kind: 'hang' } : undefined) })
    rig.clock.advance(100)
    hangs = true
    const ticket = rig.adopt(1, 2)
    rig.clock.advance(1_000)
    expect([rig.isAcknowledged(ticket), rig.wal.isWriting()]).toEqual([false, true])
    hangs = false
    const again = found(restart(rig), 1)
    expect([again?.hardState.term, again?.entries.length, again?.replica]).toEqual([4, 4, undefined])
  })

  test('is free of the quarantine and of the damage of the one before it', () => {
    const rig = lived()
    rig.append(2, { entries: entriesOf(1, 3) })
    rig.append(3, { entries: entriesOf(1, 1) })
    rig.quarantine(2, 'presented less than it promised')
    rig.clock.advance(200)
    rig.disk.corrupt(`wal/${segmentName(1)}`, (bytes) => { bytes[4_096 + 48 + 40 + 5 * 72 + 32] = 0xee })
    const damaged = restart(rig)
    expect([found(damaged, 1)?.quarantined, found(damaged, 2)?.quarantined])
      .toEqual(['the record of entry 6 is damaged', 'presented less than it promised'])
    for (const group of [1, 2]) damaged.adopt(group, 3)
    damaged.clock.advance(20)
    const healed = restart(damaged)
    for (const group of [1, 2]) expect(found(healed, group)).toEqual({ group, ...empty, replica: { generation: 3, isRemoved: false } })
  })

  test('frees the segments that only the one before it pinned', () => {
    const rig = createRig({ config: { segmentsWanted: 99 } }).open()
    for (let index = 1; index <= 20; index += 1) {
      rig.append(1, { entries: [entryOf(index, { bytes: 1_500 })] })
      rig.clock.advance(3)
    }
    expect(segmentsOn(rig)).toContain(`wal/${segmentName(1)}`)
    rig.adopt(1, 2)
    rig.clock.advance(20)
    expect(segmentsOn(rig)).not.toContain(`wal/${segmentName(1)}`)
  })

  test('that is not newer than the one before it is a bug, and ends the process', () => {
    for (const [before, generation] of [[undefined, 1], [5, 5], [5, 4]] as const) {
      const rig = lived()
      if (before !== undefined) rig.retire(1, before)
      rig.adopt(1, generation)
      expect(rig.failure()).toMatchObject({ name: 'AssertionError', message: expect.stringMatching(/begins after replica/) })
    }
  })

  test('of a log that an older ShardKV began waits for a segment of the version that knows it, and what is behind it waits along', () => {
    const rig = createRig({ image: oldLog([voteRecord(1, 4), ...entryRecords(1, 1, 2), ...entryRecords(4, 1, 1)]) }).open()
    rig.clock.advance(5)
    expect([versionOf(rig, 1), versionOf(rig, 2)]).toEqual([1, 0])
    const tickets = [rig.append(1, { entries: entriesOf(3, 3, { term: 4 }) }), rig.adopt(1, 2), rig.append(1, { entries: entriesOf(1, 1) })]
    rig.clock.advance(20)
    expect([versionOf(rig, 1), versionOf(rig, 2), rig.isAcknowledged(tickets[2] ?? 0)]).toEqual([1, 2, true])
    const again = restart(rig)
    again.adopt(1, 3)
    again.clock.advance(20)
    expect([versionOf(again, 2), versionOf(again, 3), found(restart(again), 1)?.replica?.generation]).toEqual([2, 0, 3])
  })
})

describe('a removed replica', () => {
  test('leaves a tombstone and nothing else, at this restart and at the next', () => {
    const rig = lived()
    const ticket = rig.retire(1, 1)
    rig.clock.advance(20)
    expect(rig.isAcknowledged(ticket)).toBe(true)
    const once = restart(rig)
    const wanted = { group: 1, ...empty, replica: { generation: 1, isRemoved: true } }
    expect([found(once, 1), found(restart(once), 1)]).toEqual([wanted, wanted])
  })

  test('is remembered by generation: only a newer one may begin', () => {
    const rig = lived()
    rig.adopt(1, 7)
    rig.retire(1, 7)
    rig.clock.advance(20)
    const again = restart(rig)
    again.adopt(1, 7)
    expect(again.failure()).toMatchObject({ message: expect.stringMatching(/replica 7 begins after replica 7/) })
    const other = restart(rig)
    other.adopt(1, 8)
    other.clock.advance(20)
    expect(found(restart(other), 1)?.replica).toEqual({ generation: 8, isRemoved: false })
  })

  test('says nothing more: whatever else its group submits is a bug, and ends the process', () => {
    const after: readonly ((rig: Rig) => unknown)[] = [
      (rig) => rig.append(1, { entries: entriesOf(1, 1) }), (rig) => { rig.compact(1, { index: 9, term: 9 }) },
      (rig) => rig.install(1, { index: 9, term: 9 }), (rig) => rig.quarantine(1, 'late'),
    ]
    for (const late of after) {
      const rig = lived()
      rig.retire(1, 1)
      late(rig)
      expect(rig.failure()).toMatchObject({ message: expect.stringMatching(/nothing but a new replica comes behind a tombstone/) })
    }
  })

  test('of an older generation than the one that is here is a bug', () => {
    const rig = lived()
    rig.adopt(1, 7)
    rig.retire(1, 6)
    expect(rig.failure()).toMatchObject({ message: expect.stringMatching(/replica 6 is not older than replica 7/) })
  })
})

describe('copied forward', () => {
  test('a replica record voids nothing, however often it is copied', () => {
    const rig = lived()
    rig.adopt(1, 3)
    rig.append(1, { hardState: { term: 5, vote: vote('b') } })
    rig.retire(2, 1)
    let life = rig
    for (let round = 1; round <= 5; round += 1) {
      const before = segmentsOn(life)
      // In a later segment than what is copied first.
      wear(life, 2)
      life.append(1, { entries: [entryOf(round, { term: 5 })] })
      wear(life, 8)
      expect(segmentsOn(life).filter((path) => before.includes(path))).toEqual([])
      life = restart(life, { models: life.models })
      expect(found(life, 1)).toEqual({
        group: 1, hardState: { term: 5, vote: 'b:1' }, snapshot: { index: 0, term: 0 }, entries: entriesOf(1, round, { term: 5 }),
        replica: { generation: 3, isRemoved: false },
      })
      expect(found(life, 2)).toEqual({ group: 2, ...empty, replica: { generation: 1, isRemoved: true } })
    }
  })

  test('what the old replica had is not, although the new one has an entry of that index and term', () => {
    const layout = { blockBytes: 4_096, dataOffset: 4_096, groupHeaderBytes: 48, recordBytes, segmentLevelAt: (level: number) => level }
    const core = createWalCore({ config: walConfigDefaults, layout, effects: [] })
    const [first, second] = [entryOf(1), entryOf(2)]
    handleAdopt(core, { type: 'wal.adopt', group: 1, generation: 2, ticket: 1 })
    handleAppend(core, { type: 'wal.append', group: 1, ticket: 2, submittedTerm: 1, entries: [first, second], reserved: false })
    const copied = (): readonly WalRecord[] => {
      core.queue = []
      core.groups.get(1)?.rows.set(1, { bytes: 72, indexMin: 1, indexMax: 1 })
      copyForward(core, 1, [
        { kind: 'entry', group: 1, entry: entryOf(2, { fill: 9 }) },
        { kind: 'replica', group: 1, replica: { generation: 2, isRemoved: false }, isCopied: false },
        { kind: 'entry', group: 1, entry: first },
      ])
      return core.queue.flatMap(({ records }) => records)
    }
    expect(copied()).toEqual([])
    placeReplica(core, { kind: 'replica', group: 1, replica: { generation: 2, isRemoved: false }, isCopied: false }, 1)
    const again: WalRecord = { kind: 'replica', group: 1, replica: { generation: 2, isRemoved: false }, isCopied: true }
    expect(copied()).toEqual([again, { kind: 'copiedEntry', group: 1, entry: first }])
  })
})

describe('on a full disk', () => {
  /** The last segment knows replicas, group 1 has written what fits, and more of it waits. */
  const full = (): { readonly rig: Rig; readonly waiting: number } => {
    const rig = createRig({ capacityBytes: 3 * 16_384 + SPARE_BYTES, config: { spaceRetryMs: 100 } }).open()
    rig.retire(5, 1)
    let index = 0
    let waiting: number
    do {
      index += 1
      waiting = rig.append(1, { entries: [entryOf(index, { bytes: 1_500 })] })
      rig.clock.advance(3)
    } while (rig.isAcknowledged(waiting))
    rig.append(1, { entries: entriesOf(index + 1, index + 4, { bytes: 1_500 }) })
    expect(rig.wal.isFull()).toBe(true)
    return { rig, waiting }
  }

  test('a tombstone uses the reserve, does not wait for what it voids, and makes room', () => {
    const { rig, waiting } = full()
    const ticket = rig.retire(1, 1)
    rig.clock.advance(1_000)
    expect([rig.isAcknowledged(ticket), rig.isAcknowledged(waiting)]).toEqual([true, false])
    expect([rig.wal.isFull(), rig.wal.backlogBytes()]).toEqual([false, 0])
    expect(found(restart(rig), 1)).toEqual({ group: 1, ...empty, replica: { generation: 1, isRemoved: true } })
  })

  test('nothing of the new replica overtakes its beginning, and both beginnings of a turn are answered, in order', () => {
    const { rig } = full()
    const tickets = [rig.retire(1, 1), rig.adopt(1, 2), rig.append(1, { entries: entriesOf(1, 3) })]
    rig.compact(1, { index: 2, term: 1 })
    rig.clock.advance(1_000)
    const answers = rig.notices.flatMap((notice) =>
      ('ticket' in notice && tickets.includes(notice.ticket) ? [[notice.type, notice.ticket]] : []))
    expect(answers).toEqual(['wal.retired', 'wal.adopted', 'wal.appended'].map((type, at) => [type, tickets[at]]))
    expect(found(restart(rig), 1)).toMatchObject({ snapshot: { index: 2, term: 1 }, entries: entriesOf(3, 3), replica: { generation: 2 } })
  })

  /** No segment can be made, and the last one is of a version that knows no replicas. */
  const fullOfVersion1 = (options: RigOptions = {}): Rig => {
    const image = oldLog([voteRecord(4, 3), ...entryRecords(1, 1, 5)], entryRecords(2, 1, 3))
    const rig = createRig({ image, capacityBytes: 2 * 16_384 + SPARE_BYTES, config: { spaceRetryMs: 100 }, ...options }).open()
    rig.append(2, { entries: entriesOf(4, 7, { bytes: 1_500 }) })
    rig.clock.advance(50)
    expect([rig.wal.isFull(), versionOf(rig, 2)]).toEqual([true, 1])
    return rig
  }

  test('the first replica of a log that this ShardKV began needs no new segment: a tombstone makes room', () => {
    const rig = createRig({ capacityBytes: 2 * 16_384 + SPARE_BYTES, config: { spaceRetryMs: 100 } }).open()
    rig.append(1, { entries: entriesOf(1, 4, { bytes: 1_500 }) })
    rig.clock.advance(10)
    rig.append(2, { entries: entriesOf(1, 3, { bytes: 1_500 }) })
    rig.clock.advance(50)
    expect([rig.wal.isFull(), segmentsOn(rig).length]).toEqual([true, 3])
    const ticket = rig.retire(1, 1)
    rig.clock.advance(500)
    expect([rig.isAcknowledged(ticket), rig.wal.isFull()]).toEqual([true, false])
    expect(found(restart(rig), 1)?.replica).toEqual({ generation: 1, isRemoved: true })
  })

  test('nothing overtakes a beginning that waits: until then the old replica stays as it was', () => {
    const rig = fullOfVersion1()
    for (const group of [1, 4]) {
      rig.adopt(group, 2)
      rig.append(group, { hardState: { term: 7, vote: vote('x') }, entries: entriesOf(1, 4, { term: 7 }), reserved: true })
      rig.compact(group, { index: 3, term: 7 })
    }
    rig.clock.advance(50)
    const again = restart(rig)
    for (const [group, term, entries] of [[1, 0, 5], [4, 3, 0]] as const) {
      const old = found(again, group)
      expect([old?.hardState.term, old?.snapshot.index, old?.entries.length, old?.replica]).toEqual([term, 0, entries, undefined])
    }
  })

  test('a beginning that waits frees nothing of the old replica', () => {
    let isStuck = false
    const rig = fullOfVersion1({ fault: ({ path }) => (isStuck && path.includes(segmentName(3)) ? { kind: 'hang' } : undefined) })
    for (const group of [2, 4]) rig.append(group, { hardState: { term: 8, vote: vote('x') }, reserved: true })
    rig.compact(2, { index: 7, term: 1 })
    rig.clock.advance(50)
    isStuck = true
    const [replica, ballot] = [rig.adopt(1, 2), rig.append(3, { hardState: { term: 9, vote: vote('x') }, reserved: true })]
    rig.clock.advance(500)
    expect([rig.isAcknowledged(replica), rig.isAcknowledged(ballot)]).toEqual([false, true])
    expect(found(restart(rig), 1)?.entries.length).toBe(5)
  })

  test('the first replica of a log that an older ShardKV began waits for room to make a segment, votes of others do not', () => {
    const rig = fullOfVersion1()
    const [replica, ballot] = [rig.adopt(1, 2), rig.append(3, { hardState: { term: 9, vote: vote('x') }, reserved: true })]
    rig.clock.advance(50)
    expect([rig.isAcknowledged(replica), rig.isAcknowledged(ballot)]).toEqual([false, true])
    rig.disk.setCapacity(1_000_000)
    rig.clock.advance(500)
    expect([rig.isAcknowledged(replica), found(restart(rig), 1)?.entries]).toEqual([true, []])
  })
})

test('a commit group with a replica record that is cut at any byte leaves the old replica as it was', () => {
  const rig = lived()
  rig.retire(7, 1)
  rig.clock.advance(20)
  const image = rig.disk.image()
  const before = image.files.get(`wal/${segmentName(1)}`) ?? new Uint8Array(0)
  rig.adopt(1, 2)
  rig.append(1, { hardState: { term: 9, vote: vote('c') }, entries: entriesOf(1, 1) })
  rig.clock.advance(1)
  const after = rig.disk.image().files.get(`wal/${segmentName(1)}`) ?? new Uint8Array(0)
  const from = after.findIndex((byte, at) => byte !== before[at])
  const to = after.findLastIndex((byte, at) => byte !== before[at]) + 1
  expect(to - from).toBeGreaterThan(100)
  for (let cut = from; cut <= to; cut += 1) {
    const torn = Uint8Array.from(after).fill(0, cut, to)
    const again = createRig({ image: { ...image, files: new Map([...image.files, [`wal/${segmentName(1)}`, torn]]) } }).open()
    const group = found(again, 1)
    expect([cut, group?.replica?.generation, group?.hardState.term, group?.entries.length, group?.quarantined])
      .toEqual(cut === to ? [cut, 2, 9, 1, undefined] : [cut, undefined, 4, 4, undefined])
    again.wal.stop()
  }
})

describe('on a node whose log is damaged', () => {
  /** Its second segment is damaged; the first is an older ShardKV's, so that no replica begins there. */
  const damagedLog = (more = (_rig: Rig): void => {}): Rig => {
    const small = entriesOf(1, 6, { term: 4 }).map((entry): WalRecord => ({ kind: 'entry', group: 1, entry }))
    const rig = createRig({ image: oldLog([voteRecord(1, 4), ...small]) }).open()
    rig.clock.advance(5)
    rig.adopt(2, 2)
    rig.append(2, { entries: entriesOf(1, 4) })
    more(rig)
    rig.clock.advance(200)
    rig.disk.corrupt(`wal/${segmentName(2)}`, (bytes) => bytes.fill(0, 4_096, 4_200))
    return rig
  }

  test('a replica that begins behind the damage has lost nothing, and is trusted at every restart', () => {
    let life = restart(damagedLog())
    expect([life.report()?.damagedNode, found(life, 1)?.quarantined]).toEqual([expect.any(String), expect.any(String)])
    life.adopt(1, 5)
    life.append(1, { hardState: { term: 6, vote: vote('d') }, entries: entriesOf(1, 2, { term: 6 }) })
    life.clock.advance(200)
    for (let round = 0; round < 2; round += 1) {
      life = restart(life)
      expect(life.report()?.damagedNode).toEqual(expect.any(String))
      expect(found(life, 1)).toEqual({
        group: 1, hardState: { term: 6, vote: 'd:1' }, snapshot: { index: 0, term: 0 }, entries: entriesOf(1, 2, { term: 6 }),
        replica: { generation: 5, isRemoved: false },
      })
    }
    expect([...(life.report()?.groups.values() ?? [])].filter(({ quarantined }) => quarantined === undefined).map(({ group }) => group))
      .toEqual([1])
  })

  test('the damaged segments go once every group has begun behind them, and not before; then the log is sound', () => {
    // A group that has left the node before needs nobody to take its place.
    const damaged = restart(damagedLog((rig) => {
      rig.clock.advance(5)
      rig.retire(9, 3)
    }))
    const files = (): number[] => [...damaged.disk.image().files.keys()].filter((path) => path.endsWith('.wal'))
      .map((path) => Number.parseInt(path.slice('wal/'.length), 10))
    const write = (group: number, from: number): void => {
      for (let index = from; index < from + 40; index += 4) {
        damaged.append(group, { entries: entriesOf(index, index + 3, { bytes: 500 }) })
        damaged.clock.advance(20)
      }
    }
    damaged.adopt(3, 4)
    damaged.clock.advance(20)
    damaged.wal.send({ type: 'wal.damageReplaced' })
    write(3, 1)
    expect(files().slice(0, 2)).toEqual([1, 2])
    damaged.adopt(1, 5)
    damaged.clock.advance(20)
    damaged.wal.send({ type: 'wal.damageReplaced' })
    write(3, 41)
    expect(files().every((segment) => segment > 2)).toBe(true)
    const sound = restart(damaged)
    expect([sound.report()?.damagedNode, found(sound, 3)?.entries.length, found(sound, 1)?.replica])
      .toEqual([undefined, 80, { generation: 5, isRemoved: false }])
  })

  test('a replica that began before the damage, or in its segment, is not', () => {
    const rig = createRig().open()
    rig.adopt(1, 2)
    rig.clock.advance(20)
    rig.append(1, { entries: entriesOf(1, 4) })
    rig.clock.advance(200)
    rig.disk.corrupt(`wal/${segmentName(1)}`, (bytes) => bytes.fill(0, 4_096 + 80, 4_300))
    const life = restart(rig)
    expect([found(life, 1)?.replica?.generation, found(life, 1)?.quarantined]).toEqual([2, life.report()?.damagedNode])
    expect(life.report()?.damagedNode).toEqual(expect.any(String))
  })

  test('and what it says is on the disk, although the process before died between write and sync', () => {
    const first = restart(damagedLog())
    first.adopt(1, 5)
    first.clock.advance(200)
    let isDead = false
    const image = first.disk.crash({ random: createRandom(3), keep: 0 })
    const second = createRig({
      image, fault: ({ operation }) => (isDead && operation === 'datasync' ? { kind: 'hang' } : undefined),
    }).open()
    second.append(1, { entries: entriesOf(1, 1) })
    second.clock.advance(300)
    isDead = true
    second.append(1, { entries: entriesOf(2, 3) })
    second.clock.advance(5)
    second.wal.stop()
    isDead = false
    const third = createRig({ on: second }).open()
    expect(found(third, 1)?.entries.length).toBe(3)
    expect(found(restart(third), 1)?.entries.length).toBe(3)
  })
})

describe('random lives in which replicas come and go', () => {
  test('recover each group to a prefix that covers what was acknowledged, whenever they crash', () => {
    const problems = Array.from({ length: SEEDS }, (_, at) => livesProblem(at + 1, { withReplicas: true }))
    expect(problems.filter((problem) => problem !== undefined)).toEqual([])
  })

  test('so they do on a disk that is full half of the time', () => {
    const problems = Array.from({ length: SEEDS / 2 }, (_, at) =>
      livesProblem(FULL_DISK_SEED + at, { withReplicas: true, capacityBytes: FULL_DISK_BYTES }))
    expect(problems.filter((problem) => problem !== undefined)).toEqual([])
  })
})
