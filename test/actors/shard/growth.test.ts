/** A leader that is short of memory: what it refuses, what it takes all the same, and what it owes to repeats. */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../../actors/shard/operation.ts'
import { batchEntry, close, del, get, incr, inSession, open, put, text, touch } from './entries.ts'
import { createHarness } from './harness.ts'
import type { Operation } from '../../../actors/shard/operation.ts'
import type { Ask, Harness } from './harness.ts'

const short = { type: 'memory.spaceChanged', shortage: 'heap' } as const
const enough = { type: 'memory.spaceChanged', shortage: null } as const
const policies = ['slot', 'forward', 'direct'] as const

/** Leads, with these executed, and was told since that memory is short. */
const shortAfter = (...operations: readonly Operation[]): Harness => {
  const harness = createHarness()
  harness.lead()
  execute(harness, operations)
  harness.send(short)
  return harness
}

/** Their verdicts once all that was taken is committed. */
const execute = (harness: Harness, operations: readonly Operation[], ask: Ask = {}): readonly string[] | undefined => {
  const batch = harness.ask(operations, { term: 1, ...ask })
  harness.flush()
  harness.commit(...harness.takeAll())
  return harness.verdictOf(batch)
}

const long = (bytes: number): Operation => ({ code: OpCode.put, key: 'long', value: new Uint8Array(bytes) })

describe('a leader that is short of memory', () => {
  test('refuses what grows, and goes on reading, deleting, and with sessions', () => {
    const harness = shortAfter()
    const growing = [put('k', 'v'), incr('k')]
    expect(policies.map((policy) => execute(harness, growing, { policy }))).toEqual([
      ['NO_SPACE-', 'NO_SPACE-'], ['NO_SPACE+', 'NO_SPACE+'], ['NO_SPACE+', 'NO_SPACE+'],
    ])
    harness.ask([get('k'), del('k'), open(1), close(1)])
    harness.flush()
    expect([harness.proposals.length, harness.reads.length]).toEqual([1, 1])
    harness.commit(...harness.takeAll())
    harness.send(enough)
    expect(execute(harness, growing)).toEqual(['OK', 'INVALID+'])
  })

  test('answers each operation of a batch for itself', () => {
    expect(execute(shortAfter(), [put('k', 'v'), del('k')])).toEqual(['NO_SPACE-', 'NOT_FOUND+'])
  })

  test('remembers it from when it followed', () => {
    const harness = createHarness()
    harness.role('follower', 1)
    harness.send(short)
    harness.lead(2)
    expect(harness.verdictOf(harness.ask([put('k', 'v')]))).toEqual(['NO_SPACE-'])
  })

  test.each([
    ['heap', /heap .* --max-old-space-size/], ['process', /memory: .*restart the nodes one by one/],
  ] as const)('says what there is too little of, what to do, and to wait a second: %s', (shortage, says) => {
    const harness = createHarness()
    harness.lead()
    harness.send({ type: 'memory.spaceChanged', shortage })
    const [result] = harness.resultsOf(harness.ask([put('k', 'v')])) ?? []
    expect(result?.message).toMatch(says)
    expect(result?.retryAfterMs).toBe(1_000)
  })

  const rows: readonly (readonly [string, Operation, string])[] = [
    ['a longer value', put('text', 'value+'), 'NO_SPACE-'],
    ['one as long', put('text', 'other'), 'OK'],
    ['a first deadline of a key, by put', put('text', 'v', { ttlMs: 5_000 }), 'NO_SPACE-'],
    ['by touch', touch('text', 5_000), 'NO_SPACE-'],
    ['by incr', incr('counter', '1', { ttlMs: 5_000 }), 'NO_SPACE-'],
    ['another deadline, by put', put('lease', 'valu3', { ttlMs: 5_000 }), 'OK'],
    ['by touch, which keeps a lock or a lease', touch('lease', 5_000), 'OK'],
    ['a deadline that is cleared', touch('lease', 0), 'OK'],
    ['a deadline of no key', touch('nobody', 5_000), 'NOT_FOUND+'],
    ['a counter that counts on', incr('counter'), 'OK'],
    ['a counter that is not there', incr('nobody'), 'NO_SPACE-'],
    ['a long value over one as long, which is collected later', long(2_000), 'NO_SPACE-'],
    ['a short value over a long one, which is no part of the heap', put('long', 'v'), 'NO_SPACE-'],
    ['a comparison that fails, of a value that would fit', put('text', 'v', { ifRevision: 99 }), 'CONFLICT+'],
  ]
  test.each(rows)('knows whether it grows: %s', (_what, operation, verdict) => {
    const harness = shortAfter(put('text', 'value'), put('lease', 'value', { ttlMs: 60_000 }), put('counter', '41'), long(2_000))
    expect(execute(harness, [operation])).toEqual([verdict])
  })

  test('has locks and leases renewed, and begins none', () => {
    const harness = shortAfter(put('lease', 'me', { ttlMs: 60_000 }), put('text', 'value'))
    expect(execute(harness, [touch('lease', 60_000), touch('text', 60_000)])).toEqual(['OK', 'NO_SPACE-'])
  })

  test('takes a key that has expired for none', () => {
    const harness = shortAfter(put('lease', 'value', { ttlMs: 10 }))
    harness.commit(batchEntry(3, 90_000, []))
    expect(execute(harness, [put('lease', 'value')])).toEqual(['NO_SPACE-'])
  })
})

