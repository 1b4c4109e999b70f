/** What a shard may say before, after and without a leadership, and with which certainty. */

import { describe, expect, test } from '@jest/globals'
import { batchEntry, createReplica, get, noopEntry, put } from './entries.ts'
import { createHarness, there } from './harness.ts'
import type { Policy } from '../../../actors/shard/protocol.ts'
import type { Harness } from './harness.ts'

describe('a shard that does not serve', () => {
  test('serves only when settled and when an entry of its own term is applied', () => {
    const harness = createHarness()
    harness.role('follower', 1)
    expect(harness.shard.state()).toBe('following')
    harness.role('leader', 2)
    harness.commit(batchEntry(1, 5, [put('k', 'v')], 1))
    expect(harness.shard.state()).toBe('leading.settling')
    harness.role('leader', 2, { settled: true })
    expect(harness.shard.state()).toBe('leading.settling')
    expect([harness.verdictOf(harness.ask([get('k')])), harness.verdictOf(harness.ask([get('k')], { policy: 'direct' }))])
      .toEqual([undefined, ['NOT_LEADER+']])
    expect(harness.verdictOf(harness.ask([put('k', 'v')], { policy: 'forward', term: 2 }))).toEqual(['NOT_LEADER+'])
    expect(harness.serving).toEqual([])
    harness.commit(noopEntry(2, 2))
    expect(harness.shard.state()).toBe('leading.serving')
    expect(harness.serving).toEqual(['serves 2'])
  })

  test('serves when the no-op was applied before it hears that it settled', () => {
    const harness = createHarness()
    harness.role('leader', 2)
    harness.commit(noopEntry(1, 2))
    expect(harness.shard.state()).toBe('leading.settling')
    harness.role('leader', 2, { settled: true })
    expect(harness.shard.state()).toBe('leading.serving')
  })

  test('follows: silent by slot, NOT_LEADER elsewhere with the leader it knows', () => {
    const harness = createHarness()
    harness.role('follower', 3, { leader: there })
    expect(harness.verdictOf(harness.ask([put('k', 'v')]))).toBeUndefined()
    const direct = harness.ask([put('k', 'v')], { policy: 'direct' })
    expect(harness.resultsOf(direct)).toEqual([
      { status: 'NOT_LEADER', revision: 0, definite: true, retryAfterMs: 50, message: 'Node n2 leads the shard.' },
    ])
    expect(harness.verdictOf(harness.ask([put('', 'v')]))).toEqual(['INVALID+'])
    expect(harness.verdictOf(harness.ask([put('', 'v'), get('k')]))).toBeUndefined()
    expect(harness.shard.status().counters.silenced).toBe(2)
    harness.flush()
    expect([harness.proposals, harness.reads]).toEqual([[], []])
  })

  test('answers a stale read from any replica, with the revision it saw', () => {
    const harness = createHarness()
    harness.role('follower', 1)
    harness.commit(batchEntry(1, 5, [put('k', 'v')]))
    const batch = harness.ask([get('k')], { consistency: 'stale', policy: 'direct' })
    expect(harness.resultsOf(batch)).toMatchObject([{ status: 'OK', revision: 1 }])
    const write = harness.ask([put('k', 'v')], { consistency: 'stale', policy: 'direct' })
    expect(harness.verdictOf(write)).toEqual(['NOT_LEADER+'])
  })

  test('answers a stale read without a round while it serves', () => {
    const harness = createHarness()
    harness.lead()
    expect(harness.verdictOf(harness.ask([get('k')], { consistency: 'stale' }))).toEqual(['NOT_FOUND+'])
    expect(harness.isFlushWanted()).toBe(false)
  })

  test('answers nothing from a state that is not there yet', () => {
    const harness = createHarness()
    expect(harness.shard.state()).toBe('recovering')
    expect(harness.verdictOf(harness.ask([get('k')], { consistency: 'stale' }))).toBeUndefined()
    expect(harness.verdictOf(harness.ask([get('k')], { consistency: 'stale', policy: 'direct' }))).toEqual(['NOT_LEADER+'])
  })

  test('is removed when its Raft member halts, whatever it was', () => {
    const starts: readonly ((harness: Harness) => void)[] = [
      () => {},
      (harness) => harness.role('follower', 1),
      (harness) => harness.lead(),
      (harness) => {
        harness.lead()
        harness.send({ type: 'shard.handOver' })
      },
    ]
    for (const start of starts) {
      const harness = createHarness()
      start(harness)
      harness.role('halted', 1)
      expect(harness.shard.state()).toBe('removed')
      harness.role('follower', 2)
      harness.send({ type: 'shard.handOver' })
      harness.restore(createReplica().state)
      harness.send({ type: 'shard.restored', index: 0, term: 0 })
      expect(harness.shard.state()).toBe('removed')
      expect(harness.verdictOf(harness.ask([get('k')], { consistency: 'stale', policy: 'direct' }))).toEqual(['NOT_LEADER+'])
      expect(harness.serving.at(-1)).not.toBe('serves 1')
      expect(harness.failures).toEqual([])
    }
  })
})

