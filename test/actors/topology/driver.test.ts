/** The driver against groups that obey the fence, over a network that loses, doubles and reorders, with restarts at every step. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { apply } from '../../../actors/topology/apply.ts'
import { groupsOf, movesOf, placementOf, replicasAfter } from '../../../actors/topology/clusterState.ts'
import { createDriver, noteReport, orderOf, ordersDue, stepDue } from '../../../actors/topology/driver.ts'
import { assert, must } from '../../../actors/kernel/assert.ts'
import { between, createRandom } from '../../../actors/kernel/random.ts'
import { replicaId, shardId } from '../../../topology/ids.ts'
import { after, asked, n, newborn } from './states.ts'
import { catchUp, changeLeader, commitAppended, createGroupModel, takeOrder, takeOrderDeposed } from './groupModel.ts'
import type { ClusterState, GroupKey, MoveOfGroup, Placement } from '../../../actors/topology/clusterState.ts'
import type { Driver } from '../../../actors/topology/driver.ts'
import type { Configuration } from '../../../actors/raft/protocol.ts'
import type { MetaCommand, MoveOrder, MoveReport, Wish } from '../../../actors/topology/protocol.ts'
import type { GroupModel } from './groupModel.ts'
import type { ReplicaId } from '../../../topology/ids.ts'

const four = (): ClusterState => after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' })
/** What n4 is given first. */
const fourth = replicaId(n(4), 2)
const pair: Wish = { kind: 'beginMove', group: shardId(0), add: n(4), remove: replicaId(n(1), 1), isPlanned: true }
const only = (state: ClusterState): MoveOfGroup => must(movesOf(state)[0], 'a move is under way')

/** What a leader that did as it was told answers. */
const obeyed = (order: MoveOrder, indexes: readonly number[] = []): MoveReport => ({
  group: order.group, move: order.move, epoch: order.epoch, outcome: 'done',
  configuration: { voters: order.voters, outgoing: [], learners: order.learners, epoch: order.epoch },
  matches: [...order.voters, ...order.learners].map((replica, i) => ({ replica, index: indexes[i] ?? 500 })),
})

