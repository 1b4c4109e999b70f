/** When a member has caught up since its start: it has applied what its first leader called committed, and an entry of its term. */

import { expect, test } from '@jest/globals'
import { isUpToDate } from '../../../actors/raft/upToDate.ts'
import { createHarness, idOf } from '../../support/raftHarness.ts'
import { append, createFollower, createSolo, entriesOf, say, settleDisk } from '../../support/raftScript.ts'
import type { Harness } from '../../support/raftHarness.ts'

const isReady = (h: Harness, number = 1): boolean => isUpToDate(h.member(number).core)

test('a follower has caught up when it has applied what its leader said was committed at first, whatever is committed since', () => {
  const h = createSolo()
  expect(isReady(h)).toBe(false)
  say(h, 2, append(1, [0, 0], entriesOf(1, 1, 1), 4))
  settleDisk(h)
  expect([h.member(1).applied.length, isReady(h)]).toEqual([2, false])
  say(h, 2, append(1, [2, 1], entriesOf(3, 1, 1), 900))
  settleDisk(h)
  expect([h.member(1).applied.length, isReady(h)]).toEqual([4, true])
})

test('an append that does not fit names the commit index all the same', () => {
  const h = createSolo()
  say(h, 2, append(1, [9, 1], entriesOf(10, 1), 10))
  say(h, 2, append(1, [0, 0], entriesOf(1, 1, 1), 2))
  settleDisk(h)
  expect([h.member(1).applied.length, isReady(h)]).toEqual([2, false])
})

test('a heartbeat says no more than what the member is known to have, and names nothing', () => {
  const h = createSolo()
  say(h, 2, { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 })
  say(h, 2, append(1, [0, 0], entriesOf(1, 1), 5))
  say(h, 2, { type: 'raft.heartbeat', term: 1, commitIndex: 1, round: 2 })
  settleDisk(h)
  expect([h.member(1).applied.length, isReady(h)]).toEqual([1, false])
})

test('a leader that has committed nothing of its own names too little: an entry of its term, or a later one, is waited for', () => {
  const h = createFollower(1, [1, 1, 1])
  h.crash(1)
  h.restart(1)
  h.member(1).core.presenting.accepted.add(idOf(3))
  say(h, 3, append(2, [3, 1], entriesOf(4, 2), 0))
  settleDisk(h)
  const seen = [3, 4].map((commitIndex) => {
    say(h, 3, append(2, [4, 2], [], commitIndex))
    return [h.member(1).applied.length, isReady(h)]
  })
  expect(seen).toEqual([[3, false], [4, true]])
})

test('of a group that was started anew nobody is up to date before its leader has committed an entry of its own', () => {
  const h = createHarness()
  h.campaign(1)
  h.stabilize()
  for (let i = 0; i < 5; i += 1) h.propose(1, `${i}`)
  h.stabilize()
  h.tick(10)
  for (const number of [1, 2, 3]) h.crash(number)
  for (const number of [1, 2, 3]) h.restart(number)
  expect([1, 2, 3].map((number) => isReady(h, number))).toEqual([false, false, false])
  let waited = 0
  for (; ![1, 2, 3].every((number) => isReady(h, number)) && waited < 200; waited += 1) {
    h.tick()
    for (const number of [1, 2, 3]) if (isReady(h, number)) expect(h.member(number).applied.length).toBeGreaterThan(6)
  }
  expect(waited).toBeLessThan(200)
})

test('a member that was ready is not while it loads a snapshot', () => {
  const h = createFollower(1, [1])
  say(h, 2, append(1, [1, 1], [], 1))
  expect(isReady(h)).toBe(true)
  h.member(1).core.isRestoring = true
  expect(isReady(h)).toBe(false)
})
