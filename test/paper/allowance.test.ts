/** What a new replica is sent obeys the limit of its sender (actors/raft/allowance.ts); what voters and heartbeats are sent does not. */

import { describe, expect, test } from '@jest/globals'
import { createAllowance, noteDelay, refill } from '../../actors/raft/allowance.ts'
import { catchUpsOf } from '../../actors/raft/catchUp.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import type { Allowance } from '../../actors/raft/allowance.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'

const BYTES_PER_SECOND = 4_000
const TICK_MS = 50
const PER_TICK = (BYTES_PER_SECOND * TICK_MS) / 1_000
/** The limits of one message, and so of what may leave too early. */
const MESSAGE_BYTES = 512
const BURST_TICKS = 2

const limits = {
  tailEntriesMax: 0, moveBytesPerSecond: BYTES_PER_SECOND, chunkBytesMax: MESSAGE_BYTES, appendBytesMax: MESSAGE_BYTES,
  proposalBytesMax: MESSAGE_BYTES,
}
const entry = (i: number): string => `${i}`.padEnd(200, '.')

/** At the pace that it has once nobody has answered late for long. */
const atTheLimit = (): Allowance => {
  const allowance = createAllowance(BYTES_PER_SECOND, TICK_MS)
  allowance.pace = allowance.bytesPerTick
  return allowance
}

/** Three voters with a log of so many entries; member 4 is no member yet. */
const filled = (entries: number, allowance = atTheLimit()): Harness => {
  const voters = [1, 2, 3].map(idOf)
  const h = createHarness({
    size: 4, configuration: { epoch: 0, voters, outgoing: [], learners: [] }, limits, timing: { tickMs: TICK_MS }, allowance,
  })
  h.campaign(1)
  h.tick(2)
  for (let i = 0; i < entries; i += 1) h.propose(1, entry(i))
  h.stabilize()
  return h
}

const addLearner = (h: Harness): void => {
  h.order(1, { epoch: 2, voters: [1, 2, 3].map(idOf), learners: [idOf(4)] })
  h.stabilize()
}

const bytesIn = (message: RaftMessage): number => {
  if (message.type === 'raft.snapshotChunk') return message.bytes.length
  return message.type === 'raft.append' ? message.entries.reduce((sum, { payload }) => sum + payload.length, 0) : 0
}

/** Counts what is sent to a member, from now on. */
const meter = (h: Harness, to: number): { bytes: number, heartbeats: number } => {
  const sent = { bytes: 0, heartbeats: 0 }
  h.setRoute((mail) => {
    if (mail.to !== idOf(to)) return true
    sent.bytes += bytesIn(mail.message)
    if (mail.message.type === 'raft.heartbeat') sent.heartbeats += 1
    return true
  })
  return sent
}

const isCaughtUp = (h: Harness, number: number): boolean => h.member(number).applied.at(-1) === h.member(1).applied.at(-1)

const ticksUntilCaughtUp = (h: Harness, number: number): number => {
  for (let ticks = 0; ticks < 500; ticks += 1) {
    if (isCaughtUp(h, number)) return ticks
    h.tick()
  }
  throw new Error(`member ${number} never caught up`)
}

