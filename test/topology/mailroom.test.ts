/** Mail between replicas: it names who sends and who receives, and reaches nobody else. */

import { expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { addressOf } from '../../bus/address.ts'
import { createGenesis, mapOfGenesis } from '../../topology/clusterMap.ts'
import { bootId, clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { createJourneys } from '../../topology/journeys.ts'
import { createMailroom } from '../../topology/mailroom.ts'
import { createPost } from '../../bus/postOffice.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { Happening } from '../../actors/kernel/recorder.ts'
import type { ActorMessage } from '../../bus/messages.ts'
import type { Parcel, Post } from '../../bus/post.ts'
import type { Mailroom, MailroomOptions } from '../../topology/mailroom.ts'
import type { NodeOptions, NodePorts } from '../../topology/nodeOptions.ts'

const [n1, n2] = [nodeId('n1'), nodeId('n2')]
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members: [n1, n2], shardCount: 2, replicationFactor: 1, createdAtMs: 1,
})[0], 'a genesis')

interface Room {
  readonly room: Mailroom
  /** By the Raft member, and by the connections. */
  readonly received: unknown[]
}

/** Node n1, which hosts `n1:3` of group 0 and nothing else. */
const createRoom = ({ broker, clock } = createVirtualWorld(), watching: Pick<NodePorts, 'tracing' | 'recorder'> = {}): Room => {
  const received: unknown[] = []
  const hosted = {
    id: replicaId(n1, 3), raft: { send: (message: unknown) => received.push(message) }, actor: { send: () => {} },
  }
  const node = {
    genesis, boot: bootId('00000000000000aa'), ports: { bus: broker.connect({ name: n1 }), clock, log: silentLogger, ...watching },
  } as unknown as NodeOptions
  const room = createMailroom({
    node, turn: createTurn(clock), map: () => mapOfGenesis(genesis), leaderOf: () => null, catchUp: () => {}, tellsLevels: () => false,
    journeys: createJourneys(clock, undefined),
    host: () => ({ memberOf: (group: number) => (group === 0 ? hosted : undefined), of: () => hosted }),
    doors: () => ({ reply: (to: string, reply: object) => received.push({ ...reply, to }) > 0 }),
  } as unknown as MailroomOptions)
  return { room, received }
}

test('mail for a replica that is not here any more, or from a node it is not of, reaches nobody', () => {
  const { room, received } = createRoom()
  const mail = (group: number, from: ReturnType<typeof replicaId>, to: ReturnType<typeof replicaId>): void =>
    room.send(n1, addressOf('raft', group), { type: 'raft', from, to, message: { type: 'raft.timeoutNow', term: 7 } })
  mail(0, replicaId(n1, 9), replicaId(n1, 2))
  mail(0, replicaId(n1, 9), replicaId(n1, 4))
  mail(0, replicaId(n2, 1), replicaId(n1, 3))
  mail(1, replicaId(n1, 9), replicaId(n1, 3))
  expect([received, room.misdirected()]).toEqual([[], 4])
  mail(0, replicaId(n1, 9), replicaId(n1, 3))
  expect([received, room.misdirected()]).toEqual([[{ type: 'raft.timeoutNow', term: 7, from: 'n1:9' }], 4])
})

test('mail of another node says which of its processes sent it', () => {
  const world = createVirtualWorld()
  const { received } = createRoom(world)
  const boot = bootId('00000000000000bb')
  const post = createPost({
    bus: world.broker.connect({ name: n2 }), clock: world.clock, cluster: genesis.cluster, self: n2, bootId: boot, isMember: () => true,
    requestFlush: () => {}, onParcel: () => {}, log: silentLogger,
  })
  const message = { type: 'raft.timeoutNow', term: 7 } as const
  post.send(n1, addressOf('raft', 0), { type: 'raft', from: replicaId(n2, 1), to: replicaId(n1, 3), message })
  post.flush()
  world.pass(5)
  expect(received).toEqual([{ ...message, from: 'n2:1', boot }])
})

interface FullRoom extends Room {
  /** At n2. */
  readonly arrived: Parcel[]
  readonly pass: () => void
  readonly fill: () => void
  /** Of n2. */
  readonly peer: Post
}

