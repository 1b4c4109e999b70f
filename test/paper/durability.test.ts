/**
 * Durable before visible: what leaves only when the term and the vote it rests on are on the disk. Entries and the leader's parallel
 * write are in replication.test.ts.
 */

import { describe, expect, test } from '@jest/globals'
import { append, createElected, createFollower, createSolo, entriesOf, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'

const requestVote = (term: number, last: readonly [number, number], transfer = false) =>
  ({ type: 'raft.requestVote', term, lastIndex: last[0], lastTerm: last[1], transfer } as const)

describe('thesis 10.2.1, the HardState', () => {
  test.each([
    ['the vote', requestVote(5, [9, 9], true), 'raft.voteGranted'],
    ['the request for votes', { type: 'raft.timeoutNow', term: 1 }, 'raft.requestVote'],
    ['the acceptance of entries', append(5, [1, 1], entriesOf(2, 5)), 'raft.appendAccepted'],
    ['the acceptance of none', append(5, [1, 1], []), 'raft.appendAccepted'],
    ['the answer to a snapshot that the log contains', {
      type: 'raft.snapshotChunk', term: 5, snapshotTerm: 1, snapshotIndex: 1, offset: 0, totalBytes: 1, crc: 0, bytes: new Uint8Array(1),
    }, 'raft.appendAccepted'],
  ] as const)('No message that promises anything leaves before its HardState is durable: %s', (_, message, answer) => {
    const h = createFollower(1, [1])
    // An older write is under way: its completion is not that of the newer HardState.
    say(h, 2, append(1, [1, 1], entriesOf(2, 1)))
    say(h, 2, message)
    h.flush(1)
    h.tickOnly(1, 5)
    h.writeOne(1)
    expect(takeSent(h)).toEqual([])
    settleDisk(h)
    expect(new Set(takeSent(h).map((mail) => mail.message.type))).toEqual(new Set([answer]))
  })

  test('No vote leaves before it is durable', () => {
    const h = createSolo()
    say(h, 2, requestVote(1, [0, 0]))
    h.flush(1)
    expect(takeSent(h)).toEqual([])
    h.writeOne(1)
    h.writeOne(1)
    expect(sentOf(takeSent(h), 'raft.voteGranted')).toHaveLength(1)
  })

  test('A candidate asks for no vote before its own is durable', () => {
    const h = createSolo()
    h.tickOnly(1, 21)
    say(h, 2, { type: 'raft.preVoteGranted', term: 1 })
    takeSent(h)
    h.tickOnly(1, 5)
    expect(takeSent(h)).toEqual([])
    say(h, 2, { type: 'raft.voteGranted', term: 1, wallMs: 0 })
    expect(h.member(1).core.role).toBe('candidate')
    settleDisk(h)
    expect(h.member(1).core.role).toBe('leader')
  })

  test('A vote that is durable too late, in another term, is not sent', () => {
    const h = createElected()
    say(h, 3, requestVote(5, [9, 9], true))
    say(h, 3, { type: 'raft.heartbeat', term: 6, commitIndex: 0, round: 1 })
    takeSent(h)
    settleDisk(h)
    expect(sentOf(takeSent(h), 'raft.voteGranted')).toEqual([])
  })
})
