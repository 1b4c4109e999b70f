/** Log replication, as the paper says it (sections 5.3 to 5.5), and what the thesis adds about disks and pipelines. */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import {
  append, createElected, createFollower, createServing, createSolo, electAgain, entriesOf, say, sentOf, settleDisk, takeSent,
} from '../support/raftScript.ts'
import { appendEntry } from '../../actors/raft/log.ts'
import { AssertionError } from '../../actors/kernel/assert.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { Index, RaftMessage, Term } from '../../actors/raft/protocol.ts'

const accepted = (term: Term, matchIndex: Index): RaftMessage => ({ type: 'raft.appendAccepted', term, matchIndex })
const rejected = (term: Term, at: Index, hint: readonly [Index, Term]): RaftMessage =>
  ({ type: 'raft.appendRejected', term, rejectedIndex: at, hintIndex: hint[0], hintTerm: hint[1] })
const termsOf = (h: Harness, number = 1): number[] => heldBy(h.member(number)).map(({ term }) => term)
const appendsTo = (h: Harness, number: number) =>
  sentOf(takeSent(h).filter(({ to }) => to === idOf(number)), 'raft.append')

describe('section 5.3, the leader', () => {
  test('The leader appends the command to its log as a new entry, then issues AppendEntries in parallel to the other servers', () => {
    const h = createServing()
    h.propose(1, 'x')
    h.flush(1)
    expect(h.member(1).disk.writes).toHaveLength(1)
    expect(takeSent(h).map(({ to, message }) => [to, message.type])).toEqual([[idOf(2), 'raft.append']])
    // Member 3 has not answered its first probe; it gets one append at a time.
    say(h, 3, accepted(1, 1))
    h.flush(1)
    expect(appendsTo(h, 3)[0]?.entries.map(({ index }) => index)).toEqual([2])
  })

  test('A log entry is committed once the leader that created the entry has replicated it on a majority of the servers', () => {
    const h = createServing()
    h.propose(1, 'x')
    settleDisk(h)
    expect(h.member(1).core.commitIndex).toBe(1)
    say(h, 3, accepted(1, 2))
    expect(h.member(1).applied[1]).toBe('x')
  })

  test('Proposals of one turn leave in one append and one write', () => {
    const h = createServing()
    for (const text of ['a', 'b', 'c']) h.propose(1, text)
    h.flush(1)
    expect(h.member(1).disk.writes).toHaveLength(1)
    expect(appendsTo(h, 2).map(({ entries }) => entries.length)).toEqual([3])
  })

  test('Appends are pipelined: the next leaves before the last is answered', () => {
    const h = createServing()
    for (const text of ['a', 'b', 'c']) {
      h.propose(1, text)
      h.flush(1)
    }
    expect(appendsTo(h, 2).map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([[1, 1], [2, 1], [3, 1]])
  })

  test('Messages in flight are bounded', () => {
    const h = createServing({ limits: { appendsInFlightMax: 2 } })
    for (let i = 0; i < 5; i += 1) {
      h.propose(1, 'x')
      h.flush(1)
    }
    expect(appendsTo(h, 2)).toHaveLength(2)
    say(h, 2, accepted(1, 2))
    h.flush(1)
    expect(appendsTo(h, 2).map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([[3, 3]])
  })

  test('Bytes per message are bounded, and so are the bytes in flight', () => {
    const h = createServing({ limits: { appendBytesMax: 2_000, bytesInFlightMax: 4_000 } })
    for (let i = 0; i < 10; i += 1) h.propose(1, 'x'.repeat(968))
    h.flush(1)
    expect(appendsTo(h, 2).map(({ entries }) => entries.length)).toEqual([2, 2])
  })

  test('An entry above the append limit travels alone', () => {
    const h = createServing({ limits: { appendBytesMax: 100 } })
    h.propose(1, 'x'.repeat(500))
    h.propose(1, 'y')
    h.flush(1)
    expect(appendsTo(h, 2).map(({ entries }) => entries.length)).toEqual([1, 1])
  })

  test('Uncommitted bytes are bounded, and free again when they commit', () => {
    const h = createServing({ limits: { uncommittedBytesMax: 1_000 } })
    const first = h.propose(1, 'x'.repeat(900))
    const second = h.propose(1, 'x'.repeat(100))
    settleDisk(h)
    say(h, 2, accepted(1, 2))
    const third = h.propose(1, 'x'.repeat(900))
    const { proposed, refusedProposals } = h.member(1)
    expect([proposed.has(first), refusedProposals.get(second), proposed.has(third)]).toEqual([true, 'tooManyUncommitted', true])
    expect(h.member(1).core.leading.uncommittedBytes).toBe(932)
  })

  test('A proposal above what may be uncommitted goes alone', () => {
    const h = createServing({ limits: { uncommittedBytesMax: 1_000 } })
    const large = h.propose(1, 'x'.repeat(2_000))
    const small = h.propose(1, 'x')
    const { proposed, refusedProposals } = h.member(1)
    expect([proposed.has(large), refusedProposals.get(small)]).toEqual([true, 'tooManyUncommitted'])
  })

  test('A proposal above the limit is refused, definitely without effect', () => {
    const h = createServing({ limits: { proposalBytesMax: 10 } })
    const proposal = h.propose(1, 'x'.repeat(11))
    expect(h.member(1).refusedProposals.get(proposal)).toBe('tooLarge')
    expect(heldBy(h.member(1))).toHaveLength(1)
  })

  test('Who does not lead takes no proposals and no reads', () => {
    const h = createFollower(1)
    expect(h.member(1).refusedProposals.get(h.propose(1, 'x'))).toBe('notLeader')
    expect(h.member(1).refusedReads.get(h.read(1))).toBe('notLeader')
  })

  test('A lost append is noticed by the gap the next one makes', () => {
    const h = createServing()
    for (const text of ['a', 'b']) {
      h.propose(1, text)
      h.flush(1)
    }
    takeSent(h)
    say(h, 2, rejected(1, 2, [1, 1]))
    h.flush(1)
    expect(appendsTo(h, 2).map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([[1, 2]])
  })

  test('or by silence, after which it is sent again, then asked for with empty probes only', () => {
    const h = createServing()
    h.propose(1, 'a')
    h.flush(1)
    takeSent(h)
    const sent: number[][] = []
    for (let i = 0; i < 12; i += 1) {
      h.tickOnly(1, 1)
      for (const { prevIndex, entries } of appendsTo(h, 2)) sent.push([i, prevIndex, entries.length])
    }
    expect(sent).toEqual([[3, 1, 1], [7, 1, 0], [11, 1, 0]])
    say(h, 2, accepted(1, 1))
    h.flush(1)
    expect(appendsTo(h, 2).map(({ prevIndex, entries }) => [prevIndex, entries.length])).toEqual([[1, 1]])
  })
})

describe('section 5.3, the follower', () => {
  test('If the follower does not find an entry with the same index and term, then it refuses the new entries', () => {
    const h = createFollower(2, [1, 1])
    say(h, 2, append(2, [2, 2], entriesOf(3, 2)))
    expect(sentOf(takeSent(h), 'raft.appendRejected')).toEqual([rejected(2, 2, [2, 1])])
    expect(termsOf(h)).toEqual([1, 1])
  })

  test('Conflicting entries in follower logs will be overwritten with entries from the leader\'s log', () => {
    const h = createFollower(2, [1, 1, 1])
    say(h, 3, append(4, [1, 1], entriesOf(2, 4)))
    settleDisk(h)
    expect(termsOf(h)).toEqual([1, 4])
    expect(h.member(1).disk.durable.entries.map(({ term }) => term)).toEqual([1, 4])
  })

  test('Entries that are there already are not written again, and a shorter append cuts nothing', () => {
    const h = createFollower(2, [1, 2, 2])
    say(h, 2, append(2, [0, 0], entriesOf(1, 1, 2)))
    expect(termsOf(h)).toEqual([1, 2, 2])
    expect(h.member(1).disk.writes).toHaveLength(0)
    expect(sentOf(takeSent(h), 'raft.appendAccepted')).toEqual([accepted(2, 3)])
  })

  test.each([
    ['the leader is shorter', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4, 4, 5, 5, 6, 6], 10, 1],
    ['the follower misses one entry', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4, 4, 5, 5, 6], 8, 1],
    ['the follower misses many', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4], 4, 1],
    ['the follower has extra entries', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4, 4, 5, 5, 6, 6, 7, 7], 9, 1],
    ['both', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4, 4, 4, 4], 5, 1],
    ['another history', [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], 3, 2],
  ] as const)('The protocol can be optimized to reduce rejected RPCs (figure 7): %s', (_, leader, follower, matched, rounds) => {
    const h = createHarness({ seed: 3 })
    const give = (number: number, terms: readonly number[]): void => {
      const { core, disk } = h.member(number)
      for (const entry of entriesOf(1, ...terms)) {
        appendEntry(core.log, entry)
        disk.written.entries.push(entry)
        disk.durable.entries.push(entry)
      }
      const term = Math.max(...follower, ...leader)
      core.term = number === 2 ? Math.max(...follower) : term
      disk.durable.hardState = { term: core.term, vote: '' }
      Object.assign(core.durability, { submittedIndex: terms.length, durableIndex: terms.length })
    }
    give(1, leader)
    give(2, follower)
    give(3, leader)
    let rejections = 0
    let first = 0
    h.setRoute(({ message, to }) => {
      if (message.type === 'raft.appendRejected') rejections += 1
      if (message.type === 'raft.append' && to === idOf(2) && message.entries.length > 0) first = message.prevIndex + 1
      return true
    })
    h.campaign(1)
    h.tick(4)
    expect(termsOf(h, 2)).toEqual([...leader, h.member(1).core.term])
    expect(rejections).toBeLessThanOrEqual(rounds)
    expect(first).toBeLessThanOrEqual(matched + 1)
  })

  test('Reject hints carry (index, term): the follower skips what the leader of that term can not have', () => {
    const h = createFollower(2, [1, 1, 2, 2, 2])
    say(h, 3, append(4, [5, 1], entriesOf(6, 4)))
    say(h, 3, append(4, [9, 3], entriesOf(10, 4)))
    // Of term 1 at index 5: nothing of term 2 can match. Of term 3 behind the end: everything may.
    expect(sentOf(takeSent(h), 'raft.appendRejected')).toEqual([rejected(4, 5, [2, 1]), rejected(4, 9, [5, 2])])
  })

  test('Reject hints carry (index, term): the leader skips what the follower of that term can not have', () => {
    const h = createFollower(3, [1, 1, 3, 3, 3])
    electAgain(h)
    say(h, 3, rejected(4, 5, [5, 2]))
    h.flush(1)
    expect(appendsTo(h, 3).map(({ prevIndex, prevTerm }) => [prevIndex, prevTerm])).toEqual([[2, 1]])
  })

  test('A follower never answers an append before its entries are durable', () => {
    const h = createFollower(1)
    say(h, 2, append(1, [0, 0], entriesOf(1, 1, 1)))
    expect(takeSent(h)).toEqual([])
    h.writeOne(1)
    expect(takeSent(h).map(({ message }) => message)).toEqual([accepted(1, 2)])
  })

  test('nor accepts in a term before the term is durable', () => {
    const h = createFollower(1, [1])
    say(h, 2, append(3, [1, 1], []))
    expect(takeSent(h)).toEqual([])
    h.writeOne(1)
    expect(takeSent(h).map(({ message }) => message)).toEqual([accepted(3, 1)])
  })

  test('One acceptance answers every append that its write made durable', () => {
    const h = createFollower(1)
    say(h, 2, append(1, [0, 0], entriesOf(1, 1)))
    say(h, 2, append(1, [1, 1], entriesOf(2, 1)))
    h.writeOne(1)
    h.writeOne(1)
    expect(takeSent(h).map(({ message }) => message)).toEqual([accepted(1, 1), accepted(1, 2)])
  })

  test('Committed is the smaller of the leader\'s commit index and what is verified against its log', () => {
    const h = createFollower(1, [1, 1, 1])
    say(h, 3, append(2, [1, 1], [], 3))
    settleDisk(h)
    expect(h.member(1).core.commitIndex).toBe(1)
    say(h, 3, { type: 'raft.heartbeat', term: 2, commitIndex: 3, round: 1 })
    expect(h.member(1).core.commitIndex).toBe(1)
    say(h, 3, append(2, [1, 1], entriesOf(2, 1), 3))
    expect(h.member(1).core.commitIndex).toBe(2)
  })

  test('What is committed is applied once its own copy is durable', () => {
    const h = createFollower(1)
    say(h, 2, append(1, [0, 0], entriesOf(1, 1), 1))
    expect(h.member(1).core).toMatchObject({ commitIndex: 1, emittedIndex: 0 })
    settleDisk(h)
    expect(h.member(1).core.emittedIndex).toBe(1)
  })

  test('An old append, of which everything or the beginning is committed, is answered and changes nothing', () => {
    const h = createFollower(1, [1, 1, 1])
    say(h, 2, append(1, [3, 1], [], 3))
    takeSent(h)
    say(h, 2, append(1, [0, 0], entriesOf(1, 1), 1))
    say(h, 2, append(1, [1, 1], entriesOf(2, 1, 1, 1), 3))
    settleDisk(h)
    expect(takeSent(h).map(({ message }) => message)).toEqual([accepted(1, 3), accepted(1, 4)])
  })

  test.each([
    ['an append that would overwrite a committed entry', append(1, [0, 0], entriesOf(1, 1, 1).map((entry) => ({ ...entry, term: 0 })), 0)],
    ['a predecessor that contradicts a committed one', append(1, [2, 0], [], 2)],
  ])('Fail-stop: %s ends the process', (_, message) => {
    const h = createFollower(1, [1, 1])
    say(h, 2, append(1, [2, 1], [], 2))
    expect(() => say(h, 2, message)).toThrow(AssertionError)
  })

  test('Fail-stop: two leaders of one term end the process', () => {
    const h = createFollower(1, [1])
    expect(() => say(h, 3, append(1, [1, 1], []))).toThrow(/one leader/)
    expect(() => say(createServing(), 3, { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 })).toThrow(/one leader/)
  })
})

