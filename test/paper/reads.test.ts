/** Linearizable reads without the log (thesis 6.4), and the lease (6.4.1). */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { createElected, createServing, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'

const acked = (round: number, term = 1): RaftMessage => ({ type: 'raft.heartbeatAcked', term, round, diskStalled: false })
const ready = (h: Harness, read: number): number | undefined => h.member(1).readyReads.get(read)
const roundOf = (h: Harness): number => h.member(1).core.leading.round

describe('thesis 6.4, ReadIndex', () => {
  test('The leader needs to make sure it has not been superseded: a read waits for a quorum\'s answer to its round', () => {
    const h = createServing()
    const read = h.read(1)
    expect(ready(h, read)).toBeUndefined()
    h.flush(1)
    expect(sentOf(takeSent(h), 'raft.heartbeat').map(({ round }) => round)).toEqual([roundOf(h), roundOf(h)])
    expect(ready(h, read)).toBeUndefined()
    say(h, 2, acked(roundOf(h)))
    expect(ready(h, read)).toBe(1)
  })

  test('If the leader has not yet committed an entry from its current term, it waits until it has done so', () => {
    const h = createElected()
    const read = h.read(1)
    h.flush(1)
    h.tickOnly(1, 2)
    say(h, 2, acked(roundOf(h)))
    expect(ready(h, read)).toBeUndefined()
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 1 })
    h.flush(1)
    say(h, 2, acked(roundOf(h)))
    expect(ready(h, read)).toBe(1)
  })

  test('A read joins only a round that starts after it arrived', () => {
    const h = createServing()
    h.read(1)
    h.flush(1)
    const before = roundOf(h)
    const read = h.read(1)
    say(h, 2, acked(before))
    expect(ready(h, read)).toBeUndefined()
    h.flush(1)
    say(h, 2, acked(before))
    say(h, 3, acked(before))
    expect(ready(h, read)).toBeUndefined()
    say(h, 3, acked(roundOf(h)))
    expect(ready(h, read)).toBe(1)
  })

  test('An answer to an earlier round does not confirm a read of a later one', () => {
    const h = createServing()
    const first = h.read(1)
    h.flush(1)
    const second = h.read(1)
    h.flush(1)
    say(h, 2, acked(roundOf(h) - 1))
    expect([ready(h, first), ready(h, second)]).toEqual([1, undefined])
    say(h, 3, acked(roundOf(h)))
    expect(ready(h, second)).toBe(1)
  })

  test('Its index is the commit index when the round starts', () => {
    const h = createServing()
    h.propose(1, 'a')
    settleDisk(h)
    const read = h.read(1)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    h.flush(1)
    say(h, 2, acked(roundOf(h)))
    expect(ready(h, read)).toBe(2)
  })

  test('All reads of a turn share one round', () => {
    const h = createServing()
    const before = roundOf(h)
    const reads = [h.read(1), h.read(1), h.read(1)]
    h.flush(1)
    expect(roundOf(h)).toBe(before + 1)
    say(h, 3, acked(roundOf(h)))
    expect(reads.map((read) => ready(h, read))).toEqual([1, 1, 1])
  })

  test('A lost round is repeated by the next heartbeat under a fresh number, and an answer confirms every round before it', () => {
    const h = createServing()
    const read = h.read(1)
    h.flush(1)
    const lost = roundOf(h)
    h.tickOnly(1, 2)
    expect(roundOf(h)).toBe(lost + 1)
    say(h, 2, acked(lost + 1))
    expect(ready(h, read)).toBe(1)
  })

  test('An answer to a round of another term, or to one that never began, confirms nothing', () => {
    const h = createServing()
    const read = h.read(1)
    h.flush(1)
    say(h, 2, acked(roundOf(h), 0))
    say(h, 2, acked(roundOf(h) + 7))
    expect(ready(h, read)).toBeUndefined()
  })

  test('An answer from outside the configuration confirms nothing', () => {
    const configuration = { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [idOf(4)] }
    const h = createHarness({ configuration, size: 5, isScripted: true })
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    say(h, 5, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    expect(h.member(1).core.role).toBe('candidate')
    say(h, 2, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    settleDisk(h)
    for (const peer of [4, 5]) say(h, peer, { type: 'raft.appendAccepted', term: 1, matchIndex: 1 })
    expect(h.member(1).core.commitIndex).toBe(0)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 1 })
    const read = h.read(1)
    h.flush(1)
    for (const peer of [4, 5]) say(h, peer, acked(roundOf(h)))
    expect(ready(h, read)).toBeUndefined()
  })

  test('Losing the leadership refuses every read that waits, with or without a round', () => {
    const h = createServing()
    const inRound = h.read(1)
    h.flush(1)
    const gathered = h.read(1)
    say(h, 3, { type: 'raft.heartbeat', term: 2, commitIndex: 0, round: 1 })
    say(h, 2, acked(roundOf(h) + 1))
    expect([inRound, gathered].map((read) => h.member(1).refusedReads.get(read))).toEqual(['notLeader', 'notLeader'])
  })

  test('A deposed leader that does not know it yet answers no read', () => {
    const h = createHarness()
    h.campaign(1)
    h.setRoute(({ from, to }) => from !== idOf(1) && to !== idOf(1))
    h.campaign(2)
    h.propose(2, 'newer')
    h.stabilize()
    expect(h.member(1).core.role).toBe('leader')
    const read = h.read(1)
    h.tick(2)
    expect(h.member(1).readyReads.has(read)).toBe(false)
  })

  test('Waiting reads are bounded', () => {
    const h = createServing({ limits: { readsWaitingMax: 2 } })
    const reads = [h.read(1), h.read(1), h.read(1)]
    expect(reads.map((read) => h.member(1).refusedReads.get(read))).toEqual([undefined, undefined, 'tooManyWaiting'])
  })

  test('Rounds in flight are bounded; reads then wait for the next heartbeat', () => {
    const h = createServing({ limits: { roundsInFlightMax: 2 } })
    const before = roundOf(h)
    for (let i = 0; i < 6; i += 1) {
      h.read(1)
      h.flush(1)
    }
    expect(roundOf(h) - before).toBeLessThanOrEqual(2)
    const read = h.read(1)
    h.tickOnly(1, 2)
    say(h, 2, acked(roundOf(h)))
    expect(ready(h, read)).toBe(1)
  })

  test('A group of one confirms at once', () => {
    const h = createHarness({ size: 1 })
    h.tick(21)
    const read = h.read(1)
    h.flush(1)
    expect(ready(h, read)).toBe(h.member(1).core.commitIndex)
  })
})

