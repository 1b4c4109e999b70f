/** The order of flushes within a turn, against requests out of order, repeated, to an earlier stage, and in an endless loop. */

import { describe, expect, test } from '@jest/globals'
import { createTurn } from '../../../actors/kernel/turn.ts'
import type { Clock } from '../../../actors/kernel/clock.ts'

/** A clock whose deferred work runs when the test says so. */
const manualClock = (): Clock & { endTurn: () => void } => {
  let deferred: (() => void)[] = []
  return {
    now: () => 0,
    wall: () => 0,
    after: () => () => {},
    defer: (fn) => { deferred.push(fn) },
    endTurn: () => {
      const due = deferred
      deferred = []
      for (const fn of due) fn()
    },
  }
}

describe('a turn', () => {
  test('flushes connections, then shards, then raft members, then the post, whatever order they asked in', () => {
    const clock = manualClock()
    const turn = createTurn(clock)
    const seen: string[] = []
    const ask = (['post', 'raft', 'shard', 'connection'] as const).map((stage) => turn.member(stage, () => seen.push(stage)))
    for (const want of ask) want()
    expect(seen).toEqual([])
    clock.endTurn()
    expect(seen).toEqual(['connection', 'shard', 'raft', 'post'])
  })

  test('flushes a member once however often it asked, and again when it asks in a later turn', () => {
    const clock = manualClock()
    const turn = createTurn(clock)
    let flushes = 0
    const ask = turn.member('shard', () => { flushes += 1 })
    ask()
    ask()
    clock.endTurn()
    expect(flushes).toBe(1)
    ask()
    clock.endTurn()
    expect(flushes).toBe(2)
  })

  test('runs an earlier stage again when a later one woke it within the turn', () => {
    const clock = manualClock()
    const turn = createTurn(clock)
    const seen: string[] = []
    const askConnection = turn.member('connection', () => seen.push('connection'))
    const askRaft = turn.member('raft', () => {
      seen.push('raft')
      askConnection()
    })
    askRaft()
    clock.endTurn()
    expect(seen).toEqual(['raft', 'connection'])
  })

  test('leaves a loop between stages for the next turn instead of spinning', () => {
    const clock = manualClock()
    const turn = createTurn(clock)
    let flushes = 0
    const ask = turn.member('raft', () => {
      flushes += 1
      ask()
    })
    ask()
    clock.endTurn()
    expect(flushes).toBe(8)
    clock.endTurn()
    expect(flushes).toBe(16)
  })
})