describe('section 5.4.2', () => {
  test('Only entries of the own term are committed by counting replicas (figure 8)', () => {
    const h = createSolo({ size: 5 })
    say(h, 2, append(2, [0, 0], entriesOf(1, 1, 2)))
    settleDisk(h)
    h.tickOnly(1, 11)
    const { core } = h.member(1)
    core.electionTicks = 99
    h.tickOnly(1, 1)
    for (const peer of [2, 3]) say(h, peer, { type: 'raft.preVoteGranted', term: 3 })
    settleDisk(h)
    for (const peer of [2, 3]) say(h, peer, { type: 'raft.voteGranted', term: 3, wallMs: 0 })
    settleDisk(h)
    // Entry 2 of term 2 is on three of five; a leader of term 5 may still replace it (figure 8c, 8d).
    for (const peer of [2, 3]) say(h, peer, accepted(3, 2))
    expect(core.commitIndex).toBe(0)
    // With an entry of its own term on a majority, the earlier ones are committed indirectly (8e).
    for (const peer of [2, 3]) say(h, peer, accepted(3, 3))
    expect(core).toMatchObject({ commitIndex: 3, emittedIndex: 3 })
  })

  test('A leader begins its term with a no-op, an entry of its own', () => {
    const h = createElected()
    expect(heldBy(h.member(1)).map(({ term, kind }) => [term, kind])).toEqual([[1, 0]])
  })
})

