/** What people ask of the cluster through a node: changes for an epoch, readings of the leader or of the own map, leaderships by hand. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { apply } from '../../actors/topology/apply.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createClusterAdmin } from '../../topology/clusterAdmin.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { clusterId, nodeId, nodeOf, shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { MetaCommand, Outcome, Wish } from '../../actors/topology/protocol.ts'
import type { Reading } from '../../topology/adminViews.ts'
import type { ClusterAdminOptions, Transferred } from '../../topology/clusterAdmin.ts'
import type { NodeOptions } from '../../topology/nodeOptions.ts'
import type { NodeId } from '../../topology/ids.ts'

const members = ['n1', 'n2', 'n3', 'n4'].map(nodeId)
const [n1 = nodeId('n1'), n2 = n1, , n4 = n1] = members
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members, shardCount: 8, replicationFactor: 3, createdAtMs: 1,
})[0], 'a genesis')
const born = adoptGenesis(genesis)
const command = { expectedEpoch: 1, at: 1, by: 'test', request: '' }
const paused = apply(born, { kind: 'pause', ...command }).state

/** A node without a replica of the shard. */
const absentFrom = (shard: number): NodeId => {
  const taken = paused.shards[shard]?.replicas.map(nodeOf) ?? []
  return must(members.find((node) => !taken.includes(node)), 'there are more nodes than replicas')
}

/** The meta group is one state here, which decides at once; null: nobody can be reached. */
const open = (start: ClusterState | null, own: ClusterState = born, addressesOf?: ClusterAdminOptions['addressesOf']) => {
  const { clock, pass } = createVirtualWorld()
  const world = {
    state: start, commands: [] as MetaCommand[], leader: n1, asked: [] as string[], answer: 'begun',
    /** Decided by somebody else once this node has looked. */
    meanwhile: [] as Wish[],
    /** Decided just before a command comes, one for each. */
    overtaking: [] as Wish[],
    /** What the last change was said to cost. */
    cost: undefined as string | undefined,
  }
  const decide = (wishes: Wish[]): void => {
    const wish = wishes.shift()
    if (wish === undefined || world.state === null) return
    world.state = apply(world.state, { ...command, ...wish, expectedEpoch: world.state.epoch }).state
  }
  const admin = createClusterAdmin({
    node: { genesis, settings: defaultSettings } as NodeOptions,
    live: { state: () => own },
    clock,
    reads: {
      overview: (done) => {
        const seen = world.state
        decide(world.meanwhile)
        done(seen === null ? undefined : { state: seen, lost: [], progress: [] })
      },
      loads: (done) => done(undefined),
      history: (_wish, done) => {
        const seen = world.state
        done(seen === null ? undefined : { epoch: seen.epoch, events: seen.history, oldest: 1 })
      },
    },
    proposals: {
      propose: (proposed, done) => {
        world.commands.push(proposed)
        decide(world.overtaking)
        const applied = world.state === null ? null : apply(world.state, proposed)
        world.state = applied?.state ?? null
        done(applied?.outcome ?? null)
      },
    },
    ask: (to, request, done) => {
      world.asked.push(`${to} ${request.kind}`)
      done({ answer: world.answer })
    },
    leaderOf: () => world.leader,
    addressesOf,
  })
  const change = (wish: Wish, expectedEpoch: number | null = null, isForced = false, request = 'r1'): Outcome | null => {
    let heard: Outcome | null = null
    admin.change({ wish, expectedEpoch, by: 'ada', request, isForced }, (outcome, cost) => {
      heard = outcome
      world.cost = cost
    })
    return heard
  }
  const read = (): Reading => {
    const heard: Reading[] = []
    admin.read((reading) => heard.push(reading))
    return must(heard[0], 'it is answered at once')
  }
  const transfer = (to: NodeId, expectedEpoch: number | null = null): (Transferred | null)[] => {
    const heard: (Transferred | null)[] = []
    admin.transfer({ shard: shardId(3), to }, { by: 'ada', request: 'r1', expectedEpoch }, (result) => heard.push(result))
    return heard
  }
  return { world, admin, change, read, transfer, pass }
}