/** Room n1 with as much on its way to n2 as clients may have there: 7 MiB. */
const createFullRoom = (watching: Pick<NodePorts, 'tracing' | 'recorder'> = {}): FullRoom => {
  const world = createVirtualWorld()
  const { room, received } = createRoom(world, watching)
  const arrived: Parcel[] = []
  const peer = createPost({
    bus: world.broker.connect({ name: n2 }), clock: world.clock, cluster: genesis.cluster, self: n2, bootId: bootId('00000000000000bb'),
    isMember: () => true, requestFlush: () => {}, onParcel: (parcel) => arrived.push(parcel), log: silentLogger,
  })
  const value = new Uint8Array(400_000)
  const fill = (): void => {
    for (let sent = 0; sent < 30; sent += 1) room.send(n2, 'connection/raw', replyWith([{ status: 'OK', revision: 1, value }]))
  }
  fill()
  const pass = (): void => {
    room.post.flush()
    world.pass(5)
  }
  return { room, received, arrived, pass, fill, peer }
}

const replyWith = (results: readonly OperationResult[]): ActorMessage => ({ type: 'shard.reply', shard: shardId(1), batch: 7, results })

const full = expect.objectContaining({ status: 'OVERLOADED', definite: true, retryAfterMs: 100 })

test('a forwarded request that finds the way to its leader full is refused at once, and certainly did not happen', () => {
  const { room, received, arrived, pass } = createFullRoom()
  const operations = [{ code: OpCode.put, key: 'a', value: new Uint8Array(1) }, { code: OpCode.put, key: 'b', value: new Uint8Array(1) }]
  room.send(n2, addressOf('shard', 1), {
    type: 'shard.request', replyTo: 'connection/raw', batch: 3, policy: 'forward', term: 1, consistency: 'linearizable', operations,
  })
  expect(received).toEqual([{
    type: 'shard.reply', to: 'connection/raw', shard: 1, batch: 3, from: n2, results: [full, full], now: expect.any(Number),
  }])
  pass()
  expect(arrived.filter(({ message }) => message.type === 'shard.request')).toEqual([])
})

test('of an answer to another node that finds the way full, reads of values are refused, and what was written is answered', () => {
  const { room, arrived, pass } = createFullRoom()
  const written = { status: 'OK', revision: 9, value: Buffer.from('41') } as const
  room.send(n2, 'connection/raw', replyWith([{ status: 'OK', revision: 8, value: new Uint8Array(65) }, written]))
  pass()
  const last = arrived.at(-1)
  expect(last).toMatchObject({ from: n1, to: 'connection/raw', message: { type: 'shard.reply', batch: 7, results: [full, written] } })
})

test('refusals of an answer that finds the way full take less than the values, and none of its reads is asked for again at once', () => {
  const { room, arrived, pass } = createFullRoom()
  const cutOff = { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 0, message: 'ask for fewer at a time' } as const
  room.send(n2, 'connection/raw', replyWith([{ status: 'OK', revision: 8, value: new Uint8Array(65) }, cutOff]))
  pass()
  const refused = { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 100 } as const
  expect(arrived.at(-1)?.message).toEqual(replyWith([refused, refused]))
})

test('a refusal that leaves in place of an answer is what the span of the request says, and what is recorded as sent', () => {
  const ended: string[] = []
  const sent: object[] = []
  const context = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
  const watching = {
    tracing: { beginAtShard: () => ({ context, end: (status: string) => ended.push(status) }) },
    recorder: {
      record: (happening: Happening) => happening.kind === 'send' && sent.push(happening), isDetailed: () => true, ended: () => {},
    },
  } as unknown as Pick<NodePorts, 'tracing' | 'recorder'>
  const { room, peer, pass, fill, arrived } = createFullRoom(watching)
  const request = {
    type: 'shard.request', replyTo: 'connection/raw', batch: 9, policy: 'forward', term: 1, consistency: 'linearizable',
    operations: [{ code: OpCode.get, key: 'a' }],
  } as const
  peer.send(n1, addressOf('shard', 1), request, context)
  peer.flush()
  pass()
  fill()
  sent.length = 0
  room.send(n2, 'connection/raw', { ...replyWith([{ status: 'OK', revision: 8, value: new Uint8Array(65) }]), batch: 9 } as ActorMessage)
  expect([ended, sent]).toEqual([['OVERLOADED'], [expect.objectContaining({ peer: n2, detail: { results: 1, status: 'OVERLOADED' } })]])
  pass()
  expect(arrived.at(-1)?.message).toMatchObject({ results: [{ status: 'OVERLOADED' }] })
  fill()
  sent.length = 0
  room.send(n2, addressOf('shard', 1), request)
  expect(sent).toEqual([])
})