describe('stale and duplicate answers', () => {
  test('matchIndex only grows', () => {
    const h = createServing()
    h.propose(1, 'a')
    settleDisk(h)
    say(h, 2, accepted(1, 2))
    say(h, 2, accepted(1, 1))
    expect(h.member(1).core.leading.progress.get(idOf(2))?.matchIndex).toBe(2)
  })

  test('Answers of another term, and rejections of what matches already, are ignored', () => {
    const h = createServing()
    h.propose(1, 'a')
    settleDisk(h)
    takeSent(h)
    say(h, 3, accepted(0, 2))
    say(h, 2, rejected(1, 1, [0, 0]))
    say(h, 2, rejected(0, 2, [0, 0]))
    h.flush(1)
    expect(takeSent(h)).toEqual([])
    expect(h.member(1).core.commitIndex).toBe(1)
  })

  test('While probing, only the rejection of the probe counts', () => {
    const h = createFollower(1, [1, 1, 1])
    electAgain(h)
    const progress = h.member(1).core.leading.progress.get(idOf(3))
    expect(progress).toMatchObject({ state: 'probe', nextIndex: 4 })
    say(h, 3, rejected(2, 2, [0, 0]))
    expect(progress?.nextIndex).toBe(4)
    say(h, 3, rejected(2, 3, [1, 1]))
    expect(progress?.nextIndex).toBe(2)
  })

  test('Fail-stop: a match beyond the leader\'s log ends the process', () => {
    expect(() => say(createServing(), 2, accepted(1, 9))).toThrow(/log ends/)
  })
})