describe('thesis 6.4.1, the lease', () => {
  const lease = (h: Harness): string => {
    const read = h.read(1, true)
    return h.member(1).readyReads.has(read) ? 'ready' : h.member(1).refusedReads.get(read) ?? 'waiting'
  }
  const withLease = (): Harness => {
    const h = createServing()
    h.tickOnly(1, 2)
    say(h, 2, acked(roundOf(h)))
    return h
  }

  test('holds while a quorum\'s answer is younger than the minimum election timeout less the margin, counted from sending', () => {
    const h = withLease()
    h.advance(449)
    expect(lease(h)).toBe('ready')
    h.advance(1)
    expect(lease(h)).toBe('leaseUnavailable')
  })

  test('is not renewed by an old answer that arrives late', () => {
    const h = withLease()
    const round = roundOf(h)
    h.advance(1_000)
    say(h, 3, acked(round))
    expect(lease(h)).toBe('leaseUnavailable')
  })

  test('does not exist before the first entry of the term has committed', () => {
    const h = createElected()
    h.tickOnly(1, 2)
    say(h, 2, acked(roundOf(h)))
    expect(lease(h)).toBe('leaseUnavailable')
  })

  test('is void during a transfer', () => {
    const h = withLease()
    h.send(1, { type: 'raft.transferLeadership', to: idOf(3) })
    expect(h.member(1).core.leading.transfer?.isSent).toBe(false)
    expect(lease(h)).toBe('leaseUnavailable')
  })

  test('stays void after an aborted transfer, because TimeoutNow may still arrive', () => {
    const h = withLease()
    h.send(1, { type: 'raft.transferLeadership', to: idOf(2) })
    expect(sentOf(takeSent(h), 'raft.timeoutNow')).toHaveLength(1)
    for (let i = 0; i < 22; i += 1) {
      h.advance(50)
      h.tickOnly(1, 1)
      say(h, 2, acked(roundOf(h)))
    }
    expect(h.member(1).core.leading.transfer).toBeNull()
    expect(lease(h)).toBe('leaseUnavailable')
  })

  test('comes back after a transfer that ended before TimeoutNow was sent', () => {
    const h = withLease()
    h.send(1, { type: 'raft.transferLeadership', to: idOf(3) })
    for (let i = 0; i < 22; i += 1) {
      h.advance(50)
      h.tickOnly(1, 1)
      say(h, 2, acked(roundOf(h)))
    }
    expect(lease(h)).toBe('ready')
  })

  const suspend = (look: (h: Harness) => void): void => {
    const h = withLease()
    const round = roundOf(h)
    h.advance(100)
    h.member(1).wallMs += 900
    look(h)
    expect(lease(h)).toBe('leaseUnavailable')
    // What waited at the socket was asked before.
    say(h, 3, acked(round))
    expect(lease(h)).toBe('leaseUnavailable')
    h.advance(50)
    h.tickOnly(1, 2)
    say(h, 2, acked(roundOf(h)))
    expect(lease(h)).toBe('ready')
  }

  test('does not outlast a suspend of the machine, which the next read notices, and comes back with the next round', () => {
    suspend(() => {})
  })
  test('does not outlast a suspend of the machine, which a tick notices, and comes back with the next round', () => {
    suspend((h) => h.tickOnly(1, 1))
  })

  test('outlasts a wall clock that is set back, or slewed', () => {
    const h = withLease()
    h.member(1).wallMs -= 30_000
    expect(lease(h)).toBe('ready')
    h.member(1).wallMs += 10
    expect(lease(h)).toBe('ready')
  })

  test('of a group of one always holds', () => {
    const h = createHarness({ size: 1 })
    h.tick(21)
    h.advance(100_000)
    expect(lease(h)).toBe('ready')
  })
})
