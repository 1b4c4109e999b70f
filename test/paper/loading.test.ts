/**
 * A member whose state is being loaded from a snapshot. It votes, keeps entries and is counted like any other, and could serve nothing if
 * it led: so others lead, where there are others (actors/raft/election.ts), and it gets no vote that it has not yet (actors/raft/
 * reconfiguration.ts).
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { lastIndexOf } from '../../actors/raft/log.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { createFollower, say, sentOf, takeSent } from '../support/raftScript.ts'
import type { ConfigurationOrder, OrderOutcome, RaftEffect } from '../../actors/raft/protocol.ts'
import type { Progress } from '../../actors/raft/progress.ts'
import type { Harness, HarnessOptions } from '../support/raftHarness.ts'

const beginLoading = (h: Harness, number: number): void => {
  h.member(number).core.isRestoring = true
}
const endLoading = (h: Harness, number: number): void => {
  h.send(number, { type: 'raft.restored', index: h.member(number).core.emittedIndex })
}
/** Member 1, of three: it would stand after eleven ticks. */
const createLoadingFollower = (): Harness => {
  const h = createFollower(1, [1])
  beginLoading(h, 1)
  h.member(1).core.electionTimeout = 11
  return h
}
const roleOf = (h: Harness, number = 1): string => h.member(number).core.role

describe('a member that is loading its state', () => {
  test('does not take over at its leader\'s word, and does once it has it', () => {
    const h = createFollower(1, [1])
    beginLoading(h, 1)
    say(h, 2, { type: 'raft.timeoutNow', term: 1 })
    expect(roleOf(h)).toBe('follower')
    endLoading(h, 1)
    say(h, 2, { type: 'raft.timeoutNow', term: 1 })
    expect(roleOf(h)).toBe('candidate')
  })

  test('stands for election later than others would, and not never', () => {
    const h = createLoadingFollower()
    h.tickOnly(1, 30)
    expect(roleOf(h)).toBe('follower')
    h.tickOnly(1, 1)
    expect(roleOf(h)).toBe('preCandidate')
  })

  test('stands at once when it has its state and its own time is over', () => {
    const h = createLoadingFollower()
    h.tickOnly(1, 20)
    endLoading(h, 1)
    h.tickOnly(1, 1)
    expect(roleOf(h)).toBe('preCandidate')
  })

  test('tries again as soon as others when it has stood in vain', () => {
    const h = createFollower(1, [1])
    beginLoading(h, 1)
    h.tickOnly(1, 40)
    takeSent(h)
    h.member(1).core.electionTimeout = 11
    h.tickOnly(1, 11)
    expect(sentOf(takeSent(h), 'raft.requestPreVote')).toHaveLength(2)
    expect(h.member(1).core.electionTicks).toBe(0)
  })

  test('leaves the lead to one that has its state, though its timeout is the shortest', () => {
    const h = createHarness()
    h.campaign(1)
    h.tick(3)
    beginLoading(h, 3)
    h.member(2).core.electionTimeout = 20
    h.member(3).core.electionTimeout = 11
    h.crash(1)
    for (let ticks = 0; ticks < 25; ticks += 1) h.tick()
    expect([roleOf(h, 2), roleOf(h, 3)]).toEqual(['leader', 'follower'])
  })

  test('says nothing of it to its leader where it has a vote, since its vote and its disk count', () => {
    const h = createFollower(1, [1])
    beginLoading(h, 1)
    say(h, 2, { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 })
    expect(sentOf(takeSent(h), 'raft.heartbeatAcked')).toMatchObject([{ round: 1, diskStalled: false }])
  })
})

/** Ticks until somebody leads, of three members that start with a snapshot each; `isHeld`: nobody gets to load it. */
const electAnew = (isHeld: boolean, size: number): { readonly ticks: number, readonly areLoading: readonly boolean[] } => {
  const h = createHarness({ size })
  const numbers = h.members.map(({ number }) => number)
  h.campaign(1)
  for (let i = 0; i < 5; i += 1) h.propose(1, `${i}`)
  h.stabilize()
  h.tick(5)
  for (const number of numbers) {
    h.snapshot(number)
    h.crash(number)
  }
  for (const number of numbers) h.restart(number)
  if (isHeld) for (const { disk } of h.members) disk.writes.splice(0)
  let ticks = 0
  for (; !h.members.some(({ core }) => core.role === 'leader') && ticks < 200; ticks += 1) h.tick()
  return { ticks, areLoading: h.members.map(({ core }) => core.isRestoring) }
}

test.each([['one alone', 1], ['three', 3]])('Members that all load their state elect as soon as others: %s', (_, size) => {
  const loading = electAnew(true, size)
  const loaded = electAnew(false, size)
  expect(loading.areLoading).toEqual(Array.from({ length: size }, () => true))
  expect(loaded.areLoading).toEqual(Array.from({ length: size }, () => false))
  expect(loading.ticks).toBe(loaded.ticks)
  expect(loading.ticks).toBeLessThan(40)
})

