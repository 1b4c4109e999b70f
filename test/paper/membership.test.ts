/**
 * Configurations in the log: joint quorums, learners, removal (section 6; thesis chapter 4). The conversation that changes them
 * is not part of this.
 */

import { describe, expect, test } from '@jest/globals'
import { appendOwn } from '../../actors/raft/replication.ts'
import { encodeConfiguration } from '../../actors/raft/membership.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { append, createFollower, createSolo, entriesOf, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { Configuration, Entry, RaftMessage } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'

const group = (voters: readonly number[], outgoing: readonly number[] = [], learners: readonly number[] = []): Configuration =>
  ({ epoch: 0, voters: voters.map(idOf), outgoing: outgoing.map(idOf), learners: learners.map(idOf) })
const change = (index: number, term: number, configuration: Configuration): Entry =>
  ({ index, term, kind: EntryKind.configuration, payload: encodeConfiguration(configuration) })
const accepted = (term: number, matchIndex: number): RaftMessage => ({ type: 'raft.appendAccepted', term, matchIndex })
/** As the membership conversation will: the leader appends a configuration. */
const reconfigure = (h: Harness, configuration: Configuration): void => {
  const { core } = h.member(1)
  appendOwn(core, EntryKind.configuration, encodeConfiguration(configuration))
  h.member(1).isFlushWanted = true
}

/** Learner 3 is promoted by an entry that has not committed when the leader dies: the majority is now two of three. */
const promoteUncommitted = (hasEntry: boolean): Harness => {
  const h = createHarness({ configuration: group([1, 2], [], [3]) })
  h.campaign(1)
  h.tick(2)
  h.setRoute(({ to, message }) => message.type === 'raft.append' && (hasEntry || to !== idOf(3)))
  reconfigure(h, group([1, 2, 3]))
  h.stabilize()
  h.crash(1)
  h.setRoute(() => true)
  return h
}

const expectToElectTwo = (h: Harness): void => {
  h.campaign(2)
  expect(h.leader()).toMatchObject({ number: 2, core: { commitIndex: 3 } })
  expect(h.member(3).core).toMatchObject({ role: 'follower', vote: idOf(2) })
}

