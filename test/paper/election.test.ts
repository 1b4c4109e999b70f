/** Leader election, as the paper and the thesis say it. */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import {
  append, createFollower, createServing, createSolo, entriesOf, rolesOf, say, sentOf, settleDisk, takeSent,
} from '../support/raftScript.ts'

const requestVote = (term: number, last: readonly [number, number], transfer = false) =>
  ({ type: 'raft.requestVote', term, lastIndex: last[0], lastTerm: last[1], transfer } as const)
const requestPreVote = (term: number, last: readonly [number, number]) =>
  ({ type: 'raft.requestPreVote', term, lastIndex: last[0], lastTerm: last[1] } as const)
const heartbeat = (term: number, round = 1) => ({ type: 'raft.heartbeat', term, commitIndex: 0, round } as const)

describe('section 5.1', () => {
  test('If one server\'s current term is smaller than the other\'s, then it updates its current term to the larger value', () => {
    const h = createSolo()
    say(h, 2, heartbeat(7))
    expect(h.member(1).core.term).toBe(7)
  })

  test('If a candidate or leader discovers that its term is out of date, it immediately reverts to follower state', () => {
    const h = createServing()
    say(h, 3, { type: 'raft.appendRejected', term: 9, rejectedIndex: 0, hintIndex: 0, hintTerm: 0 })
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 9, leader: '' })
  })

  test.each([
    ['append', append(1, [0, 0], []), 'raft.appendRejected'],
    ['heartbeat', heartbeat(1), 'raft.heartbeatAcked'],
    ['snapshot chunk', {
      type: 'raft.snapshotChunk', term: 1, snapshotTerm: 1, snapshotIndex: 5, offset: 0, totalBytes: 1, crc: 0, bytes: new Uint8Array(1),
    }, 'raft.snapshotRefused'],
  ] as const)('If a server receives a request with a stale term number, it rejects the request: %s', (_, message, answer) => {
    const h = createFollower(4)
    say(h, 3, message)
    expect(takeSent(h).map((mail) => mail.message)).toMatchObject([{ type: answer, term: 4 }])
    expect(h.member(1).core.leader).toBe(idOf(2))
  })
})