/** What the member asks to have loaded waits, until the test lets it go: then it is carried out with its next event. */
const holdLoading = (h: Harness, number: number): (() => void) => {
  const { effects } = h.member(number).core
  const held: RaftEffect[] = []
  const push = (...more: RaftEffect[]): number => Array.prototype.push.apply(effects, more)
  effects.push = (...more) => {
    for (const effect of more) {
      if (effect.type === 'raft.restore') held.push(effect)
      else push(effect)
    }
    return effects.length
  }
  return () => { push(...held.splice(0)) }
}

const order = (epoch: number, voters: readonly number[], learners: readonly number[] = []): ConfigurationOrder =>
  ({ epoch, voters: voters.map(idOf), learners: learners.map(idOf) })
const promote = (h: Harness): OrderOutcome => h.order(1, order(3, [1, 2, 4]))
const learner = (h: Harness): Progress => must(h.member(1).core.leading.progress.get(idOf(4)), 'a learner')

/** Member 1 leads 2 and 3, and has forgotten what the fourth needs, which is ordered to learn. Nothing of the snapshot arrives yet. */
const joining = (options: HarnessOptions = {}): Harness => {
  const h = createHarness({
    ...options, size: 4, configuration: { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [] },
    limits: { tailEntriesMax: 0 }, timing: { snapshotRetryTicks: 3 },
  })
  h.campaign(1)
  for (let i = 0; i < 5; i += 1) h.propose(1, `${i}`)
  h.tick(3)
  h.snapshot(1)
  h.setRoute(({ message }) => message.type !== 'raft.snapshotChunk')
  h.order(1, order(2, [1, 2, 3], [4]))
  h.tick(3)
  return h
}
const untilItHasAll = (h: Harness): void => {
  const last = lastIndexOf(h.member(1).core.log)
  for (let ticks = 0; learner(h).matchIndex < last && ticks < 20; ticks += 1) h.tick()
  expect(learner(h)).toMatchObject({ state: 'replicate', matchIndex: last })
  expect(h.member(4).core.isRestoring).toBe(true)
}

describe('a learner that is loading its state', () => {
  test('is called behind until it has it, though it keeps every entry', () => {
    const h = joining()
    const letGo = holdLoading(h, 4)
    h.setRoute(() => true)
    untilItHasAll(h)
    h.propose(1, 'meanwhile')
    h.tick(5)
    expect(learner(h).matchIndex).toBe(lastIndexOf(h.member(1).core.log))
    expect(promote(h)).toBe('behind')
    letGo()
    h.propose(1, 'the next event')
    h.stabilize()
    h.tick(3)
    expect(h.member(4).applied).toEqual(h.member(1).applied)
    expect(promote(h)).toBe('pending')
  })

  test('is called behind from the moment it has installed it, before it has said anything', () => {
    const h = joining()
    holdLoading(h, 4)
    h.setRoute(({ from, message }) => from !== idOf(4) || message.type !== 'raft.heartbeatAcked')
    const { contactSentAt } = learner(h)
    untilItHasAll(h)
    const { electionTicksMax, tickMs } = h.member(1).core.timing
    expect(h.now() - contactSentAt).toBeLessThanOrEqual(electionTicksMax * tickMs)
    expect(promote(h)).toBe('behind')
  })

  test('is called behind when it has started anew and loads its own, before it has said anything', () => {
    const h = joining()
    h.setRoute(() => true)
    h.tick(10)
    h.crash(4)
    h.restart(4)
    h.member(4).disk.writes.splice(0)
    h.setRoute(({ from, message }) => from !== idOf(4) || message.type !== 'raft.heartbeatAcked')
    const before = learner(h)
    for (let ticks = 0; (learner(h) === before || learner(h).state !== 'replicate') && ticks < 10; ticks += 1) h.tick()
    untilItHasAll(h)
    expect(promote(h)).toBe('behind')
    h.setRoute(() => true)
    h.tick(3)
    expect(promote(h)).toBe('behind')
    endLoading(h, 4)
    h.tick(3)
    expect(promote(h)).toBe('pending')
  })

  test('of an older version, which says nothing of it, is promoted once it has spoken', () => {
    const h = joining()
    holdLoading(h, 4)
    h.setRoute(({ from, message }) => from !== idOf(4) || message.type !== 'raft.heartbeatAcked')
    untilItHasAll(h)
    say(h, 4, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled: false })
    expect(promote(h)).toBe('pending')
  })

  test('keeps no election from its leader: it has no vote', () => {
    const h = joining()
    holdLoading(h, 4)
    h.setRoute(() => true)
    untilItHasAll(h)
    h.send(1, { type: 'raft.transferLeadership', to: idOf(2) })
    h.stabilize()
    expect(h.leader().number).toBe(2)
  })
})
