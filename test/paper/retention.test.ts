/**
 * A peer that needs a snapshot while its shard is written all the time: the snapshot and the log behind it are kept until it has caught
 * up, within a limit (section 7; actors/raft/retention.ts).
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createAllowance } from '../../actors/raft/allowance.ts'
import { bytesOf } from '../../actors/raft/log.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import type { Harness, HarnessOptions } from '../support/raftHarness.ts'
import type { Progress } from '../../actors/raft/progress.ts'

const isFor = (number: number) => ({ from, to }: { from: string, to: string }): boolean => from === idOf(number) || to === idOf(number)
const voters = [1, 2, 3].map(idOf)
const limits = {
  tailEntriesMax: 8, tailBytesMax: 2_000, chunkBytesMax: 512, appendBytesMax: 512, proposalBytesMax: 512, learnerBytesInFlightMax: 2_048,
  moveBytesPerSecond: 20_000, promotionLagMax: 4,
}
const row = (h: Harness, number: number): Progress => must(h.member(1).core.leading.progress.get(idOf(number)), 'a row')
const keptEntries = (h: Harness): number => heldBy(h.member(1)).length
const keptBytes = (h: Harness): number => heldBy(h.member(1)).reduce((sum, entry) => sum + bytesOf(entry), 0)

/** 40 kB of state, 2,000 bytes a tick for member 4, which is to become a learner. */
const filled = (more: HarnessOptions['limits'] = {}): Harness => {
  const allowance = createAllowance(limits.moveBytesPerSecond, 100)
  allowance.pace = allowance.bytesPerTick
  const h = createHarness({
    size: 4, configuration: { epoch: 0, voters, outgoing: [], learners: [] }, allowance, limits: { ...limits, ...more },
    timing: { tickMs: 100, electionTicksMax: 11 },
  })
  h.campaign(1)
  h.tick(2)
  for (let i = 0; i < 80; i += 1) h.propose(1, `${i}`.padEnd(500, '.'))
  h.stabilize()
  return h
}
const joining = (h: Harness): Harness => {
  h.snapshot(1)
  h.order(1, { epoch: 2, voters, learners: [idOf(4)] })
  h.stabilize()
  return h
}
/** A tick with 100 bytes written, and a snapshot every so many. */
const writeAndTick = (h: Harness, tick: number, every: number): void => {
  h.propose(1, `${tick}`.padEnd(68, '.'))
  h.tick()
  if (tick % every === 0) h.snapshot(1)
}
const ticksUntil = (h: Harness, every: number, isTrue: () => boolean): number => {
  let ticks = 0
  while (!isTrue() && ticks < 200) writeAndTick(h, ticks += 1, every)
  return ticks
}

const learnerCatchesUp = (every: number): void => {
  const h = joining(filled())
  expect(ticksUntil(h, every, () => row(h, 4).state === 'replicate' && row(h, 4).keptBytesMax === 0)).toBeLessThan(40)
  for (let tick = 1; tick <= every; tick += 1) writeAndTick(h, tick, every)
  expect(keptEntries(h)).toBeLessThan(8 + every + 2)
  expect(h.member(1).disk.snapshots).toHaveLength(2)
}

test('a learner catches up while snapshots are stored now and then, and then nothing is kept for it', () => learnerCatchesUp(30))
test('a learner catches up while snapshots are stored every 15 ticks, and then nothing is kept for it', () => learnerCatchesUp(15))
test('a learner catches up while snapshots are stored every 8 ticks, and then nothing is kept for it', () => learnerCatchesUp(8))
test('a learner catches up while snapshots are stored all the time, and then nothing is kept for it', () => learnerCatchesUp(2))

test('a voter that lags catches up as well, however slowly its disk writes', () => {
  const h = filled()
  h.setRoute((mail) => !isFor(3)(mail))
  for (let tick = 1; tick <= 20; tick += 1) writeAndTick(h, tick, 2)
  h.setRoute(() => true)
  h.frozenDisks.add(3)
  const ticks = ticksUntil(h, 8, () => {
    for (let writes = 0; writes < 8; writes += 1) h.writeOne(3)
    return row(h, 3).state === 'replicate' && row(h, 3).keptBytesMax === 0
  })
  expect(ticks).toBeGreaterThan(20)
  expect(ticks).toBeLessThan(100)
})

