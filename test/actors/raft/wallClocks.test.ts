/** What a member makes of wall clocks (actors/raft/wallClocks.ts): the time that a new leader begins with, and when a leader has to go. */

import { describe, expect, test } from '@jest/globals'
import { createHarness } from '../../support/raftHarness.ts'
import { createServing, createSolo, say, settleDisk } from '../../support/raftScript.ts'
import type { Harness } from '../../support/raftHarness.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Member 1, whose clock is right, asks all others for their votes. */
const createCandidate = (size: number): Harness => {
  const h = createSolo({ size })
  h.tickOnly(1, 21)
  for (let peer = 2; peer <= size; peer += 1) say(h, peer, { type: 'raft.preVoteGranted', term: 1 })
  settleDisk(h)
  return h
}

const rightClock = (h: Harness): number => h.member(1).wallMs + h.now()

const vote = (h: Harness, peer: number, errorMs: number): void =>
  say(h, peer, { type: 'raft.voteGranted', term: 1, wallMs: rightClock(h) + errorMs })

/** By how much the time that the leader said last is wrong. */
const errorOf = (h: Harness): number => h.member(1).clockMs - rightClock(h)

const pass = (h: Harness, ms: number): void => {
  h.advance(ms)
  h.tickOnly(1, Math.floor(ms / 50))
}

const commitNoop = (h: Harness, ...peers: readonly number[]): void => {
  settleDisk(h)
  for (const peer of peers) say(h, peer, { type: 'raft.appendAccepted', term: 1, matchIndex: 1 })
  expect(h.member(1).core.commitIndex).toBe(1)
}

describe('the time that a new leader begins with', () => {
  test('is not moved ahead by two clocks of five, though their votes come first', () => {
    const h = createCandidate(5)
    for (const peer of [2, 3]) vote(h, peer, DAY_MS)
    expect([h.member(1).core.role, errorOf(h)]).toEqual(['leader', 0])
  })

  test.each([
    [2, [DAY_MS], 0], [2, [-HOUR_MS], -HOUR_MS], [3, [0], 0], [3, [DAY_MS], 0], [3, [-HOUR_MS], -HOUR_MS],
    [4, [DAY_MS, DAY_MS], 0], [5, [0, DAY_MS], 0], [5, [0, -HOUR_MS], -HOUR_MS],
  ])('is what a majority of the clocks has reached: of %i voters, by votes that are wrong by %j, wrong by %i', (size, votes, errorMs) => {
    const h = createCandidate(size)
    votes.forEach((error, i) => vote(h, i + 2, error))
    expect([h.member(1).core.role, errorOf(h)]).toEqual(['leader', errorMs])
  })

  test('takes in the votes that come between the election and the commit of the first entry', () => {
    const h = createCandidate(3)
    vote(h, 2, -HOUR_MS)
    expect(errorOf(h)).toBe(-HOUR_MS)
    pass(h, 50)
    vote(h, 3, 0)
    commitNoop(h, 2)
    expect(errorOf(h)).toBe(0)
  })

  const isServing = (h: Harness): boolean => h.member(1).core.announced === `leader 1 ${h.member(1).id} true`

  test('waits for the vote that says which of two clocks is wrong, for a minimum election timeout and not longer', () => {
    const decided = createCandidate(3)
    vote(decided, 2, -HOUR_MS)
    commitNoop(decided, 2)
    pass(decided, 450)
    expect(isServing(decided)).toBe(false)
    vote(decided, 3, 0)
    expect([isServing(decided), errorOf(decided)]).toEqual([true, 0])
    const open = createCandidate(3)
    vote(open, 2, -HOUR_MS)
    commitNoop(open, 2)
    pass(open, 450)
    expect(isServing(open)).toBe(false)
    pass(open, 50)
    expect([isServing(open), errorOf(open)]).toEqual([true, -HOUR_MS])
  })

  test('waits no longer for a vote that is refused', () => {
    const h = createCandidate(3)
    vote(h, 2, -HOUR_MS)
    commitNoop(h, 2)
    expect(isServing(h)).toBe(false)
    say(h, 3, { type: 'raft.voteRefused', term: 1, reason: 'votedForOther' })
    expect([isServing(h), errorOf(h)]).toEqual([true, -HOUR_MS])
  })

  test('takes no voters in while it waits, since these have brought no clock', () => {
    const h = createCandidate(3)
    vote(h, 2, -HOUR_MS)
    commitNoop(h, 2)
    const order = { epoch: 9, voters: [1, 2, 3].map((number) => h.member(number).id), learners: [] }
    expect(h.order(1, order)).toBe('busy')
    vote(h, 3, 0)
    expect(h.order(1, order)).not.toBe('busy')
  })

  test.each([[3, [0]], [3, [-1_000]], [5, [0, 0]], [5, [-1_000, 0]]])(
    'waits for nobody where the clocks of those that voted agree: of %i voters, by votes that are wrong by %j', (size, votes) => {
      const h = createCandidate(size)
      votes.forEach((error, i) => vote(h, i + 2, error))
      commitNoop(h, ...votes.map((_, i) => i + 2))
      expect(isServing(h)).toBe(true)
    })

  test('is not moved back by such a vote, nor by one that is refused', () => {
    const h = createCandidate(5)
    vote(h, 2, 0)
    vote(h, 3, 0)
    vote(h, 4, -HOUR_MS)
    say(h, 5, { type: 'raft.voteRefused', term: 1, reason: 'votedForOther' })
    commitNoop(h, 2, 3)
    expect(errorOf(h)).toBe(0)
  })

  test('counts the time since the votes came', () => {
    const h = createCandidate(3)
    vote(h, 2, -HOUR_MS)
    pass(h, 500)
    commitNoop(h, 2)
    expect(errorOf(h)).toBe(-HOUR_MS)
  })

  test('is not said again once the leader serves', () => {
    const h = createCandidate(5)
    vote(h, 2, -HOUR_MS)
    vote(h, 3, 0)
    commitNoop(h, 2, 3)
    pass(h, 500)
    for (const peer of [4, 5]) vote(h, peer, 0)
    pass(h, 50)
    expect(errorOf(h)).toBe(-HOUR_MS - 50)
  })
})

