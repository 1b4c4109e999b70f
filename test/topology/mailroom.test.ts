/** Mail between replicas: it names who sends and who receives, and reaches nobody else. */

import { expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { addressOf } from '../../bus/address.ts'
import { createGenesis, mapOfGenesis } from '../../topology/clusterMap.ts'
import { bootId, clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { createJourneys } from '../../topology/journeys.ts'
import { createMailroom } from '../../topology/mailroom.ts'
import { createPost } from '../../bus/postOffice.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Mailroom, MailroomOptions } from '../../topology/mailroom.ts'
import type { NodeOptions } from '../../topology/nodeOptions.ts'

const [n1, n2] = [nodeId('n1'), nodeId('n2')]
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members: [n1, n2], shardCount: 2, replicationFactor: 1, createdAtMs: 1,
})[0], 'a genesis')

/** Node n1, which hosts `n1:3` of group 0 and nothing else. */
const createRoom = ({ broker, clock } = createVirtualWorld()): { readonly room: Mailroom, readonly received: unknown[] } => {
  const received: unknown[] = []
  const hosted = { id: replicaId(n1, 3), raft: { send: (message: unknown) => received.push(message) } }
  const node = {
    genesis, boot: bootId('00000000000000aa'), ports: { bus: broker.connect({ name: n1 }), clock, log: silentLogger },
  } as unknown as NodeOptions
  const room = createMailroom({
    node, turn: createTurn(clock), map: () => mapOfGenesis(genesis), leaderOf: () => null, catchUp: () => {}, tellsLevels: () => false,
    journeys: createJourneys(clock, undefined),
    host: () => ({ memberOf: (group: number) => (group === 0 ? hosted : undefined) }),
    doors: () => { throw new Error('nobody asks the doors') },
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