describe('the driver', () => {
  test('orders each step, and takes the next when the answer shows it', () => {
    const driver = createDriver()
    let state = after(four(), pair)
    const steps: string[] = []
    for (let i = 0; i < 3 && movesOf(state).length > 0; i += 1) {
      const [order] = ordersDue(driver, state, 1)
      noteReport(driver, obeyed(must(order, 'a new step is ordered at once')))
      const wish = must(stepDue(driver, state), 'it was done')
      steps.push(`${order?.voters.join(' ')} | ${order?.learners.join(' ')} @${order?.epoch} -> ${wish.kind}`)
      state = after(state, wish)
    }
    expect(steps).toEqual(['n1:1 n2:1 n3:1 | n4:2 @3 -> promote', 'n4:2 n2:1 n3:1 |  @4 -> finish'].map((line) =>
      expect.stringMatching(new RegExp(`@\\d -> ${line.split('-> ')[1]}`))))
    expect(state.shards[0]?.replicas).toContain(replicaId(n(4), 2))
    expect(ordersDue(driver, state, 100)).toEqual([])
    expect(driver.conversations.size).toBe(0)
  })

  test('promotes nobody who has not caught up', () => {
    const driver = createDriver()
    const state = after(four(), pair)
    const [order] = ordersDue(driver, state, 1)
    noteReport(driver, obeyed(must(order, 'it is ordered'), [500, 500, 500, 243]))
    expect(stepDue(driver, state)).toBeNull()
    noteReport(driver, obeyed(must(order, 'it is ordered'), [500, 500, 500, 244]))
    expect(stepDue(driver, state)).toEqual({ kind: 'promote', move: 1 })
  })

  test('promotes nobody who has nothing, in a group so young that it lacks little', () => {
    const driver = createDriver()
    const state = after(four(), pair)
    const [order] = ordersDue(driver, state, 1)
    noteReport(driver, obeyed(must(order, 'it is ordered'), [3, 3, 3, 0]))
    expect(stepDue(driver, state)).toBeNull()
    noteReport(driver, obeyed(must(order, 'it is ordered'), [3, 3, 3, 1]))
    expect(stepDue(driver, state)).toEqual({ kind: 'promote', move: 1 })
  })

  test('repeats itself ever more slowly into silence, and steadily to who answers', () => {
    const driver = createDriver()
    const state = after(four(), pair)
    const sentAt: number[] = []
    for (let tick = 0; tick < 200; tick += 1) if (ordersDue(driver, state, 1).length > 0) sentAt.push(tick)
    expect(sentAt).toEqual([0, 4, 12, 28, 60, 124, 188])
    noteReport(driver, { ...obeyed(orderOf(only(state))), outcome: 'notLeader', matches: [] })
    const again: number[] = []
    for (let tick = 0; tick < 8; tick += 1) if (ordersDue(driver, state, 1).length > 0) again.push(tick)
    expect(again).toEqual([3, 7])
  })

  test('believes no answer to another step, of another epoch, or of nobody it talks to', () => {
    const driver = createDriver()
    const state = after(four(), pair)
    noteReport(driver, obeyed(orderOf(only(state))))
    expect(stepDue(driver, state)).toBeNull()
    ordersDue(driver, state, 1)
    noteReport(driver, { ...obeyed(orderOf(only(state))), epoch: 2 })
    expect(stepDue(driver, state)).toBeNull()
    noteReport(driver, obeyed(orderOf(only(state))))
    expect(stepDue(driver, after(state, { kind: 'cancel', move: 1 }))).toBeNull()
  })

  test.each<[string, (report: MoveReport) => MoveReport]>([
    ['of an older epoch', (report) => ({ ...report, configuration: { ...report.configuration, epoch: 1 } })],
    ['that is joint', (report) => ({ ...report, configuration: { ...report.configuration, outgoing: [replicaId(n(1), 1)] } })],
    ['with another learner', (report) => ({ ...report, configuration: { ...report.configuration, learners: [] } })],
    ['with other voters', (report) => ({ ...report, configuration: { ...report.configuration, voters: [replicaId(n(2), 1)] } })],
  ])('takes no configuration %s for what it ordered, whatever the outcome says', (_, change) => {
    const driver = createDriver()
    const state = after(four(), pair)
    ordersDue(driver, state, 1)
    noteReport(driver, change(obeyed(orderOf(only(state)))))
    expect(stepDue(driver, state)).toBeNull()
  })

  test('takes no configuration that was there before for an undoing, though it has the members', () => {
    const driver = createDriver()
    const state = after(four(), pair, { kind: 'cancel', move: 1 })
    const [order] = ordersDue(driver, state, 1)
    const report = obeyed(must(order, 'it is ordered'))
    noteReport(driver, { ...report, outcome: 'busy', configuration: { ...report.configuration, epoch: 0 } })
    expect(stepDue(driver, state)).toBeNull()
    noteReport(driver, report)
    expect(stepDue(driver, state)).toEqual({ kind: 'finish', move: 1, result: 'undone' })
  })

  test('takes no configuration that was there before for a promotion that stands, unless its leader has made sure that it leads', () => {
    const driver = createDriver()
    const addition: Wish = { kind: 'beginMove', group: shardId(0), add: n(4), remove: null, isPlanned: true }
    const added = after(four(), addition, { kind: 'promote', move: 1 }, { kind: 'finish', move: 1, result: 'moved' })
    const removal: Wish = { kind: 'beginMove', group: shardId(0), add: null, remove: fourth, isPlanned: true }
    const state = after(added, removal, { kind: 'cancel', move: 2 })
    const [order] = ordersDue(driver, state, 1)
    const before = { epoch: 0, voters: must(four().shards[0], 'it is there').replicas, outgoing: [], learners: [] }
    const report = { ...obeyed(must(order, 'it is ordered')), configuration: before }
    for (const outcome of ['busy', 'pending', 'stale', 'done'] as const) {
      noteReport(driver, { ...report, outcome })
      expect(stepDue(driver, state)).toBeNull()
    }
    noteReport(driver, { ...report, outcome: 'behind' })
    expect(stepDue(driver, state)).toEqual({ kind: 'finish', move: 2, result: 'moved' })
  })

  test('undoes with an entry of its own epoch, and takes a promotion that stands for what it is', () => {
    const driver = createDriver()
    const promoted = after(four(), pair, { kind: 'promote', move: 1 })
    const state = after(promoted, { kind: 'cancel', move: 1 })
    const [order] = ordersDue(driver, state, 1)
    expect(order).toMatchObject({ learners: [], epoch: state.epoch, voters: four().shards[0]?.replicas })
    const late = { ...obeyed(orderOf(only(promoted))).configuration }
    noteReport(driver, { ...obeyed(must(order, 'it is ordered')), outcome: 'behind', configuration: late })
    expect(stepDue(driver, state)).toEqual({ kind: 'finish', move: 1, result: 'moved' })
    noteReport(driver, obeyed(must(order, 'it is ordered')))
    expect(stepDue(driver, state)).toEqual({ kind: 'finish', move: 1, result: 'undone' })
  })
})

