/** The way of a sampled write through a leader and a follower, told from the wires between their actors. */

import { describe, expect, test } from '@jest/globals'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { JOURNEYS_MAX, LAGGING_MAX, LAGGING_MS, createJourneys } from '../../topology/journeys.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import type { Entry, RaftMessage } from '../../actors/raft/protocol.ts'
import type { ShardMessage } from '../../actors/shard/protocol.ts'
import type { PassedPhase } from '../../gateway/tracing.ts'

const shard = shardId(7)
const [n1, n2, n3] = [nodeId('n1'), nodeId('n2'), nodeId('n3')]
const trace = { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), flags: 1 }
const origin = { node: n1, address: 'connection/raw' }
const request: Extract<ShardMessage, { type: 'shard.request' }> = {
  type: 'shard.request', replyTo: 'connection/raw', batch: 5, policy: 'slot', term: 0, consistency: 'linearizable', operations: [],
}
const entry = (index: number): Entry => ({ term: 3, index, kind: EntryKind.batch, payload: new Uint8Array(10) })
const append = (...entries: Entry[]): RaftMessage =>
  ({ type: 'raft.append', term: 3, prevTerm: 3, prevIndex: (entries[0]?.index ?? 1) - 1, commitIndex: 0, entries })
const accepted = (matchIndex: number): RaftMessage => ({ type: 'raft.appendAccepted', term: 3, matchIndex })
const reply = { type: 'shard.reply', shard, batch: 5, results: [] } as const

const open = () => {
  let now = 100
  const told: string[] = []
  const passed = ({ phase, actor, micros, peer, trace: { traceId } }: PassedPhase): void => {
    told.push(`${phase} ${actor} ${micros}${peer === undefined ? '' : ` ${peer}`}${traceId === trace.traceId ? '' : ' ?'}`)
  }
  const begin = () => null
  const beginAtShard = () => ({ context: trace, end: () => {} })
  const journeys = createJourneys({ now: () => now }, { begin, beginAtShard, passed })
  const pass = (ms: number): void => { now += ms }
  const commit = (...entries: Entry[]): void => journeys.toShard(shard, { type: 'raft.committed', entries }, () => {})
  const propose = (index: number): void => {
    journeys.toRaft(shard, { type: 'raft.propose', proposal: 1, payload: new Uint8Array(10) })
    journeys.toShard(shard, { type: 'raft.proposed', proposal: 1, term: 3, index }, () => {})
  }
  const write = (ticket: number, ...entries: Entry[]): void =>
    journeys.toWal({ type: 'wal.append', group: shard, ticket, submittedTerm: 3, entries, reserved: false })
  const synced = (ticket: number): void =>
    journeys.fromWal({ type: 'wal.appended', group: shard, ticket, submittedTerm: 3, lastIndex: 0 })
  return { journeys, told, pass, commit, propose, write, synced }
}

