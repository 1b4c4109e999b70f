/**
 * A group says and does the same whether its members are given every tick, or only those at which something is due with what is owed
 * before them (kernel/owedTicks.ts). That a tick that is called not due does nothing is checked of every tick of every test on the
 * harness (test/support/raftHarness.ts).
 */

import { describe, expect, test } from '@jest/globals'
import { createOwedTicks } from '../../../actors/kernel/owedTicks.ts'
import { createTickBoard } from '../../../actors/kernel/tickBoard.ts'
import { runSchedule } from '../../support/raftSchedule.ts'
import type { OwedTicks, TickEvent } from '../../../actors/kernel/owedTicks.ts'

const SCHEDULES = 10
const STEPS = 500

const linesOf = (seed: number, owesTicks: boolean): readonly string[] => {
  const lines: string[] = []
  const reached = runSchedule(seed, STEPS, { owesTicks, onLine: (line) => lines.push(line) })
  return [...lines, JSON.stringify(reached)]
}

describe('owed ticks', () => {
  test('change nothing of what a group does, whatever happens to it', () => {
    for (let seed = 1; seed <= SCHEDULES; seed += 1) expect(linesOf(seed, true)).toEqual(linesOf(seed, false))
  })

  test('come together when something is due, with the newest time', () => {
    const given: (TickEvent | string)[] = []
    const board = createTickBoard()
    const owed = createOwedTicks<string>({
      board, isDue: ({ ticks }) => ticks >= 3, dueInTicks: () => 1, give: (event) => given.push(event),
    })
    for (let now = 100; now <= 400; now += 100) board.pass({ ticks: 1, now, wallMs: now + 1 })
    expect(given).toEqual([{ type: 'tick', ticks: 3, now: 300, wallMs: 301 }])
    owed.send('first')
    owed.send('second')
    expect(given.slice(1)).toEqual([{ type: 'tick', ticks: 1, now: 400, wallMs: 401 }, 'first', 'second'])
  })

  test('are not asked about while their actor sleeps, nor after it has left', () => {
    const board = createTickBoard()
    const asked: number[] = []
    const seatOf = (dueInTicks: number): OwedTicks<string> => createOwedTicks({
      board, isDue: ({ ticks }) => {
        asked.push(dueInTicks * 100 + ticks)
        return ticks >= dueInTicks
      }, dueInTicks: () => dueInTicks, give: () => {},
    })
    const pass = (ticks: number): readonly number[] => {
      board.pass({ ticks, now: 0, wallMs: 0 })
      return asked.splice(0)
    }
    const [third, never] = [seatOf(3), seatOf(Number.POSITIVE_INFINITY)]
    for (const owed of [third, never]) owed.send('')
    expect([pass(1), pass(1), pass(1), pass(2), pass(4)]).toEqual([[], [], [303], [], [306]])
    third.leave()
    third.leave()
    const next = seatOf(1)
    third.send('')
    expect([pass(1), pass(1)]).toEqual([[101], [101]])
    next.leave()
    never.leave()
    expect(pass(9)).toEqual([])
  })
})