describe('thesis 10.2.1, writing to the leader\'s disk in parallel', () => {
  test('The leader counts itself no earlier than its own disk', () => {
    const h = createServing()
    h.propose(1, 'a')
    h.flush(1)
    say(h, 2, accepted(1, 2))
    expect(h.member(1).core.commitIndex).toBe(1)
    h.writeOne(1)
    expect(h.member(1).core.commitIndex).toBe(2)
  })

  test('It may commit without its own disk, by a majority of the others, but applies only what it has durable', () => {
    const h = createServing()
    h.propose(1, 'a')
    h.flush(1)
    say(h, 2, accepted(1, 2))
    say(h, 3, accepted(1, 2))
    expect(h.member(1).core).toMatchObject({ commitIndex: 2, emittedIndex: 1 })
    h.writeOne(1)
    expect(h.member(1).core.emittedIndex).toBe(2)
  })

  test('An acknowledgement of an old term says nothing about the entries of a new one', () => {
    const h = createFollower(1, [1, 1, 1, 1])
    // 1. Entry 5 of term 1 is submitted; the disk is slow.
    say(h, 2, append(1, [4, 1], entriesOf(5, 1)))
    // 2. Term 2 replaces it. 3. Term 3 asks whether that matches.
    say(h, 3, append(2, [4, 1], entriesOf(5, 2)))
    say(h, 2, append(3, [5, 2], []))
    // 4. The first write is done: it was of entry 5 in term 1.
    h.writeOne(1)
    expect(sentOf(takeSent(h), 'raft.appendAccepted')).toEqual([])
    expect(h.member(1).core.durability.durableIndex).toBe(4)
    // The record of term 3 vouches for all that survives.
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.appendAccepted')).toEqual([accepted(3, 5)])
  })

  test('Within a term, an acknowledgement older than the rewrite says nothing about it', () => {
    const h = createFollower(1, [1, 1])
    // The term's own record is submitted while the log still ends at entry 2 of term 1.
    say(h, 3, { type: 'raft.heartbeat', term: 2, commitIndex: 0, round: 1 })
    say(h, 3, append(2, [1, 1], entriesOf(2, 2)))
    takeSent(h)
    h.writeOne(1)
    expect(h.member(1).core.durability.durableIndex).toBe(1)
    expect(sentOf(takeSent(h), 'raft.appendAccepted')).toEqual([accepted(2, 1)])
    h.writeOne(1)
    expect(sentOf(takeSent(h), 'raft.appendAccepted')).toEqual([accepted(2, 2)])
  })

  test('A deposed leader\'s gathered proposals reach its disk with the new term, so the disk has no gap', () => {
    const h = createServing()
    h.propose(1, 'gathered')
    say(h, 3, { type: 'raft.heartbeat', term: 2, commitIndex: 0, round: 1 })
    settleDisk(h)
    expect(h.member(1).disk.durable).toMatchObject({ hardState: { term: 2 } })
    expect(h.member(1).disk.durable.entries).toHaveLength(2)
  })
})

describe('section 5.5', () => {
  test('Raft RPCs are idempotent: a follower that receives an append twice ends the same', () => {
    const h = createFollower(1)
    for (let i = 0; i < 3; i += 1) say(h, 2, append(1, [0, 0], entriesOf(1, 1, 1)))
    settleDisk(h)
    expect(termsOf(h)).toEqual([1, 1])
    expect(h.member(1).disk.durable.entries).toHaveLength(2)
  })
})