describe('a change', () => {
  test('for no epoch is made for the newest that a refusal names, once more and under the same request', () => {
    const { world, change } = open(paused)
    expect(change({ kind: 'resume' })).toEqual({ kind: 'applied', epoch: 3, move: 0 })
    const asked = world.commands.map(({ expectedEpoch, request, by }) => [expectedEpoch, request, by])
    expect(asked).toEqual([[1, 'r1', 'ada'], [2, 'r1', 'ada']])
  })

  test('for no epoch is made, too, while each of several moves makes an epoch of its own before it is heard', () => {
    const { world, change } = open(paused)
    const weights = (from: number, count: number): Wish[] =>
      Array.from({ length: count }, (_, i) => ({ kind: 'setWeight', node: n2, weight: from + i }))
    world.overtaking.push(...weights(2, 6))
    expect(change({ kind: 'resume' }, null, false, 'r1')).toMatchObject({ kind: 'applied', epoch: paused.epoch + 7 })
    expect(new Set(world.commands.map(({ request }) => request))).toEqual(new Set(['r1']))
    world.overtaking.push(...weights(20, 30))
    expect(change({ kind: 'pause' }, null, false, 'r2')).toMatchObject({ kind: 'refused', reason: 'staleEpoch' })
    expect(world.overtaking.length).toBeGreaterThan(10)
  })

  test('for an epoch is for that one alone', () => {
    const { world, change } = open(paused)
    expect(change({ kind: 'resume' }, 1)).toMatchObject({ kind: 'refused', reason: 'staleEpoch', epoch: 2 })
    expect(world.commands).toHaveLength(1)
  })

  test('that no log could hold is refused here, and no reason to stop a node', () => {
    const { world, change } = open(born)
    for (const zone of ['a\nb', 'x'.repeat(33), '\ud800']) {
      expect(change({ kind: 'setZone', node: n1, zone })).toMatchObject({ kind: 'refused', reason: 'invalid' })
    }
    expect(world.commands).toEqual([])
  })

  test('that nobody decides is not known', () => {
    expect(open(null).change({ kind: 'pause' })).toBeNull()
  })
})

