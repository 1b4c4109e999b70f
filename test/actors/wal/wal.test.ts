/**
 * The log's promises one by one: what is batched and in what order it is acknowledged, sealing, a full disk, failure, damage
 * and closing. Freeing segments: freeing.test.ts.
 */

import { describe, expect, test } from '@jest/globals'
import type { Wal } from '../../../actors/wal/actor.ts'
import type { DiskCall } from '../../../storage/memoryFileSystem.ts'
import { crc32 } from '../../../storage/crc.ts'
import { segmentName } from '../../../storage/segment.ts'
import { SPARE_BYTES, createRig, entriesOf, entryOf, vote } from '../../../torture/rig.ts'
import { restart, typesOf, fill, segmentsOn } from '../../support/logRig.ts'
import type { Rig } from '../../../torture/rig.ts'

describe('group commit', () => {
  /** A log whose second segment stands ready, so that every further sync is a group's. */
  const counted = (): { readonly rig: Rig; readonly syncs: () => number } => {
    let syncs = 0
    const fault = ({ operation }: DiskCall): undefined => {
      if (operation === 'datasync') syncs += 1
      return undefined
    }
    const rig = createRig({ fault, config: { segmentBytes: 1_048_576 } }).open()
    rig.append(99, { entries: entriesOf(1, 1) })
    rig.clock.advance(300)
    syncs = 0
    return { rig, syncs: () => syncs }
  }

  test('everything submitted in one turn is one write and one sync, whatever the group', () => {
    const { rig, syncs } = counted()
    const tickets = [1, 2, 3, 4].map((group) => rig.append(group, { entries: entriesOf(1, 3) }))
    expect(tickets.some(rig.isAcknowledged)).toBe(false)
    rig.clock.advance(2)
    expect([tickets.every(rig.isAcknowledged), syncs()]).toEqual([true, 1])
  })

  test('each commit group tells how long it took, from the first byte to the end of its sync', () => {
    const { rig } = counted()
    rig.groups.length = 0
    rig.append(1, { entries: entriesOf(1, 3) })
    rig.clock.advance(2)
    expect(rig.groups).toEqual([expect.closeTo(0.4, 6)])
  })

  test('what arrives while a group is synced makes the next group, and no two are under way', () => {
    const { rig, syncs } = counted()
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(0.1)
    expect(rig.wal.isWriting()).toBe(true)
    for (let index = 2; index <= 50; index += 1) rig.append(1, { entries: [entryOf(index)] })
    rig.clock.advance(0.5)
    expect(syncs()).toBeLessThanOrEqual(2)
    rig.clock.advance(2)
    expect([syncs(), rig.wal.backlogBytes()]).toEqual([2, 0])
  })

  test('an acknowledgement carries its ticket, its term and the last index, and comes in order', () => {
    const { rig } = counted()
    rig.append(1, { entries: entriesOf(1, 3) })
    rig.append(1, { hardState: { term: 2, vote: vote('b') } })
    rig.append(1, {})
    rig.clock.advance(2)
    const acks = rig.notices.filter((notice) => notice.type === 'wal.appended')
    expect(acks.slice(1).map((ack) => [ack.ticket, ack.submittedTerm, ack.lastIndex])).toEqual([[2, 1, 3], [3, 1, 3], [4, 1, 3]])
  })

  test('nothing is acknowledged before its sync has completed', () => {
    let hangs = false
    const rig = createRig({ fault: ({ operation }) => (hangs && operation === 'datasync' ? { kind: 'hang' } : undefined) }).open()
    rig.clock.advance(100)
    hangs = true
    const ticket = rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(10_000)
    expect([rig.isAcknowledged(ticket), rig.wal.isWriting()]).toEqual([false, true])
  })

  test('the backlog is counted in bytes, and the log says when it is overloaded', () => {
    const { rig } = counted()
    const other = createRig({ config: { walBacklogBytesMax: 100 } }).open()
    other.append(1, { entries: [entryOf(1, { bytes: 30 })] })
    expect([other.wal.backlogBytes(), other.wal.isOverloaded()]).toEqual([64, false])
    other.append(1, { entries: [entryOf(2, { bytes: 30 })] })
    expect([other.wal.isOverloaded(), rig.wal.isOverloaded()]).toEqual([true, false])
    other.clock.advance(10)
    expect([other.wal.backlogBytes(), other.wal.isOverloaded()]).toEqual([0, false])
  })
})