interface World {
  state: ClusterState
  readonly groups: Map<GroupKey, GroupModel>
  /** The present meta leader's, and one of a predecessor that does not know it. */
  readonly drivers: Driver[]
  /** What a predecessor believes the state to be. */
  views: ClusterState[]
  orders: MoveOrder[]
  reports: MoveReport[]
  commands: MetaCommand[]
}

/** As a group is whose fourth replica was added by the move before. */
const groupIn = (state: ClusterState, group: GroupKey): GroupModel => {
  const { replicas } = must(placementOf(state, group), 'the group is placed')
  const born = { voters: replicas.filter((replica) => replica !== fourth), outgoing: [], learners: [], epoch: 0 }
  return createGroupModel(group, replicas, replicas.includes(fourth) ? [born] : [])
}

const createWorld = (state: ClusterState): World => ({
  state, groups: new Map(groupsOf(state).map((group) => [group, groupIn(state, group)])),
  drivers: [createDriver(), createDriver()], views: [state, state], orders: [], reports: [], commands: [],
})

/** Ownership: the shard's voters are what the map says, or what the map says they are about to be; and nobody unnamed takes part. */
const check = ({ state, groups }: World): void => {
  for (const model of groups.values()) {
    const placement = must(placementOf(state, model.group), 'the group is placed')
    const wrong = wrongIn(placement, model.committed) ?? (model.appended === null ? null : wrongIn(placement, model.appended))
    if (wrong !== null) throw new Error(`${model.group}: ${wrong}: ${JSON.stringify({ placement, model })}`)
  }
}

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((id) => b.includes(id))

const wrongIn = ({ replicas, move }: Placement, { voters, outgoing, learners }: Configuration): string | null => {
  const mayBeTarget = move !== null && move.step !== 'adding'
  const isOwned = isSame(voters, replicas) || (mayBeTarget && isSame(voters, replicasAfter(replicas, move)))
  if (!isOwned) return 'voters that the map does not say'
  const isNamed = (member: ReplicaId): boolean => replicas.includes(member) || member === move?.add
  if (!voters.every(isNamed) || !outgoing.every(isNamed) || !learners.every(isNamed)) return 'a member that may be deleted'
  const kept = voters.filter((voter) => replicas.includes(voter)).length
  if (kept < replicas.length - 1 || kept < replicas.length / 2) return 'fewer than a quorum of the old voters'
  return move === null && outgoing.length + learners.length > 0 ? 'a change where the map rests' : null
}

const propose = (world: World, which: number): void => {
  const view = which === 0 ? world.state : must(world.views[which], 'a view')
  const wish = stepDue(must(world.drivers[which], 'a driver'), view)
  if (wish !== null) world.commands.push(asked(view, wish))
}

const commit = (world: World, command: MetaCommand): void => {
  world.state = apply(world.state, command).state
}

/** Takes one of the list, or a copy of it: lists reorder, double and, by `lose`, drop. */
const draw = <T>(items: T[], at: number, keep: boolean): T | undefined =>
  (keep ? items[at % Math.max(1, items.length)] : items.splice(at % Math.max(1, items.length), 1)[0])

