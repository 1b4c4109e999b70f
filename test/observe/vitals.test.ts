/** What a process says of itself: plausible, in the units it claims. */

import { describe, expect, jest, test } from '@jest/globals'
import { quantileOf } from '../../actors/kernel/histogram.ts'
import { createLoopDelay } from '../../observe/loopDelay.ts'
import { createVitals } from '../../observe/vitals.ts'

const TICK_MS = 50

test('vitals are CPU, memory, sync times, loop delay and the disk that they were given', () => {
  const disk = { freeBytes: 1, totalBytes: 2 }
  const { vitals, noteSync, noteTick } = createVitals(TICK_MS, () => disk, () => 7)
  const first = vitals()
  expect(first).toMatchObject({ loopDelayMs: { p99: 0, max: 0 }, syncMicros: [], disk, lostLogLines: 7 })
  expect(first.rssBytes).toBeGreaterThan(10_000_000)
  expect(first.cpuMs).toBeGreaterThan(0)
  noteSync(3)
  noteTick({ ticks: 1, now: 0, wallMs: 0 })
  noteTick({ ticks: 1, now: 70, wallMs: 0 })
  const { syncMicros, syncMs, loopDelayMs } = vitals()
  expect(quantileOf(syncMicros, 0.5)).toBeCloseTo(3_000, -3)
  expect(syncMs).toEqual({ count: 1, p50: expect.closeTo(3, 0), p99: expect.closeTo(3, 0) })
  expect(loopDelayMs.max).toBe(20)
})

/**
 * Found by `npm run chaos` (fileLimit): 1. No file descriptor is free on a node that works otherwise. 2. Somebody asks for its status.
 * 3. To measure memory, the kernel's file about it must be opened: EMFILE, thrown in the handler of a message. 4. The process ends.
 */
test('memory that can not be measured, since no file can be opened, is the last that was measured', () => {
  const { vitals } = createVitals(TICK_MS, () => null)
  const measure = jest.spyOn(process.memoryUsage, 'rss').mockReturnValueOnce(7)
  expect(vitals().rssBytes).toBe(7)
  measure.mockImplementation(() => { throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }) })
  expect(vitals().rssBytes).toBe(7)
  measure.mockRestore()
})

test('a stall of the disk is forgotten two minutes later, and stays in the counts that only grow', () => {
  const { vitals, noteSync, noteTick } = createVitals(TICK_MS, () => null)
  let now = 0
  const pass = (ms: number): void => {
    for (const end = now + ms; now < end; now += TICK_MS) noteTick({ ticks: 1, now, wallMs: 0 })
  }
  pass(1_000)
  noteSync(900)
  pass(70_000)
  noteSync(2)
  expect(vitals().syncMs).toMatchObject({ count: 2, p99: expect.closeTo(900, -2) })
  pass(60_000)
  expect(vitals().syncMs).toMatchObject({ count: 1, p99: expect.closeTo(2, 0) })
  pass(120_000)
  expect(vitals().syncMs).toEqual({ count: 0, p50: 0, p99: 0 })
  expect(quantileOf(vitals().syncMicros, 0.99)).toBeGreaterThan(800_000)
})

test('a process that stood still for long has measured nothing lately', () => {
  const { vitals, noteSync, noteTick } = createVitals(TICK_MS, () => null)
  noteTick({ ticks: 1, now: 0, wallMs: 0 })
  noteSync(900)
  noteTick({ ticks: 6_000, now: 300_000, wallMs: 0 })
  expect(vitals().syncMs?.count).toBe(0)
})

describe('the delay of the event loop', () => {
  /** Ticks as the ticker gives them, of a loop that is free at these moments only. */
  const delayOf = (freeAt: readonly number[], firstLateMs = 0): ReturnType<typeof createLoopDelay> => {
    const delay = createLoopDelay(TICK_MS)
    delay.noteTick({ ticks: 1, now: firstLateMs, wallMs: 0 })
    let gridAt = 0
    for (const now of freeAt) {
      const ticks = Math.floor((now - gridAt) / TICK_MS)
      if (ticks < 1) continue
      gridAt += ticks * TICK_MS
      delay.noteTick({ ticks, now, wallMs: 0 })
    }
    return delay
  }

  test('is how much later than due a tick comes, also twice in a row', () => {
    expect(delayOf([50, 100, 150]).read()).toEqual({ p99: 0, max: 0 })
    expect(delayOf([50, 120, 170, 200]).read().max).toBe(20)
    expect(delayOf([50, 350, 400]).read().max).toBe(250)
  })

  test('is right soon, even when the first tick was late', () => {
    expect(delayOf([50, 100, 150, 210], 30).read().max).toBe(10)
  })

  test('forgets a minute after', () => {
    const steady = Array.from({ length: 2_600 }, (_, i) => 500 + i * TICK_MS)
    expect(delayOf([300, 350, ...steady.slice(0, 1_100)]).read().max).toBe(250)
    expect(delayOf([300, 350, ...steady]).read().max).toBe(0)
  })
})
