/** Leadership transfer (thesis 3.10). */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { createFollower, createServing, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'

const transfer = (to: number) => ({ type: 'raft.transferLeadership', to: idOf(to) } as const)

describe('thesis 3.10', () => {
  test('During a transfer proposals stop: the prior leader accepts no new client requests', () => {
    const h = createServing()
    h.send(1, transfer(3))
    expect(h.member(1).refusedProposals.get(h.propose(1, 'x'))).toBe('transferring')
  })

  test('The target catches up first: the leader fully updates its log, then sends a TimeoutNow request', () => {
    const h = createServing()
    h.propose(1, 'x')
    settleDisk(h)
    h.send(1, transfer(2))
    expect(sentOf(takeSent(h), 'raft.timeoutNow')).toEqual([])
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    expect(takeSent(h).filter(({ to }) => to === idOf(2)).map(({ message }) => message)).toEqual([{ type: 'raft.timeoutNow', term: 1 }])
  })

  test('The target starts a new election at once, without a pre-vote, and says that it is a transfer', () => {
    const h = createFollower(1, [1])
    say(h, 2, { type: 'raft.timeoutNow', term: 1 })
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.requestVote')).toEqual(
      [2, 3].map(() => ({ type: 'raft.requestVote', term: 2, lastTerm: 1, lastIndex: 1, transfer: true })))
  })

  test('Leadership moves although everybody has just heard the old leader', () => {
    const h = createHarness()
    h.campaign(1)
    h.tick(2)
    h.send(1, transfer(3))
    h.stabilize()
    expect(h.leader()).toMatchObject({ number: 3 })
    expect(h.member(1).abortedTransfers).toEqual([])
    expect(h.member(1).core.role).toBe('follower')
  })

  test('A transfer is aborted after an election timeout: the prior leader resumes accepting client requests', () => {
    const h = createHarness()
    h.campaign(1)
    h.setRoute(({ message }) => message.type !== 'raft.timeoutNow')
    h.send(1, transfer(2))
    h.tick(20)
    expect(h.member(1).refusedProposals.get(h.propose(1, 'x'))).toBe('transferring')
    expect(h.member(1).abortedTransfers).toEqual([])
    h.tick(1)
    expect(h.member(1).abortedTransfers).toEqual([1])
    const proposal = h.propose(1, 'y')
    expect(h.member(1).proposed.has(proposal)).toBe(true)
  })

  test.each([
    ['itself', 1], ['a stranger', 9], ['a learner', 4],
  ])('Nothing happens when the target is %s', (_, to) => {
    const h = createHarness({ configuration: { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [idOf(4)] }, size: 4 })
    h.campaign(1)
    h.send(1, transfer(to))
    expect(h.member(1).core.leading.transfer).toBeNull()
    expect(h.member(1).abortedTransfers).toEqual([1])
  })

  test('A second transfer waits for the end of the first', () => {
    const h = createServing()
    h.send(1, transfer(3))
    h.send(1, transfer(2))
    expect(h.member(1).core.leading.transfer?.to).toBe(idOf(3))
    expect(h.member(1).abortedTransfers).toEqual([])
  })

  test.each([
    ['of another term', 2, 0], ['not from the leader', 3, 1],
  ])('TimeoutNow is ignored when it is %s', (_, from, term) => {
    const h = createFollower(1, [1])
    say(h, from, { type: 'raft.timeoutNow', term })
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 1 })
  })

  test('A freshly started member does not campaign even for a transfer', () => {
    const h = createFollower(1, [1])
    h.member(1).core.freshTicks = 3
    say(h, 2, { type: 'raft.timeoutNow', term: 1 })
    expect(h.member(1).core.role).toBe('follower')
  })
})
