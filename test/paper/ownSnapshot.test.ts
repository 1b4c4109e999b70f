/** A snapshot that its leader's disk has spoilt, or that is spoilt on its way (section 7; actors/raft/ownSnapshot.ts). */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { append, createFollower, entriesOf, say, settleDisk } from '../support/raftScript.ts'
import type { Harness, HarnessMember } from '../support/raftHarness.ts'
import type { Progress } from '../../actors/raft/progress.ts'

const isFor = (number: number) => ({ from, to }: { from: string, to: string }): boolean => from === idOf(number) || to === idOf(number)
const row = (h: Harness): Progress => must(h.member(1).core.leading.progress.get(idOf(3)), 'a row')

/** Member 3 needs the newest snapshot of member 1, up to which all was applied, and nobody writes. */
const behind = (): Harness => {
  const h = createHarness({ limits: { tailEntriesMax: 0, chunkBytesMax: 40, chunksInFlightMax: 2 } })
  h.campaign(1)
  h.setRoute((mail) => !isFor(3)(mail))
  for (let i = 0; i < 10; i += 1) h.propose(1, `value ${i}`)
  h.stabilize()
  h.snapshot(1)
  return h
}

const rot = ({ disk }: HarnessMember): void => {
  const newest = must(disk.snapshots.at(-1), 'a snapshot')
  newest.bytes[newest.bytes.length - 1] = 0
}

/** Everybody hears everybody again; how many chunks leave in so many ticks. */
const chunksIn = (h: Harness, ticks: number): number => {
  let chunks = 0
  h.setRoute(({ message }) => {
    if (message.type === 'raft.snapshotChunk') chunks += 1
    return true
  })
  h.tick(ticks)
  return chunks
}

describe('a snapshot that rots under its living leader', () => {
  test('is written anew at the same index, and sent; until then nothing is sent of it', () => {
    const h = behind()
    const { index } = must(h.member(1).core.snapshot, 'a snapshot')
    rot(h.member(1))
    expect(chunksIn(h, 10)).toBeGreaterThan(2)
    expect(h.member(1)).toMatchObject({ core: { snapshotDoubt: 'lost' }, snapshotsLost: 1 })
    expect(chunksIn(h, 100)).toBe(0)
    expect(h.member(1).snapshotsLost).toBeGreaterThan(3)
    h.snapshot(1)
    h.tick(10)
    expect(h.member(3).core.snapshot?.index).toBe(index)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
    expect(h.member(1).core).toMatchObject({ role: 'leader', snapshotDoubt: null, snapshot: { index } })
  })

  test('gives way to a newer one, up to the one before which the log is kept', () => {
    const h = behind()
    const store = (): number => {
      h.propose(1, 'more')
      h.stabilize()
      h.snapshot(1)
      return h.member(1).disk.durable.mark.index
    }
    const before = must(h.member(1).core.snapshot, 'a snapshot').index
    expect(store()).toBe(before)
    rot(h.member(1))
    h.setRoute(() => true)
    h.tick(10)
    expect(h.member(1).core.snapshotDoubt).toBe('lost')
    expect(store()).toBe(before)
    const { index } = must(h.member(1).core.snapshot, 'a snapshot')
    expect(store()).toBe(index)
    h.tick(10)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('makes its leader step down when it becomes another size: an answer about the old file would count for the new one', () => {
    const h = behind()
    rot(h.member(1))
    h.setRoute(() => true)
    h.tick(10)
    const { index, term, totalBytes } = must(h.member(1).core.snapshot, 'a snapshot')
    h.send(1, { type: 'raft.snapshotStored', index, term, totalBytes: totalBytes - 40 })
    h.send(1, { type: 'raft.snapshotAccepted', from: idOf(3), term: 1, snapshotIndex: index, nextOffset: totalBytes - 40 })
    expect(h.member(1).core).toMatchObject({ role: 'follower', snapshotDoubt: null, snapshot: { totalBytes: totalBytes - 40 } })
    expect(h.member(1).core.leading.progress.get(idOf(3))?.matchIndex ?? 0).toBeLessThan(index)
  })

  test('is forgotten when another one is installed', () => {
    const h = createFollower(2, [1, 2])
    say(h, 2, append(2, [2, 2], [], 2))
    settleDisk(h)
    h.snapshot(1)
    h.member(1).core.snapshotDoubt = 'lost'
    const configuration = { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [] }
    const snapshot = { term: 2, snapshotIndex: 9, snapshotTerm: 2, totalBytes: 0 }
    say(h, 2, { type: 'raft.snapshotChunk', ...snapshot, offset: 0, crc: 0, bytes: new Uint8Array(0) })
    h.writeOne(1)
    h.member(1).disk.writes.length = 0
    h.send(1, { type: 'raft.snapshotInstalled', index: 9, term: 2, totalBytes: 1, configuration })
    expect(h.member(1).core).toMatchObject({ snapshot: { index: 9 }, snapshotDoubt: null })
  })

  test('is told by an answer that was asked for, and by no other', () => {
    const h = createFollower(2, [1, 2])
    say(h, 2, append(2, [2, 2], entriesOf(3, 2), 2))
    settleDisk(h)
    h.snapshot(1)
    h.send(1, { type: 'raft.snapshotVerified', index: 2, isGood: false })
    expect(h.member(1)).toMatchObject({ core: { snapshotDoubt: null }, snapshotsLost: 0 })
    h.member(1).core.snapshotDoubt = 'verifying'
    h.send(1, { type: 'raft.snapshotVerified', index: 1, isGood: false })
    expect(h.member(1)).toMatchObject({ core: { snapshotDoubt: 'verifying' }, snapshotsLost: 0 })
  })
})

describe('a snapshot that is good here and damaged there', () => {
  test('is sent again after pauses that grow, each time verified here first', () => {
    const h = behind()
    const sentAt: number[] = []
    h.setRoute(({ message }) => {
      if (message.type === 'raft.snapshotChunk' && message.offset === 0) sentAt.push(h.now())
      return true
    })
    for (let tick = 0; tick < 1_500; tick += 1) {
      h.member(3).isSnapshotDamaged = true
      h.tick()
    }
    const { snapshotRetryTicks, tickMs } = h.member(1).core.timing
    const pauses = sentAt.slice(1).map((at, i) => Math.floor((at - must(sentAt[i], 'one before')) / (snapshotRetryTicks * tickMs)))
    expect(pauses.slice(0, 7)).toEqual([1, 2, 4, 8, 16, 16, 16])
    expect(h.member(1)).toMatchObject({ core: { role: 'leader', snapshotDoubt: null }, snapshotsLost: 0 })
    h.member(3).isSnapshotDamaged = false
    h.tick(400)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
    expect(row(h).damagedSnapshots).toBe(0)
  })

  test('is given up for the newest at once, where that is another one', () => {
    const h = behind()
    h.setRoute(({ message }) => message.type !== 'raft.snapshotChunk')
    h.tick(6)
    const old = must(row(h).transfer, 'a transfer').index
    h.propose(1, 'more')
    h.stabilize()
    h.snapshot(1)
    h.send(1, { type: 'raft.snapshotRefused', from: idOf(3), term: 1, snapshotIndex: old, reason: 'damaged' })
    expect(row(h).transfer).toMatchObject({ index: old + 1, pause: 1 })
    expect(h.member(1).core.snapshotDoubt).toBeNull()
    h.setRoute(() => true)
    h.tick(30)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })
})
