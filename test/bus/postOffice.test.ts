/** The post: one frame per node and turn, bounded both ways, and nothing taken from strangers, other clusters or the dead. */

import { describe, expect, test } from '@jest/globals'
import { createMemoryBroker } from '../../bus/memory.ts'
import { createWriter, written } from '../../bus/bytes.ts'
import { clusterHashOf, writeEnvelope } from '../../bus/envelope.ts'
import { createFrameEncoder } from '../../bus/codec/frame.ts'
import { createPost } from '../../bus/postOffice.ts'
import { nodeSubject } from '../../bus/subjects.ts'
import { createNodeClock, createProcess, createTimeline } from '../../sim/clock.ts'
import { bootId, clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { LogFields, Logger } from '../../actors/kernel/log.ts'
import type { MemoryBroker } from '../../bus/memory.ts'
import type { ActorMessage } from '../../bus/messages.ts'
import type { Bus } from '../../bus/port.ts'
import type { Parcel, Post } from '../../bus/post.ts'
import type { PostOptions } from '../../bus/postOffice.ts'
import type { BootId, NodeId } from '../../topology/ids.ts'

const cluster = clusterId('0123456789abcdef')
const [n1, n2, n3] = [nodeId('n1'), nodeId('n2'), nodeId('n3')]
const bootA = bootId('aaaaaaaaaaaaaaaa')
const bootB = bootId('bbbbbbbbbbbbbbbb')

const mail = (from: NodeId, to: NodeId, term = 1): ActorMessage =>
  ({ type: 'raft', from: replicaId(from, 1), to: replicaId(to, 1), message: { type: 'raft.timeoutNow', term } })
const appendOf = (from: NodeId, to: NodeId, bytes: number): ActorMessage => ({
  type: 'raft', from: replicaId(from, 1), to: replicaId(to, 1),
  message: {
    type: 'raft.append', term: 1, prevTerm: 0, prevIndex: 0, commitIndex: 0,
    entries: [{ term: 1, index: 1, kind: 1, payload: new Uint8Array(bytes) }],
  },
})

/** What a frame with one append costs beside the payload. */
const appendOverhead = (): number => {
  let bytes = 0
  const envelope = { boot: bootA, clusterHash: clusterHashOf(cluster) }
  const encoder = createFrameEncoder({
    from: n1, to: n2, envelope, bytesTarget: 1_000, bytesMax: 1_000, onFrame: (frame) => { bytes = frame.length },
  })
  encoder.add('raft/1', appendOf(n1, n2, 0))
  encoder.seal()
  return bytes
}

interface World {
  readonly clock: Clock
  readonly broker: MemoryBroker
  readonly runUntil: (ms: number) => void
  readonly office: (name: NodeId, options?: Partial<PostOptions>) => Office
}

interface Office {
  readonly post: Post
  readonly bus: Bus
  readonly parcels: Parcel[]
  readonly flushesAsked: () => number
  readonly lines: { fields: LogFields; message: string }[]
}

const createWorld = (maxPayloadBytes = 1_048_576): World => {
  const timeline = createTimeline()
  const clock = createNodeClock({ timeline, process: createProcess('all'), rate: 1, wallStartMs: 0, wallOffsetMs: () => 0 })
  const broker = createMemoryBroker({ clock, maxPayloadBytes })
  let links = 0
  const office = (self: NodeId, options: Partial<PostOptions> = {}): Office => {
    links += 1
    const bus = options.bus ?? broker.connect({ name: `${self}/${links}` })
    const parcels: Parcel[] = []
    const lines: Office['lines'] = []
    const log: Logger = { ...silentLogger, warn: (fields, message) => lines.push({ fields, message }) }
    let asked = 0
    const post = createPost({
      bus, clock, cluster, self, bootId: bootA, isMember: (node) => [n1, n2].includes(node),
      requestFlush: () => {
        asked += 1
      },
      onParcel: (parcel) => parcels.push(parcel),
      log,
      ...options,
    })
    return { post, bus, parcels, flushesAsked: () => asked, lines }
  }
  return { clock, broker, runUntil: (ms) => timeline.runUntil(ms), office }
}

describe('the post', () => {
  test('sends what a turn has gathered for a node in one frame, in order, at the flush', () => {
    const { office, runUntil } = createWorld()
    const [one, two] = [office(n1), office(n2)]
    for (let term = 1; term <= 100; term += 1) one.post.send(n2, `raft/${term % 4}`, mail(n1, n2, term))
    runUntil(1)
    expect(two.parcels).toHaveLength(0)
    expect(one.flushesAsked()).toBe(100)
    one.post.flush()
    one.post.flush()
    runUntil(2)
    expect(two.parcels).toEqual(Array.from({ length: 100 }, (_, i) =>
      ({ from: n1, boot: bootA, to: `raft/${(i + 1) % 4}`, message: mail(n1, n2, i + 1) })))
    expect(one.post.counters()).toMatchObject({ framesSent: 1, messagesSent: 100 })
    expect(two.post.counters()).toMatchObject({ framesReceived: 1, refused: {} })
  })

  test('splits what does not fit into the byte budget, and every frame fits the broker', () => {
    const { office, runUntil } = createWorld(100_000)
    const [one, two] = [office(n1), office(n2)]
    for (let i = 0; i < 30; i += 1) one.post.send(n2, 'raft/1', appendOf(n1, n2, 10_000))
    one.post.flush()
    runUntil(1)
    expect(two.parcels).toHaveLength(30)
    expect(one.post.counters()).toMatchObject({ framesSent: 5, messagesSent: 30, droppedTooLarge: 0 })
  })

  test('sends an entry of the whole byte budget, and drops and counts what no frame can carry', () => {
    const { office, runUntil } = createWorld(100_000)
    const [one, two] = [office(n1), office(n2)]
    one.post.send(n2, 'raft/1', appendOf(n1, n2, 50_000 + 16 * 1_024))
    one.post.send(n2, 'raft/1', appendOf(n1, n2, 100_000))
    one.post.flush()
    runUntil(1)
    expect(two.parcels).toHaveLength(1)
    expect(one.post.counters()).toMatchObject({ messagesSent: 1, droppedTooLarge: 1 })
    expect(one.lines).toEqual([
      { fields: expect.objectContaining({ reason: 'tooLarge', count: 1 }), message: 'messages to another node were dropped' },
    ])
  })

  test('takes nothing for its own node: that never becomes a parcel', () => {
    const one = createWorld().office(n1)
    expect(() => one.post.send(n1, 'raft/1', mail(n1, n1))).toThrow('does not go through the post')
  })

  const trace = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1 }

  test('carries the trace context of a message in a frame of its own, and no order changes for it', () => {
    const { office, runUntil } = createWorld()
    const [one, two] = [office(n1), office(n2)]
    one.post.send(n2, 'raft/1', mail(n1, n2, 1))
    one.post.send(n2, 'raft/1', mail(n1, n2, 2), trace)
    one.post.send(n2, 'raft/1', mail(n1, n2, 3))
    one.post.flush()
    runUntil(10)
    expect(two.parcels).toEqual([
      { from: n1, boot: bootA, to: 'raft/1', message: mail(n1, n2, 1) },
      { from: n1, boot: bootA, to: 'raft/1', message: mail(n1, n2, 2), trace },
      { from: n1, boot: bootA, to: 'raft/1', message: mail(n1, n2, 3) },
    ])
    expect(one.post.counters()).toMatchObject({ framesSent: 3, messagesSent: 3 })
  })

  test('sends what fits only without the trace context without it', () => {
    const { office, runUntil } = createWorld(100_000)
    const [one, two] = [office(n1), office(n2)]
    const overhead = appendOverhead()
    one.post.send(n2, 'raft/1', appendOf(n1, n2, 100_000 - overhead), trace)
    one.post.send(n2, 'raft/1', appendOf(n1, n2, 100_000 - overhead - 25), trace)
    one.post.flush()
    runUntil(10)
    expect(two.parcels.map((parcel) => parcel.trace)).toEqual([undefined, trace])
    expect(one.post.counters()).toMatchObject({ droppedTooLarge: 0 })
  })

  test('drops and counts above the limit of bytes in flight to one node, and goes on once the broker has confirmed', () => {
    const { office, runUntil } = createWorld()
    const [one, two] = [office(n1, { limits: { parcelBytesInFlightMax: 100_000 } }), office(n2)]
    const burst = (): void => {
      for (let i = 0; i < 20; i += 1) one.post.send(n2, 'raft/1', appendOf(n1, n2, 10_000))
      one.post.send(n3, 'raft/1', mail(n1, n3))
      one.post.flush()
    }
    burst()
    expect(one.post.counters()).toMatchObject({ messagesSent: 11, droppedFull: 10 })
    burst()
    expect(one.post.counters()).toMatchObject({ messagesSent: 12, droppedFull: 30 })
    runUntil(1)
    burst()
    runUntil(2)
    expect(two.parcels).toHaveLength(20)
    expect(one.lines.filter(({ fields }) => fields.reason === 'full')).toHaveLength(1)
  })

  test('leaves an eighth of the way to a node to Raft and to refusals, and says of what it drops that it did', () => {
    const { office, runUntil } = createWorld()
    const [one, two] = [office(n1, { limits: { parcelBytesInFlightMax: 80_000 } }), office(n2)]
    const reply = (bytes: number): ActorMessage => ({
      type: 'shard.reply', shard: shardId(1), batch: 1, results: [{ status: 'OK', revision: 1, value: new Uint8Array(bytes) }],
    })
    const request: ActorMessage = {
      type: 'shard.request', replyTo: 'connection/raw', batch: 1, policy: 'forward', term: 1, consistency: 'linearizable',
      operations: [{ code: OpCode.get, key: 'k' }],
    }
    const isTaken = (message: ActorMessage): boolean => one.post.send(n2, 'raft/1', message)
    expect(Array.from({ length: 9 }, () => isTaken(reply(10_000)))).toEqual([...Array.from({ length: 7 }, () => true), false, false])
    expect([isTaken(request), isTaken(reply(65)), isTaken(reply(64)), isTaken(mail(n1, n2))]).toEqual([false, false, true, true])
    expect([isTaken(appendOf(n1, n2, 10_000)), isTaken(mail(n1, n2)), isTaken(reply(1))]).toEqual([true, false, false])
    expect(one.post.counters()).toMatchObject({ droppedFull: 6 })
    one.post.flush()
    runUntil(1)
    expect(two.parcels).toHaveLength(10)
    expect(isTaken(request)).toBe(true)
  })

  test('keeps nothing for a node that has left: what it is sent after it came back begins anew, and others keep their account', () => {
    const { office, runUntil } = createWorld()
    const members = new Set([n1, n2, n3])
    const one = office(n1, { limits: { parcelBytesInFlightMax: 100_000 }, isMember: (node) => members.has(node) })
    const sentTo = (to: NodeId): number => {
      const before = one.post.counters().messagesSent
      for (let i = 0; i < 20; i += 1) one.post.send(to, 'raft/1', appendOf(n1, to, 10_000))
      one.post.flush()
      return one.post.counters().messagesSent - before
    }
    expect([sentTo(n2), sentTo(n3), sentTo(n2), sentTo(n3)]).toEqual([10, 10, 0, 0])
    members.delete(n3)
    one.post.noteMembers()
    members.add(n3)
    expect([sentTo(n2), sentTo(n3)]).toEqual([0, 10])
    // What was gathered for it in this turn leaves all the same.
    runUntil(1)
    const three = office(n3)
    one.post.send(n3, 'raft/1', mail(n1, n3))
    members.delete(n3)
    one.post.noteMembers()
    runUntil(2)
    expect(three.parcels).toHaveLength(1)
  })

  test('drops and counts while there is no connection, and when the outbox of the connection is full', () => {
    const { office, broker } = createWorld()
    const one = office(n1)
    broker.disconnect('n1/1')
    one.post.send(n2, 'raft/1', mail(n1, n2))
    one.post.flush()
    expect(one.post.counters()).toMatchObject({ framesSent: 0, droppedDisconnected: 1 })
    broker.reconnect('n1/1')
    one.post.send(n2, 'raft/1', mail(n1, n2))
    one.post.flush()
    expect(one.post.counters()).toMatchObject({ framesSent: 1, droppedDisconnected: 1 })
    for (const [outcome, counter] of [['full', 'droppedFull'], ['tooLarge', 'droppedTooLarge']] as const) {
      const refusing = office(n1, { bus: { ...one.bus, publish: () => outcome } })
      refusing.post.send(n2, 'raft/1', mail(n1, n2))
      refusing.post.flush()
      expect(refusing.post.counters()).toMatchObject({ framesSent: 0, [counter]: 1 })
    }
  })

  test('is silent once closed', () => {
    const { office, runUntil } = createWorld()
    const [one, two] = [office(n1), office(n2)]
    two.post.send(n1, 'raft/1', mail(n2, n1))
    two.post.close()
    one.post.send(n2, 'raft/1', mail(n1, n2))
    one.post.flush()
    two.post.flush()
    runUntil(1)
    expect([...one.parcels, ...two.parcels]).toHaveLength(0)
  })
})