describe('section 5.2', () => {
  test('When servers start up, they begin as followers', () => {
    expect(rolesOf(createHarness())).toEqual(['follower', 'follower', 'follower'])
  })

  test('A server remains in follower state as long as it receives valid messages from a leader', () => {
    const h = createFollower(1)
    for (let i = 0; i < 50; i += 1) {
      h.tickOnly(1, 5)
      say(h, 2, heartbeat(1, i + 1))
    }
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 1 })
  })

  test('If a follower receives no communication over a period of time called the election timeout, it begins an election', () => {
    const h = createFollower(1)
    h.tickOnly(1, 21)
    expect(h.member(1).core.role).toBe('preCandidate')
  })

  test('To begin an election, a follower increments its current term, votes for itself and asks each of the other servers', () => {
    const h = createFollower(1, [1, 1])
    h.tickOnly(1, 21)
    say(h, 3, { type: 'raft.preVoteGranted', term: 2 })
    expect(h.member(1).core).toMatchObject({ role: 'candidate', term: 2, vote: idOf(1) })
    takeSent(h)
    settleDisk(h)
    expect(takeSent(h)).toEqual([2, 3].map((to) => ({ from: idOf(1), to: idOf(to), life: 1, message: requestVote(2, [2, 1]) })))
  })

  test.each([
    [1, 0, true], [3, 1, true], [3, 0, false], [5, 2, true], [5, 1, false], [4, 2, true], [4, 1, false],
  ])('A candidate wins if it receives votes from a majority of the full cluster: of %i with %i others, %s', (size, others, wins) => {
    const h = createSolo({ size })
    h.tickOnly(1, 21)
    for (let n = 2; n <= size; n += 1) say(h, n, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    for (let n = 2; n <= others + 1; n += 1) say(h, n, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    expect(h.member(1).core.role).toBe(wins ? 'leader' : 'candidate')
  })

  test('A vote counts once, however often it arrives', () => {
    const h = createSolo({ size: 5 })
    h.tickOnly(1, 21)
    for (let n = 2; n <= 5; n += 1) say(h, n, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    for (let i = 0; i < 5; i += 1) say(h, 2, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    expect(h.member(1).core.role).toBe('candidate')
  })

  test('Each server will vote for at most one candidate in a given term, on a first-come-first-served basis', () => {
    const h = createSolo()
    say(h, 2, requestVote(1, [0, 0]))
    settleDisk(h)
    say(h, 3, requestVote(1, [0, 0]))
    say(h, 2, requestVote(1, [0, 0]))
    expect(takeSent(h).map(({ to, message }) => [to, message.type])).toEqual([
      [idOf(2), 'raft.voteGranted'], [idOf(3), 'raft.voteRefused'], [idOf(2), 'raft.voteGranted'],
    ])
  })

  test('The vote of a term survives a crash', () => {
    const h = createSolo()
    say(h, 2, requestVote(1, [0, 0]))
    settleDisk(h)
    h.crash(1)
    h.restart(1)
    expect(h.member(1).core).toMatchObject({ term: 1, vote: idOf(2) })
  })

  test('While waiting for votes, a candidate that hears from the leader of its term recognizes it and returns to follower state', () => {
    const h = createSolo()
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    say(h, 3, append(1, [0, 0], entriesOf(1, 1)))
    expect(h.member(1).core).toMatchObject({ role: 'follower', leader: idOf(3), vote: idOf(1) })
    expect(heldBy(h.member(1))).toHaveLength(1)
  })

  test('If the term in the RPC is smaller than the candidate\'s, it rejects the RPC and continues in candidate state', () => {
    const h = createFollower(3)
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 4 })
    takeSent(h)
    say(h, 3, append(3, [0, 0], entriesOf(1, 3)))
    expect(h.member(1).core.role).toBe('candidate')
    expect(sentOf(takeSent(h), 'raft.appendRejected')[0]?.term).toBe(4)
  })

  test('If many followers become candidates at once no one wins, and each candidate times out and starts a new election', () => {
    const h = createHarness()
    h.setRoute(({ message }) => message.type !== 'raft.voteGranted')
    h.campaign(1)
    h.tick(60)
    expect(h.member(1).core.term).toBeGreaterThan(1)
    h.setRoute(() => true)
    h.tick(60)
    expect(rolesOf(h).filter((role) => role === 'leader')).toHaveLength(1)
  })

  test('Election timeouts are chosen randomly from a fixed interval, anew for every attempt', () => {
    const drawn = new Set<number>()
    for (let seed = 0; seed < 40; seed += 1) {
      const h = createHarness({ seed })
      h.tickOnly(1, 21)
      drawn.add(h.member(1).core.electionTimeout)
    }
    expect(Math.min(...drawn)).toBe(11)
    expect(Math.max(...drawn)).toBe(20)
    expect(drawn.size).toBe(10)
  })

  test('Departure: elections that bring no leader grow patient, four times the interval at most, until a leader is heard', () => {
    const h = createSolo()
    const { core } = h.member(1)
    const untilPreCandidate = (): void => {
      do h.tickOnly(1, 1)
      while (h.member(1).core.role !== 'preCandidate' || h.member(1).core.electionTicks > 0)
    }
    const within = (times: number): boolean => core.electionTimeout >= 11 * times && core.electionTimeout <= 20 * times
    for (let i = 0; i < 5; i += 1) {
      untilPreCandidate()
      expect(within(1)).toBe(true)
    }
    for (const times of [1, 2, 4, 4]) {
      say(h, 2, { type: 'raft.preVoteGranted', term: core.term + 1 })
      expect([h.member(1).core.role, within(times)]).toEqual(['candidate', true])
      untilPreCandidate()
    }
    say(h, 2, heartbeat(core.term))
    untilPreCandidate()
    expect(within(1)).toBe(true)
  })

  test('A leader sends periodic heartbeats to all followers in order to maintain its authority', () => {
    const h = createServing()
    h.tickOnly(1, 1)
    expect(sentOf(takeSent(h), 'raft.heartbeat')).toHaveLength(0)
    h.tickOnly(1, 1)
    expect(sentOf(takeSent(h), 'raft.heartbeat')).toHaveLength(2)
  })

  test('Requests for votes are repeated while they are unanswered', () => {
    const h = createSolo()
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    takeSent(h)
    h.tickOnly(1, 2)
    expect(sentOf(takeSent(h), 'raft.requestVote')).toHaveLength(2)
    say(h, 3, { type: 'raft.voteRefused', term: 1, reason: 'votedForOther' })
    h.tickOnly(1, 2)
    expect(takeSent(h).map(({ to }) => to)).toEqual([idOf(2)])
  })

  test('A candidate that a majority refuses is a follower again', () => {
    const h = createSolo()
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    say(h, 2, { type: 'raft.voteRefused', term: 1, reason: 'votedForOther' })
    expect(h.member(1).core.role).toBe('candidate')
    say(h, 3, { type: 'raft.voteRefused', term: 1, reason: 'staleLog' })
    expect(h.member(1).core.role).toBe('follower')
  })
})

