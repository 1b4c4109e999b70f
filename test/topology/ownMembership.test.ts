/** A node's own place in the cluster: added when it joins, serving only as a member, gone once it is drained and empty. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { apply } from '../../actors/topology/apply.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { createOwnMembership } from '../../topology/ownMembership.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'
import type { JoinWish } from '../../topology/ownMembership.ts'
import type { Overview } from '../../topology/metaReads.ts'
import type { MetaCommand, Outcome, Wish } from '../../actors/topology/protocol.ts'

const n4 = nodeId('n4')
const members = ['n1', 'n2', 'n3'].map(nodeId)
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members, shardCount: 4, replicationFactor: 3, createdAtMs: 1,
})[0], 'a genesis')

/** The node n4; proposals are decided when the test says so, by the state machine itself. */
const open = (join: JoinWish | null, self = n4, levels = { min: 1, max: 1 }, isFromFile = true) => {
  const world = {
    state: adoptGenesis(genesis), carries: 0, asked: [] as MetaCommand[], told: [] as string[],
    answer: (_outcome: Outcome | null): void => {}, tell: (_overview: Overview | undefined): void => {},
  }
  const membership = createOwnMembership({
    self, boot: 'b', levels, hasJoined: false, live: { state: () => world.state, isFromFile: () => isFromFile }, join, wall: () => 9,
    carriesNothing: () => world.carries === 0,
    proposals: {
      propose: (command, done) => {
        world.asked.push(command)
        world.answer = done
      },
    },
    reads: { overview: (done) => { world.tell = done } },
    onMember: () => world.told.push('member'), onLeft: () => world.told.push('left'), onRefused: (reason) => world.told.push(reason),
  })
  const decide = (): void => {
    const { state, outcome } = apply(world.state, must(world.asked.at(-1), 'something was asked'))
    world.state = state
    world.answer(outcome)
  }
  const happen = (wish: Wish): void => {
    world.state = apply(world.state, { ...wish, expectedEpoch: world.state.epoch, at: 1, by: 'test', request: '' }).state
  }
  const tell = (): void => world.tell({ state: world.state, lost: [], progress: [] })
  return { world, membership, decide, happen, tell }
}

describe('a node that joins', () => {
  test('says what layouts its build knows once the cluster is above the first level, and is told when that is not enough', () => {
    const newer = open({ weight: 1, zone: '' }, n4, { min: 1, max: 2 })
    newer.happen({ kind: 'raiseLevel', level: 2, knownBy: members })
    newer.membership.onTick(0)
    expect(newer.world.asked).toMatchObject([{ kind: 'addNode', levels: { min: 1, max: 2 } }])
    const older = open({ weight: 1, zone: '' })
    older.happen({ kind: 'raiseLevel', level: 2, knownBy: members })
    older.membership.onTick(0)
    expect(older.world.asked[0]).not.toHaveProperty('levels')
    older.decide()
    expect(older.world.told).toEqual([expect.stringMatching(/at layout level 2, and this version .* level 1 only: start this node/)])
  })

  test('says nothing of layouts beside members that could not read it in the log', () => {
    const { world, membership, decide } = open({ weight: 1, zone: '' }, n4, { min: 1, max: 2 })
    membership.onTick(0)
    expect(world.asked[0]).not.toHaveProperty('levels')
    decide()
    membership.onTick(1_000)
    expect(world.told).toEqual(['member'])
  })

  test('says what layouts it knows when it is told that the level has risen before its map was', () => {
    const { world, membership, decide, happen } = open({ weight: 1, zone: '' }, n4, { min: 1, max: 2 })
    const known = world.state
    happen({ kind: 'raiseLevel', level: 2, knownBy: members })
    const raised = world.state
    const attempt = (now: number): void => {
      world.state = known
      membership.onTick(now)
      world.state = raised
      decide()
    }
    attempt(0)
    attempt(1_000)
    expect(world.told).toEqual([])
    membership.onTick(2_000)
    expect(world.asked.map((command) => 'levels' in command)).toEqual([false, false, true])
    decide()
    membership.onTick(3_000)
    expect(world.told).toEqual(['member'])
  })

  test('asks until it is added, with what it brings, and is a member then', () => {
    const { world, membership, decide } = open({ weight: 2, zone: 'a' })
    membership.onTick(0)
    expect(world.asked).toMatchObject([{ kind: 'addNode', node: 'n4', weight: 2, zone: 'a', expectedEpoch: 1, request: 'addNode-b' }])
    membership.onTick(5_000)
    expect(world.asked).toHaveLength(1)
    world.answer(null)
    membership.onTick(5_100)
    expect(world.told).toEqual([])
    decide()
    membership.onTick(5_200)
    membership.onTick(5_300)
    expect(world.told).toEqual(['member'])
  })

  test('asks again for the epoch it is told when the map has changed meanwhile', () => {
    const { world, membership, decide, happen } = open({ weight: 1, zone: '' })
    const known = world.state
    happen({ kind: 'pause' })
    const now = world.state
    world.state = known
    membership.onTick(0)
    world.state = now
    decide()
    world.state = known
    membership.onTick(999)
    expect(world.asked).toHaveLength(1)
    membership.onTick(1_000)
    expect(world.asked[1]).toMatchObject({ expectedEpoch: 2, request: 'addNode-b' })
    expect(world.told).toEqual([])
  })

  test('refuses to run when it can not be added', () => {
    const { world, membership, decide } = open({ weight: 99, zone: '' })
    membership.onTick(0)
    decide()
    membership.onTick(2_000)
    expect(world.told).toEqual([expect.stringMatching(/weight is 1 to 64/)])
    expect(world.asked).toHaveLength(1)
  })
})