describe('a change that takes zones away which replicas need', () => {
  const zone = (node: NodeId, name: string): Wish => ({ kind: 'setZone', node, zone: name })
  const decided = (...wishes: readonly Wish[]): ClusterState =>
    wishes.reduce((state, wish) => apply(state, { ...command, ...wish, expectedEpoch: state.epoch }).state, born)
  const zoned = decided(zone(n1, 'a'), zone(n2, 'b'), zone(nodeId('n3'), 'c'), zone(n4, 'c'))
  const refusal = { kind: 'refused', reason: 'zonesTooFew', message: expect.stringContaining('zones to be in') }

  test('is refused unless it is forced, and made for no epoch that there is', () => {
    const { world, change } = open(zoned)
    expect(change(zone(n2, 'a'))).toMatchObject(refusal)
    expect(change({ kind: 'drainNode', node: n1, isForced: false })).toMatchObject(refusal)
    expect([world.commands.map(({ expectedEpoch }) => expectedEpoch), world.state]).toEqual([[0, 0], zoned])
    expect(change(zone(n2, 'a'), null, true)).toMatchObject({ kind: 'applied' })
    expect(change({ kind: 'drainNode', node: n1, isForced: true }, null, true)).toMatchObject({ kind: 'applied' })
  })

  test('is told, when it is forced, what it costs; one that costs nothing, or is refused, tells nothing', () => {
    const { world, change } = open(zoned)
    const force = (wish: Wish, request: string, epoch: number | null = null) => [change(wish, epoch, true, request)?.kind, world.cost]
    const shared = '2 of the 3 replicas of a shard share one of 2 zones (a, c), whose failure takes the majority of them'
    expect(force({ kind: 'drainNode', node: n4, isForced: true }, 'r1')).toEqual(['applied', undefined])
    expect(force(zone(n2, 'a'), 'r2', 1)).toEqual(['refused', undefined])
    expect(force(zone(n2, 'a'), 'r3')).toEqual(['applied', shared])
    expect(force({ kind: 'drainNode', node: n2, isForced: true }, 'r4')).toEqual(
      ['applied', 'every shard has 2 of 3 replicas, and goes on after no failure, not 1 failure; the meta group has one replica, and '
        + 'the map of the cluster is lost with its disk'])
    expect(force({ kind: 'activateNode', node: n2 }, 'r5')).toEqual(['applied', undefined])
    expect(force({ kind: 'drainNode', node: n2, isForced: true }, 'r4')).toEqual(['applied', undefined])
  })

  test('is told what it costs as things stand when it is made: somebody else decided meanwhile', () => {
    const { world, change } = open(zoned)
    world.meanwhile.push(zone(n4, 'b'))
    expect(change({ kind: 'drainNode', node: nodeId('n3'), isForced: true }, null, true)).toMatchObject({ kind: 'applied' })
    expect(world.cost).toContain('share one of 2 zones (a, b)')
    expect(world.commands.map(({ expectedEpoch }) => expectedEpoch)).toEqual([zoned.epoch, zoned.epoch + 1])
  })

  test('is made by force, with no word of its cost, when nobody can say who is lost', () => {
    const { world, change } = open(null)
    expect(change(zone(n2, 'a'), null, true)).toBeNull()
    expect([world.commands.length, world.cost]).toEqual([1, undefined])
  })

  test('is refused, too, where that became so after somebody looked', () => {
    const { world, change } = open(zoned)
    world.meanwhile.push(zone(n4, 'b'))
    expect(change({ kind: 'drainNode', node: nodeId('n3'), isForced: false })).toMatchObject(refusal)
    expect(world.commands.map(({ expectedEpoch }) => expectedEpoch)).toEqual([zoned.epoch, 0])
    expect(world.state?.epoch).toBe(zoned.epoch + 1)
  })

  test('is judged for the epoch it was made for, and for no other', () => {
    const { world, change } = open(zoned)
    expect(change(zone(n4, 'b'), 1)).toMatchObject({ kind: 'refused', reason: 'staleEpoch' })
    expect(world.commands).toHaveLength(1)
    expect(change(zone(n4, 'b'), zoned.epoch + 1)).toMatchObject({ kind: 'refused', reason: 'staleEpoch', epoch: zoned.epoch })
    expect(change(zone(n2, 'a'), zoned.epoch)).toMatchObject(refusal)
    expect(world.state).toBe(zoned)
    expect(change(zone(n4, 'b'), zoned.epoch)).toMatchObject({ kind: 'applied' })
  })

  test('that was made when it took nothing away, and whose answer was lost, is answered as it was then', () => {
    const { world, change } = open(born)
    const drain: Wish = { kind: 'drainNode', node: n4, isForced: false }
    expect(change(drain)).toEqual({ kind: 'applied', epoch: 2, move: 0 })
    const since: Wish[] = [{ kind: 'activateNode', node: n4 }, zone(n1, 'a'), zone(n2, 'b'), zone(nodeId('n3'), 'b'), zone(n4, 'c')]
    const drained = must(world.state, 'it was applied')
    world.state = since.reduce((state, wish) => apply(state, { ...command, ...wish, expectedEpoch: state.epoch }).state, drained)
    const before = world.state
    expect(change(drain)).toEqual({ kind: 'applied', epoch: 2, move: 0 })
    expect(change(drain, must(before, 'there is a state').epoch)).toEqual({ kind: 'applied', epoch: 2, move: 0 })
    expect(world.state).toBe(before)
  })

  test('is not decided, and not proposed, while nobody leads', () => {
    const { world, change } = open(null)
    expect(change(zone(n2, 'a'))).toBeNull()
    expect(world.commands).toEqual([])
  })

  test('would be refused, says the plan', () => {
    expect(open(zoned).read().plan(n1)).toMatchObject(refusal)
  })
})

test('all redundancy is given up by force alone, and at a price that is told', () => {
  const { world, change } = open(born)
  const wish = { kind: 'setReplicationFactor', replicationFactor: 1 } as const
  expect(change(wish)).toMatchObject({ kind: 'refused', reason: 'noRedundancy' })
  expect(world.state?.replicationFactor).toBe(3)
  expect([change(wish, null, true)?.kind, world.cost]).toEqual(['applied', 'every shard has one replica, and is lost with its disk'])
})

