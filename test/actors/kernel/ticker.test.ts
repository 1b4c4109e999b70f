/** The ticker against a clock that sleeps as a stopped process does: what was missed is told, and nothing comes that is not due. */

import { describe, expect, test } from '@jest/globals'
import { createTicker } from '../../../actors/kernel/ticker.ts'
import type { Tick } from '../../../actors/kernel/ticker.ts'
import type { Clock } from '../../../actors/kernel/clock.ts'

/** One timer at a time is all a ticker needs; `sleep` moves time without firing it, as SIGSTOP does. */
const sleepyClock = (): Clock & { sleep: (ms: number) => void; fire: () => void } => {
  let at = 0
  let timer: (() => void) | null = null
  return {
    now: () => at,
    wall: () => 1_000_000 + at,
    after: (_ms, fn) => {
      timer = fn
      return () => { timer = null }
    },
    defer: () => {},
    sleep: (ms) => { at += ms },
    fire: () => {
      const due = timer
      timer = null
      due?.()
    },
  }
}

describe('a ticker', () => {
  test('delivers one tick a tick length, with both clocks', () => {
    const clock = sleepyClock()
    const seen: Tick[] = []
    createTicker(clock, 50, (tick) => seen.push(tick))
    clock.sleep(50)
    clock.fire()
    clock.sleep(50)
    clock.fire()
    expect(seen).toEqual([{ ticks: 1, now: 50, wallMs: 1_000_050 }, { ticks: 1, now: 100, wallMs: 1_000_100 }])
  })

  test('tells a process that slept how many ticks it missed before it handles its backlog', () => {
    const clock = sleepyClock()
    const seen: Tick[] = []
    const ticker = createTicker(clock, 50, (tick) => seen.push(tick))
    clock.sleep(5_020)
    ticker.catchUp()
    expect(seen.map(({ ticks }) => ticks)).toEqual([100])
    clock.fire()
    expect(seen).toHaveLength(1)
    clock.sleep(30)
    ticker.catchUp()
    expect(seen.map(({ ticks }) => ticks)).toEqual([100, 1])
  })

  test('catching up delivers nothing when no tick is due', () => {
    const clock = sleepyClock()
    const seen: Tick[] = []
    const ticker = createTicker(clock, 50, (tick) => seen.push(tick))
    clock.sleep(49)
    ticker.catchUp()
    expect(seen).toEqual([])
  })

  test('is silent once stopped', () => {
    const clock = sleepyClock()
    const seen: Tick[] = []
    const ticker = createTicker(clock, 50, (tick) => seen.push(tick))
    ticker.stop()
    clock.sleep(500)
    clock.fire()
    ticker.catchUp()
    expect(seen).toEqual([])
  })
})
