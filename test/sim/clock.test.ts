/** Virtual time: order of events, node clocks, pauses and crashes. */

import { expect, test } from '@jest/globals'
import { createNodeClock, createProcess, createTimeline } from '../../sim/clock.ts'
import type { Process, Timeline } from '../../sim/clock.ts'
import type { Clock } from '../../actors/kernel/clock.ts'

const clockOf = (timeline: Timeline, process: Process, rate = 1): Clock =>
  createNodeClock({ timeline, process, rate, wallStartMs: 1_000, wallOffsetMs: () => 0 })

const setUp = (): { timeline: Timeline; process: Process; clock: Clock; seen: string[]; see: (name: string) => () => void } => {
  const timeline = createTimeline()
  const process = createProcess('n1')
  const seen: string[] = []
  return { timeline, process, clock: clockOf(timeline, process), seen, see: (name) => () => { seen.push(name) } }
}

test('events run in order of time, and at one instant in the order they were scheduled', () => {
  const { timeline, seen, see } = setUp()
  for (const [delay, name] of [[5, 'e'], [1, 'a'], [3, 'c'], [1, 'b'], [3, 'd']] as const) timeline.schedule(delay, see(name))
  timeline.runUntil(10)
  expect(seen.join('')).toBe('abcde')
  expect(timeline.now()).toBe(10)
})

test('a thousand random delays come out sorted, ties by order of scheduling', () => {
  const timeline = createTimeline()
  const seen: [number, number][] = []
  for (let i = 0; i < 1_000; i += 1) {
    const delay = (i * 7_919) % 97
    timeline.schedule(delay, () => { seen.push([delay, i]) })
  }
  timeline.runUntil(100)
  expect(seen).toEqual([...seen].sort((a, b) => a[0] - b[0] || a[1] - b[1]))
  expect(seen).toHaveLength(1_000)
})

test('what is deferred runs after everything else of the same instant', () => {
  const { timeline, clock, seen, see } = setUp()
  timeline.schedule(1, () => {
    seen.push('first')
    clock.defer(see('deferred'))
  })
  timeline.schedule(1, see('second'))
  timeline.runUntil(1)
  expect(seen).toEqual(['first', 'second', 'deferred'])
})

test('a cancelled timer does not fire, and cancelling late does nothing', () => {
  const { timeline, clock, seen, see } = setUp()
  const cancelA = clock.after(1, see('a'))
  const cancelB = clock.after(2, see('b'))
  cancelA()
  timeline.runUntil(5)
  cancelB()
  expect(seen).toEqual(['b'])
})

test('a clock that runs fast fires early and shows more time', () => {
  const timeline = createTimeline()
  const clock = clockOf(timeline, createProcess('n1'), 1.01)
  let firedAt = 0
  clock.after(1_010, () => { firedAt = timeline.now() })
  timeline.runUntil(2_000)
  expect(firedAt).toBeCloseTo(1_000)
  expect(clock.now()).toBeCloseTo(2_020)
  expect(clock.wall()).toBe(3_020)
})

test('a paused process wakes to its arrivals first and to its timers after them', () => {
  const { timeline, process, clock, seen, see } = setUp()
  clock.after(2, see('timer'))
  timeline.schedule(3, see('message'), { process, kind: 'arrival' })
  timeline.pause(process)
  timeline.runUntil(10)
  expect(seen).toEqual([])
  timeline.resume(process)
  timeline.runUntil(11)
  expect(seen).toEqual(['message', 'timer'])
})

test('a timer cancelled by what arrived during a pause does not fire', () => {
  const { timeline, process, clock, seen, see } = setUp()
  const cancel = clock.after(2, see('timer'))
  timeline.schedule(3, cancel, { process, kind: 'arrival' })
  timeline.pause(process)
  timeline.runUntil(10)
  timeline.resume(process)
  timeline.runUntil(11)
  expect(seen).toEqual([])
})

test('a crashed process never runs again, also when it was paused', () => {
  const { timeline, process, clock, seen, see } = setUp()
  clock.after(1, see('held'))
  clock.after(20, see('pending'))
  timeline.pause(process)
  timeline.runUntil(10)
  timeline.crash(process)
  timeline.resume(process)
  timeline.runUntil(50)
  expect(seen).toEqual([])
})

test('stopping leaves later events unrun', () => {
  const { timeline, seen, see } = setUp()
  timeline.schedule(1, () => timeline.stop())
  timeline.schedule(2, see('late'))
  timeline.runUntil(10)
  expect([seen, timeline.now()]).toEqual([[], 1])
})