describe('section 5.4.1', () => {
  /** Whether a voter with the terms 1, 2, 2 in its log grants its vote, and its pre-vote, to a candidate whose log ends like this. */
  const isGranted = (last: readonly [number, number]): readonly (boolean | undefined)[] =>
    [requestVote(3, last), requestPreVote(3, last)].map((ask) => {
      const h = createFollower(2, [1, 2, 2])
      h.tickOnly(1, 11)
      takeSent(h)
      say(h, 3, ask)
      settleDisk(h)
      return takeSent(h)[0]?.message.type.endsWith('Granted')
    })

  test.each([
    ['a later term wins whatever the length', [1, 3], true],
    ['of the same last term the longer log wins', [4, 2], true],
    ['an equal log is good enough', [3, 2], true],
    ['of the same last term the shorter log loses', [2, 2], false],
  ] as const)('The voter denies its vote if its own log is more up-to-date than that of the candidate: %s', (_, last, expected) => {
    expect(isGranted(last)).toEqual([expected, expected])
  })

  test('The voter denies its vote to an earlier last term, whatever the length', () => {
    for (const length of [1, 3, 4, 9, 1_000]) expect(isGranted([length, 1])).toEqual([false, false])
  })
})

describe('thesis 9.6, PreVote', () => {
  test('PreVote never changes a term: neither the asker\'s nor the voter\'s', () => {
    const h = createFollower(2, [1, 2])
    h.tickOnly(1, 11)
    takeSent(h)
    say(h, 3, requestPreVote(8, [9, 7]))
    expect(h.member(1).core).toMatchObject({ term: 2, vote: '', role: 'follower' })
    expect(sentOf(takeSent(h), 'raft.preVoteGranted')).toEqual([{ type: 'raft.preVoteGranted', term: 8 }])
    h.tickOnly(1, 20)
    expect(sentOf(takeSent(h), 'raft.requestPreVote').map(({ term }) => term)).toEqual([3, 3])
    expect(h.member(1).core).toMatchObject({ term: 2, vote: '', role: 'preCandidate' })
    expect(h.member(1).disk.writes).toHaveLength(0)
  })

  test('A member that is cut off keeps its term, and does not disturb the leader when it is back', () => {
    const h = createHarness()
    h.campaign(1)
    h.setRoute(({ from, to }) => from !== idOf(3) && to !== idOf(3))
    h.tick(200)
    expect(h.member(3).core.term).toBe(1)
    h.setRoute(() => true)
    h.tick(60)
    expect(h.leader().core).toMatchObject({ self: idOf(1), term: 1 })
  })

  test('A pre-candidate that a majority refuses is a follower again, in the same term', () => {
    const h = createFollower(2, [2])
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteRefused', term: 3, reason: 'staleLog' })
    say(h, 3, { type: 'raft.preVoteRefused', term: 3, reason: 'leaderAlive' })
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 2 })
  })

  test('Refusals that pass by themselves are not counted, and the question is asked again', () => {
    const h = createFollower(2, [2])
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteRefused', term: 3, reason: 'freshlyStarted' })
    say(h, 3, { type: 'raft.preVoteRefused', term: 3, reason: 'notPresented' })
    expect(h.member(1).core.role).toBe('preCandidate')
    takeSent(h)
    h.tickOnly(1, 2)
    expect(sentOf(takeSent(h), 'raft.requestPreVote')).toHaveLength(2)
  })

  test('A pre-candidate whose term is over learns the newer one from the refusal', () => {
    const h = createFollower(2, [2])
    h.tickOnly(1, 21)
    say(h, 3, { type: 'raft.preVoteRefused', term: 6, reason: 'staleTerm' })
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 6 })
  })

  test('A pre-vote for a term that is over is refused with the newer term', () => {
    const h = createFollower(5, [5])
    h.tickOnly(1, 11)
    takeSent(h)
    say(h, 3, requestPreVote(5, [9, 9]))
    expect(sentOf(takeSent(h), 'raft.preVoteRefused')).toEqual([{ type: 'raft.preVoteRefused', term: 5, reason: 'staleTerm' }])
  })

  test('Votes and pre-votes of other terms than the campaign\'s are not counted', () => {
    const h = createSolo({ size: 3 })
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 7 })
    say(h, 2, { type: 'raft.preVoteRefused', term: 7, reason: 'staleLog' })
    expect(h.member(1).core.role).toBe('preCandidate')
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    say(h, 2, { type: 'raft.voteGranted', term: 0, wallMs: 0 })
    say(h, 2, { type: 'raft.voteRefused', term: 0, reason: 'staleLog' })
    expect(h.member(1).core.role).toBe('candidate')
  })
})