describe('a repeat while memory is short', () => {
  const withId = (key: string, requestId: string): Operation => incr(key, '5', { requestId })
  const numbered = (key: string, sequence: number, firstIncomplete = 1): Operation =>
    incr(key, '5', inSession(1, sequence, firstIncomplete))

  test.each(policies)('of what was executed gets its first answer, by request id: %s', (policy) => {
    const harness = shortAfter(withId('new', 'r1'))
    execute(harness, [del('new')])
    const batch = harness.ask([withId('new', 'r1'), withId('new', 'r2'), put('new', 'v', { requestId: 'r1' })], { policy, term: 1 })
    harness.flush()
    harness.commit(...harness.takeAll())
    const [first, other, reused] = harness.resultsOf(batch) ?? []
    expect([first?.status, text(first?.value), first?.duplicate]).toEqual(['OK', '5', true])
    expect([other?.status, reused?.status]).toEqual(['NO_SPACE', 'REQUEST_ID_REUSED'])
  })

  test('of what was executed gets its first answer, by session', () => {
    const harness = shortAfter(open(1), numbered('new', 1), numbered('new', 2))
    execute(harness, [del('new')])
    const batch = harness.ask([numbered('new', 2), numbered('new', 3), { ...incr('new'), ...inSession(2, 2) }], { policy: 'direct' })
    harness.flush()
    harness.commit(...harness.takeAll())
    const [first, next, foreign] = harness.resultsOf(batch) ?? []
    expect([first?.status, text(first?.value), first?.duplicate]).toEqual(['OK', '10', true])
    expect([next?.status, foreign?.status]).toEqual(['NO_SPACE', 'NO_SPACE'])
  })

  test('of what was acknowledged hears that it is forgotten, since it is not certain that it did not happen', () => {
    const harness = shortAfter(open(1), numbered('new', 1), numbered('new', 2, 2))
    execute(harness, [del('new')])
    expect(execute(harness, [numbered('new', 1)], { policy: 'direct' })).toEqual(['SESSION_EXPIRED-'])
  })

  const stages: readonly (readonly [string, (harness: Harness) => void])[] = [
    ['gathered', () => {}],
    ['proposed', (harness) => { harness.flush() }],
  ]
  test.each(stages)('of what is %s here is answered as that is', (_stage, pass) => {
    const harness = createHarness()
    harness.lead()
    execute(harness, [open(1)])
    const first = harness.ask([withId('a', 'r1'), numbered('b', 1)])
    pass(harness)
    harness.send(short)
    const again = harness.ask([withId('a', 'r1'), numbered('b', 1), withId('a', 'r2'), numbered('b', 2)], { policy: 'direct' })
    harness.flush()
    harness.commit(...harness.takeAll())
    expect(harness.verdictOf(first)).toEqual(['OK', 'OK'])
    expect(harness.verdictOf(again)).toEqual(['OK', 'OK', 'NO_SPACE+', 'NO_SPACE+'])
  })

  test('of what is in the log here and not committed is answered as that is', () => {
    const harness = createHarness()
    harness.lead()
    const first = harness.ask([withId('a', 'r1')])
    harness.flush()
    const entries = harness.takeAll()
    harness.send(short)
    const again = harness.ask([withId('a', 'r1')], { policy: 'direct' })
    expect(harness.verdictOf(again)).toBeUndefined()
    harness.commit(...entries)
    harness.flush()
    harness.commit(...harness.takeAll())
    expect([harness.verdictOf(first), harness.verdictOf(again)]).toEqual([['OK'], ['OK']])
  })
})