describe('an incoming frame', () => {
  const frameBytes = (boot: BootId, home = cluster): Uint8Array => {
    const writer = createWriter(100)
    writeEnvelope(writer, { boot, clusterHash: clusterHashOf(home) })
    return Buffer.concat([written(writer), Buffer.from([0, 0, 0, 0, 1, 15, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7])])
  }
  const corrupted = (at: number, value: number): Uint8Array => {
    const bytes = Buffer.from(frameBytes(bootA))
    bytes[at] = value
    return bytes
  }

  test.each([
    ['from nobody\'s name', 'X!', frameBytes(bootA), 'sender'],
    ['from a node that is no member', 'n3', frameBytes(bootA), 'sender'],
    ['from this node\'s own name', 'n2', frameBytes(bootA), 'sender'],
    ['of another cluster', 'n1', frameBytes(bootA, clusterId('fedcba9876543210')), 'cluster'],
    ['of another version', 'n1', corrupted(0, 2), 'version'],
    ['of another kind', 'n1', corrupted(1, 2), 'kind'],
    ['with flags of the future', 'n1', corrupted(2, 128), 'flags'],
    ['that is cut short', 'n1', frameBytes(bootA).subarray(0, 10), 'truncated'],
    ['with a message of an unknown kind', 'n1', corrupted(20, 99), 'malformed'],
    ['with nothing in it', 'n1', frameBytes(bootA).subarray(0, 15), 'malformed'],
  ])('%s is refused and counted', (_name, from, bytes, reason) => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    broker.connect({ name: 'stranger' }).publish(nodeSubject(cluster, n2, from as NodeId), bytes)
    runUntil(1)
    expect(two.parcels).toEqual([])
    expect(two.post.counters()).toMatchObject({ framesReceived: 0, refused: { [reason]: 1 } })
    expect(two.lines[0]).toMatchObject({ fields: { reason, count: 1, total: 1 } })
  })

  test('from a good peer is taken', () => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    broker.connect({ name: 'n1' }).publish(nodeSubject(cluster, n2, n1), frameBytes(bootA))
    runUntil(1)
    expect(two.parcels).toEqual([{ from: n1, boot: bootA, to: 'raft/1', message: mail(n1, n2, 7) }])
  })

  test('of an earlier boot of its sender is dropped once a later boot was heard', () => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    const wire = broker.connect({ name: 'n1' })
    const boots = [bootA, bootA, bootB, bootA, bootB]
    for (const boot of boots) wire.publish(nodeSubject(cluster, n2, n1), frameBytes(boot))
    runUntil(1)
    expect(two.post.counters()).toMatchObject({ framesReceived: 4, refused: { supersededBoot: 1 } })
  })

  test('of a living incarnation that a late frame superseded is taken back', () => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    const wire = broker.connect({ name: 'n1' })
    const hear = (boot: BootId, atMs: number): void => {
      wire.publish(nodeSubject(cluster, n2, n1), frameBytes(boot))
      runUntil(atMs)
    }
    hear(bootB, 10)
    hear(bootA, 20)
    for (let at = 100; at <= 1_200; at += 100) hear(bootB, at)
    expect(two.post.counters()).toMatchObject({ framesReceived: 3, refused: { supersededBoot: 11 } })
    hear(bootA, 1_300)
    expect(two.post.counters().refused).toMatchObject({ supersededBoot: 12 })
  })

  test('that is malformed does not count as a sign of a later boot', () => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    const wire = broker.connect({ name: 'n1' })
    wire.publish(nodeSubject(cluster, n2, n1), frameBytes(bootA))
    wire.publish(nodeSubject(cluster, n2, n1), frameBytes(bootB).subarray(0, 20))
    wire.publish(nodeSubject(cluster, n2, n1), frameBytes(bootA))
    runUntil(1)
    expect(two.post.counters()).toMatchObject({ framesReceived: 2, refused: { malformed: 1 } })
  })

  test('refused again and again is logged once a second with the number since', () => {
    const { broker, office, runUntil } = createWorld()
    const two = office(n2)
    const wire = broker.connect({ name: 'noise' })
    const sendNoise = (count: number): void => {
      for (let i = 0; i < count; i += 1) wire.publish(nodeSubject(cluster, n2, n1), Buffer.from('noise'))
    }
    sendNoise(50)
    runUntil(999)
    expect(two.lines).toHaveLength(1)
    sendNoise(5)
    runUntil(1_000)
    sendNoise(1)
    runUntil(2_000)
    expect(two.lines.map(({ fields }) => [fields.count, fields.total])).toEqual([[1, 1], [55, 56]])
    expect(two.post.counters().refused).toEqual({ version: 56 })
  })
})
