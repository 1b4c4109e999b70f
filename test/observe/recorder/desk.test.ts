/** Who the actors of a node are, asked of nodes that have more of them than fit a message. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { createTraceDesk } from '../../../observe/recorder/desk.ts'
import { createNodeRecorder } from '../../../observe/recorder/recorder.ts'
import { FRAME_BYTES_MAX, decodeActors } from '../../../observe/recorder/wire.ts'
import { clusterId, nodeId } from '../../../topology/ids.ts'
import { createVirtualWorld } from '../../support/virtual.ts'
import type { Logger } from '../../../actors/kernel/log.ts'
import type { Bus } from '../../../bus/port.ts'
import type { TraceDesk } from '../../../observe/recorder/desk.ts'
import type { ActorView, NodeActors } from '../../../observe/recorder/wire.ts'
import type { NodeId } from '../../../topology/ids.ts'

const nodes = [nodeId('n1'), nodeId('n2')] as const
const AT_MS = 1_764_275_784_000
const raftCounters = {
  term: 12, commitIndex: 1_234_567, lastIndex: 1_234_567, durableIndex: 1_234_567, emittedIndex: 1_234_567, uncommittedEntries: 0,
}
const shardCounters = {
  appliedIndex: 1_234_567, revision: 1_234_567, keys: 100_000, sessions: 3, pendingOperations: 0, pendingBytes: 0, snapshotIndex: 1_230_000,
}
const viewOf = (machine: string, name: string, state: string, counters: Readonly<Record<string, number>>): ActorView =>
  ({ actor: `${machine}/${name}`, machine, state, since: AT_MS, counters })
const isLed = (shard: number): boolean => shard % 3 === 2

const actorsOf = (shards: number, sessions: number): NodeActors => ({
  node: 'n1', at: AT_MS,
  actors: [
    { actor: 'node', machine: 'node', state: 'serving', since: AT_MS, counters: {} },
    ...Array.from({ length: shards }, (_, shard) => [
      viewOf('raft', String(shard), isLed(shard) ? 'leader.serving' : 'follower', raftCounters),
      viewOf('shard', String(shard), isLed(shard) ? 'leading.serving' : 'following', shardCounters),
    ]).flat(),
    ...Array.from({ length: sessions }, (_, i) => viewOf('connection', i.toString(16).padStart(16, '0'), 'open', {})),
  ],
  operations: [{ op: 'put', micros: Array.from({ length: 200 }, (_, i) => i) }],
})

interface Asked {
  readonly answer: Uint8Array | undefined
  readonly warnings: readonly object[]
}

/** n2 asks n1. */
const ask = (actors: NodeActors, maxPayloadBytes: number, publish?: Bus['publish']): Asked => {
  const { clock, broker, pass } = createVirtualWorld({ maxPayloadBytes })
  const warnings: object[] = []
  const log: Logger = { ...silentLogger, warn: (fields, message) => { warnings.push({ ...fields, message }) } }
  const deskOf = (self: NodeId): TraceDesk => {
    const bus = broker.connect({ name: self })
    return createTraceDesk({
      bus: { ...bus, ...(publish !== undefined && self === 'n1' ? { publish } : {}) },
      clock, log, cluster: clusterId('0123456789abcdef'), self, inboxPrefix: '_INBOX', members: () => nodes,
      recorder: createNodeRecorder({ node: self, clock }), actors: () => actors, requests: () => [], onWatch: () => {},
    })
  }
  deskOf(nodes[0])
  let answer: Uint8Array | undefined
  deskOf(nodes[1]).ask(nodes[0], { kind: 'actors' }, (bytes) => { answer = bytes })
  pass(5_000)
  return { answer, warnings }
}

const told = (actors: NodeActors, maxPayloadBytes: number): NodeActors =>
  must(decodeActors(must(ask(actors, maxPayloadBytes).answer, 'an answer')), 'one that is understood')
const count = ({ actors }: NodeActors, prefix: string): number => actors.filter(({ actor }) => actor.startsWith(prefix)).length

describe('actors', () => {
  test('that fit are all told, with their figures', () => {
    const all = actorsOf(64, 10)
    expect(told(all, 1_048_576)).toEqual(all)
  })

  test('of 1,024 shards lose their figures, but for the term', () => {
    const all = actorsOf(1_024, 1_000)
    const answer = told(all, 1_048_576)
    expect([answer.shortened, answer.actors.length, answer.operations]).toEqual([{ actors: 0 }, 3_049, all.operations])
    expect(answer.actors.find(({ actor }) => actor === 'raft/2')?.counters).toEqual({ term: 12 })
    expect(answer.actors.find(({ actor }) => actor === 'shard/2')?.counters).toEqual({})
  })

  test('that are more than a broker of small messages takes: replicas are told, and sessions as there is room', () => {
    const answer = told(actorsOf(300, 200), 65_536)
    expect([count(answer, 'node'), count(answer, 'raft/'), count(answer, 'shard/')]).toEqual([1, 300, 300])
    expect(count(answer, 'connection/')).toBeLessThan(200)
    expect(answer.shortened).toEqual({ actors: 801 - answer.actors.length })
  })

  test('that are too many by far: leaders are told', () => {
    const answer = told(actorsOf(1_024, 0), 65_536)
    const led = answer.actors.filter(({ machine, state }) => machine === 'raft' && state === 'leader.serving')
    expect([led.length, count(answer, 'shard/')]).toEqual([341, 0])
    expect(count(answer, 'raft/')).toBeGreaterThan(341)
  })

  test('leave out what came in by the doors where that alone is half of what fits', () => {
    const all = actorsOf(300, 0)
    const operations = Array.from({ length: 64 }, (_, i) => ({ op: `op${i}`, micros: Array.from({ length: 1_024 }, () => 1_000) }))
    expect(told({ ...all, operations }, 65_536)).toMatchObject({ operations: [], shortened: { actors: expect.any(Number) } })
  })

  test('are told as much as is understood, whatever the broker takes', () => {
    const { answer } = ask(actorsOf(1_024, 2_000), 8 * 1_048_576)
    expect(must(answer, 'an answer').length).toBeLessThanOrEqual(2 * FRAME_BYTES_MAX)
  })
})

test('an answer that can not be sent is in the log: who asked takes the node for silent', () => {
  const { answer, warnings } = ask(actorsOf(1, 0), 1_048_576, () => 'full')
  expect([answer, warnings]).toEqual([undefined, [{
    reason: 'full', detail: 'n2 asked for actors, and takes this node for silent', count: 1, total: 1,
    message: 'an answer about recordings could not be sent',
  }]])
})