test('what is kept has a limit: beyond it the copy begins again, with the newest snapshot', () => {
  const h = joining(filled({ transferLogBytesMax: 1_000 }))
  const first = must(row(h, 4).transfer, 'a transfer')
  h.setRoute(({ message }) => message.type !== 'raft.snapshotChunk')
  let most = 0
  let ticks = 0
  while (row(h, 4).transfer?.index === first.index && ticks < 20) {
    // It answers, and gets nowhere.
    h.send(1, { type: 'raft.snapshotAccepted', from: idOf(4), term: 1, snapshotIndex: first.index, nextOffset: first.acknowledgedBytes })
    for (let i = 0; i < 10; i += 1) h.propose(1, `${i}`.padEnd(468, '.'))
    writeAndTick(h, ticks += 1, 5)
    most = Math.max(most, keptBytes(h))
  }
  expect(row(h, 4).transfer?.index).toBe(h.member(1).core.snapshot?.index)
  expect(most).toBeGreaterThan(first.totalBytes)
  // A snapshot comes every 25 kB, and that is when it is noticed.
  expect(most).toBeLessThan(first.totalBytes + 1_000 + 30_000)
  expect(keptBytes(h)).toBeLessThan(30_000)
})

test('nothing is kept for a peer that does not answer any more', () => {
  const h = joining(filled())
  const base = must(row(h, 4).transfer, 'a transfer').index
  for (let tick = 1; tick <= 5; tick += 1) writeAndTick(h, tick, 2)
  expect(h.member(1).core.log.base.index).toBeLessThanOrEqual(base)
  h.setRoute((mail) => !isFor(4)(mail))
  for (let tick = 1; tick <= 120; tick += 1) writeAndTick(h, tick, 30)
  expect(keptEntries(h)).toBeLessThan(40)
})

describe('an installation that takes longer than retries', () => {
  /** Member 4 has every byte, and its disk completes nothing any more. */
  const installing = (): Harness => {
    const h = joining(filled())
    h.frozenDisks.add(4)
    for (let steps = 0; steps < 2_000 && !h.member(4).core.following.isInstalling; steps += 1) {
      if (!h.writeOne(4)) h.tick()
      h.stabilize()
    }
    expect(h.member(4).core.following.isInstalling).toBe(true)
    return h
  }
  const finishInstalling = (h: Harness): void => {
    for (let writes = 0; writes < 20 && h.member(4).core.following.isInstalling; writes += 1) h.writeOne(4)
    h.stabilize()
  }

  test('is given its time, as long as the peer answers', () => {
    const h = installing()
    const sent = must(row(h, 4).transfer, 'a transfer')
    for (let tick = 1; tick <= 100; tick += 1) writeAndTick(h, tick, 20)
    expect(row(h, 4).transfer).toBe(sent)
    finishInstalling(h)
    expect(h.member(4).core.snapshot?.index).toBe(sent.index)
    expect(row(h, 4)).toMatchObject({ matchIndex: sent.index, transfer: null })
    h.frozenDisks.clear()
    expect(ticksUntil(h, 20, () => row(h, 4).state === 'replicate')).toBeLessThan(5)
  })

  const begunMeanwhile = (every: number, after: number, transfer: object | null): void => {
    const h = installing()
    const sent = must(row(h, 4).transfer, 'a transfer')
    h.setRoute((mail) => !isFor(4)(mail))
    ticksUntil(h, every, () => row(h, 4).transfer !== sent)
    for (let tick = 1; tick <= after; tick += 1) writeAndTick(h, tick, every)
    expect(row(h, 4).transfer?.index).toBeGreaterThan(sent.index)
    h.setRoute(() => true)
    const { deliveredBytes } = row(h, 4)
    finishInstalling(h)
    expect(row(h, 4)).toMatchObject({ matchIndex: sent.index, deliveredBytes: deliveredBytes + sent.totalBytes, transfer })
    h.frozenDisks.clear()
    expect(ticksUntil(h, 999, () => row(h, 4).state === 'replicate')).toBeLessThan(100)
  }

  test('counts also when another transfer was begun meanwhile, and the log reaches that far back', () => begunMeanwhile(45, 0, null))
  test('counts also when another transfer was begun meanwhile, and the log does not reach that far back', () => {
    begunMeanwhile(10, 10, { acknowledgedBytes: 0 })
  })
})