describe('a reading', () => {
  test('is the leader\'s, and says so', () => {
    const { read } = open(paused)
    expect(read().cluster()).toMatchObject({ epoch: 2, consistency: 'linearizable', isPaused: true, nodes: { active: 4, draining: 0 } })
    expect(read().nodes().nodes[0]).toMatchObject({ id: 'n1', state: 'active', leads: 8, isMetaMember: true, moves: 0 })
    expect(read().shards().shards).toHaveLength(8)
    expect(read().ring().nodes.map(({ share }) => share)).toEqual([0.25, 0.25, 0.25, 0.25])
    expect(read().settings().node).toMatchObject({ id: 'n1', lostAfterMs: 30_000, movesMax: 4 })
  })

  test('of nodes tells where they can be reached, of those that have said so and have not left', () => {
    const told = { host: 'web1', http: 'http://10.0.0.3:8481', hasAdmin: true }
    const { read } = open(paused, born, () => told)
    expect(read().nodes().nodes.map(({ addresses }) => addresses?.http)).toEqual(Array(4).fill('http://10.0.0.3:8481'))
    expect(open(paused).read().nodes().nodes.map(({ addresses }) => addresses)).toEqual(Array(4).fill(null))
    const gone = { ...paused, nodes: paused.nodes.map((node) => ({ ...node, state: 'left' as const })) }
    const left = open(gone, born, () => told)
    expect(left.read().nodes().nodes.map(({ addresses }) => addresses)).toEqual(Array(4).fill(null))
  })

  test('of the ring tells shares as they can be: no node has more than one replica of a shard, and zones come before weights', () => {
    const sharesAfter = (...wishes: readonly Wish[]): Record<string, number> => {
      const state = wishes.reduce((one, wish) => apply(one, { ...command, ...wish, expectedEpoch: one.epoch }).state, born)
      return Object.fromEntries(open(state).read().ring().nodes.map(({ id, share }) => [id, Math.round(share * 24)]))
    }
    expect(sharesAfter({ kind: 'setWeight', node: n1, weight: 64 })).toMatchObject({ n1: 8 })
    expect(sharesAfter(
      { kind: 'setZone', node: n1, zone: 'a' }, { kind: 'setZone', node: n2, zone: 'b' },
      { kind: 'setZone', node: nodeId('n3'), zone: 'c' }, { kind: 'setZone', node: n4, zone: 'c' },
    )).toEqual({ n1: 8, n2: 8, n3: 4, n4: 4 })
  })

  test('without a leader is of the own map, and says so', () => {
    expect(open(null).read().cluster()).toMatchObject({ epoch: 1, consistency: 'local' })
  })

  test('tells a move with its way, and what is left of it', () => {
    const from = must(paused.shards[0]?.replicas[0], 'a replica')
    const to = absentFrom(0)
    const begin = { kind: 'beginMove', group: shardId(0), add: to, remove: from, isPlanned: false } as const
    const { state } = apply(paused, { ...command, expectedEpoch: 2, ...begin })
    const { read } = open(state)
    const move = { id: 1, group: 0, add: `${to}:2`, remove: from, step: 'adding', orderedAt: 3, entriesLeft: null, bytes: null }
    expect(read().moves().moves).toEqual([move])
    expect(read().shards().shards[0]).toMatchObject({ move })
    expect(read().nodes().nodes.find(({ id }) => id === to)).toMatchObject({ moves: 1 })
  })

  test('plans as things are, and as if a node drained', () => {
    const { read, world } = open(born)
    const movesOff = (node: NodeId | null): number => {
      const plan = read().plan(node)
      return 'moves' in plan ? plan.moves.filter(({ remove }) => remove?.startsWith('n4:') === true).length : -1
    }
    expect(movesOff(null)).toBe(0)
    expect(movesOff(n4)).toBe(read().nodes().nodes.find(({ id }) => id === n4)?.replicas)
    expect(read().plan(nodeId('n9'))).toMatchObject({ kind: 'refused', reason: 'unknownNode' })
    expect(world.commands).toEqual([])
  })
})

describe('a leadership by hand', () => {
  const there = must(paused.shards[3]?.replicas.map(nodeOf).find((node) => node !== n1), 'another replica')

  test('changes the preference first, then hands over, and is done when the node leads', () => {
    const { world, transfer, pass } = open(paused)
    const heard = transfer(there)
    expect(world.state?.shards[3]?.replicas[0]).toBe(`${there}:1`)
    expect(world.asked).toEqual(['n1 transfer'])
    world.leader = there
    pass(100)
    expect(heard).toEqual([{ kind: 'leads' }])
  })

  test('is asked of whoever leads, again and again, until the time is up', () => {
    const { world, transfer, pass } = open(paused)
    world.leader = there === n2 ? n4 : n2
    world.answer = 'unfit'
    const heard = transfer(there)
    pass(20_000)
    expect(world.asked[0]).toBe(`${world.leader} transfer`)
    expect(world.asked.length).toBeGreaterThan(10)
    expect(heard).toEqual([{ kind: 'givenUp', message: expect.stringContaining('lacks entries') }])
  })

  test('is refused where it could not be, or would not stay', () => {
    expect(open(paused).transfer(there, paused.epoch - 1)).toMatchObject([{ reason: 'staleEpoch' }])
    expect(open(born).transfer(there)).toMatchObject([{ reason: 'notPaused' }])
    expect(open(paused).transfer(absentFrom(3))).toMatchObject([{ reason: 'unknownReplica' }])
    expect(open(paused).transfer(nodeId('n9'))).toMatchObject([{ reason: 'unknownNode' }])
    expect(open(null).transfer(there)).toEqual([null])
  })
})
