/** Closed and open loops against drivers that the test answers. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { runClosedLoop } from '../../bench/load/closedLoop.ts'
import { createArrivals, runOpenLoop } from '../../bench/load/openLoop.ts'
import { createTally } from '../../bench/load/measurement.ts'
import { until } from '../support/until.ts'
import type { Answer } from '../../bench/drivers/port.ts'

const soon = (answer: Answer): Promise<Answer> => new Promise((resolve) => { setImmediate(() => resolve(answer)) })

describe('a closed loop', () => {
  test('keeps exactly so many operations in flight', async () => {
    let inFlight = 0
    let most = 0
    const measured = await runClosedLoop(async () => {
      inFlight += 1
      most = Math.max(most, inFlight)
      const answer = await soon('ok')
      inFlight -= 1
      return answer
    }, { inFlight: 7, warmUpMs: 10, durationMs: 30 })
    expect(most).toBe(7)
    expect(inFlight).toBe(0)
    expect(measured.done).toBeGreaterThan(0)
    expect(measured.perSecond).toBeGreaterThan(0)
  })

  test('counts refusals and failures apart from what was done', async () => {
    const answers: Answer[] = ['ok', 'overloaded', 'failed']
    let asked = 0
    const measured = await runClosedLoop(() => soon(answers[asked++ % 3] ?? 'failed'), { inFlight: 3, warmUpMs: 0, durationMs: 50 })
    for (const count of [measured.done, measured.overloaded, measured.failed]) expect(count).toBeGreaterThan(0)
    expect(Math.abs(measured.done - measured.failed)).toBeLessThanOrEqual(3)
  })
})

describe('an open loop', () => {
  const loop = { perSecond: 2_000, warmUpMs: 0, durationMs: 100, inFlightMax: 10_000 }

  test('goes on asking while nothing is answered, and counts the wait of everybody', async () => {
    const waiting: ((answer: Answer) => void)[] = []
    let answered = 0
    const stuckUntil = 50
    const measured = await runOpenLoop(() => new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length + answered < stuckUntil) return
      answered += waiting.length
      for (const settle of waiting.splice(0)) settle('ok')
    }), loop, createRandom(1))
    expect(measured.done).toBe(answered)
    expect(measured.done).toBeGreaterThan(stuckUntil)
    // Whoever came first waited for forty-nine more arrivals of half a millisecond: a closed loop would have asked once.
    expect(measured.maxMs).toBeGreaterThan(1)
  })

  test('starts no more than its limit at once and counts the rest as failed', async () => {
    const waiting: ((answer: Answer) => void)[] = []
    const done = runOpenLoop(() => new Promise((resolve) => { waiting.push(resolve) }), { ...loop, inFlightMax: 5 }, createRandom(2))
    const opened = setInterval(() => {
      if (waiting.length < 5) return
      setTimeout(() => { for (const settle of waiting.splice(0)) settle('ok') }, loop.durationMs)
      clearInterval(opened)
    }, 1)
    const { done: answered, failed } = await done
    expect(answered).toBe(5)
    expect(failed).toBeGreaterThan(0)
  })

  test('waits for what has started so far, and not for what starts meanwhile', async () => {
    const waiting: ((answer: Answer) => void)[] = []
    const arrivals = createArrivals(() => new Promise((resolve) => { waiting.push(resolve) }), loop, createRandom(3))
    const startMore = async (): Promise<void> => {
      await until(() => performance.now() > arrivals.nextAt(), 'the next is due')
      await arrivals.startDue(Number.POSITIVE_INFINITY, createTally)
    }
    await startMore()
    const earlier = waiting.length
    let isDrained = false
    void arrivals.drained().then(() => { isDrained = true })
    await startMore()
    for (const settle of waiting.slice(1, earlier)) settle('ok')
    await startMore()
    expect(isDrained).toBe(false)
    waiting[0]?.('ok')
    await until(() => isDrained, 'what had started has ended')
    for (const settle of waiting.slice(earlier)) settle('ok')
    await arrivals.drained()
  })
})