describe('section 6', () => {
  test('A server always uses the latest configuration in its log, regardless of whether the entry is committed', () => {
    const h = createFollower(1, [1])
    say(h, 2, append(1, [1, 1], [change(2, 1, group([1, 2, 3, 4], [1, 2, 3]))]))
    expect(h.member(1).core.membership.configuration).toEqual(group([1, 2, 3, 4], [1, 2, 3]))
    expect(h.member(1).core.commitIndex).toBe(0)
  })

  test('and goes back to the one before when that entry is cut', () => {
    const h = createFollower(1, [1])
    say(h, 2, append(1, [1, 1], [change(2, 1, group([2, 3]))]))
    expect(h.member(1).core.role).toBe('learner')
    say(h, 3, append(2, [1, 1], entriesOf(2, 2)))
    expect(h.member(1).core).toMatchObject({ role: 'follower', membership: { configuration: group([1, 2, 3]) } })
  })

  test('Agreement (for elections and entry commitment) requires separate majorities from both the old and new configurations', () => {
    const h = createSolo({ size: 5, configuration: group([1, 4, 5], [1, 2, 3]) })
    h.tickOnly(1, 21)
    say(h, 4, { type: 'raft.preVoteGranted', term: 1 })
    expect(h.member(1).core.role).toBe('preCandidate')
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    settleDisk(h)
    for (const peer of [4, 5]) say(h, peer, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    expect(h.member(1).core.role).toBe('candidate')
    say(h, 3, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    settleDisk(h)
    expect(h.member(1).core.role).toBe('leader')
    for (const peer of [4, 5]) say(h, peer, accepted(1, 1))
    expect(h.member(1).core.commitIndex).toBe(0)
    say(h, 2, accepted(1, 1))
    expect(h.member(1).core.commitIndex).toBe(1)
  })

  test('A joint group is lost as soon as one of its halves refuses', () => {
    const h = createSolo({ size: 5, configuration: group([1, 4, 5], [1, 2, 3]) })
    h.tickOnly(1, 21)
    for (const peer of [2, 3]) say(h, peer, { type: 'raft.preVoteRefused', term: 1, reason: 'staleLog' })
    expect(h.member(1).core.role).toBe('follower')
  })

  test('A leader replicates to a member from the moment its configuration is appended, and no longer to one that is gone', () => {
    const h = createHarness({ size: 4, configuration: group([1, 2, 3]) })
    h.campaign(1)
    reconfigure(h, group([1, 2, 4]))
    h.tick(4)
    expect([...h.member(1).core.leading.progress.keys()]).toEqual([idOf(2), idOf(4)])
    expect(h.member(4).applied).toHaveLength(2)
  })

  test('A leader outside the new configuration steps down after committing it', () => {
    const h = createHarness()
    h.campaign(1)
    reconfigure(h, group([2, 3]))
    h.flush(1)
    // It manages a cluster that does not include itself, and does not count itself in majorities.
    expect(h.member(1).core.role).toBe('leader')
    h.tick(1)
    expect(h.member(1).core).toMatchObject({ role: 'learner', commitIndex: 2 })
    h.tick(60)
    expect(h.leader().number).not.toBe(1)
  })

  test('Servers process RPC requests from a leader that is not in their configuration', () => {
    const h = createSolo({ size: 5, configuration: group([1, 2, 3]) })
    say(h, 5, append(3, [0, 0], [change(1, 3, group([1, 4, 5]))]))
    settleDisk(h)
    expect(takeSent(h).map(({ to, message }) => [to, message.type])).toEqual([[idOf(5), 'raft.appendAccepted']])
  })
})

describe('thesis 4.2', () => {
  test('A learner receives the log and is never counted', () => {
    const h = createHarness({ size: 4, configuration: group([1, 2, 3], [], [4]) })
    h.campaign(1)
    expect(h.member(4).core.role).toBe('learner')
    h.setRoute(({ from, to }) => ![idOf(2), idOf(3)].some((id) => id === from || id === to))
    h.propose(1, 'x')
    h.stabilize()
    expect(h.member(1).core.leading.progress.get(idOf(4))?.matchIndex).toBe(2)
    expect(h.member(1).core.commitIndex).toBe(1)
  })

  test('A learner never campaigns, not even at its leader\'s word', () => {
    const h = createSolo({ size: 4, configuration: group([2, 3, 4], [], [1]) })
    h.tickOnly(1, 500)
    expect(h.member(1).core).toMatchObject({ role: 'learner', term: 0 })
    say(h, 2, append(1, [0, 0], []))
    expect(h.member(1).core.leader).toBe(idOf(2))
    say(h, 2, { type: 'raft.timeoutNow', term: 1 })
    expect(h.member(1).core).toMatchObject({ role: 'learner', term: 1 })
  })

  test('A learner that is a voter in a configuration it has not received yet answers votes', () => {
    const h = createSolo({ size: 4, configuration: group([2, 3, 4], [], [1]) })
    say(h, 2, { type: 'raft.requestVote', term: 1, lastTerm: 0, lastIndex: 0, transfer: false })
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.voteGranted')).toHaveLength(1)
    expect(h.member(1).core).toMatchObject({ role: 'learner', term: 1 })
  })

  test('A learner that is a voter in its own log still answers votes, and may be the one that is missing', () => {
    const h = promoteUncommitted(true)
    expect(h.member(3).core.role).toBe('follower')
    expectToElectTwo(h)
  })

  test('A learner that is a voter only in the candidate\'s log still answers votes, and may be the one that is missing', () => {
    const h = promoteUncommitted(false)
    expect(h.member(3).core.role).toBe('learner')
    expectToElectTwo(h)
  })

  test('A removed member\'s answers are not counted', () => {
    const h = createSolo({ configuration: group([1, 2]) })
    h.tickOnly(1, 21)
    say(h, 3, { type: 'raft.preVoteGranted', term: 1 })
    expect(h.member(1).core.role).toBe('preCandidate')
  })

  test('A learner that becomes a voter is a follower, and a pre-candidate that is none any more a learner', () => {
    const h = createFollower(1, [1])
    say(h, 2, append(1, [1, 1], [change(2, 1, group([2, 3], [], [1]))]))
    expect(h.member(1).core.role).toBe('learner')
    say(h, 2, append(1, [2, 1], [change(3, 1, group([1, 2, 3]))]))
    expect(h.member(1).core.role).toBe('follower')
  })

  test('Configurations survive a crash, a compaction and a snapshot transfer', () => {
    const h = createHarness({ size: 4, configuration: group([1, 2, 3]), limits: { tailEntriesMax: 0 } })
    h.campaign(1)
    reconfigure(h, group([1, 2, 3], [], [4]))
    h.setRoute(({ to }) => to !== idOf(4))
    h.tick(2)
    h.snapshot(1)
    h.propose(1, 'x')
    h.stabilize()
    h.setRoute(() => true)
    h.tick(30)
    expect(h.member(4).core.membership.configuration).toEqual(group([1, 2, 3], [], [4]))
    h.crash(4)
    h.restart(4)
    expect(h.member(4).core).toMatchObject({ role: 'learner', membership: { configuration: group([1, 2, 3], [], [4]) } })
    expect(h.member(1).core.membership.history).toHaveLength(1)
  })
})

describe('a voter whose successor is a learner', () => {
  const successor = replicaId(nodeId('n1'), 7)
  /** There is no successor yet. */
  const isKnown = ({ to }: { readonly to: ReplicaId }): boolean => to !== successor
  const started = (leader: number): Harness => {
    const h = createHarness({ configuration: group([1, 2, 3]) })
    h.setRoute(isKnown)
    h.campaign(leader)
    h.tick(3)
    h.propose(leader, 'x')
    h.tick(2)
    return h
  }
  const order = (h: Harness, leader: number): void => {
    expect(h.order(leader, { epoch: 5, voters: [1, 2, 3].map(idOf), learners: [successor] })).toBe('pending')
    h.tick(5)
  }
  const roles = (h: Harness, ...numbers: number[]): string[] => numbers.map((number) => h.member(number).core.role).sort()

  test('A voter whose successor is a learner votes until that is promoted', () => {
    const h = started(2)
    h.crash(1)
    order(h, 2)
    h.crash(3)
    h.restart(1)
    h.tick(200)
    expect(roles(h, 1, 2)).toEqual(['follower', 'leader'])
  })

  test('It may lead, and nobody has forgotten what was promised to it', () => {
    const h = started(1)
    h.setRoute(() => false)
    h.propose(1, 'on its own disk alone')
    h.stabilize()
    h.crash(1)
    h.crash(3)
    h.setRoute(isKnown)
    h.tick(40)
    h.restart(1)
    h.tick(200)
    expect(h.leader().number).toBe(1)
    h.propose(1, 'acknowledged by both')
    h.tick(2)
    order(h, 1)
    h.tick(100)
    expect(roles(h, 1, 2)).toEqual(['follower', 'leader'])
  })

  test('One that lost its place by an entry that was cut has its old judgement', () => {
    const h = createFollower(1, [1])
    const { accepted: acceptedBy, replaced } = h.member(1).core.presenting
    const voters = [idOf(1), idOf(2), replicaId(nodeId('n3'), 7)]
    say(h, 2, append(1, [1, 1], [change(2, 1, { epoch: 1, voters, outgoing: [], learners: [] })]))
    expect([...acceptedBy, '|', ...replaced]).toEqual([idOf(2), '|', idOf(3)])
    say(h, 2, append(2, [1, 1], entriesOf(2, 2)))
    expect([...acceptedBy, '|', ...replaced]).toEqual([idOf(2), idOf(3), '|'])
  })
})

describe('wrong replica ids', () => {
  const oldId = replicaId(nodeId('n2'), 1)
  const newId = replicaId(nodeId('n2'), 2)

  test('A replica that a higher generation on its node has replaced is not listened to', () => {
    const h = createSolo({ configuration: { epoch: 0, voters: [idOf(1), newId, idOf(3)], outgoing: [], learners: [] } })
    h.member(1).core.presenting.accepted.delete(oldId)
    say(h, 2, append(5, [0, 0], entriesOf(1, 5)))
    say(h, 2, { type: 'raft.requestVote', term: 6, lastTerm: 9, lastIndex: 9, transfer: true })
    say(h, 2, { type: 'raft.requestPreVote', term: 6, lastTerm: 9, lastIndex: 9 })
    say(h, 2, { type: 'raft.present', incarnation: 1, term: 9, vote: '', lastTerm: 9, lastIndex: 9 })
    expect(takeSent(h)).toEqual([])
    expect(h.member(1).core.term).toBe(0)
  })

  test('not even when it had been accepted before the change', () => {
    const h = createFollower(1, [1])
    say(h, 3, append(2, [1, 1], [change(2, 2, { epoch: 0, voters: [idOf(1), newId, idOf(3)], outgoing: [], learners: [] })]))
    settleDisk(h)
    takeSent(h)
    say(h, 2, append(9, [0, 0], []))
    expect(takeSent(h)).toEqual([])
    expect(h.member(1).core.term).toBe(2)
  })
})