describe('on the leader', () => {
  test('a write is proposed, synced, replicated, committed and applied, each with its time, and its messages carry its trace', () => {
    const { journeys, told, pass, commit, propose, write, synced } = open()
    journeys.arrived(shard, origin, request, trace)
    pass(1)
    propose(12)
    expect(journeys.mailed(shard, n2, append(entry(11)))).toBeUndefined()
    expect(journeys.mailed(shard, n2, append(entry(11), entry(12)))).toEqual(trace)
    write(4, entry(12))
    pass(2)
    synced(3)
    expect(told).toEqual(['propose shard/7 1000'])
    synced(4)
    pass(1)
    journeys.heard(shard, n2, accepted(11), undefined)
    pass(1)
    journeys.heard(shard, n2, accepted(12), undefined)
    commit(entry(11))
    let answered: unknown
    journeys.toShard(shard, { type: 'raft.committed', entries: [entry(12)] }, () => {
      pass(0.5)
      answered = journeys.answered(origin, reply)
    })
    expect(answered).toEqual(trace)
    expect(told).toEqual([
      'propose shard/7 1000', 'fsync raft/7 2000', 'replicate raft/7 4000 n2', 'commit raft/7 4000', 'apply shard/7 500',
    ])
    commit(entry(13))
    expect(told.length).toBe(5)
  })

  test('a follower that has it only after the answer is told of all the same, and so is the own disk', () => {
    const { journeys, told, pass, commit, propose, write, synced } = open()
    journeys.arrived(shard, origin, request, trace)
    propose(12)
    write(5, entry(12))
    for (const peer of [n2, n3]) journeys.mailed(shard, peer, append(entry(12)))
    journeys.heard(shard, n2, accepted(12), undefined)
    commit(entry(12))
    told.length = 0
    pass(3)
    synced(5)
    journeys.heard(shard, n3, accepted(12), undefined)
    journeys.heard(shard, n3, accepted(12), undefined)
    synced(6)
    expect(told).toEqual(['fsync raft/7 3000', 'replicate raft/7 3000 n3'])
  })

  test('what is sent again is the same replication, from when it was first sent', () => {
    const { journeys, told, pass, propose } = open()
    journeys.arrived(shard, origin, request, trace)
    propose(12)
    const first = journeys.mailed(shard, n2, append(entry(12)))
    pass(2)
    expect(journeys.mailed(shard, n2, append(entry(12)))).toEqual(first)
    journeys.heard(shard, n2, accepted(12), undefined)
    expect(told.at(-1)).toBe('replicate raft/7 2000 n2')
  })

  test('those that one entry serves are told of each other', () => {
    const links: (readonly string[])[] = []
    const second = { ...trace, traceId: 'f'.repeat(32) }
    const journeys = createJourneys({ now: () => 0 }, {
      begin: () => null, beginAtShard: () => ({ context: trace, end: () => {} }),
      passed: (phase) => { links.push((phase.links ?? []).map(({ traceId }) => traceId)) },
    })
    journeys.arrived(shard, origin, request, trace)
    journeys.arrived(shard, origin, { ...request, batch: 6 }, second)
    journeys.toRaft(shard, { type: 'raft.propose', proposal: 1, payload: new Uint8Array(1) })
    expect(links).toEqual([[second.traceId], [trace.traceId]])
  })

  test('answered ones that wait for a follower are bounded: the oldest is forgotten', () => {
    const { journeys, told, commit } = open()
    for (let i = 0; i <= LAGGING_MAX; i += 1) {
      journeys.arrived(shard, origin, { ...request, batch: i }, trace)
      journeys.toRaft(shard, { type: 'raft.propose', proposal: i + 1, payload: new Uint8Array(1) })
      journeys.toShard(shard, { type: 'raft.proposed', proposal: i + 1, term: 3, index: 12 + i }, () => {})
      journeys.mailed(shard, n2, append(entry(12 + i)))
      commit(entry(12 + i))
    }
    told.length = 0
    journeys.heard(shard, n2, accepted(12 + LAGGING_MAX), undefined)
    expect(told.length).toBe(LAGGING_MAX)
  })

  test.each([[0, 1], [1, 0]])('%i ms after it was answered for long enough a follower is waited for by %i', (more, count) => {
    const { journeys, told, pass, commit, propose } = open()
    journeys.arrived(shard, origin, request, trace)
    propose(12)
    journeys.mailed(shard, n2, append(entry(12)))
    commit(entry(12))
    told.length = 0
    pass(LAGGING_MS + more)
    journeys.heard(shard, n2, accepted(12), undefined)
    expect(told.length).toBe(count)
  })

  test('a refused request, and a read, end with their answer', () => {
    const { journeys, told, propose } = open()
    journeys.arrived(shard, origin, request, trace)
    expect(journeys.answered({ ...origin, node: n2 }, reply)).toBeUndefined()
    expect(journeys.answered(origin, { ...reply, batch: 6 })).toBeUndefined()
    expect(journeys.answered(origin, reply)).toEqual(trace)
    propose(12)
    expect(told).toEqual([])
    journeys.arrived(shard, origin, request, trace)
    journeys.toRaft(shard, { type: 'raft.read', read: 1, now: 0, wallMs: 0, lease: false })
    propose(13)
    expect(told).toEqual([])
  })

  test('what belongs to another shard is not its', () => {
    const { journeys, told } = open()
    journeys.arrived(shard, origin, request, trace)
    journeys.toRaft(shardId(8), { type: 'raft.propose', proposal: 1, payload: new Uint8Array(1) })
    expect(told).toEqual([])
  })
})

describe('on a follower', () => {
  test('an append with a trace is synced, acknowledged with the trace, committed and applied', () => {
    const { journeys, told, pass, commit, write, synced } = open()
    journeys.heard(shard, n1, append(entry(12)), trace)
    write(9, entry(12))
    expect(journeys.mailed(shard, n1, accepted(12))).toBeUndefined()
    pass(2)
    synced(9)
    expect(journeys.mailed(shard, n1, accepted(11))).toBeUndefined()
    expect(journeys.mailed(shard, n1, accepted(12))).toEqual(trace)
    pass(1)
    commit(entry(12))
    expect(told).toEqual(['fsync raft/7 2000', 'commit raft/7 3000', 'apply shard/7 0'])
  })
})

test('more than may be under way push out the oldest', () => {
  const { journeys } = open()
  for (let batch = 0; batch <= JOURNEYS_MAX; batch += 1) journeys.arrived(shard, origin, { ...request, batch }, trace)
  expect(journeys.answered(origin, { ...reply, batch: 0 })).toBeUndefined()
  expect(journeys.answered(origin, { ...reply, batch: 1 })).toEqual(trace)
})

test('without anybody who listens everything passes, and nothing carries a trace', () => {
  const journeys = createJourneys({ now: () => 0 }, undefined)
  let isDelivered = false
  journeys.arrived(shard, origin, request, trace)
  journeys.toShard(shard, { type: 'raft.committed', entries: [] }, () => { isDelivered = true })
  expect(isDelivered).toBe(true)
  expect([journeys.answered(origin, reply), journeys.mailed(shard, n2, append(entry(1)))]).toEqual([undefined, undefined])
})
