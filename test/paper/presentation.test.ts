/**
 * A member presents itself after every start, and is refused when its disk forgot what it promised (docs/adr/0005-presentation.md; beyond
 * the paper).
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import { append, createServing, createSolo, entriesOf, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'
import { answers, ownIncarnation, present, show } from '../support/presentations.ts'
import { copyImage, createRaftDisk } from '../support/raftDisk.ts'
import type { Harness } from '../support/raftHarness.ts'

/** Member 1 has just started and knows nobody. */
const started = (): Harness => createSolo({ isWarm: false })

describe('a started member', () => {
  test('presents to every peer each heartbeat interval until it is answered', () => {
    const h = started()
    h.tickOnly(1, 1)
    expect(answers(h)).toEqual([`${idOf(2)} raft.present`, `${idOf(3)} raft.present`])
    say(h, 2, { type: 'raft.presentAccepted', incarnation: ownIncarnation(h) })
    h.tickOnly(1, 1)
    expect(answers(h)).toEqual([])
    h.tickOnly(1, 1)
    expect(answers(h)).toEqual([`${idOf(3)} raft.present`])
  })

  test('stops after one maximum election timeout, and presents to whoever turns up later', () => {
    const h = started()
    h.member(1).core.electionTimeout = 99
    h.tickOnly(1, 20)
    expect(answers(h)).toHaveLength(2)
    h.tickOnly(1, 2)
    expect(answers(h)).toEqual([])
    say(h, 3, { type: 'raft.heartbeat', term: 4, commitIndex: 0, round: 1 })
    expect(answers(h)).toEqual([`${idOf(3)} raft.present`])
  })

  test.each([
    ['votes for', { type: 'raft.requestVote', term: 1, lastTerm: 0, lastIndex: 0, transfer: false }, ['raft.present', 'raft.voteRefused']],
    ['grants a pre-vote to', { type: 'raft.requestPreVote', term: 1, lastTerm: 0, lastIndex: 0 }, ['raft.present', 'raft.preVoteRefused']],
    ['accepts appends from', append(1, [0, 0], entriesOf(1, 1)), ['raft.present']],
    ['answers heartbeats of', { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 }, ['raft.present']],
    ['campaigns for', { type: 'raft.timeoutNow', term: 0 }, ['raft.present']],
  ] as const)('never %s a peer that has not accepted its presentation: it presents first', (_, message, said) => {
    const h = started()
    h.member(1).core.freshTicks = 0
    say(h, 2, message)
    settleDisk(h)
    const sent = takeSent(h)
    expect(sent.map((mail) => mail.message.type)).toEqual(said)
    expect(sent.map((mail) => ('reason' in mail.message ? mail.message.reason : 'notPresented'))).toEqual(said.map(() => 'notPresented'))
    expect(h.member(1).core).toMatchObject({ term: 0, leader: '' })
  })

  test('presents once a tick, however many appends come', () => {
    const h = started()
    for (let i = 0; i < 5; i += 1) say(h, 2, append(1, [0, 0], entriesOf(1, 1)))
    expect(answers(h)).toEqual([`${idOf(2)} raft.present`])
  })

  test('campaigns only towards peers that have accepted it, and presents to the others', () => {
    const h = started()
    say(h, 2, { type: 'raft.presentAccepted', incarnation: ownIncarnation(h) })
    h.tickOnly(1, 31)
    takeSent(h)
    h.tickOnly(1, 2)
    expect(answers(h)).toEqual([`${idOf(2)} raft.requestPreVote`, `${idOf(3)} raft.present`])
  })

  test('takes no answer to an earlier start for its own', () => {
    const h = started()
    say(h, 2, { type: 'raft.presentAccepted', incarnation: ownIncarnation(h) + 1 })
    say(h, 2, { type: 'raft.presentRefused', incarnation: ownIncarnation(h) + 1, term: 9, index: 9 })
    expect(h.member(1).core.presenting.accepted.size).toBe(0)
    expect(h.member(1).core.role).toBe('follower')
  })

  test('presents what was durable at its start, also when it has moved on', () => {
    const h = createHarness()
    h.campaign(1)
    h.propose(1, 'x')
    h.stabilize()
    h.crash(3)
    h.restart(3)
    h.propose(1, 'y')
    h.tick(2)
    expect(h.member(3).core.presenting.own).toMatchObject({ term: 1, lastTerm: 1, lastIndex: 2 })
    expect(heldBy(h.member(3))).toHaveLength(3)
  })
})

