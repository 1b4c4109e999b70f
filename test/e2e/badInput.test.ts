/**
 * Everything a stranger can send, over a real broker without permissions: callers get a clear status, nodes count and complain about it at
 * most once a second, nothing is stored, and the cluster serves on.
 */

import { afterEach, describe, expect, test } from '@jest/globals'
import { connect, headers as createHeaders } from 'nats'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { createFrameEncoder } from '../../bus/codec/frame.ts'
import { clusterHashOf } from '../../bus/envelope.ts'
import { batchSubject, mapSubject, nodeSubject } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { bootId, clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { CLUSTER, isServing, leadersOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { requestHeard } from '../support/heard.ts'
import { kv, settledKv } from '../support/kv.ts'
import { hpub, malformedHeaders, sayRaw } from '../support/rawNats.ts'
import type { NatsConnection } from 'nats'
import type { Bus } from '../../bus/port.ts'
import type { FrameMessage } from '../../bus/codec/frame.ts'
import type { TestCluster, TestClusterOptions } from '../../chaos/ground/cluster.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'

const TEST_MS_MAX = 180_000
const KEYS = 64
const SEED = Number(process.env.SHARDKV_SEED ?? 42)
/** A line a second, with room for a clock that ticks in milliseconds. */
const LINE_GAP_MS_MIN = 990
const [n1, n2, n3] = [nodeId('n1'), nodeId('n2'), nodeId('n3')]

let cluster: TestCluster | null = null
let client: Bus | null = null
let raw: NatsConnection | null = null

afterEach(async () => {
  client?.close()
  await raw?.close()
  await cluster?.stop()
  cluster = null
  client = null
  raw = null
})

const open = async (options: TestClusterOptions = {}): Promise<{ running: TestCluster; bus: Bus; stranger: NatsConnection }> => {
  const running = await startTestCluster(options)
  cluster = running
  await running.until('every shard is served', isServing(running))
  const bus = await running.connect('test/client')
  client = bus
  const stranger = await connect({ servers: running.url, name: 'test/stranger' })
  raw = stranger
  for (let i = 0; i < KEYS; i += 1) expect(await settledKv(bus, `kv.put.key-${i}`, `v${i}`)).toMatchObject({ status: 'OK' })
  return { running, bus, stranger }
}

/** Keys and revision of every shard, once all its replicas agree on them. */
const stateOf = async (running: TestCluster): Promise<readonly string[]> => {
  const text = (reports: readonly NodeReport[]): string[][] => reports.map(({ replicas }) =>
    replicas.map(({ shard, keys, revision }) => `${shard}: ${keys} keys, revision ${revision}`).toSorted())
  const reports = await running.until('all replicas have applied the same', (found) =>
    found.length === running.members.length && new Set(text(found).map((lines) => lines.join())).size === 1)
  return must(text(reports)[0], 'a report')
}

const countersOf = async (running: TestCluster): Promise<Readonly<Record<string, number>>> => {
  const sums: Record<string, number> = {}
  const reports = await running.until('every node answers', (found) => found.length === running.members.length)
  for (const { node } of reports) {
    for (const [name, count] of Object.entries(node.counters)) sums[name] = (sums[name] ?? 0) + count
  }
  return sums
}

const expectServing = async (running: TestCluster, bus: Bus): Promise<void> => {
  await running.until('every shard is served', isServing(running))
  for (let i = 0; i < KEYS; i += 1) expect(await settledKv(bus, `kv.get.key-${i}`)).toMatchObject({ status: 'OK', value: `v${i}` })
  for (const node of running.members) expect(running.exitCode(node)).toBeNull()
}

interface LogLine {
  readonly level: number
  readonly time: number
  readonly msg: string
  readonly reason?: string
  /** Of this refusal since the start: only lines of bus/refusalLog.ts have it. */
  readonly total?: number
}

/** Refusals of one kind by one node: never two lines within a second. */
const expectQuietLogs = (running: TestCluster): void => {
  for (const node of running.members) {
    const lastAt = new Map<string, number>()
    for (const text of running.log(node).split('\n').filter((line) => line.startsWith('{'))) {
      const { level, time, msg, reason, total } = JSON.parse(text) as LogLine
      expect({ node, text, isError: level >= 50 }).toEqual({ node, text, isError: false })
      if (total === undefined) continue
      const kind = `${msg}: ${reason}`
      expect({ kind, isOften: time - (lastAt.get(kind) ?? 0) < LINE_GAP_MS_MIN }).toEqual({ kind, isOften: false })
      lastAt.set(kind, time)
    }
  }
}

const flood = async (stranger: NatsConnection, times: number, send: (i: number) => void): Promise<void> => {
  for (let i = 0; i < times; i += 1) {
    send(i)
    if (i % 500 === 499) await stranger.flush()
  }
  await stranger.flush()
}

/** Reaches the owner of its slot, but names a key of another shard. */
const strayed = (shardCount: number): string => `kv.slot.${(shardOf('key-1', shardCount) + 1) % shardCount}.put.key-1`

const badSubjects: readonly (readonly [name: string, subject: string, status: string])[] = [
  ['a key of 1,025 bytes', `kv.put.${'k'.repeat(1_025)}`, 'TOO_LARGE'],
  ['a partition and a key of more than 1,024 bytes', `kv.put.${'p'.repeat(600)}.${'k'.repeat(600)}`, 'TOO_LARGE'],
  ['a key of escapes beyond 3 KiB', `kv.put.${'%FF'.repeat(1_024)}`, 'TOO_LARGE'],
  ['an escape that is no hex', 'kv.put.%zz', 'INVALID'],
  ['half an escape', 'kv.put.a%2', 'INVALID'],
  ['a lone per cent sign', 'kv.put.%', 'INVALID'],
  ['lower-case hex', 'kv.put.a%2eb', 'INVALID'],
  ['a needless escape', 'kv.put.%41', 'INVALID'],
  ['bytes above 127 as they are', 'kv.put.ключ', 'INVALID'],
  ['a character that needs an escape', 'kv.put.a!b', 'INVALID'],
  ['a one-token key that looks like a partition', 'kv.put.%7Bp%7Dk', 'INVALID'],
  ['a partition with a brace', 'kv.put.a%7Db.k', 'INVALID'],
  ['an unknown operation', 'kv.fly.key-1', 'INVALID'],
  ['an operation in capitals', 'kv.PUT.key-1', 'INVALID'],
  ['an operation that is none', 'kv.9.key-1', 'INVALID'],
  ['a word reserved for routing', 'kv.to.key-1', 'INVALID'],
  ['a spanning operation that is none', 'kv.everything', 'INVALID'],
  ['a write without a key', 'kv.put', 'INVALID'],
  ['an empty key', 'kv.put.', 'noResponders'],
  ['an empty partition', 'kv.put..key-1', 'noResponders'],
  ['an empty key of a partition', 'kv.put.key-1.', 'noResponders'],
  ['an empty operation', 'kv..key-1', 'noResponders'],
  ['too many tokens', 'kv.put.a.b.c', 'noResponders'],
  ['a slot that is none', 'kv.slot.99.put.key-1', 'noResponders'],
  ['nothing behind the prefix', 'kv', 'noResponders'],
]

const badHeaders: readonly (readonly [subject: string, headers: readonly (readonly [string, string])[]])[] = [
  ['kv.put.key-1', [['Kv-If-Revision', '-1']]],
  ['kv.put.key-1', [['Kv-If-Revision', '01']]],
  ['kv.put.key-1', [['Kv-If-Revision', '1e3']]],
  ['kv.put.key-1', [['Kv-If-Revision', '']]],
  ['kv.put.key-1', [['Kv-If-Revision', '9999999999999999']]],
  ['kv.put.key-1', [['Kv-If-Revision', '1'], ['kv-if-revision', '2']]],
  ['kv.put.key-1', [['Kv-If-Revision', '1'], ['Kv-If-Revision', '1']]],
  ['kv.put.key-1', [['Kv-If-Revison', '1']]],
  ['kv.put.key-1', [['Kv-Ttl-Ms', 'soon']]],
  ['kv.put.key-1', [['Kv-Timeout-Ms', '0']]],
  ['kv.put.key-1', [['Kv-Timeout-Ms', '60001']]],
  ['kv.put.key-1', [['Kv-Request-Id', 'x'.repeat(65)]]],
  ['kv.put.key-1', [['Kv-Request-Id', 'two words']]],
  ['kv.put.key-1', [['Kv-Request-Id', 'a'], ['Kv-Request-Id', 'a']]],
  ['kv.put.key-1', [['Kv-Request-Id', 'abc:1']]],
  ['kv.put.key-1', [['Kv-Request-Id', '0123456789abcdef:1:2']]],
  ['kv.put.key-1', [['Kv-Consistency', 'stale']]],
  ['kv.get.key-1', [['Kv-Consistency', 'perhaps']]],
]

/** A frame as another node would send it. */
const frameOf = (from: NodeId, to: NodeId, boot: string, messages: readonly FrameMessage[]): Buffer => {
  const frames: Buffer[] = []
  const encoder = createFrameEncoder({
    from, to, envelope: { boot: bootId(boot), clusterHash: clusterHashOf(CLUSTER) }, bytesTarget: 60_000, bytesMax: 60_000,
    onFrame: (frame) => { frames.push(Buffer.from(frame)) },
  })
  for (const { to: address, message } of messages) encoder.add(address, message)
  encoder.seal()
  return must(frames[0], 'a frame')
}

const FORGED_TERM = 1_000_000

/** What would depose every leader if it were believed. */
const raftMail = (shard: number, from: ReplicaId, to: ReplicaId): FrameMessage => ({
  to: `raft/${shard}`,
  message: {
    type: 'raft', from, to,
    message: { type: 'raft.requestVote', term: FORGED_TERM, lastTerm: FORGED_TERM, lastIndex: FORGED_TERM, transfer: true },
  },
})

const changedAt = (frame: Buffer, at: number, byte: number): Buffer => {
  const copy = Buffer.from(frame)
  copy[at] = byte
  return copy
}

describe('bad input over a real broker', () => {
  test('requests that can not be meant are refused definitely, counted, and leave no trace', async () => {
    const { running, bus, stranger } = await open()
    const before = await stateOf(running)
    const counted = await countersOf(running)
    const bad = [...badSubjects, ['a key on a slot that is not its own', strayed(running.shardCount), 'INVALID'] as const]
    for (const [name, subject, status] of bad) {
      const answer = await settledUnlessExpected(bus, subject, status)
      expect([name, answer.status]).toEqual([name, status])
      if (status === 'noResponders') continue
      expect([name, answer.headers.get('Kv-Definite'), answer.value.length > 10]).toEqual([name, 'true', true])
    }
    for (const [subject, pairs] of badHeaders) {
      const headers = createHeaders()
      for (const [name, value] of pairs) headers.append(name, value)
      const answer = await requestHeard(stranger, subject, 'x', { headers, timeout: 5_000 })
      expect([pairs, answer.headers?.get('Kv-Status'), answer.headers?.get('Kv-Definite')]).toEqual([pairs, 'INVALID', 'true'])
    }
    // No library sends these; the broker delivers them all the same, to every node at once.
    const { port } = running.broker
    for (const [, lines] of malformedHeaders) {
      for (const subject of ['kv.status', '$SRV.PING', 'kv.map', batchSubject('kv', n1)]) await sayRaw(port, hpub(subject, '', lines))
      await sayRaw(port, hpub('kv.put.key-1', '', lines, 'x'))
    }
    expect(await settledKv(bus, 'kv.incr.key-1', 'one')).toMatchObject({ status: 'INVALID' })
    // Where the answer would go is as much input as the rest: nothing may make a node speak on the nodes' own subjects.
    const forged = nodeSubject(CLUSTER, n1, n2)
    // One of these is for whoever leads.
    await running.until('every shard is served', isServing(running))
    for (const subject of ['kv.get.key-1', 'kv.help', 'kv.status', batchSubject('kv', n1)]) stranger.publish(subject, '', { reply: forged })
    await flood(stranger, 4_000, (i) => stranger.publish(i % 2 === 0 ? 'kv.put.%41' : 'kv.fly.key-1', 'x'))

    await expectServing(running, bus)
    expect(await stateOf(running)).toEqual(before)
    const after = await countersOf(running)
    const grown = (name: string): number => (after[name] ?? 0) - (counted[name] ?? 0)
    expect(grown('gateway.INVALID')).toBeGreaterThanOrEqual(4_000)
    expect(grown('gateway.TOO_LARGE')).toBe(3)
    expect(grown('gateway.replySubject')).toBe(3)
    expect(grown('batch.replySubject')).toBe(1)
    expect(grown('post.refused.truncated')).toBe(0)
    expectQuietLogs(running)
  }, TEST_MS_MAX)

  test.each([
    ['the usual 1 MiB', 1_048_576, 524_288, 'true'],
    ['64 KiB', 65_536, 32_768, 'false'],
  ])('values at the boundaries of the byte budget of a broker with %s', async (_name, maxPayloadBytes, budget, definite) => {
    const { running, bus } = await open({ maxPayloadBytes })
    const bytesOf = (length: number): Buffer => Buffer.alloc(length, `${length}-`)
    const taken = [0, 1, budget - 1, budget]
    for (const length of taken) {
      expect(await settledKv(bus, `kv.put.size-${length}`, bytesOf(length))).toMatchObject({ status: 'OK' })
    }
    const before = await stateOf(running)
    for (const length of [budget + 1, 2 * budget - 1_024, maxPayloadBytes - 64, maxPayloadBytes]) {
      const answer = await settledKv(bus, `kv.put.size-${length}`, bytesOf(length))
      expect([length, answer.status, answer.headers.get('Kv-Definite')]).toEqual([length, 'TOO_LARGE', definite])
      expect(await settledKv(bus, `kv.get.size-${length}`)).toMatchObject({ status: 'NOT_FOUND' })
    }
    expect(bus.publish('kv.put.never', bytesOf(maxPayloadBytes + 1))).toBe('tooLarge')
    expect(await stateOf(running)).toEqual(before)

    // An entry that no frame could carry would show now: whoever was away must get it from the others.
    const reports = await running.until('every shard is served', isServing(running))
    const victim = must(leadersOf(reports).get(shardOf(`size-${budget}`, running.shardCount)), 'a leader')
    await running.kill(victim)
    await running.until('the others serve', isServing(running, running.members.filter((node) => node !== victim)))
    expect(await settledKv(bus, `kv.put.again-${budget}`, bytesOf(budget))).toMatchObject({ status: 'OK' })
    running.start(victim)
    await running.until('all serve', isServing(running))
    await stateOf(running)
    for (const length of taken) {
      const { status, bytes } = await settledKv(bus, `kv.get.size-${length}`)
      expect([length, status, Buffer.compare(bytes, bytesOf(length))]).toEqual([length, 'OK', 0])
    }
    expectQuietLogs(running)
  }, TEST_MS_MAX)

  test('frames that are truncated, foreign, forged or unknown are refused whole and counted by reason', async () => {
    const { running, bus, stranger } = await open()
    const before = await stateOf(running)
    const reports = await running.until('every node reports', ({ length }) => length === running.members.length)
    const boot = must(reports.find(({ node }) => node.id === n2), 'n2 reports').node.bootId
    const subject = nodeSubject(CLUSTER, n1, n2)
    const valid = frameOf(n2, n1, boot, [raftMail(0, replicaId(n2, 1), replicaId(n1, 1))])
    const random = createRandom(SEED)
    const frames: Buffer[] = [
      ...Array.from({ length: valid.length }, (_, length) => valid.subarray(0, length)),
      Buffer.concat([valid, Buffer.from([0])]),
      changedAt(valid, 0, 2), changedAt(valid, 1, 9), changedAt(valid, 2, 0x80),
      changedAt(valid, 11, (valid[11] ?? 0) ^ 1),
      ...Array.from({ length: 200 }, () => Buffer.from(Array.from({ length: random.uint32() % 300 }, () => random.uint32() & 0xff))),
      // From here on well-formed: nobody of that name, no such shard, a replica that this node does not host, one that nobody knows.
      frameOf(n2, n1, boot, [{ to: 'nobody', message: { type: 'shard.reply', shard: shardId(0), batch: 1, results: [] } }]),
      frameOf(n2, n1, boot, [raftMail(999, replicaId(n2, 1), replicaId(n1, 1))]),
      frameOf(n2, n1, boot, [raftMail(0, replicaId(n2, 1), replicaId(n1, 7))]),
      frameOf(n2, n1, boot, [raftMail(0, replicaId(n2, 7), replicaId(n1, 1))]),
    ]
    const counted = await countersOf(running)
    for (const frame of frames) stranger.publish(subject, frame)
    for (const sender of ['n1', 'n9', 'N2', 'x-y']) stranger.publish(`skv.${CLUSTER}.node.n1.${sender}`, valid)
    stranger.publish(nodeSubject(clusterId('ffffffffffffffff'), n1, n2), valid)
    for (const bytes of [Buffer.alloc(0), Buffer.from([1]), Buffer.from([1, 0xc1]), Buffer.from('{}'), Buffer.alloc(300_000, 0x91)]) {
      stranger.publish(mapSubject(CLUSTER, n2), bytes)
    }
    await flood(stranger, 6_000, (i) => stranger.publish(subject, changedAt(valid, i % 2, 200)))

    await expectServing(running, bus)
    expect(await stateOf(running)).toEqual(before)
    const after = await countersOf(running)
    const grown = (name: string): number => (after[name] ?? 0) - (counted[name] ?? 0)
    expect(grown('post.refused.version')).toBeGreaterThanOrEqual(3_001)
    expect(grown('post.refused.kind')).toBeGreaterThanOrEqual(3_001)
    for (const reason of ['truncated', 'flags', 'cluster', 'malformed']) {
      expect([reason, grown(`post.refused.${reason}`) > 0]).toEqual([reason, true])
    }
    expect(grown('post.refused.sender')).toBe(4)
    expect(grown('misdirected')).toBeGreaterThanOrEqual(3)
    const terms = (await running.reports()).flatMap(({ replicas }) => replicas.map(({ term }) => term))
    expect(Math.max(...terms)).toBeLessThan(FORGED_TERM)
    expectQuietLogs(running)
  }, TEST_MS_MAX)

  test('a forged incarnation of a node is heard for a moment at most: the living one is taken back', async () => {
    const { running, bus, stranger } = await open()
    const before = await stateOf(running)
    const sumOf = (name: string) => (reports: readonly NodeReport[]): number =>
      reports.reduce((sum, { node }) => sum + (node.counters[name] ?? 0), 0)
    const misdirected = sumOf('misdirected')(await running.reports())
    for (const to of [n1, n3]) {
      stranger.publish(nodeSubject(CLUSTER, to, n2), frameOf(n2, to, 'feedfacefeedface', [
        { to: 'nobody', message: { type: 'shard.reply', shard: shardId(0), batch: 1, results: [] } },
      ]))
    }
    await stranger.flush()
    await running.until('both have taken the forged frame', (reports) => sumOf('misdirected')(reports) >= misdirected + 2)
    await running.until('n2 is heard again: nobody refuses it any more', settledCounter('post.refused.supersededBoot'))
    await expectServing(running, bus)
    expect(await stateOf(running)).toEqual(before)
  }, TEST_MS_MAX)

  test('rubbish at the batch door is refused, answered where there is somebody to answer, and counted', async () => {
    const { running, bus, stranger } = await open()
    const before = await stateOf(running)
    const counted = await countersOf(running)
    const door = batchSubject('kv', n1)
    const session = [0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1]
    const refused: readonly (readonly [string, readonly number[]])[] = [
      ['nothing', []], ['half a hello', [1, 1, 0]], ['an unknown version', [2, 1, 0, 1]], ['an unknown kind', [1, 9, 0, 1]],
      ['an unknown protocol', [1, 1, 0, 99]], ['a hello and a byte', [1, 1, 0, 1, 0]],
      ['a batch of an unknown session', [1, 2, ...session, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0]],
      ['groups that are not there', [1, 2, ...session, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0xff, 0xff]],
    ]
    for (const [name, bytes] of refused) {
      const answer = await stranger.request(door, Uint8Array.from(bytes), { timeout: 5_000 })
      // version 1, kind 67: refused (docs/SUBJECTS.md, Batches).
      expect([name, [...answer.data.subarray(0, 2)]]).toEqual([name, [1, 67]])
    }
    await flood(stranger, 4_000, (i) => stranger.publish(door, Uint8Array.from([1, 200, i & 0xff])))
    await expectServing(running, bus)
    expect(await stateOf(running)).toEqual(before)
    const after = await countersOf(running)
    const grown = (name: string): number => (after[name] ?? 0) - (counted[name] ?? 0)
    expect(grown('batch.INVALID')).toBe(refused.length - 1 + 4_000)
    expect(grown('batch.SESSION_EXPIRED')).toBe(1)
    expectQuietLogs(running)
  }, TEST_MS_MAX)
})

/** A moved leadership is no subject of this test; but where nobody is meant to answer, asking again is pointless. */
const settledUnlessExpected = (bus: Bus, subject: string, status: string): ReturnType<typeof kv> =>
  (status === 'noResponders' ? kv(bus, subject, 'x') : settledKv(bus, subject, 'x'))

/** Holds once a sum over the nodes has stood still between two looks a heartbeat or more apart. */
const settledCounter = (name: string): (reports: readonly NodeReport[]) => boolean => {
  let last = -1
  let since = performance.now()
  return (reports) => {
    const sum = reports.reduce((total, { node }) => total + (node.counters[name] ?? 0), 0)
    if (sum !== last || reports.length < 3) {
      last = sum
      since = performance.now()
    }
    return performance.now() - since > 1_000
  }
}