describe.each([
  ['by the log', (_h: Harness): void => {}],
  ['by a snapshot', (h: Harness): void => h.snapshot(1)],
])('a new replica that catches up %s', (_how, prepare) => {
  test('is sent no more in any stretch of ticks than the limit, the burst and a message', () => {
    const h = filled(40)
    prepare(h)
    const sent = meter(h, 4)
    addLearner(h)
    const after = [0, sent.bytes]
    while (!isCaughtUp(h, 4) && after.length < 2_000) {
      h.tick()
      after.push(sent.bytes)
    }
    expect(isCaughtUp(h, 4)).toBe(true)
    expect(sent.bytes).toBeGreaterThan(40 * 200)
    // Above what the limit allows since then, the worst of all stretches that end now.
    let excess = 0
    let most = 0
    for (let i = 1; i < after.length; i += 1) {
      excess = Math.max(0, excess) + (after[i] ?? 0) - (after[i - 1] ?? 0) - PER_TICK
      most = Math.max(most, excess)
    }
    expect(most).toBeLessThanOrEqual(BURST_TICKS * PER_TICK + MESSAGE_BYTES)
  })

  test('is held to the limit after it has presented itself, as every new replica does before anything is sent', () => {
    const h = filled(40)
    prepare(h)
    addLearner(h)
    h.crash(4)
    h.restart(4)
    h.stabilize()
    expect(catchUpsOf(h.member(1).core).map(({ replica }) => replica)).toEqual([idOf(4)])
    expect(ticksUntilCaughtUp(h, 4)).toBeGreaterThan(20)
  })

  test('takes about as long as its bytes divided by the limit, and tells how far it is', () => {
    const h = filled(40)
    prepare(h)
    addLearner(h)
    const [begun] = catchUpsOf(h.member(1).core)
    expect(begun?.replica).toBe(idOf(4))
    const total = begun?.totalBytes ?? 0
    expect(total).toBeGreaterThan(40 * 200)
    expect(begun?.doneBytes).toBeLessThan(total / 4)
    const half = Math.floor(total / PER_TICK / 2)
    h.tick(half)
    const [midway] = catchUpsOf(h.member(1).core)
    expect((midway?.doneBytes ?? 0) / (midway?.totalBytes ?? 1)).toBeGreaterThan(0.3)
    expect((midway?.doneBytes ?? 0) / (midway?.totalBytes ?? 1)).toBeLessThan(0.7)
    const rest = ticksUntilCaughtUp(h, 4)
    expect(rest).toBeGreaterThan(half * 0.5)
    expect(rest).toBeLessThan(half * 1.5 + 10)
    h.tick(2)
    const [done] = catchUpsOf(h.member(1).core)
    expect(done?.doneBytes).toBe(done?.totalBytes)
  })

  test('gets its heartbeats all the while', () => {
    const h = filled(40)
    prepare(h)
    const sent = meter(h, 4)
    addLearner(h)
    const ticks = ticksUntilCaughtUp(h, 4)
    expect(sent.heartbeats).toBeGreaterThanOrEqual(Math.floor(ticks / h.member(1).core.timing.heartbeatTicks) - 2)
  })
})

describe('the limit', () => {
  test('is the node\'s: two groups together are sent no more than one', () => {
    const allowance = atTheLimit()
    const groups = [filled(40, allowance), filled(40, allowance)]
    const sent = groups.map((h) => meter(h, 4))
    groups.forEach(addLearner)
    let ticks = 0
    for (; ticks < 2_000 && !groups.every((h) => isCaughtUp(h, 4)); ticks += 1) for (const h of groups) h.tick()
    const bytes = sent.reduce((sum, one) => sum + one.bytes, 0)
    expect(groups.every((h) => isCaughtUp(h, 4))).toBe(true)
    expect(bytes).toBeGreaterThan(2 * 40 * 200)
    expect(bytes).toBeLessThanOrEqual((ticks + 1 + BURST_TICKS) * PER_TICK + MESSAGE_BYTES)
  })

  test.each(['by the log', 'by a snapshot'])('is not for a voter that lags: it gets all of it at once, %s', (how) => {
    const h = filled(0)
    h.setRoute(({ to }) => to !== idOf(3))
    for (let i = 0; i < 40; i += 1) h.propose(1, entry(i))
    h.stabilize()
    if (how === 'by a snapshot') h.snapshot(1)
    h.setRoute(() => true)
    const ticks = ticksUntilCaughtUp(h, 3)
    expect(ticks * PER_TICK).toBeLessThan((40 * 200) / 4)
  })

  test('takes no commit away from the voters', () => {
    const h = filled(40)
    addLearner(h)
    h.propose(1, 'a write')
    h.stabilize()
    expect(isCaughtUp(h, 4)).toBe(false)
    expect(h.member(1).applied.at(-1)).toBe('a write')
  })
})

