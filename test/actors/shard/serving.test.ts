/** A serving shard: entries and rounds out of requests, and who is told what when a limit forbids it. */

import { describe, expect, test } from '@jest/globals'
import { BATCH_OPERATIONS_MAX } from '../../../actors/shard/operation.ts'
import { batchEntry, del, get, incr, put, text } from './entries.ts'
import { asked, createHarness, there } from './harness.ts'
import type { Policy } from '../../../actors/shard/protocol.ts'
import type { ProposalRefusal } from '../../../actors/raft/protocol.ts'

describe('a serving shard', () => {
  test('makes one entry of the writes of a turn, and answers each request when it commits', () => {
    const harness = createHarness()
    harness.lead()
    const first = harness.ask([put('a', '1'), put('b', '2')])
    const second = harness.ask([put('c', '3')], { policy: 'direct', from: there })
    expect(harness.isFlushWanted()).toBe(true)
    expect(harness.proposals).toEqual([])
    harness.flush()
    expect(asked(harness)).toEqual(['a b c'])
    const entries = harness.takeAll()
    expect(harness.answers).toEqual([])
    expect(harness.shard.status()).toMatchObject({ pendingOperations: 3, keys: 0 })
    harness.commit(...entries)
    expect(harness.answers).toEqual([
      { batch: first, to: 'n1/connection/raw', results: [{ status: 'OK', revision: 1 }, { status: 'OK', revision: 2 }] },
      { batch: second, to: 'n2/connection/raw', results: [{ status: 'OK', revision: 3 }] },
    ])
    expect(harness.shard.status())
      .toMatchObject({ pendingOperations: 0, pendingBytes: 0, keys: 3, revision: 3, appliedIndex: 2, serving: true })
  })

  test('makes more entries when the byte budget asks for it, without waiting for the first', () => {
    const harness = createHarness({ entryBytesMax: 100 })
    harness.lead()
    const batch = harness.ask(['a', 'b', 'c', 'd', 'e'].map((key) => put(key, 'v'.repeat(30))))
    harness.flush()
    expect(asked(harness)).toEqual(['a b', 'c d', 'e'])
    expect(harness.proposals.every(({ payload }) => payload.length <= 100)).toBe(true)
    const [first, ...others] = harness.takeAll()
    harness.commit(...(first === undefined ? [] : [first]))
    expect(harness.verdictOf(batch)).toBeUndefined()
    harness.commit(...others)
    expect(harness.resultsOf(batch)?.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5])
  })

  test('makes more entries when there are more operations than an entry holds', () => {
    const harness = createHarness({ entryBytesMax: 1_000_000 })
    harness.lead()
    harness.ask(Array.from({ length: BATCH_OPERATIONS_MAX }, () => del('k')))
    harness.ask([del('last')])
    harness.flush()
    expect(asked(harness).map((keys) => keys.split(' ').length)).toEqual([BATCH_OPERATIONS_MAX, 1])
  })

  test('lets the reads of a turn share one round, and answers when the read index is applied', () => {
    const harness = createHarness()
    harness.lead()
    const write = harness.ask([put('k', 'new')])
    const one = harness.ask([get('k')])
    const other = harness.ask([get('k'), get('none')])
    harness.flush()
    expect(harness.reads).toEqual([{ type: 'raft.read', read: 1, lease: false, now: 1_000, wallMs: 0 }])
    const entries = harness.takeAll()
    harness.send({ type: 'raft.readReady', read: 1, index: 2, term: 1 })
    expect(harness.answers).toEqual([])
    harness.commit(...entries)
    expect(harness.answers.map(({ batch }) => batch)).toEqual([write, one, other])
    expect(text(harness.resultsOf(one)?.[0]?.value)).toBe('new')
    expect(harness.verdictOf(other)).toEqual(['OK', 'NOT_FOUND+'])
  })

  test('answers at once when the read index is applied already', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([get('k')])
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 1, index: 1, term: 1 })
    expect(harness.verdictOf(batch)).toEqual(['NOT_FOUND+'])
    harness.send({ type: 'raft.readReady', read: 1, index: 1, term: 1 })
    expect(harness.answers.length).toBe(1)
  })

  test('keeps reads with a later index waiting', () => {
    const harness = createHarness()
    harness.lead()
    harness.ask([get('k')])
    harness.flush()
    harness.ask([get('k')])
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 1, index: 2, term: 1 })
    harness.send({ type: 'raft.readReady', read: 2, index: 3, term: 1 })
    harness.commit(batchEntry(2, 1, [put('k', 'a')]))
    expect(harness.answers.map(({ batch }) => batch)).toEqual([1])
    harness.commit(batchEntry(3, 1, [put('k', 'b')]))
    expect(text(harness.resultsOf(2)?.[0]?.value)).toBe('b')
  })

  test('compares when the entry applies, not with what the leader knows on arrival (T26)', () => {
    const harness = createHarness()
    harness.lead()
    const first = harness.ask([put('k', 'a', { ifRevision: 0 })])
    const second = harness.ask([put('k', 'b', { ifRevision: 1 }), put('k', 'c', { ifRevision: 0 })])
    harness.flush()
    expect(asked(harness)).toEqual(['k k k'])
    harness.commit(...harness.takeAll())
    expect([harness.verdictOf(first), harness.verdictOf(second)]).toEqual([['OK'], ['OK', 'CONFLICT+']])
  })

  test('judges a deadline by the log, whatever its own clock says', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    harness.commit(batchEntry(2, 50_000, [put('k', 'v', { ttlMs: 100 })]))
    harness.pass(200)
    const early = harness.ask([get('k')])
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 1, index: 2, term: 1 })
    expect(harness.verdictOf(early)).toEqual(['OK'])
    const late = harness.ask([get('k')])
    harness.flush()
    harness.commit(...harness.takeAll())
    harness.send({ type: 'raft.readReady', read: 2, index: 3, term: 1 })
    expect(harness.verdictOf(late)).toEqual(['NOT_FOUND+'])
  })

  test('asks for a lease when told to, and for the stronger read when there is none', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([get('k')], { consistency: 'lease' })
    harness.flush()
    harness.send({ type: 'raft.readRefused', read: 1, reason: 'leaseUnavailable' })
    expect(harness.reads.map(({ read, lease }) => [read, lease])).toEqual([[1, true], [2, false]])
    harness.send({ type: 'raft.readReady', read: 2, index: 1, term: 1 })
    expect(harness.verdictOf(batch)).toEqual(['NOT_FOUND+'])
  })

  test('refuses what is malformed at once, and still executes the rest', () => {
    const harness = createHarness()
    harness.lead()
    const bad = harness.ask([put('', 'v')])
    const mixed = harness.ask([put('a', 'v'), get(''), put('b', 'v'.repeat(10_000))])
    expect(harness.verdictOf(bad)).toEqual(['INVALID+'])
    expect(harness.isFlushWanted()).toBe(true)
    harness.flush()
    harness.commit(...harness.takeAll())
    expect(harness.verdictOf(mixed)).toEqual(['OK', 'INVALID+', 'TOO_LARGE-'])
  })

  test('refuses a batch of too many operations whole', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask(Array.from({ length: BATCH_OPERATIONS_MAX + 1 }, () => get('k')))
    expect(new Set(harness.verdictOf(batch))).toEqual(new Set(['TOO_LARGE+']))
  })

  test('ignores a batch of no operations', () => {
    const harness = createHarness()
    harness.lead()
    harness.ask([])
    harness.flush()
    expect([harness.answers, harness.proposals, harness.reads]).toEqual([[], [], []])
  })

  const verdictsWhen = (policies: readonly Policy[], ask: (policy: Policy) => readonly string[] | undefined) => policies.map(ask)

  test('refuses above its limits: indefinitely by slot, where a successor may hold a copy, definitely elsewhere', () => {
    const limits = [{ pendingOperationsMax: 1 }, { pendingBytesMax: 13 }]
    for (const limit of limits) {
      const verdicts = verdictsWhen(['slot', 'forward', 'direct'], (policy) => {
        const harness = createHarness({ limits: limit })
        harness.lead()
        harness.ask([put('a', '1')], { policy, term: 1 })
        const batch = harness.ask([put('b', '2')], { policy, term: 1 })
        expect(harness.resultsOf(batch)?.[0]?.retryAfterMs).toBe(50)
        expect(harness.shard.status().counters.overloaded).toBe(1)
        return harness.verdictOf(batch)
      })
      expect(verdicts).toEqual([['OVERLOADED-'], ['OVERLOADED+'], ['OVERLOADED+']])
    }
  })

  test('takes requests again once earlier ones are answered', () => {
    const harness = createHarness({ limits: { pendingOperationsMax: 1 } })
    harness.lead()
    harness.ask([put('a', '1')])
    harness.flush()
    harness.commit(...harness.takeAll())
    const batch = harness.ask([put('b', '2')])
    harness.flush()
    harness.commit(...harness.takeAll())
    expect(harness.verdictOf(batch)).toEqual(['OK'])
  })

  test('refuses writes while the disk is full, before they are appended, and goes on reading', () => {
    const harness = createHarness()
    harness.lead()
    harness.send({ type: 'wal.spaceChanged', full: true })
    const verdicts = verdictsWhen(['slot', 'forward', 'direct'], (policy) =>
      harness.verdictOf(harness.ask([put('k', 'v')], { policy, term: 1 })))
    expect(verdicts).toEqual([['NO_SPACE-'], ['NO_SPACE+'], ['NO_SPACE+']])
    harness.ask([get('k')])
    harness.flush()
    expect([harness.proposals.length, harness.reads.length]).toEqual([0, 1])
    harness.send({ type: 'wal.spaceChanged', full: false })
    harness.ask([put('k', 'v')])
    harness.flush()
    expect(harness.proposals.length).toBe(1)
  })

  test('refuses a forwarded request of another term, definitely (M21)', () => {
    const harness = createHarness()
    harness.lead(5)
    expect(harness.verdictOf(harness.ask([put('k', 'v')], { policy: 'forward', term: 4 }))).toEqual(['NOT_LEADER+'])
    expect(harness.verdictOf(harness.ask([get('k')], { policy: 'forward', term: 6 }))).toEqual(['NOT_LEADER+'])
    harness.ask([put('k', 'v')], { policy: 'forward', term: 5 })
    harness.flush()
    expect(asked(harness)).toEqual(['k'])
  })

  const refusals: readonly (readonly [ProposalRefusal, string | undefined, string])[] = [
    ['notLeader', undefined, 'NOT_LEADER+'],
    ['transferring', undefined, 'NOT_LEADER+'],
    ['tooManyUncommitted', 'OVERLOADED-', 'OVERLOADED+'],
    ['tooLarge', 'TOO_LARGE-', 'TOO_LARGE+'],
  ]
  test.each(refusals)('answers what Raft refused as %s: by slot %p, else %p', (reason, bySlot, else_) => {
    const verdicts = verdictsWhen(['slot', 'forward', 'direct'], (policy) => {
      const harness = createHarness()
      harness.lead()
      const batch = harness.ask([put('k', 'v')], { policy, term: 1 })
      harness.flush()
      harness.send({ type: 'raft.proposalRefused', proposal: 1, reason })
      harness.send({ type: 'raft.proposalRefused', proposal: 1, reason })
      expect(harness.shard.status()).toMatchObject({ pendingOperations: 0, pendingBytes: 0 })
      return harness.verdictOf(batch)
    })
    expect(verdicts).toEqual([bySlot === undefined ? undefined : [bySlot], [else_], [else_]])
  })

  test('answers reads that find too many waiting for a round with OVERLOADED: it leads, and nobody need look for another', () => {
    const verdicts = verdictsWhen(['slot', 'forward', 'direct'], (policy) => {
      const harness = createHarness()
      harness.lead()
      const batch = harness.ask([get('k')], { policy, term: 1 })
      harness.flush()
      harness.send({ type: 'raft.readRefused', read: 1, reason: 'tooManyWaiting' })
      harness.send({ type: 'raft.readRefused', read: 1, reason: 'tooManyWaiting' })
      expect(harness.shard.status()).toMatchObject({ pendingOperations: 0, pendingBytes: 0 })
      return harness.verdictOf(batch)
    })
    expect(verdicts).toEqual([['OVERLOADED-'], ['OVERLOADED+'], ['OVERLOADED+']])
  })

  test('keeps a reply to another node within one message, and does not mind at home', () => {
    const harness = createHarness({ entryBytesMax: 1_000 })
    harness.lead()
    harness.commit(batchEntry(2, 1, ['a', 'b', 'c'].map((key) => put(key, 'v'.repeat(400)))))
    const home = harness.ask([get('a'), get('b'), get('c')], { policy: 'direct' })
    const away = harness.ask([get('a'), get('b'), get('c'), get('d')], { policy: 'direct', from: there })
    harness.flush()
    harness.send({ type: 'raft.readReady', read: 1, index: 2, term: 1 })
    expect(harness.verdictOf(home)).toEqual(['OK', 'OK', 'OK'])
    expect(harness.verdictOf(away)).toEqual(['OK', 'OK', 'OVERLOADED+', 'NOT_FOUND+'])
  })

  test('never denies a mutation that has happened, however long the reply becomes', () => {
    const harness = createHarness({ entryBytesMax: 200 })
    harness.lead()
    harness.commit(batchEntry(2, 1, [put('n', '1000000000000000000')]))
    const away = harness.ask(Array.from({ length: 20 }, () => incr('n')), { policy: 'direct', from: there })
    harness.flush()
    harness.commit(...harness.takeAll())
    expect(harness.verdictOf(away)).toEqual(Array.from({ length: 20 }, () => 'OK'))
  })

  test('tells a sender when an entry of its own could not be read', () => {
    const harness = createHarness()
    harness.lead()
    const batch = harness.ask([put('k', 'v')])
    harness.flush()
    harness.commit(...harness.takeAll().map((entry) => ({ ...entry, payload: Uint8Array.from([0]) })))
    expect(harness.verdictOf(batch)).toEqual(['INTERNAL+'])
    expect(harness.shard.status().undecodable).toBe(1)
  })
})