describe('a leadership that ends', () => {
  /** Everything a leadership can owe an answer for, one request each, for one policy. */
  const owing = (policy: Policy) => {
    const harness = createHarness()
    harness.lead()
    const inFlight = harness.ask([put('inFlight', '1')], { policy, term: 1 })
    const inRound = harness.ask([get('inRound')], { policy, term: 1 })
    const inLease = harness.ask([get('inLease')], { policy, term: 1, consistency: 'lease' })
    harness.flush()
    const entries = harness.takeAll()
    const ready = harness.ask([get('ready')], { policy, term: 1 })
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 3, index: 2, term: 1 })
    const proposed = harness.ask([put('proposed', '1')], { policy, term: 1 })
    harness.flush()
    const gatheredWrite = harness.ask([put('gathered', '1')], { policy, term: 1 })
    const gatheredRead = harness.ask([get('gathered')], { policy, term: 1 })
    return { harness, entries, writes: { inFlight, proposed, gatheredWrite }, reads: { inRound, inLease, ready, gatheredRead } }
  }

  test('silences every slot request, even of a write that commits later (M26, T21)', () => {
    const { harness, entries } = owing('slot')
    harness.role('follower', 2, { leader: there })
    harness.takeAll(2)
    harness.commit(...entries)
    harness.send({ type: 'raft.readReady', read: 1, index: 2, term: 1 })
    harness.flush()
    expect(harness.answers).toEqual([])
    expect(harness.serving).toEqual(['serves 1', 'stops 1'])
    expect(harness.shard.status()).toMatchObject({ pendingOperations: 0, pendingBytes: 0, serving: false, keys: 1 })
    expect(harness.shard.status().counters.silenced).toBe(7)
  })

  const names = 'is told to every %s request: reads and unsent writes definitely, sent writes not (M24)'
  test.each(['forward', 'direct'] as const)(names, (policy) => {
    const { harness, writes, reads } = owing(policy)
    harness.role('preCandidate', 1)
    for (const read of Object.values(reads)) expect(harness.verdictOf(read)).toEqual(['NOT_LEADER+'])
    expect(harness.verdictOf(writes.gatheredWrite)).toEqual(['NOT_LEADER+'])
    expect(harness.verdictOf(writes.inFlight)).toEqual(['NO_QUORUM-'])
    expect(harness.verdictOf(writes.proposed)).toBeUndefined()
    harness.send({ type: 'raft.proposed', proposal: 2, term: 1, index: 3 })
    expect(harness.verdictOf(writes.proposed)).toEqual(['NO_QUORUM-'])
    harness.send({ type: 'raft.proposed', proposal: 2, term: 1, index: 3 })
    expect(harness.shard.status()).toMatchObject({ pendingOperations: 0, pendingBytes: 0 })
    expect(harness.answers.length).toBe(7)
  })

  test('ends also when the same node is elected again in a newer term', () => {
    const { harness, writes, reads } = owing('direct')
    harness.role('leader', 2)
    expect(harness.shard.state()).toBe('leading.settling')
    expect(harness.serving).toEqual(['serves 1', 'stops 1'])
    expect(harness.verdictOf(writes.inFlight)).toEqual(['NO_QUORUM-'])
    expect(harness.verdictOf(reads.ready)).toEqual(['NOT_LEADER+'])
    harness.role('leader', 2, { settled: true })
    harness.commit(noopEntry(2, 2))
    expect(harness.serving).toEqual(['serves 1', 'stops 1', 'serves 2'])
  })

  test('loses a write whose place in the log another entry took', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([put('mine', '1')], { policy: 'direct' })
    harness.flush()
    harness.takeAll()
    harness.commit(batchEntry(2, 5, [put('theirs', '1')], 7))
    expect(harness.verdictOf(batch)).toEqual(['NO_QUORUM-'])
  })

  test('loses a proposal that comes back for an index already applied', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([put('mine', '1')], { policy: 'direct' })
    harness.flush()
    harness.send({ type: 'raft.proposed', proposal: 1, term: 1, index: 1 })
    expect(harness.verdictOf(batch)).toEqual(['NO_QUORUM-'])
  })

  test('refuses a read whose round came back in another term (M6, M8)', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([get('k')], { policy: 'direct' })
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 1, index: 1, term: 9 })
    expect(harness.verdictOf(batch)).toEqual(['NOT_LEADER+'])
  })

  test('refuses a read that Raft refused', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([get('k')], { policy: 'direct' })
    harness.flush()
    harness.send({ type: 'raft.readRefused', read: 1, reason: 'notLeader' })
    harness.send({ type: 'raft.readRefused', read: 1, reason: 'notLeader' })
    expect(harness.verdictOf(batch)).toEqual(['NOT_LEADER+'])
  })
})

