/** Log time, the entries that carry it, and what is announced of their changes. */

import { describe, expect, test } from '@jest/globals'
import { batchEntry, noopEntry, put } from './entries.ts'
import { asked, createHarness, timeOf } from './harness.ts'

describe('log time', () => {
  test('starts at the electors\' clock and runs with the monotonic one', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    harness.pass(250)
    harness.ask([put('k', 'v')])
    harness.flush()
    expect(timeOf(harness)).toBe(50_250)
  })

  /** By then the leader has heard of more of its voters' clocks than of those that elected it. */
  test('starts at what is said of the clocks when the first entry has committed, and counts the time until that is applied', () => {
    const harness = createHarness()
    harness.role('leader', 1, { clockMs: 50_000 })
    harness.pass(100)
    harness.role('leader', 1, { settled: true, clockMs: 3_650_100 })
    harness.pass(30)
    harness.commit(noopEntry(1))
    harness.pass(10)
    harness.ask([put('k', 'v')])
    harness.flush()
    expect(timeOf(harness)).toBe(3_650_140)
  })

  test('is moved by nothing that is said of the clocks while the leader serves', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    harness.role('leader', 1, { settled: true, clockMs: 3_650_000 })
    harness.pass(10)
    harness.ask([put('k', 'v')])
    harness.flush()
    expect(timeOf(harness)).toBe(50_010)
  })

  test('goes on from the log where the electors\' clocks are behind', () => {
    const harness = createHarness()
    harness.role('follower', 1)
    harness.commit(batchEntry(1, 80_000, [put('k', 'v')]))
    harness.lead(2, 50_000)
    harness.pass(5)
    harness.ask([put('k', 'v')])
    harness.flush()
    expect(timeOf(harness)).toBe(80_005)
  })

  test('never goes back, not even with a clock that does', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    harness.pass(100)
    harness.ask([put('k', 'v')])
    harness.flush()
    harness.pass(-60)
    harness.ask([put('k', 'v')])
    harness.flush()
    expect([timeOf(harness, 0), timeOf(harness, 1)]).toEqual([50_100, 50_100])
  })

  test('is carried by an empty entry when a key is due and nothing else is under way', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    harness.ask([put('k', 'v', { ttlMs: 100 })])
    harness.flush()
    harness.commit(...harness.takeAll())
    harness.pass(99)
    harness.tick()
    expect(harness.proposals).toEqual([])
    harness.pass(1)
    harness.tick()
    harness.tick()
    expect(asked(harness)).toEqual([''])
    expect(harness.shard.status().keys).toBe(1)
    harness.commit(...harness.takeAll())
    expect(harness.shard.status()).toMatchObject({ keys: 0, timeMs: 50_100 })
    harness.tick()
    expect(harness.proposals).toEqual([])
  })

  test('needs no empty entry while writes are under way, and asks for one when they leave work undone', () => {
    const harness = createHarness()
    harness.lead(1, 50_000)
    const many = 600
    harness.ask(Array.from({ length: many }, (_, i) => put(`k${i}`, '', { ttlMs: 100 })))
    harness.flush()
    harness.commit(...harness.takeAll())
    harness.pass(100)
    harness.ask([put('x', 'y')])
    harness.flush()
    harness.tick()
    expect(asked(harness)).toEqual(['x'])
    expect(harness.isFlushWanted()).toBe(false)
    harness.commit(...harness.takeAll())
    expect(harness.isFlushWanted()).toBe(true)
    harness.flush()
    expect(asked(harness)).toEqual([''])
    harness.commit(...harness.takeAll())
    expect(harness.shard.status().keys).toBe(1)
    expect(harness.isFlushWanted()).toBe(false)
  })

  test('moves by no tick of a follower, nor of a leader with a full disk', () => {
    const harness = createHarness()
    harness.role('follower', 1)
    harness.commit(batchEntry(1, 50_000, [put('k', 'v', { ttlMs: 10 })]))
    harness.pass(1_000)
    harness.tick()
    harness.lead(2, 60_000)
    harness.send({ type: 'wal.spaceChanged', full: true })
    harness.tick()
    expect(harness.proposals).toEqual([])
    harness.send({ type: 'wal.spaceChanged', full: false })
    harness.tick()
    expect(harness.proposals.length).toBe(1)
  })
})

test('what is due expires though memory is short', () => {
  const harness = createHarness()
  harness.role('follower', 1)
  harness.commit(batchEntry(1, 50_000, [put('k', 'v', { ttlMs: 10 })]))
  harness.lead(2, 60_000)
  harness.send({ type: 'memory.spaceChanged', shortage: 'heap' })
  harness.tick()
  expect(harness.proposals.length).toBe(1)
})

describe('change announcements', () => {
  test('are made by the leader for entries of its own term, each once', () => {
    const harness = createHarness({ announceChanges: true })
    harness.role('leader', 2)
    harness.commit(batchEntry(1, 5, [put('before', 'v')], 1))
    harness.role('leader', 2, { settled: true })
    harness.commit(noopEntry(2, 2), batchEntry(3, 6, [put('mine', 'v'), put('mine', 'v', { ifRevision: 9 })], 2))
    harness.role('follower', 3)
    harness.commit(batchEntry(4, 7, [put('after', 'v')], 3))
    expect(harness.changes).toEqual(['mine 2 2'])
  })

  test('are bounded per turn, and what is dropped is counted', () => {
    const harness = createHarness({ announceChanges: true, limits: { changesPerTurnMax: 2 } })
    harness.lead()
    harness.commit(batchEntry(2, 5, [put('a', ''), put('b', ''), put('c', '')]))
    expect(harness.isFlushWanted()).toBe(true)
    harness.flush()
    harness.commit(batchEntry(3, 5, [put('d', '')]))
    expect(harness.changes).toEqual(['a 1 2', 'b 2 2', 'd 4 2'])
    expect(harness.shard.status().counters.changesDropped).toBe(1)
  })

  test('are not made unless the cluster wants them', () => {
    const harness = createHarness()
    harness.lead()
    harness.commit(batchEntry(2, 5, [put('a', '')]))
    expect(harness.changes).toEqual([])
  })
})