describe('an idle log', () => {
  test('seals itself within 100 ms, once', () => {
    const rig = createRig().open()
    let writes = 0
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(3)
    const before = rig.disk.image().files.get(`wal/${segmentName(1)}`)
    rig.clock.advance(100)
    const after = rig.disk.image().files.get(`wal/${segmentName(1)}`)
    expect(Buffer.compare(before ?? Buffer.of(), after ?? Buffer.of())).not.toBe(0)
    expect(after?.subarray(8_192, 8_196)).not.toEqual(new Uint8Array(4))
    rig.clock.advance(10_000)
    writes += Buffer.compare(after ?? Buffer.of(), rig.disk.image().files.get(`wal/${segmentName(1)}`) ?? Buffer.of())
    expect(writes).toBe(0)
  })

  test('is sealed after a restart that finds an unsealed end', () => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(3)
    const again = restart(rig)
    again.clock.advance(200)
    expect(again.disk.image().files.get(`wal/${segmentName(1)}`)?.subarray(8_192, 8_196)).not.toEqual(new Uint8Array(4))
  })
})

describe('a full disk', () => {
  const fullRig = (): Rig => {
    const rig = createRig({ capacityBytes: 2 * 16_384 + SPARE_BYTES, config: { spaceRetryMs: 100 } }).open()
    fill(rig, 1, { from: 1, to: 5 })
    return rig
  }

  test('is announced as soon as no segment can be made ahead, while there is still room to write', () => {
    const rig = createRig({ capacityBytes: 2 * 16_384 + SPARE_BYTES }).open()
    fill(rig, 1, { from: 1, to: 8 })
    expect(rig.wal.isFull()).toBe(true)
    expect(rig.notices.filter(({ type }) => type === 'wal.spaceChanged')).toEqual([{ type: 'wal.spaceChanged', full: true }])
    expect(rig.isAcknowledged(8)).toBe(true)
  })

  test('keeps what waits, lets votes through on the reserve, and goes on by itself when there is room', () => {
    const rig = fullRig()
    const tickets: number[] = []
    for (let index = 6; index <= 14; index += 1) {
      tickets.push(rig.append(1, { entries: [entryOf(index, { bytes: 1_500 })] }))
      rig.clock.advance(2)
    }
    const waiting = tickets.filter((ticket) => !rig.isAcknowledged(ticket))
    expect(waiting.length).toBeGreaterThan(0)
    const ballot = rig.append(2, { hardState: { term: 9, vote: vote('x') }, reserved: true })
    rig.clock.advance(5)
    expect([rig.isAcknowledged(ballot), waiting.some(rig.isAcknowledged)]).toEqual([true, false])
    rig.disk.setCapacity(1_000_000)
    rig.clock.advance(500)
    expect([waiting.every(rig.isAcknowledged), rig.wal.isFull(), rig.wal.backlogBytes()]).toEqual([true, false, 0])
    expect(rig.notices.filter((notice) => notice.type === 'wal.spaceChanged').map(({ full }) => full)).toEqual([true, false])
  })

  test('a reserved append never overtakes earlier ones of its own group: its acknowledgement vouches for them', () => {
    const rig = fullRig()
    fill(rig, 1, { from: 6, to: 8 })
    let last = 8
    let ticket = 0
    do {
      last += 1
      ticket = rig.append(1, { entries: [entryOf(last, { bytes: 400 })] })
      rig.clock.advance(2)
    } while (rig.isAcknowledged(ticket))
    const ballot = rig.append(1, { hardState: { term: 9, vote: vote('x') }, reserved: true })
    rig.clock.advance(5)
    expect([rig.isAcknowledged(ticket), rig.isAcknowledged(ballot)]).toEqual([true, true])
    expect(restart(rig).report()?.groups.get(1)?.entries.length).toBe(last)
  })

  /**
   * Story: 1. A segment is made ahead; its zeros fit, the directory's new entry does not: its renaming fails with ENOSPC. 2. There is
   * room again. 3. The next attempt took the file for one that has its name, and groups were written to it and acknowledged. 4. A
   * restart finds no segment of that name: what was acknowledged is gone.
   */
  test('whose directory has no room for a segment\'s name is tried again, and nothing is written to a segment without its name', () => {
    let refusals = 0
    const rig = createRig({ fault: ({ operation }) => {
      if (operation !== 'rename' || refusals > 0) return undefined
      refusals += 1
      return { kind: 'error', code: 'ENOSPC' }
    } }).open()
    const ticket = rig.append(1, { entries: entriesOf(1, 3) })
    expect([rig.clock.runUntil(() => rig.isAcknowledged(ticket), 5_000), refusals]).toEqual([true, 1])
    expect(segmentsOn(rig)).toContain(`wal/${segmentName(1)}`)
    expect(restart(rig).report()?.groups.get(1)?.entries.length).toBe(3)
  })

  test('frees segments as soon as a compaction allows it, and that makes room', () => {
    const rig = createRig({ capacityBytes: 3 * 16_384 + SPARE_BYTES, config: { spaceRetryMs: 1_000 } }).open()
    fill(rig, 1, { from: 1, to: 24 })
    expect(rig.wal.isFull()).toBe(true)
    rig.compact(1, { index: 20, term: 1 })
    rig.clock.advance(50)
    expect(rig.wal.isFull()).toBe(false)
  })

  test('can be restarted, and closes without what it never acknowledged', () => {
    const rig = fullRig()
    fill(rig, 1, { from: 6, to: 20 })
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(100)
    expect([rig.wal.state(), typesOf(rig).at(-1)]).toEqual(['closed', 'wal.closed'])
    const again = restart(rig, { capacityBytes: 2 * 16_384 + SPARE_BYTES })
    expect(again.report()?.groups.get(1)?.entries.length).toBeGreaterThanOrEqual(5)
    again.clock.advance(100)
    expect(again.wal.isFull()).toBe(true)
  })

  test('that has no room for what a start writes again is waited for, and the log opens by itself', () => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 3) })
    rig.clock.advance(300)
    let isFull = true
    const again = createRig({
      image: rig.disk.image(), config: { spaceRetryMs: 200 },
      fault: ({ operation }) => (isFull && operation === 'writev' ? { kind: 'error', code: 'ENOSPC' } : undefined),
    })
    again.wal.send({ type: 'wal.open' })
    again.clock.advance(1_000)
    expect([again.wal.state(), again.notices]).toEqual(['replaying', []])
    isFull = false
    again.clock.advance(300)
    expect([again.wal.state(), again.report()?.groups.get(1)?.entries.length]).toEqual(['open', 3])
  })

  test.each([
    ['closed, says that it could not be opened', (wal: Wal) => wal.send({ type: 'wal.close' }), ['wal.failed'], 'halted'],
    ['stopped, says nothing and writes nothing', (wal: Wal) => wal.stop(), [], 'replaying'],
  ] as const)('that has no room at a start does not keep it from ending: the log, %s', (_, end, said, state) => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 3) })
    rig.clock.advance(300)
    let writes = 0
    const again = createRig({
      image: rig.disk.image(), config: { spaceRetryMs: 200 },
      fault: ({ operation }) => {
        if (operation !== 'writev') return undefined
        writes += 1
        return { kind: 'error', code: 'ENOSPC' }
      },
    })
    again.wal.send({ type: 'wal.open' })
    again.clock.advance(100)
    end(again.wal)
    again.clock.advance(1_000)
    expect([typesOf(again), again.wal.state(), writes]).toEqual([said, state, 1])
  })

  test('in the middle of a write blocks the log; closing then gives the write up', () => {
    let isFull = false
    const rig = createRig({
      fault: ({ operation }) => (isFull && operation === 'writev' ? { kind: 'error', code: 'EDQUOT' } : undefined),
    }).open()
    rig.clock.advance(100)
    isFull = true
    const ticket = rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(2)
    expect(rig.wal.state()).toBe('blocked')
    rig.append(2, { hardState: { term: 1, vote: '' } })
    rig.clock.advance(2_000)
    expect(rig.isAcknowledged(ticket)).toBe(false)
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(10)
    expect(rig.wal.state()).toBe('closed')
  })

  /** Asked to close before the group is begun, and while it is on its way. It was waited for, as long as there was no room. */
  test('in the middle of what a closing log still writes is not waited for', () => {
    for (const ms of [0, 0.1]) {
      let isFull = false
      const rig = createRig({
        fault: ({ operation }) => (isFull && operation === 'writev' ? { kind: 'error', code: 'ENOSPC' } : undefined),
      }).open()
      rig.clock.advance(100)
      isFull = true
      const ticket = rig.append(1, { entries: entriesOf(1, 1) })
      rig.clock.advance(ms)
      rig.wal.send({ type: 'wal.close' })
      rig.clock.advance(1_000)
      expect([rig.wal.state(), rig.isAcknowledged(ticket), typesOf(rig).at(-1)]).toEqual(['closed', false, 'wal.closed'])
    }
  })

  /**
   * Story: 1. A group finds no room, and to make some the oldest segment is read, to be copied forward. 2. The node is stopped, and the
   * group is given up. 3. The segment is read: its copies were written behind the group that had been given up, and the node ended badly.
   */
  test('and while a segment is read to be copied: closing gives that up, too', () => {
    let isFull = false
    const rig = createRig({
      config: { segmentsWanted: 99 }, latencyMs: ({ operation }) => (operation === 'read' ? 50 : 0.2),
      fault: ({ operation }) => (isFull && operation === 'writev' ? { kind: 'error', code: 'ENOSPC' } : undefined),
    }).open()
    rig.append(9, { entries: entriesOf(1, 2) })
    fill(rig, 1, { from: 1, to: 20 })
    rig.compact(1, { index: 19, term: 1 })
    rig.clock.advance(100)
    isFull = true
    rig.append(1, { entries: entriesOf(21, 21) })
    rig.clock.advance(2)
    expect(rig.wal.state()).toBe('blocked')
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(1_000)
    expect([rig.failure(), rig.wal.state(), typesOf(rig).at(-1)]).toEqual([undefined, 'closed', 'wal.closed'])
    expect(restart(rig).report()?.groups.get(9)?.entries.length).toBe(2)
  })
})