describe('thesis 4.2.3, leader stickiness', () => {
  test('Votes are ignored while a leader was heard within the minimum election timeout', () => {
    const h = createFollower(2, [2])
    h.tickOnly(1, 10)
    say(h, 3, requestVote(9, [9, 9]))
    say(h, 3, requestPreVote(9, [9, 9]))
    expect(h.member(1).core.term).toBe(2)
    expect(takeSent(h).map(({ message }) => 'reason' in message && message.reason)).toEqual(['leaderAlive', 'leaderAlive'])
  })

  test('unless a transfer says so', () => {
    const h = createFollower(2, [2])
    say(h, 3, requestVote(3, [1, 2], true))
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.voteGranted')).toHaveLength(1)
  })

  test('A leader sticks to itself for as long as it leads', () => {
    const h = createServing()
    say(h, 3, requestVote(9, [9, 9]))
    expect(h.member(1).core).toMatchObject({ role: 'leader', term: 1 })
    say(h, 3, requestVote(9, [9, 9], true))
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 9 })
  })

  test('The eleventh tick ends ten whole ticks, and with them the promise', () => {
    const h = createFollower(2, [2])
    h.member(1).core.electionTimeout = 20
    h.tickOnly(1, 11)
    say(h, 3, requestPreVote(9, [9, 9]))
    expect(sentOf(takeSent(h), 'raft.preVoteGranted')).toHaveLength(1)
  })

  test('A freshly started member grants no vote, whoever asks, for one maximum election timeout', () => {
    const h = createHarness({ isWarm: false })
    h.member(1).core.presenting.accepted.add(idOf(2))
    h.member(1).core.electionTimeout = 99
    h.tickOnly(1, 20)
    takeSent(h)
    say(h, 2, requestPreVote(1, [0, 0]))
    say(h, 2, requestVote(1, [0, 0]))
    say(h, 2, requestVote(1, [0, 0], true))
    const reasons = takeSent(h).map((mail) => 'reason' in mail.message && mail.message.reason)
    expect(reasons).toEqual(['freshlyStarted', 'freshlyStarted', 'freshlyStarted'])
    h.tickOnly(1, 1)
    say(h, 2, requestVote(1, [0, 0]))
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.voteGranted')).toHaveLength(1)
  })

  test('A freshly started member does not campaign for one maximum election timeout', () => {
    const h = createHarness({ isWarm: false })
    h.setRoute(() => false)
    h.tick(20)
    expect(rolesOf(h)).toEqual(['follower', 'follower', 'follower'])
    h.tick(12)
    expect(rolesOf(h)).toContain('preCandidate')
  })

  test('A member that is the whole group leads when it could have heard that it is not: after a minimum election timeout', () => {
    const h = createHarness({ size: 1, isWarm: false })
    h.tick(9)
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 0 })
    h.tick(1)
    expect(h.member(1).core).toMatchObject({ role: 'leader', commitIndex: 1 })
  })

  test('A member that is the whole group waits for a map that others have, then for a newer one; as leader it does not', () => {
    const h = createHarness({ size: 1, isWarm: false })
    h.tick(9)
    h.send(1, { type: 'raft.mapMissed' })
    h.tick(59)
    expect(h.member(1).core.role).toBe('follower')
    h.send(1, { type: 'raft.mapInForce', othersAt: null })
    h.tick(9)
    expect(h.member(1).core.role).toBe('follower')
    h.tick(1)
    expect(h.member(1).core.role).toBe('leader')
    for (const event of [{ type: 'raft.mapMissed' }, { type: 'raft.mapInForce', othersAt: null }] as const) h.send(1, event)
    expect(h.member(1).core.role).toBe('leader')
  })

  test('A member of a group of three waits for no map', () => {
    const h = createHarness()
    const { freshTicks } = h.member(1).core
    h.send(1, { type: 'raft.mapMissed' })
    h.send(1, { type: 'raft.mapInForce', othersAt: 7 })
    expect(h.member(1).core).toMatchObject({ role: 'follower', freshTicks })
  })
})