describe('the pace', () => {
  test('halves with every tick with a late answer, down to a small share of the limit, and comes back by a quarter', () => {
    const allowance = createAllowance(64_000, 100)
    const paces = (ticks: number, delayMs: number): number[] => Array.from({ length: ticks }, () => {
      noteDelay(allowance, delayMs, 10)
      refill(allowance, (allowance.tick + 1) * 100)
      return allowance.pace
    })
    expect(paces(3, 35)).toEqual([125, 156.25, 195.3125])
    expect(paces(2, 36)).toEqual([100, 100])
    expect(paces(18, 10).at(-1)).toBeLessThan(6_400)
    expect(paces(1, 10)).toEqual([6_400])
    expect(paces(3, 36)).toEqual([3_200, 1_600, 800])
  })

  /** The share of the limit that it ends with, when the new replica's answers take so many ticks, by the tick. */
  const shareAfter = (ticks: number, ticksToAnswer: (tick: number) => number): number => {
    const allowance = atTheLimit()
    const h = filled(100, allowance)
    addLearner(h)
    for (let tick = 0, since = 0; tick < ticks; tick += 1) {
      expect(isCaughtUp(h, 4)).toBe(false)
      since += 1
      if (since >= ticksToAnswer(tick)) {
        h.frozenDisks.clear()
        h.stabilize()
        since = 0
      }
      if (ticksToAnswer(tick) > 1) h.frozenDisks.add(4)
      h.tick()
    }
    return allowance.pace / allowance.bytesPerTick
  }

  test('is the limit while a new replica answers at once, falls while it is slower than it was, and comes back with its speed', () => {
    expect(shareAfter(20, () => 1)).toBe(1)
    const slow = shareAfter(28, (tick) => (tick < 20 ? 1 : 4))
    expect(slow).toBeLessThan(1 / 3)
    expect(shareAfter(60, (tick) => (tick < 20 || tick > 28 ? 1 : 4))).toBeGreaterThan(slow * 2)
  })

  test('is told by an answer in the turn in which it comes, though nothing is left to be sent', () => {
    const h = filled(4)
    addLearner(h)
    while (!isCaughtUp(h, 4)) h.tick()
    h.tick(20)
    h.frozenDisks.add(4)
    h.propose(1, 'x')
    h.stabilize()
    expect(h.member(1).isFlushWanted).toBe(false)
    while (h.writeOne(4)) h.flush(4)
    while (h.deliverOne()) { /* its answer */ }
    expect(h.member(1).isFlushWanted).toBe(true)
  })

  test('is not taken from others by a new replica that falls silent in the middle of a snapshot', () => {
    const allowance = atTheLimit()
    const [silent, live] = [filled(40, allowance), filled(40, allowance)] as const
    silent.snapshot(1)
    addLearner(silent)
    silent.tick(4)
    silent.setRoute(({ from }) => from !== idOf(4))
    silent.tick(60)
    addLearner(live)
    let ticks = 0
    for (; ticks < 500 && !isCaughtUp(live, 4); ticks += 1) for (const h of [silent, live]) h.tick()
    expect(ticks).toBeLessThan(150)
  })

  test('goes back to where it began while nothing is copied', () => {
    const allowance = atTheLimit()
    for (let tick = 1; tick <= 40; tick += 1) refill(allowance, tick * TICK_MS)
    expect(allowance.pace).toBe(allowance.bytesPerTick / 64)
  })
})

test('a shard that is written faster than its copy is sent gets its new replica all the same', () => {
  const h = filled(10)
  addLearner(h)
  for (let ticks = 0; ticks < 200 && !isCaughtUp(h, 4); ticks += 1) {
    for (let i = 0; i < 4; i += 1) h.propose(1, entry(i))
    h.stabilize()
    h.tick()
  }
  expect(4 * entry(0).length).toBeGreaterThan(PER_TICK)
  expect(isCaughtUp(h, 4)).toBe(true)
})