describe('a member that was told to join when it started again', () => {
  const restarted = () => {
    const it = open({ weight: 1, zone: '' })
    it.happen({ kind: 'addNode', node: n4, weight: 1, zone: '' })
    return it
  }

  test('is added again when it was removed while it was away, and its map did not say so', () => {
    const { world, membership, decide, happen, tell } = restarted()
    const known = world.state
    happen({ kind: 'removeNode', node: n4 })
    const removed = world.state
    world.state = known
    membership.onTick(0)
    world.state = removed
    tell()
    membership.onTick(1_000)
    expect(world.asked).toMatchObject([{ kind: 'addNode', node: 'n4', weight: 1 }])
    decide()
    const added = world.state
    world.state = removed
    membership.onTick(2_000)
    world.state = added
    membership.onTick(3_000)
    expect([world.asked.length, world.told]).toEqual([1, ['member']])
    happen({ kind: 'removeNode', node: n4 })
    membership.onTick(4_000)
    expect(world.told).toEqual(['member', 'left'])
  })

  test('leaves when it is removed while it runs', () => {
    const { world, membership, happen, tell } = restarted()
    membership.onTick(0)
    tell()
    happen({ kind: 'removeNode', node: n4 })
    membership.onTick(1_000)
    membership.onTick(2_000)
    expect([world.asked, world.told]).toEqual([[], ['member', 'left']])
  })

  test('leaves after a drain, which it knows of, however late it hears from the meta group', () => {
    const { world, membership, decide, happen, tell } = restarted()
    happen({ kind: 'drainNode', node: n4, isForced: true })
    membership.onTick(0)
    world.tell(undefined)
    membership.onTick(1_000)
    expect(world.asked).toEqual([])
    tell()
    membership.onTick(2_000)
    expect(world.asked).toMatchObject([{ kind: 'removeNode', node: 'n4' }])
    decide()
    membership.onTick(3_000)
    expect(world.told).toEqual(['member', 'left'])
  })
})