const act = (world: World, random: ReturnType<typeof createRandom>): void => {
  const roll = (max: number): number => between(random, 0, max - 1)
  const keep = roll(4) === 0
  const groups = [...world.groups.values()]
  const model = must(groups[roll(groups.length)], 'there are groups')
  switch (roll(16)) {
    case 0: case 1: world.orders.push(...ordersDue(must(world.drivers[0], 'a driver'), world.state, 1 + roll(8))); return
    case 2: world.orders.push(...ordersDue(must(world.drivers[1], 'a driver'), must(world.views[1], 'a view'), 1 + roll(8))); return
    case 3: case 4: case 5: {
      const order = draw(world.orders, roll(100), keep)
      if (order === undefined) return
      const to = must(world.groups.get(order.group), 'the group is there')
      world.reports.push(roll(8) === 0 ? takeOrderDeposed(to, order, roll(100)) : takeOrder(to, order))
      return
    }
    case 6: case 7: {
      const report = draw(world.reports, roll(100), keep)
      if (report !== undefined) for (const driver of world.drivers) noteReport(driver, report)
      return
    }
    case 8: propose(world, 0); propose(world, 1); return
    case 9: case 10: {
      const command = draw(world.commands, roll(100), keep)
      if (command !== undefined) commit(world, command)
      return
    }
    case 11: commitAppended(model); return
    case 12: changeLeader(model, roll(5), roll(2) === 0); return
    case 13: catchUp(model); return
    case 14:
      // A new meta leader begins with nothing; the old one goes on as if it led.
      world.drivers[1] = must(world.drivers[0], 'a driver')
      world.views[1] = world.state
      world.drivers[0] = createDriver()
      return
    case 15: {
      draw(roll(2) === 0 ? world.orders as unknown[] : world.reports, roll(100), false)
      const moves = movesOf(world.state)
      const found = moves[roll(Math.max(1, moves.length))]
      if (found !== undefined && roll(3) === 0) commit(world, asked(world.state, { kind: 'cancel', move: found.move.id }))
    }
  }
}

/** From now on everything arrives, and nobody fails. */
const heal = (world: World): void => {
  for (let round = 0; round < 60 && movesOf(world.state).length > 0; round += 1) {
    const driver = must(world.drivers[0], 'a driver')
    for (const order of [...world.orders.splice(0), ...ordersDue(driver, world.state, 64)]) {
      noteReport(driver, takeOrder(must(world.groups.get(order.group), 'the group is there'), order))
      check(world)
    }
    for (const model of world.groups.values()) {
      commitAppended(model)
      catchUp(model)
    }
    for (const command of world.commands.splice(0)) commit(world, command)
    propose(world, 0)
    check(world)
  }
}

const begins: readonly Wish[] = [
  pair,
  { kind: 'beginMove', group: shardId(1), add: n(4), remove: replicaId(n(2), 1), isPlanned: true },
  { kind: 'beginMove', group: shardId(2), add: n(4), remove: null, isPlanned: true },
  { kind: 'beginMove', group: 'meta', add: n(4), remove: replicaId(n(3), 1), isPlanned: true },
]

/** A crowded third shard gives up whom it has just got: a move that only removes, and leaves what there was before. */
const start = (): ClusterState => {
  const grown = after(four(), { kind: 'beginMove', group: shardId(3), add: n(4), remove: null, isPlanned: true },
    { kind: 'promote', move: 1 }, { kind: 'finish', move: 1, result: 'moved' })
  return after(grown, { kind: 'beginMove', group: shardId(3), add: null, remove: fourth, isPlanned: true }, ...begins)
}

describe('moves under a network that loses, doubles and reorders', () => {
  test('the driver ends every move, whatever is lost, and the groups are what the map says at every step', () => {
    const state = start()
    const before = after(four(), { kind: 'beginMove', group: shardId(3), add: n(4), remove: null, isPlanned: true },
      { kind: 'promote', move: 1 }, { kind: 'finish', move: 1, result: 'moved' })
    fc.assert(fc.property(fc.integer({ min: 1 }), fc.integer({ min: 0, max: 250 }), (seed, steps) => {
      const world = createWorld(before)
      world.state = state
      world.views = [state, state]
      const random = createRandom(seed)
      for (let i = 0; i < steps; i += 1) {
        act(world, random)
        check(world)
      }
      heal(world)
      assert(movesOf(world.state).length === 0, `moves are left: ${JSON.stringify(movesOf(world.state))}`)
      // What was still on its way changes nothing any more.
      for (const order of world.orders) takeOrder(must(world.groups.get(order.group), 'the group is there'), order)
      for (const model of world.groups.values()) commitAppended(model)
      check(world)
    }), { numRuns: 500 })
  })
})