describe('failure', () => {
  test('a failed sync is told once, never retried, and nothing is acknowledged any more', () => {
    let syncs = 0
    let fails = false
    const rig = createRig({
      fault: ({ operation }) => {
        if (operation !== 'datasync' || !fails) return undefined
        syncs += 1
        return { kind: 'error', code: 'ENOSPC' }
      },
    }).open()
    rig.append(9, { entries: entriesOf(1, 1) })
    rig.clock.advance(300)
    fails = true
    const ticket = rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(10_000)
    expect([rig.wal.state(), syncs, rig.isAcknowledged(ticket)]).toEqual(['halted', 1, false])
    expect(rig.notices.at(-1)).toEqual({ type: 'wal.failed', reason: expect.stringMatching(/fsync failed.*start the node again/) })
  })

  test('a log written by a later version is refused, and no byte of it is changed', () => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(200)
    const image = rig.disk.image()
    const bytes = image.files.get(`wal/${segmentName(1)}`) ?? new Uint8Array(0)
    const view = new DataView(bytes.buffer)
    view.setUint32(8, 9, true)
    view.setUint32(4, 0, true)
    view.setUint32(4, crc32(bytes.subarray(0, 40)), true)
    const again = createRig({ image }).open()
    expect(again.notices).toEqual([{ type: 'wal.failed', reason: expect.stringMatching(/newer version of ShardKV wrote this log/) }])
    again.clock.advance(1_000)
    expect(again.disk.image()).toEqual(image)
  })

  test('an append that leaves a gap is a bug, and ends the process', () => {
    const rig = createRig().open()
    rig.append(1, { entries: [entryOf(2)] })
    expect(rig.failure()).toMatchObject({ name: 'AssertionError', message: expect.stringMatching(/entry 2 follows the log/) })
  })
})