describe('a member that joined once and has lost its map', () => {
  /** The cluster as it is, and as the node has it: by the genesis alone. */
  const lost = (join: JoinWish | null, ...wishes: readonly Wish[]) => {
    const it = open(join, n4, { min: 1, max: 1 }, false)
    const born = it.world.state
    it.happen({ kind: 'addNode', node: n4, weight: 1, zone: '' })
    for (const wish of wishes) it.happen(wish)
    const cluster = it.world.state
    it.world.state = born
    const asCluster = (answer: () => void): void => {
      it.world.state = cluster
      answer()
      it.world.state = born
    }
    return { ...it, cluster, asCluster }
  }

  test('takes it for an answer that it is one, with another weight by now', () => {
    const { world, membership, decide, cluster, asCluster } = lost({ weight: 1, zone: '' }, { kind: 'setWeight', node: n4, weight: 3 })
    membership.onTick(0)
    // Not decided at that epoch: it asks again for the one it is told.
    asCluster(decide)
    membership.onTick(1_000)
    asCluster(decide)
    membership.onTick(2_000)
    expect([world.asked.map(({ kind }) => kind), world.told]).toEqual([['addNode', 'addNode'], []])
    world.state = cluster
    membership.onTick(3_000)
    expect(world.told).toEqual(['member'])
  })

  test('leaves when it was draining, and carries nothing', () => {
    const { world, membership, decide, cluster, asCluster } =
      lost({ weight: 1, zone: '' }, { kind: 'drainNode', node: n4, isForced: true })
    membership.onTick(0)
    asCluster(decide)
    membership.onTick(1_000)
    asCluster(decide)
    world.state = cluster
    membership.onTick(2_000)
    expect(world.asked.at(-1)).toMatchObject({ kind: 'removeNode', node: 'n4' })
    decide()
    membership.onTick(3_000)
    expect(world.told).toEqual(['member', 'left'])
  })

  test('asks whether it is one when it is started by its plain command, and goes by no map of before the answer', () => {
    const { world, membership, happen, tell, cluster, asCluster } = lost(null)
    membership.onTick(0)
    world.tell(undefined)
    membership.onTick(1_000)
    expect([world.asked, world.told]).toEqual([[], []])
    asCluster(tell)
    happen({ kind: 'setZone', node: nodeId('n1'), zone: 'east' })
    membership.onTick(2_000)
    expect(world.told).toEqual([])
    world.state = cluster
    membership.onTick(3_000)
    happen({ kind: 'removeNode', node: n4 })
    membership.onTick(4_000)
    expect([world.asked, world.told]).toEqual([[], ['member', 'left']])
  })

  test('refuses to run when it hears that it is none any more', () => {
    const { world, membership, asCluster, tell } = lost(null, { kind: 'removeNode', node: n4 })
    membership.onTick(0)
    asCluster(tell)
    membership.onTick(1_000)
    expect(world.told).toEqual([expect.stringMatching(/start it with --join/)])
  })
})

describe('a node that was not told to join', () => {
  test('refuses to run when the map does not name it', () => {
    const { world, membership } = open(null)
    membership.onTick(0)
    membership.onTick(1_000)
    expect(world.told).toEqual([expect.stringMatching(/start it with --join/)])
  })

  test('is a member from the genesis on', () => {
    const { world, membership } = open(null, nodeId('n2'))
    membership.onTick(0)
    expect(world.told).toEqual(['member'])
  })
})

test('a node that is drained leaves once it carries nothing, and is told when it has', () => {
  const { world, membership, decide, happen } = open({ weight: 1, zone: '' })
  membership.onTick(0)
  decide()
  world.carries = 3
  happen({ kind: 'drainNode', node: n4, isForced: false })
  membership.onTick(2_000)
  expect(world.asked).toHaveLength(1)
  world.carries = 0
  membership.onTick(3_000)
  expect(world.asked[1]).toMatchObject({ kind: 'removeNode', node: 'n4' })
  decide()
  membership.onTick(4_000)
  membership.onTick(6_000)
  expect(world.told).toEqual(['member', 'left'])
})

test('a drained node that is activated before its wish to leave is decided stays, however late it hears of it', () => {
  const { world, membership, decide, happen } = open(null)
  happen({ kind: 'addNode', node: n4, weight: 1, zone: '' })
  happen({ kind: 'drainNode', node: n4, isForced: false })
  const drained = world.state
  happen({ kind: 'activateNode', node: n4 })
  const activated = world.state
  for (const now of [0, 1_000, 2_000]) {
    world.state = drained
    membership.onTick(now)
    world.state = activated
    decide()
    expect(world.state).toBe(activated)
  }
  expect(world.asked.map(({ kind, expectedEpoch }) => [kind, expectedEpoch])).toEqual([0, 1, 2].map(() => ['removeNode', drained.epoch]))
  membership.onTick(3_000)
  expect([world.asked.length, world.told]).toEqual([3, ['member']])
})