describe('a shard that hands its leadership over', () => {
  /** Told to hand over with a write in the log. */
  const handing = () => {
    const harness = createHarness()
    harness.lead()
    const inFlight = harness.ask([put('k', 'v')])
    harness.flush()
    const entries = harness.takeAll()
    harness.send({ type: 'shard.handOver' })
    return { harness, inFlight, entries }
  }
  const policies = ['slot', 'forward', 'direct'] as const
  const verdicts = (harness: Harness) => policies.map((policy) => harness.verdictOf(harness.ask([get('x')], { policy, term: 1 })))
  /** Nothing waits and the slot is drained. */
  const quiet = (): Harness => {
    const { harness, entries } = handing()
    harness.commit(...entries)
    harness.send({ type: 'shard.slotDrained', drain: 1 })
    return harness
  }

  test('takes what still comes on its slot, until that is drained, and is quiet when everything is answered', () => {
    const { harness, inFlight, entries } = handing()
    expect(harness.shard.state()).toBe('leading.handingOver.draining')
    const late = policies.map((policy) => harness.ask([put('late', 'v')], { policy, term: 1 }))
    harness.send({ type: 'shard.slotDrained', drain: 1 })
    expect(harness.shard.state()).toBe('leading.handingOver.finishing')
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'stops 1'])
    expect(verdicts(harness)).toEqual([undefined, ['NOT_LEADER+'], ['NOT_LEADER+']])
    harness.commit(...entries)
    harness.flush()
    expect(harness.shard.state()).toBe('leading.handingOver.finishing')
    harness.commit(...harness.takeAll())
    expect([inFlight, ...late].map(harness.verdictOf)).toEqual(Array.from({ length: 4 }, () => ['OK']))
    expect(harness.shard.state()).toBe('leading.handingOver.quiet')
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'stops 1', 'quiet'])
    expect(verdicts(harness)).toEqual([undefined, ['NOT_LEADER+'], ['NOT_LEADER+']])
  })

  test('is not quiet while a read waits for its round', () => {
    const harness = createHarness()
    harness.lead()
    const read = harness.ask([get('k')])
    harness.flush()
    harness.send({ type: 'shard.handOver' })
    harness.send({ type: 'shard.slotDrained', drain: 1 })
    expect(harness.shard.state()).toBe('leading.handingOver.finishing')
    harness.send({ type: 'raft.readReady', read: 1, index: 1, term: 1 })
    expect([harness.verdictOf(read), harness.shard.state()]).toEqual([['NOT_FOUND+'], 'leading.handingOver.quiet'])
  })

  test('becomes a follower like any other leader, and owes nobody an answer', () => {
    const harness = quiet()
    harness.role('follower', 2, { leader: there })
    expect(harness.shard.state()).toBe('following')
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'stops 1', 'quiet'])
    expect(harness.shard.status().counters.silenced).toBe(0)
    expect(harness.verdictOf(harness.ask([put('x', 'y')], { policy: 'direct' }))).toEqual(['NOT_LEADER+'])
    expect(harness.verdictOf(harness.ask([get('k')], { policy: 'direct', consistency: 'stale' }))).toEqual(['OK'])
  })

  test.each([
    ['Raft gives the transfer up', { type: 'raft.transferAborted', term: 1 }],
    ['the move is given up', { type: 'shard.serveAgain' }],
  ] as const)('serves again when %s', (_why, event) => {
    const harness = quiet()
    harness.send(event)
    expect(harness.shard.state()).toBe('leading.serving')
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'stops 1', 'quiet', 'serves 1'])
    const write = harness.ask([put('k', 'again')])
    harness.flush()
    harness.commit(...harness.takeAll())
    expect(harness.verdictOf(write)).toEqual(['OK'])
  })

  test('subscribes its slot anew when the move is given up while the old subscription is drained', () => {
    const { harness } = handing()
    harness.send({ type: 'shard.serveAgain' })
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'serves 1'])
    expect(harness.shard.status().serving).toBe(true)
  })

  test('does not take an abort or a drain of another move for its own', () => {
    const { harness, entries } = handing()
    harness.commit(...entries)
    harness.send({ type: 'raft.transferAborted', term: 9 })
    harness.send({ type: 'shard.handOver' })
    expect(harness.shard.state()).toBe('leading.handingOver.draining')
    harness.send({ type: 'shard.serveAgain' })
    harness.send({ type: 'shard.handOver' })
    harness.send({ type: 'shard.slotDrained', drain: 1 })
    expect(harness.shard.state()).toBe('leading.handingOver.draining')
    harness.send({ type: 'shard.slotDrained', drain: 2 })
    expect(harness.shard.state()).toBe('leading.handingOver.quiet')
  })

  test.each(['draining', 'finishing'])('is quiet at once when there is no more time, in the middle of %s', (stage) => {
    const { harness, inFlight, entries } = handing()
    if (stage === 'finishing') harness.send({ type: 'shard.slotDrained', drain: 1 })
    harness.send({ type: 'shard.handOverNow' })
    expect(harness.shard.state()).toBe('leading.handingOver.quiet')
    expect(harness.serving.slice(-2)).toEqual(['stops 1', 'quiet'])
    harness.commit(...entries)
    expect(harness.verdictOf(inFlight)).toEqual(['OK'])
  })

  test.each(['draining', 'finishing'])('silences what came by slot when its leadership ends in the middle of %s', (stage) => {
    const { harness, inFlight, entries } = handing()
    if (stage === 'finishing') harness.send({ type: 'shard.slotDrained', drain: 1 })
    harness.role('follower', 2, { leader: there })
    harness.send({ type: 'shard.slotDrained', drain: 1 })
    harness.commit(...entries)
    expect(harness.verdictOf(inFlight)).toBeUndefined()
    expect(harness.shard.state()).toBe('following')
    expect(harness.serving).toEqual(['serves 1', 'drains 1', 'stops 1'])
  })

  test('does nothing when it does not serve', () => {
    const harness = createHarness()
    harness.role('leader', 2)
    harness.send({ type: 'shard.handOver' })
    expect(harness.shard.state()).toBe('leading.settling')
    harness.role('follower', 3)
    harness.send({ type: 'shard.handOver' })
    expect([harness.shard.state(), harness.serving]).toEqual(['following', []])
  })
})