describe('the memory of promises', () => {
  const afterAccepting = (): Harness => {
    const h = createServing()
    h.propose(1, 'x')
    settleDisk(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    takeSent(h)
    return h
  }

  test.each([
    ['a lower term', { term: 0, vote: '', lastTerm: 0, lastIndex: 2 }],
    ['the same term without what it accepted', { term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 }],
    ['the same term without its vote', { term: 1, vote: '', lastTerm: 1, lastIndex: 2 }],
    ['the same term with another vote', { term: 1, vote: idOf(3), lastTerm: 1, lastIndex: 2 }],
  ] as const)('A replica below its promises is told so: %s', (_, presented) => {
    const h = afterAccepting()
    show(h, 2, present(presented))
    expect(takeSent(h).map(({ message }) => message)).toEqual([{ type: 'raft.presentRefused', incarnation: 77, term: 1, index: 2 }])
  })

  test.each([
    ['what it promised', { term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 2 }],
    ['more', { term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 9 }],
    ['a higher term, in which its log may have been cut', { term: 2, vote: '', lastTerm: 1, lastIndex: 1 }],
  ] as const)('A replica that presents %s is accepted', (_, presented) => {
    const h = afterAccepting()
    show(h, 2, present(presented))
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentAccepted`])
  })

  test('A presentation repeated late, after newer promises, is a delay and no forgetting', () => {
    const h = createServing()
    const first = present({ term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 })
    show(h, 2, first)
    h.propose(1, 'x')
    settleDisk(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    takeSent(h)
    say(h, 2, first)
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentAccepted`])
  })

  test('What a replica presented it must present again, except entries a leader may honestly have cut', () => {
    const h = createServing()
    for (const [incarnation, lastTerm, lastIndex] of [[1, 4, 120], [2, 4, 110], [3, 5, 112]] as const) {
      show(h, 3, present({ incarnation, term: 5, vote: idOf(2), lastTerm, lastIndex }))
      expect(answers(h)).toEqual([`${idOf(3)} raft.presentAccepted`])
    }
    // Entries of term 5 came from term 5's leader, and it never cuts its own.
    show(h, 3, present({ incarnation: 4, term: 5, vote: idOf(2), lastTerm: 4, lastIndex: 111 }))
    expect(answers(h)).toEqual([`${idOf(3)} raft.presentRefused`])
  })

  test('A vote is a promise to the candidate', () => {
    const h = createServing()
    show(h, 2, present({ term: 1, vote: '', lastTerm: 0, lastIndex: 5 }))
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentRefused`])
  })

  test('A late promise of an older term changes nothing', () => {
    const h = createServing()
    show(h, 3, present({ incarnation: 1, term: 7 }))
    say(h, 3, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    show(h, 3, present({ incarnation: 2, term: 7 }))
    expect(answers(h).filter((line) => line.endsWith('Refused'))).toEqual([])
  })

  test('A refused replica is never counted again, and whatever it says is ignored', () => {
    const h = afterAccepting()
    h.propose(1, 'y')
    settleDisk(h)
    show(h, 2, present({ term: 0 }))
    takeSent(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 3 })
    expect(h.member(1).core.commitIndex).toBe(2)
    // What it had accepted before no longer counts either.
    h.propose(1, 'z')
    settleDisk(h)
    const read = h.read(1)
    h.tickOnly(1, 2)
    say(h, 2, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled: false })
    expect(h.member(1).readyReads.has(read)).toBe(false)
    say(h, 2, { type: 'raft.requestVote', term: 9, lastTerm: 9, lastIndex: 99, transfer: true })
    expect(h.member(1).core).toMatchObject({ role: 'leader', term: 1 })
    const told = takeSent(h).filter(({ to }) => to === idOf(2)).map(({ message }) => message)
    expect(told).toEqual([{ type: 'raft.presentRefused', incarnation: 77, term: 1, index: 2 }])
    say(h, 2, present({ incarnation: 77, term: 99 }))
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentRefused`])
    say(h, 3, { type: 'raft.appendAccepted', term: 1, matchIndex: 4 })
    expect(h.member(1).core.commitIndex).toBe(4)
  })

  test('A refused replica whose other start presents all that was promised counts again; one that presents less does not', () => {
    const h = afterAccepting()
    show(h, 2, present({ term: 0 }))
    show(h, 2, present({ incarnation: 78, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 }))
    h.propose(1, 'y')
    settleDisk(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 3 })
    expect(h.member(1).core.commitIndex).toBe(2)
    takeSent(h)
    show(h, 2, present({ incarnation: 79, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 3 }))
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 3 })
    expect(h.member(1).core.commitIndex).toBe(3)
  })

  test('A late presentation of the start that was accepted lifts no refusal: it must show that it lives', () => {
    const h = afterAccepting()
    const accepted = present({ incarnation: 70, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 2 })
    show(h, 2, accepted)
    show(h, 2, present({ term: 0 }))
    takeSent(h)
    say(h, 2, accepted)
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentChallenged`])
    expect(h.member(1).core.promises.get(idOf(2))?.refused).toBe(77)
  })

  test('What a refused replica had accepted before its refusal is not counted', () => {
    const h = createServing()
    h.propose(1, 'x')
    h.flush(1)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    show(h, 2, present({ term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 }))
    settleDisk(h)
    expect(h.member(1).core).toMatchObject({ commitIndex: 1, durability: { durableIndex: 2 } })
    say(h, 3, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    expect(h.member(1).core.commitIndex).toBe(2)
  })

  test('The vote of a refused replica is not counted', () => {
    const h = createSolo()
    show(h, 2, present({ incarnation: 1, term: 3 }))
    show(h, 2, present({ incarnation: 2, term: 2 }))
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    expect(h.member(1).core.role).toBe('preCandidate')
    expect(sentOf(takeSent(h), 'raft.requestPreVote')).toHaveLength(1)
  })

  test('A leader starts probing a peer anew when it presents itself, without taking back its match', () => {
    const h = afterAccepting()
    expect(h.member(1).core.leading.progress.get(idOf(2))?.state).toBe('replicate')
    show(h, 2, present({ term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 2 }))
    expect(h.member(1).core.leading.progress.get(idOf(2))).toMatchObject({ state: 'probe', matchIndex: 2, nextIndex: 3 })
    takeSent(h)
    h.flush(1)
    expect(sentOf(takeSent(h), 'raft.append').map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([[2, 0]])
  })

  test('A leader sends a peer that has not accepted it nothing but its presentation', () => {
    const h = createServing()
    h.member(1).core.presenting.accepted.delete(idOf(3))
    h.propose(1, 'x')
    h.flush(1)
    h.tickOnly(1, 2)
    expect(takeSent(h).filter(({ to }) => to === idOf(3)).map(({ message }) => message.type)).toEqual(['raft.present'])
    say(h, 3, { type: 'raft.presentAccepted', incarnation: ownIncarnation(h) })
    h.tickOnly(1, 2)
    expect(takeSent(h).filter(({ to }) => to === idOf(3)).map(({ message }) => message.type)).toEqual(['raft.append', 'raft.heartbeat'])
  })
})

describe('a presentation is judged when its start is known to live', () => {
  const newer = present({ incarnation: 2, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 })
  const older = present({ incarnation: 1, term: 0 })

  test('a late presentation of an earlier start refuses nobody', () => {
    const h = createServing()
    show(h, 2, newer)
    takeSent(h)
    say(h, 2, older)
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentChallenged`])
    h.propose(1, 'x')
    settleDisk(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    expect(h.member(1).core.commitIndex).toBe(2)
    say(h, 2, newer)
    expect(answers(h).at(-1)).toBe(`${idOf(2)} raft.presentAccepted`)
  })

  test('a late presentation of an earlier start replaces nothing, also when it shows enough', () => {
    const h = createServing()
    show(h, 2, newer)
    say(h, 2, present({ ...newer, incarnation: 1 }))
    h.propose(1, 'x')
    settleDisk(h)
    say(h, 2, { type: 'raft.appendAccepted', term: 1, matchIndex: 2 })
    takeSent(h)
    say(h, 2, newer)
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentAccepted`])
  })

  test.each([
    ['another number', { incarnation: 2, challenge: 1 }],
    ['another start', { incarnation: 3, challenge: 0 }],
  ] as const)('a confirmation with %s confirms nothing', (_, wrong) => {
    const h = createServing()
    say(h, 2, newer)
    const challenge = sentOf(takeSent(h), 'raft.presentChallenged')[0]?.challenge ?? 0
    say(h, 2, { type: 'raft.presentConfirmed', incarnation: wrong.incarnation, challenge: (challenge + wrong.challenge) % 2 ** 32 })
    expect(answers(h)).toEqual([])
    expect(h.member(1).core.promises.get(idOf(2))?.incarnation).toBeUndefined()
  })

  test('a confirmation counts once, and not after another start has presented itself', () => {
    const h = createServing()
    say(h, 2, newer)
    const challenge = sentOf(takeSent(h), 'raft.presentChallenged')[0]?.challenge ?? 0
    say(h, 2, older)
    takeSent(h)
    say(h, 2, { type: 'raft.presentConfirmed', incarnation: 2, challenge })
    expect(answers(h)).toEqual([])
    show(h, 2, newer)
    expect(answers(h)).toEqual([`${idOf(2)} raft.presentAccepted`])
  })

  test('repeated before it is confirmed, it is given the same challenge, so that either answer will do', () => {
    const h = createServing()
    say(h, 2, newer)
    say(h, 2, newer)
    const [first, second] = sentOf(takeSent(h), 'raft.presentChallenged')
    expect(second).toEqual(first)
  })

  test('a late presentation of a living start, to a peer that has started anew since, refuses nobody', () => {
    const h = createHarness({ isWarm: false })
    h.tickOnly(2, 1)
    const late = must(h.network.splice(h.network.findIndex(({ to }) => to === idOf(1)), 1)[0], 'it has presented')
    h.tick(60)
    h.crash(1)
    h.restart(1)
    h.tick(40)
    h.campaign(1)
    h.propose(1, 'a promise that the late presentation does not show')
    h.stabilize()
    h.deliver(late)
    h.stabilize()
    expect(h.members.map(({ core }) => core.quarantined)).toEqual([undefined, undefined, undefined])
    h.propose(1, 'and it is counted on')
    h.tick(2)
    expect(h.member(1).core.leading.progress.get(idOf(2))?.matchIndex).toBe(h.member(1).core.commitIndex)
  })

  test('a start that forgot is refused by a peer that has started anew, if it had promised that start something', () => {
    const h = createHarness()
    h.campaign(1)
    const copy = createRaftDisk().durable
    copyImage(h.member(2).disk.durable, copy)
    h.crash(1)
    h.restart(1)
    h.tick(60)
    h.campaign(1)
    h.stabilize()
    h.crash(2)
    copyImage(copy, h.member(2).disk.durable)
    h.restart(2)
    h.tick(4)
    expect(h.member(2).core.role).toBe('halted')
  })

  test('a member that has been accepted asks for no other judgement', () => {
    const h = started()
    say(h, 2, { type: 'raft.presentAccepted', incarnation: ownIncarnation(h) })
    say(h, 2, { type: 'raft.presentChallenged', incarnation: ownIncarnation(h), challenge: 7 })
    expect(answers(h)).toEqual([])
  })

  test('a member confirms its own start, and no other', () => {
    const h = started()
    say(h, 2, { type: 'raft.presentChallenged', incarnation: ownIncarnation(h), challenge: 7 })
    say(h, 2, { type: 'raft.presentChallenged', incarnation: ownIncarnation(h) + 1, challenge: 7 })
    expect(takeSent(h).map(({ message }) => message)).toEqual([
      { type: 'raft.presentConfirmed', incarnation: ownIncarnation(h), challenge: 7 },
    ])
  })
})

describe('an old copy of a disk put back', () => {
  const putBack = (): Harness => {
    const h = createHarness()
    h.campaign(1)
    h.propose(1, 'old')
    h.stabilize()
    const copy = createRaftDisk().durable
    copyImage(h.member(2).disk.durable, copy)
    h.propose(1, 'acknowledged')
    h.tick(4)
    h.crash(2)
    copyImage(copy, h.member(2).disk.durable)
    h.restart(2)
    h.tick(4)
    return h
  }

  test('is refused by whoever remembers: the replica is quarantined and halts', () => {
    const h = putBack()
    expect(h.member(2).core).toMatchObject({ role: 'halted', leader: '' })
    expect(h.member(2).core.quarantined).toMatch(/forgot what it promised n1:1: term 1, entries up to 3/)
  })

  test('stays quarantined after another start', () => {
    const h = putBack()
    h.crash(2)
    h.restart(2)
    expect(h.member(2).core.role).toBe('halted')
  })

  test('A halted member answers nothing, refuses proposals and reads, and never campaigns', () => {
    const h = putBack()
    takeSent(h)
    h.tickOnly(2, 500)
    for (const message of [
      present({ term: 9 }), append(1, [0, 0], []),
      { type: 'raft.requestVote', term: 9, lastTerm: 9, lastIndex: 9, transfer: true },
      { type: 'raft.requestPreVote', term: 9, lastTerm: 9, lastIndex: 9 },
    ] as const) say(h, 3, message, 2)
    expect(takeSent(h)).toEqual([])
    expect(h.member(2).refusedProposals.get(h.propose(2, 'x'))).toBe('notLeader')
    expect(h.member(2).refusedReads.get(h.read(2))).toBe('notLeader')
    expect(h.member(2).core.role).toBe('halted')
  })

  test('The others go on, and nothing acknowledged is lost', () => {
    const h = putBack()
    h.propose(1, 'more')
    h.stabilize()
    expect(h.member(1).applied.slice(1)).toEqual(['old', 'acknowledged', 'more'])
  })

  test('A member that is told to halt does so, whatever it was', () => {
    const h = createServing()
    const read = h.read(1)
    h.send(1, { type: 'raft.halt', reason: 'the log is damaged' })
    expect(h.member(1).core).toMatchObject({ role: 'halted', quarantined: 'the log is damaged' })
    expect(h.member(1).refusedReads.get(read)).toBe('notLeader')
  })
})
