/** When a node hands leaderships over, to whom, and when it gives up: on replicas in the test's hands. */

import { describe, expect, test } from '@jest/globals'
import { createGenesis, mapOfGenesis } from '../../topology/clusterMap.ts'
import { HAND_OVER_MS_MAX, createLeadership } from '../../topology/leadership.ts'
import { clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'
import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'

const SHARDS = 8
const members = ['n1', 'n2', 'n3'].map(nodeId)
const genesis = createGenesis({ cluster: clusterId('0123456789abcdef'), members, shardCount: SHARDS, replicationFactor: 3, createdAtMs: 1 })
const map = mapOfGenesis(must(genesis[0], 'a record'))
const self = nodeId('n1')
const idOf = (node: NodeId): ReplicaId => replicaId(node, 1)
const preferredIs = (node: NodeId, isTrue: boolean): ShardId[] =>
  Array.from({ length: SHARDS }, (_, i) => shardId(i)).filter((shard) => (map.replicas[shard]?.[0] === idOf(node)) === isTrue)

interface Led {
  readonly replica: HostedReplica
  state: string
  matches: Map<ReplicaId, number>
  stalled: ReplicaId[]
  canElect: boolean
}

/**
 * This node leads `shards`, whose charts do what they are told; `steady` and the flags may be changed by the test. It leads so many `more`,
 * which are its own.
 */
const open = (shards: readonly ShardId[], more = 0) => {
  const world = {
    steady: [...members], loading: [] as ReplicaId[], isFull: false, isIdle: true, moving: new Set<ShardId>(), said: [] as string[],
  }
  const led = new Map(shards.map((shard): [ShardId, Led] => {
    const own: Led = {
      state: 'leading.serving', matches: new Map(members.map((node) => [idOf(node), 7])), stalled: [], canElect: true,
      replica: {
        shard, id: idOf(self),
        raft: {
          role: () => 'leader',
          status: () => ({ commitIndex: 7, lastIndex: 7, matchIndex: own.matches }),
          canElect: () => own.canElect,
          stalledMembers: () => own.stalled,
          send: (event: { readonly type: string; readonly to: ReplicaId }) => { world.said.push(`${shard} ${event.type} ${event.to}`) },
        },
        actor: {
          state: () => own.state,
          send: ({ type }: { readonly type: string }) => {
            world.said.push(`${shard} ${type}`)
            if (type === 'shard.handOver') own.state = 'leading.handingOver.draining'
            if (type === 'shard.handOverNow') own.state = 'leading.handingOver.quiet'
            if (type === 'shard.serveAgain') own.state = 'leading.serving'
          },
        },
      } as unknown as HostedReplica,
    }
    return [shard, own]
  }))
  const rest = Array.from({ length: more }, () =>
    ({ shard: own[0], raft: { role: () => 'leader', stalledMembers: () => [] } }) as unknown as HostedReplica)
  const leadership = createLeadership({
    node: self, map: () => map,
    host: { all: () => [...rest, ...[...led.values()].map(({ replica }) => replica)], of: (shard) => led.get(shard)?.replica },
    beacon: { isSteady: (node) => world.steady.includes(node), isLoading: (_shard, replica) => world.loading.includes(replica) },
    isMoving: (shard) => world.moving.has(shard), isDiskFull: () => world.isFull, isIdle: () => world.isIdle,
  })
  const of = (shard: ShardId): Led => must(led.get(shard), 'it is led')
  const take = (): string[] => world.said.splice(0)
  const remove = (shard: ShardId): void => { led.delete(shard) }
  const becomeQuiet = (shard: ShardId, now: number): void => {
    of(shard).state = 'leading.handingOver.quiet'
    leadership.onQuiet(shard, now)
  }
  return { world, leadership, of, take, remove, becomeQuiet }
}

const foreign = preferredIs(self, false)
const own = preferredIs(self, true)
const [first = shardId(0), second = shardId(0)] = foreign

describe('a leadership of another node\'s shard', () => {
  const preferred = must(map.replicas[first]?.[0], 'a preferred leader')

  test('moves one at a time, and its successor is named when the shard is quiet', () => {
    const { leadership, take, becomeQuiet, of } = open(foreign)
    leadership.onTick(1_000)
    leadership.onTick(1_900)
    expect(take()).toEqual([`${first} shard.handOver`])
    becomeQuiet(first, 1_950)
    expect(take()).toEqual([`${first} raft.transferLeadership ${preferred}`])
    leadership.onTick(5_000)
    expect(take()).toEqual([])
    of(first).state = 'following'
    leadership.onTick(5_100)
    expect(take()).toEqual([`${second} shard.handOver`])
  })

  test('moves beside a few others where hundreds are led', () => {
    const many = open(foreign, 70)
    many.leadership.onTick(1_000)
    expect(many.take()).toEqual([first, second].map((shard) => `${shard} shard.handOver`))
    many.becomeQuiet(second, 1_500)
    many.leadership.onTick(2_100)
    const to = must(map.replicas[second]?.[0], 'its preferred leader')
    expect(many.take()).toEqual([`${second} raft.transferLeadership ${to}`, `${first} shard.serveAgain`])
    many.of(first).state = 'following'
    many.leadership.onTick(2_200)
    expect(many.take()).toEqual([`${must(foreign[2], 'a third')} shard.handOver`])
  })

  const expectKept = (spoil: (it: ReturnType<typeof open>) => void): void => {
    const it = open([first])
    spoil(it)
    it.leadership.onTick(1_000)
    expect(it.take()).toEqual([])
  }

  test.each([
    ['is not steady', (it: ReturnType<typeof open>) => { it.world.steady = [self] }],
    ['lags', (it: ReturnType<typeof open>) => { it.of(first).matches.set(preferred, 6) }],
    ['has a full disk', (it: ReturnType<typeof open>) => { it.of(first).stalled = [preferred] }],
    ['would find no voters, since most disks are full', (it: ReturnType<typeof open>) => { it.of(first).canElect = false }],
  ])('does not begin to move while the preferred node %s', (_why, spoil) => {
    expectKept(spoil)
  })

  test('does not begin to move while the preferred node is loading its state', () => {
    expectKept((it) => { it.world.loading = [preferred] })
  })

  test.each([
    ['is not quiet in time', 'leading.handingOver.finishing'], ['has no successor in time', 'leading.handingOver.quiet'],
  ])('is given up when the shard %s, and tried again ten seconds later', (_why, state) => {
    const { leadership, take, of } = open([first])
    leadership.onTick(1_000)
    of(first).state = state
    of(first).matches.set(preferred, 6)
    leadership.onTick(1_900)
    expect(take()).toEqual([`${first} shard.handOver`])
    leadership.onTick(2_000)
    expect(take()).toEqual([`${first} shard.serveAgain`])
    of(first).matches.set(preferred, 7)
    leadership.onTick(10_900)
    expect(take()).toEqual([])
    leadership.onTick(11_900)
    expect(take()).toEqual([`${first} shard.handOver`])
  })
})

test('a replica that leaves the node in the middle of its move keeps no other from moving', () => {
  const { leadership, take, remove } = open(foreign)
  leadership.onTick(1_000)
  expect(take()).toEqual([`${first} shard.handOver`])
  remove(first)
  leadership.onTick(2_000)
  expect(take()).toEqual([`${second} shard.handOver`])
})

describe('a person who names another leader', () => {
  const [, other = nodeId('n2')] = members
  const wish = { shard: first, to: other }

  test('is obeyed with the care of every planned move', () => {
    const { leadership, take, becomeQuiet } = open([first])
    expect(leadership.transfer(wish, 1_000)).toBe('begun')
    expect(take()).toEqual([`${first} shard.handOver`])
    expect(leadership.transfer(wish, 1_100)).toBe('busy')
    becomeQuiet(first, 1_200)
    expect(take()).toEqual([`${first} raft.transferLeadership ${idOf(other)}`])
  })

  test.each([
    ['is not heard', (it: ReturnType<typeof open>) => { it.world.steady = members.filter((node) => node !== other) }],
    ['lacks entries', (it: ReturnType<typeof open>) => { it.of(first).matches.set(idOf(other), 3) }],
    ['has a full disk', (it: ReturnType<typeof open>) => {
      it.of(first).stalled = [idOf(other)]
      it.leadership.onTick(900)
    }],
    ['could not be elected', (it: ReturnType<typeof open>) => { it.of(first).canElect = false }],
  ])('is told so when that one %s', (_why, spoil) => {
    const it = open([first])
    it.world.moving.add(first)
    spoil(it)
    it.take()
    expect(it.leadership.transfer(wish, 1_000)).toBe('unfit')
    expect(it.take()).toEqual([])
  })

  test('is told what this node does not lead, and what it leads already', () => {
    const { leadership } = open([first])
    expect(leadership.transfer({ ...wish, to: self }, 1_000)).toBe('leads')
    expect(leadership.transfer({ ...wish, to: nodeId('n9') }, 1_000)).toBe('unfit')
    expect(leadership.transfer({ ...wish, shard: second }, 1_000)).toBe('notLeader')
  })

  test('waits no longer than the balance would: the shard serves again', () => {
    const { leadership, take, world } = open([first])
    world.moving.add(first)
    leadership.transfer(wish, 1_000)
    take()
    leadership.onTick(2_100)
    expect(take()).toEqual([`${first} shard.serveAgain`])
  })
})

describe('a node whose disk is full', () => {
  test('hands over all that it leads, once it has been full for a second, also what waits for the disk', () => {
    const it = open(own)
    it.world.isFull = true
    it.leadership.onTick(1_000)
    expect(it.take()).toEqual([])
    it.leadership.onTick(2_000)
    expect(it.take()).toEqual(own.map((shard) => `${shard} shard.handOver`))
    it.leadership.onTick(3_000)
    expect(it.take()).toEqual(own.map((shard) => `${shard} shard.handOverNow`))
    for (const shard of own) it.leadership.onQuiet(shard, 3_000)
    expect(it.take().map((line) => line.split(' ')[1])).toEqual(own.map(() => 'raft.transferLeadership'))
  })

  test('chooses who has room, and has had it for ten seconds', () => {
    const it = open(own.slice(0, 1))
    const shard = must(own[0], 'an own shard')
    const [left, right] = members.filter((node) => node !== self).map(idOf)
    it.world.isFull = true
    it.of(shard).stalled = [must(left, 'n2'), must(right, 'n3')]
    for (let now = 1_000; now <= 20_000; now += 100) it.leadership.onTick(now)
    it.of(shard).stalled = [must(left, 'n2')]
    // It may have been full until just before the next look.
    for (let now = 20_100; now < 31_000; now += 100) it.leadership.onTick(now)
    expect(it.take()).toEqual([])
    it.leadership.onTick(31_000)
    expect(it.take()).toEqual([`${shard} shard.handOver`])
    it.becomeQuiet(shard, 31_000)
    expect(it.take()).toEqual([`${shard} raft.transferLeadership ${right}`])
  })
})

describe('a node that drains', () => {
  test('hands nothing to a replica that is loading its state, whose disk may be full or not, and waits for none', () => {
    const it = open(own.slice(0, 1))
    const shard = must(own[0], 'an own shard')
    const [left, right] = members.filter((node) => node !== self).map(idOf) as [ReplicaId, ReplicaId]
    it.world.loading = [left]
    it.of(shard).stalled = [right]
    it.leadership.startHandOver(1_000)
    it.becomeQuiet(shard, 1_010)
    expect(it.take()).toEqual([`${shard} shard.handOver`, `${shard} raft.transferLeadership ${right}`])
    const other = open(own.slice(0, 1))
    other.world.loading = [left, right]
    other.leadership.startHandOver(1_000)
    other.becomeQuiet(shard, 1_010)
    expect(other.take()).toEqual([`${shard} shard.handOver`])
    expect(other.leadership.isHandedOver(1_020)).toBe(true)
  })

  test('hands everything over at once, again where that failed, and is done when it leads nothing', () => {
    const it = open(own.slice(0, 2))
    const [a, b] = own as [ShardId, ShardId]
    it.leadership.startHandOver(1_000)
    expect(it.take()).toEqual([`${a} shard.handOver`, `${b} shard.handOver`])
    it.becomeQuiet(a, 1_010)
    expect(it.take()).toHaveLength(1)
    it.of(a).state = 'leading.serving'
    expect(it.leadership.isHandedOver(2_100)).toBe(false)
    expect(it.take()).toEqual([`${b} shard.handOverNow`, `${a} shard.handOver`])
    expect(it.leadership.isHandedOver(1_000 + HAND_OVER_MS_MAX)).toBe(true)
  })

  test('takes a successor with a full disk when there is no other', () => {
    const it = open(own.slice(0, 1))
    const [a] = own as [ShardId]
    it.of(a).stalled = members.filter((node) => node !== self).map(idOf)
    it.leadership.startHandOver(1_000)
    expect(it.leadership.isHandedOver(1_100)).toBe(false)
    it.becomeQuiet(a, 1_110)
    expect(it.take()).toEqual([`${a} shard.handOver`, `${a} raft.transferLeadership ${must(map.replicas[a]?.[1], 'a second replica')}`])
  })

  test('without a successor waits until everybody is answered', () => {
    const it = open(own.slice(0, 1))
    const [a] = own as [ShardId]
    it.world.steady = []
    it.world.isIdle = false
    it.leadership.startHandOver(1_000)
    expect(it.leadership.isHandedOver(1_100)).toBe(false)
    it.becomeQuiet(a, 1_110)
    expect(it.leadership.isHandedOver(1_200)).toBe(false)
    it.world.isIdle = true
    expect(it.leadership.isHandedOver(1_300)).toBe(true)
    expect(it.take()).toEqual([`${a} shard.handOver`])
  })
})