describe('damage', () => {
  test('of one group is written down, and remembered after the damaged segment has gone', () => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 2) })
    rig.append(2, { entries: entriesOf(1, 2) })
    rig.clock.advance(200)
    rig.disk.corrupt(`wal/${segmentName(1)}`, (bytes) => { bytes[4_096 + 48 + 32] = 0xee })
    const second = restart(rig)
    expect(second.report()?.groups.get(1)?.quarantined).toMatch(/entry 1 is damaged/)
    expect(second.report()?.groups.get(2)?.quarantined).toBeUndefined()
    for (let round = 0; round < 8; round += 1) {
      fill(second, 2, { from: round * 8 + 3, to: round * 8 + 10 })
      second.compact(2, { index: round * 8 + 9, term: 1 })
      second.clock.advance(10)
    }
    expect(segmentsOn(second)).not.toContain(`wal/${segmentName(1)}`)
    const third = restart(second)
    expect(third.report()?.groups.get(1)?.quarantined).toMatch(/entry 1 is damaged/)
    expect(third.report()?.groups.get(2)).toMatchObject({ snapshot: { index: 65, term: 1 } })
  })

  test('of the node quarantines every group, changes no damaged byte, and what is written after it is found again', () => {
    const rig = createRig({ config: { segmentsWanted: 1 } }).open()
    fill(rig, 1, { from: 1, to: 20 })
    rig.clock.advance(200)
    rig.disk.corrupt(`wal/${segmentName(1)}`, (bytes) => bytes.fill(0, 5_000, 9_000))
    const damaged = [...rig.disk.image().files.entries()].map(([path, bytes]) => [path, Buffer.from(bytes).toString('base64')])
    let life = restart(rig, { config: { segmentsWanted: 1 } })
    for (let round = 1; round <= 3; round += 1) {
      expect(life.report()?.damagedNode).toMatch(/does not read back/)
      expect([...(life.report()?.groups.values() ?? [])].every(({ quarantined }) => quarantined !== undefined)).toBe(true)
      const ticket = life.append(50 + round, { hardState: { term: round, vote: vote('a') } })
      life.clock.advance(300)
      expect(life.isAcknowledged(ticket)).toBe(true)
      life = restart(life, { config: { segmentsWanted: 1 } })
      expect(life.report()?.groups.get(50 + round)?.hardState.term).toBe(round)
    }
    const files = life.disk.image().files
    for (const [path, text] of damaged.slice(0, 2)) expect(Buffer.from(files.get(path ?? '') ?? []).toString('base64')).toBe(text)
  })

  test('what a restart reports is on the disk, although the process before died between write and sync', () => {
    let isDead = false
    const rig = createRig({ fault: ({ operation }) => (isDead && operation === 'datasync' ? { kind: 'hang' } : undefined) }).open()
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.clock.advance(300)
    isDead = true
    rig.append(1, { entries: entriesOf(2, 5) })
    rig.clock.advance(5)
    rig.wal.stop()
    isDead = false
    const second = createRig({ on: rig }).open()
    expect(second.report()?.groups.get(1)?.entries.length).toBe(5)
    expect(restart(second).report()?.groups.get(1)?.entries.length).toBe(5)
  })

  /** The log halts with a group whose sync failed, and is started again in the same page cache. */
  const startedAfterFailedSync = (before: (rig: Rig) => void, group: (rig: Rig) => void): Rig => {
    let isFailing = false
    const rig = createRig({
      fault: ({ operation }) => (isFailing && operation === 'datasync' ? { kind: 'error', code: 'EIO' } : undefined),
    }).open()
    before(rig)
    rig.clock.advance(300)
    isFailing = true
    group(rig)
    rig.clock.advance(5)
    expect(rig.wal.state()).toBe('halted')
    return createRig({ cache: rig.disk.kill() }).open()
  }

  test.each<[string, (rig: Rig) => void, number]>([
    ['in the middle of a segment', (rig) => rig.append(1, { entries: entriesOf(1, 1) }), 5],
    ['that begins the log', () => {}, 4],
    ['that begins a segment', (rig) => fill(rig, 1, { from: 1, to: 5 }), 9],
  ])('what a failed sync left in the page cache alone is on the disk once a restart has reported it: a group %s', (_, before, last) => {
    const second = startedAfterFailedSync(before, (rig) => {
      const known = rig.models.get(1)?.steps.length ?? 0
      rig.append(1, { hardState: { term: 7, vote: vote('b') }, entries: entriesOf(known + 1, last, { bytes: 700 }) })
    })
    expect(second.report()?.groups.get(1)).toMatchObject({ hardState: { term: 7, vote: 'b:1' } })
    expect(second.report()?.groups.get(1)?.entries.length).toBe(last)
    expect(restart(second).report()).toMatchObject({ groups: second.report()?.groups, findings: [] })
  })

  test('a quarantine is durable before it is answered', () => {
    const rig = createRig().open()
    rig.wal.send({ type: 'wal.quarantine', group: 4, ticket: 77, reason: 'presented less than it promised' })
    rig.clock.advance(5)
    expect(rig.isAcknowledged(77)).toBe(true)
    expect(restart(rig).report()?.groups.get(4)?.quarantined).toBe('presented less than it promised')
  })
})

describe('closing', () => {
  test('flushes, seals, closes, and hears nothing any more', () => {
    const rig = createRig().open()
    const ticket = rig.append(1, { entries: entriesOf(1, 3) })
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(100)
    expect([rig.isAcknowledged(ticket), rig.wal.state(), typesOf(rig).at(-1)]).toEqual([true, 'closed', 'wal.closed'])
    rig.append(1, { entries: entriesOf(4, 4) })
    rig.clock.advance(100)
    expect(typesOf(rig).at(-1)).toBe('wal.closed')
    expect(restart(rig).report()?.groups.get(1)?.entries.length).toBe(3)
  })

  test('asked for during recovery comes after it', () => {
    const rig = createRig()
    rig.wal.send({ type: 'wal.open' })
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(100)
    expect([typesOf(rig)[0], typesOf(rig).at(-1), rig.wal.state()]).toEqual(['wal.recovered', 'wal.closed', 'closed'])
  })

  test('a stopped log reports nothing, whatever its disk still answers', () => {
    const rig = createRig().open()
    rig.append(1, { entries: entriesOf(1, 1) })
    rig.wal.stop()
    rig.clock.advance(1_000)
    expect(typesOf(rig)).toEqual(['wal.recovered'])
  })
})
