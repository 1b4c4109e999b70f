/** Maps that one message does not hold travel in parts, checked as a whole; what can not be had looks like no answer. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { decodeState, encodeState } from '../../actors/topology/codec.ts'
import { must } from '../../actors/kernel/assert.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { crc32 } from '../../storage/crc.ts'
import { genesisOf } from '../../storage/genesis.ts'
import { ANSWER_BYTES_MAX } from '../../topology/longAnswers.ts'
import { createTopologyDesk } from '../../topology/topologyDesk.ts'
import { SHARD_COUNT_MAX, clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { encodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { encodeControl } from '../../bus/codec/control.ts'
import { topologySubject } from '../../bus/subjects.ts'
import { createMemoryBroker } from '../../bus/memory.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { MemoryBroker } from '../../bus/memory.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Answer, TopologyRequest } from '../../topology/topologyDesk.ts'

const cluster = clusterId('0123456789abcdef')
const [n1, n2] = ['n1', 'n2'].map(nodeId) as [ReturnType<typeof nodeId>, ReturnType<typeof nodeId>]
const KIB = 1_024

/** The largest cluster by shards, with the longest names. */
const largest = (nodes: number, replicationFactor = 3): Genesis => {
  const members = Array.from({ length: nodes }, (_, i) => nodeId(`n${String(i).padStart(31, '0')}`))
  const replicaOf = (i: number): ReplicaId => replicaId(must(members[i % nodes], 'a member'), 1)
  const replicas = Array.from({ length: SHARD_COUNT_MAX }, (_, shard) =>
    Array.from({ length: Math.min(nodes, replicationFactor) }, (__, i) => replicaOf(shard + i)))
  return { cluster, node: must(members[0], 'a member'), shardCount: SHARD_COUNT_MAX, members, replicas, createdAtMs: 1 }
}

const createTalk = (
  maxPayloadBytes: number, answer: (request: TopologyRequest, done: Answer) => void, spy: (broker: MemoryBroker) => void = () => {},
) => {
  const { clock, pass } = createVirtualWorld()
  const broker = createMemoryBroker({ clock, maxPayloadBytes })
  const open = (self: typeof n1, answers: typeof answer) => createTopologyDesk({
    bus: broker.connect({ name: self }), clock, log: silentLogger, cluster, self, inboxPrefix: '_INBOX.', answer: answers,
  })
  spy(broker)
  const asker = open(n1, () => {})
  const answerer = open(n2, answer)
  const ask = (request: TopologyRequest): readonly unknown[] => {
    const heard: unknown[] = []
    asker.ask(n2, request, (value) => heard.push(value))
    pass(5_000)
    return heard
  }
  return { ask, answerer }
}

const state: TopologyRequest = { kind: 'state', newerThan: 0 }

describe('a map of 1,024 shards with the longest names', () => {
  const sizes: readonly (readonly [number, number, number])[] = [
    [5, 3, 1_024 * KIB], [100, 3, 1_024 * KIB], [100, 7, 1_024 * KIB], [5, 3, 64 * KIB], [100, 3, 64 * KIB],
  ]
  test.each(sizes)('of %i nodes and %i replicas a shard arrives whole on a broker with a payload of %i bytes', (nodes, factor, payload) => {
    const genesis = largest(nodes, factor)
    const born = adoptGenesis(genesis)
    const { ask } = createTalk(payload, ({ kind }, done) => done(kind === 'genesis' ? genesis : { state: encodeState(born) }))
    const [answer] = ask(state)
    expect(decodeState((answer as { readonly state: Uint8Array }).state)).toEqual(born)
    expect(genesisOf(ask({ kind: 'genesis' })[0])).toEqual(genesis)
  })

  test('is not one message even on a broker of the usual size', () => {
    expect(encodeState(adoptGenesis(largest(100, 7))).length).toBeGreaterThan(256 * KIB)
  })
})

describe('what is no answer of a node', () => {
  /** As a node that knows no better does for a client: a stored value, a frame of the batch door, its report. */
  const forge = (broker: MemoryBroker): void => {
    const door = broker.connect({ name: 'door' })
    door.subscribe(topologySubject(cluster, n2, n1), ({ reply }) => {
      const stored = encodeControl({ state: new Uint8Array([9]) })
      door.publish(reply, stored, { headers: new Map([['Kv-Status', 'OK']]) })
      door.publish(reply, encodeNodeFrame({
        kind: 'refused', sequence: 1, result: { status: 'INVALID', revision: 0, definite: true, value: stored },
      }))
      door.publish(reply, new TextEncoder().encode('{}'))
    })
  }

  test('a client\'s value in the place of a map is passed over, and the map is heard', () => {
    const { ask } = createTalk(1_024 * KIB, (_request, done) => done({ state: new Uint8Array([1]) }), forge)
    expect(ask(state)).toEqual([{ state: Buffer.from([1]) }])
  })

  test('a client\'s value in the place of a part is passed over', () => {
    const long = new Uint8Array(100 * KIB).fill(7)
    const { ask } = createTalk(64 * KIB, (_request, done) => done({ state: long }), forge)
    expect(ask(state)).toEqual([{ state: Buffer.from(long) }])
  })
})

describe('an answer in parts', () => {
  test('has parts that a node reads, however much the broker takes', () => {
    const whole = new Uint8Array(1_500 * KIB).fill(7)
    for (const payload of [1_024 * KIB, 8_192 * KIB]) {
      const { ask } = createTalk(payload, (_request, done) => done({ state: whole }))
      const answers = ask(state) as readonly { readonly state: Uint8Array }[]
      expect(answers).toEqual([{ state: expect.any(Uint8Array) }])
      // Not by `toEqual`, which looks at each of a million and a half by itself.
      expect(answers.map((answer) => Buffer.compare(answer.state, whole))).toEqual([0])
    }
  })

  test('that is too long is not sent, and counted', () => {
    const { ask, answerer } = createTalk(1_024 * KIB, (_request, done) => done({ state: new Uint8Array(ANSWER_BYTES_MAX) }))
    expect(ask(state)).toEqual([undefined])
    expect(answerer.counters()).toEqual({ tooLong: 1 })
  })

  test('that is given up for newer ones is no answer', () => {
    const { ask } = createTalk(64 * KIB, (_request, done) => {
      done({ state: new Uint8Array(100 * KIB).fill(7) })
      for (let newer = 0; newer < 4; newer += 1) done({ state: new Uint8Array(100 * KIB) })
    })
    expect(ask(state)).toEqual([undefined])
  })

  test('whose bytes are another answer\'s is not believed', () => {
    const long = { state: Buffer.alloc(40 * KIB, 7).toString('latin1') }
    const bytes = encodeControl(long)
    const heads = [crc32(bytes) + 1, crc32(bytes)]
    const { ask } = createTalk(64 * KIB, (_request, done) => {
      done({ parts: 1, bytes: bytes.length, crc: heads.shift() })
      done(long)
    })
    expect(ask(state)).toEqual([undefined])
    expect(ask(state)).toEqual([long])
  })
})