describe('a leader whose wall clock leaps ahead', () => {
  const reason = 'its wall clock leapt ahead: log time is late'
  const leap = (h: Harness, ms: number): void => {
    h.member(1).wallMs += ms
  }
  const answer = (h: Harness): void =>
    say(h, 2, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled: false })

  test('by more than a second steps down with the next tick, and says why', () => {
    const h = createServing()
    leap(h, 1_001)
    pass(h, 50)
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 1, reason })
  })

  test('by a second goes on', () => {
    const h = createServing()
    leap(h, 1_000)
    pass(h, 50)
    expect(h.member(1).core.role).toBe('leader')
  })

  test('steps down also where a read by the lease has looked at the clocks before the tick', () => {
    const h = createServing()
    h.advance(50)
    leap(h, HOUR_MS)
    h.read(1, true)
    h.tickOnly(1, 1)
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
  })

  test('several times by less than a second steps down when they add up to more', () => {
    const h = createServing()
    for (const role of ['leader', 'follower']) {
      leap(h, 600)
      pass(h, 50)
      expect(h.member(1).core.role).toBe(role)
    }
  })

  test('goes on where it leaps back by as much, and steps down when it leaps ahead after it was set back', () => {
    const h = createServing()
    for (const ms of [900, -900, 900, -HOUR_MS]) {
      leap(h, ms)
      pass(h, 50)
      answer(h)
    }
    expect(h.member(1).core.role).toBe('leader')
    leap(h, 60_000)
    pass(h, 50)
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
  })

  test('goes on where it runs faster, as a time service has it do', () => {
    const h = createServing()
    for (let i = 0; i < 500; i += 1) {
      leap(h, 10)
      pass(h, 50)
      answer(h)
    }
    expect(h.member(1).core.role).toBe('leader')
  })

  test('while it asked for votes steps down as soon as it is elected', () => {
    const h = createCandidate(3)
    leap(h, HOUR_MS)
    pass(h, 50)
    vote(h, 2, -HOUR_MS)
    expect(h.member(1).core.role).toBe('leader')
    pass(h, 50)
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
  })

  test('while it asked for votes serves nothing before it has gone, though its first entry commits', () => {
    const h = createCandidate(3)
    leap(h, HOUR_MS)
    pass(h, 50)
    for (const peer of [2, 3]) vote(h, peer, -HOUR_MS)
    commitNoop(h, 2)
    expect([h.member(1).core.role, h.member(1).core.leading.isServing]).toEqual(['leader', false])
    pass(h, 50)
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
  })

  test('leads on while most disks are stalled, since nobody could be elected, and goes once they move', () => {
    const h = createServing()
    const hear = (diskStalled: boolean): void => {
      for (const peer of [2, 3]) say(h, peer, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled })
    }
    hear(true)
    leap(h, HOUR_MS)
    for (let i = 0; i < 20; i += 1) {
      pass(h, 50)
      hear(true)
    }
    expect(h.member(1).core.role).toBe('leader')
    hear(false)
    pass(h, 50)
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
  })

  test('alone in its group elects itself again, with the time as it is', () => {
    const h = createHarness({ size: 1 })
    h.tick(21)
    leap(h, HOUR_MS)
    h.tick()
    expect(h.member(1).core).toMatchObject({ role: 'follower', reason })
    h.tick(20)
    expect(h.member(1).core.role).toBe('leader')
    expect(Math.abs(errorOf(h))).toBeLessThanOrEqual(20 * 50)
  })
})