describe('thesis 6.2, CheckQuorum', () => {
  test('A leader steps down without quorum contact for an election timeout', () => {
    const h = createServing()
    for (let i = 0; i < 20; i += 1) {
      h.advance(50)
      h.tickOnly(1, 1)
    }
    expect(h.member(1).core.role).toBe('leader')
    h.advance(50)
    h.tickOnly(1, 1)
    expect(h.member(1).core).toMatchObject({ role: 'follower', term: 1, leader: '' })
  })

  test('The age of an answer counts from when its round was sent, not from when it came', () => {
    const h = createServing()
    h.tickOnly(1, 2)
    const { round } = h.member(1).core.leading
    for (let i = 0; i < 3; i += 1) {
      h.advance(300)
      h.tickOnly(1, 1)
      // The same old round is answered again and again, as a burst of delayed answers would.
      say(h, 2, { type: 'raft.heartbeatAcked', term: 1, round, diskStalled: false })
    }
    h.advance(200)
    h.tickOnly(1, 1)
    expect(h.member(1).core.role).toBe('follower')
  })

  test('A leader that slept steps down at its first tick, before it reads the answers that wait', () => {
    const h = createServing()
    h.tickOnly(1, 2)
    h.advance(5_000)
    h.tickOnly(1, 100)
    expect(h.member(1).core.role).toBe('follower')
    const read = h.read(1)
    expect(h.member(1).refusedReads.get(read)).toBe('notLeader')
  })

  test('With a quorum\'s answers it goes on', () => {
    const h = createServing()
    for (let i = 0; i < 40; i += 1) {
      h.advance(100)
      h.tickOnly(1, 2)
      say(h, 3, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled: false })
    }
    expect(h.member(1).core.role).toBe('leader')
  })
})

describe('beyond the paper, a leader that commits nothing', () => {
  const leadFor = (ticks: number, diskStalled: boolean, prepare: (h: ReturnType<typeof createServing>) => void = () => {}) => {
    const h = createServing()
    prepare(h)
    h.propose(1, 'stuck')
    settleDisk(h)
    for (let i = 0; i < ticks; i += 1) {
      h.advance(50)
      h.tickOnly(1, 1)
      for (const peer of [2, 3]) say(h, peer, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled })
    }
    return h.member(1).core.role
  }

  test('steps down after several election timeouts with pending entries', () => {
    expect(leadFor(60, false)).toBe('leader')
    expect(leadFor(61, false)).toBe('follower')
  })

  test('unless a quorum reports its disk stalled', () => {
    expect(leadFor(200, true)).toBe('leader')
  })

  test('Its own stalled disk alone is a reason to go', () => {
    expect(leadFor(61, false, (h) => h.send(1, { type: 'wal.stalled', stalled: true }))).toBe('follower')
  })
})
