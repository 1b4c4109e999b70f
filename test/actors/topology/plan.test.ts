/** Plans over thousands of random clusters: they reach what is wanted in as many moves as they list, and never go below what is safe. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { apply } from '../../../actors/topology/apply.ts'
import { activeNodes, groupsOf, movesOf, placementOf, replicasWanted } from '../../../actors/topology/clusterState.ts'
import { defaultPlanLimits, plan } from '../../../actors/topology/plan.ts'
import { wantedOf } from '../../../actors/topology/wanted.ts'
import { assert, must } from '../../../actors/kernel/assert.ts'
import { fnv1a32 } from '../../../topology/hash.ts'
import { nodeOf, replicaId, shardId } from '../../../topology/ids.ts'
import { after, asked, n, newborn } from './states.ts'
import type { ClusterNode, ClusterState, GroupKey } from '../../../actors/topology/clusterState.ts'
import type { Plan, PlannedMove } from '../../../actors/topology/plan.ts'
import type { DamagedReplica, Wish } from '../../../actors/topology/protocol.ts'
import type { NodeId } from '../../../topology/ids.ts'
import type { Wanted } from '../../../actors/topology/wanted.ts'

/** A ring is slow to build. Most cases have this instead: another function of the nodes, which reshuffles more than any ring does. */
const shuffled = (state: ClusterState, lost: readonly NodeId[]): Wanted => {
  const usable = activeNodes(state).filter(({ id }) => !lost.includes(id))
  if (usable.length === 0) return wantedOf(state, lost)
  const pick = (salt: number, count: number): NodeId[] => {
    const score = (node: ClusterNode): number => Math.imul(fnv1a32(`${salt}/${node.id}/${node.weight}/${node.zone}`), 0x9e3779b1) >>> 0
    return [...usable].sort((a, b) => score(a) - score(b)).slice(0, count).map(({ id }) => id)
  }
  return {
    shards: state.shards.map((_, shard) => pick(shard + usable.length * 100, state.replicationFactor)),
    meta: pick(-1, replicasWanted(state, 'meta', activeNodes(state).length)),
  }
}

const planOf = (state: ClusterState, lost: readonly NodeId[] = [], { limits = defaultPlanLimits, wantedNow = wantedOf } = {}): Plan =>
  plan({ state, wanted: wantedNow(state, lost), lost, limits })

const beginning = ({ group, add, remove }: PlannedMove): Wish => ({ kind: 'beginMove', group, add, remove, isPlanned: true })
const nodesOf = (state: ClusterState, group: GroupKey): NodeId[] =>
  must(placementOf(state, group), 'the group is there').replicas.map(nodeOf)
const isLive = (nodes: readonly NodeId[], lost: readonly NodeId[]): boolean =>
  nodes.filter((node) => !lost.includes(node)).length * 2 > nodes.length

const complete = (state: ClusterState): ClusterState => {
  let now = state
  for (const { move } of movesOf(state)) {
    if (move.step === 'adding') now = after(now, { kind: 'promote', move: move.id })
    now = after(now, { kind: 'finish', move: move.id, result: move.step === 'undoing' ? 'undone' : 'moved' })
  }
  return now
}

/** Nobody is on a node twice, and nobody has fewer voters than it had, unless fewer are wanted. */
const checkStep = (before: ClusterState, now: ClusterState, lost: readonly NodeId[]): void => {
  const active = activeNodes(now).length
  for (const group of groupsOf(now)) {
    const nodes = nodesOf(now, group)
    const was = nodesOf(before, group)
    assert(new Set(nodes).size === nodes.length, `${group} is twice on a node: ${nodes.join(' ')}`)
    // A move that is under way may have begun when fewer were wanted.
    const isNew = placementOf(before, group)?.move === null
    const least = Math.min(was.length, replicasWanted(now, group, active))
    assert(!isNew || nodes.length >= least, `${group} fell from ${was.length} to ${nodes.length}`)
    assert(isLive(nodes, lost) || !isLive(was, lost), `${group} lost its live majority`)
  }
}

interface Run {
  readonly state: ClusterState
  readonly moves: number
}

/** Carries out the preferences, and begins and completes what the plan says, until it says nothing more. */
const carryOut = (from: ClusterState, lost: readonly NodeId[], wantedNow = wantedOf): Run => {
  let state = from
  let moves = 0
  for (let round = 0; round < 2_000; round += 1) {
    const { next, preferences, cancels } = planOf(state, lost, { wantedNow })
    const before = state
    for (const move of cancels) state = after(state, { kind: 'cancel', move })
    if (preferences.length > 0) state = after(state, { kind: 'prefer', preferences })
    for (const move of next) state = after(state, beginning(move))
    moves += next.length
    state = complete(state)
    checkStep(before, state, lost)
    if (state === before) return { state, moves }
  }
  throw new Error('the plan never ends')
}

const nodeArb = fc.integer({ min: 1, max: 9 }).map(n)
const upheaval: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('addNode' as const), node: nodeArb, weight: fc.integer({ min: 1, max: 3 }),
    zone: fc.constantFrom('', 'a', 'b', 'c') }) },
  fc.record({ kind: fc.constant('drainNode' as const), node: nodeArb, isForced: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('activateNode' as const, 'removeNode' as const), node: nodeArb }),
  fc.record({ kind: fc.constant('setWeight' as const), node: nodeArb, weight: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('setZone' as const), node: nodeArb, zone: fc.constantFrom('', 'a', 'b') }),
  fc.record({ kind: fc.constant('setReplicationFactor' as const), replicationFactor: fc.constantFrom(1, 3, 5) }),
)

interface Case {
  readonly state: ClusterState
  readonly lost: readonly NodeId[]
}

/** A cluster with a past: upheavals, after each of which some of the plan was carried out, and some was left under way. */
const pastOf = (wantedNow: typeof wantedOf): fc.Arbitrary<Case> => fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  shardCount: fc.integer({ min: 1, max: 12 }),
  upheavals: fc.array(fc.tuple(upheaval, fc.integer({ min: 0, max: 3 }), fc.boolean()), { maxLength: 8 }),
  lost: fc.uniqueArray(nodeArb, { maxLength: 2 }),
}).map(({ size, shardCount, upheavals, lost }) => {
  let state = newborn({ size, shardCount })
  for (const [wish, moves, isLeftOpen] of upheavals) {
    state = apply(state, asked(state, wish)).state
    for (const move of planOf(state, [], { wantedNow }).next.slice(0, moves)) state = after(state, beginning(move))
    if (!isLeftOpen) state = complete(state)
  }
  return { state, lost }
})

/** Thousands of cases without a ring, and some with it. */
describe.each([['any function of the nodes', shuffled, 500], ['the ring', wantedOf, 25]])('a plan towards %s', (_, wantedNow, numRuns) => {
  const pastArb = pastOf(wantedNow)

  test('reaches what is wanted, in as many moves as it lists, and is empty then', () => {
    fc.assert(fc.property(pastArb, ({ state: open }) => {
      const state = complete(open)
      const wanted = wantedNow(state, [])
      // As the leader keeps it while the nodes stay the same (leading.ts).
      const kept = (): Wanted => wanted
      const { all, blocked } = planOf(state, [], { wantedNow: kept })
      const run = carryOut(state, [], kept)
      expect(blocked).toEqual([])
      expect(run.moves).toBe(all.length)
      for (const group of groupsOf(run.state)) {
        const nodes = nodesOf(run.state, group)
        const reached = group === 'meta' ? [...wanted.meta].sort() : wanted.shards[group] ?? []
        const isReached = (group === 'meta' ? nodes.sort() : nodes).join() === reached.join()
        assert(isReached, `${group} is on ${nodes.join(' ')}`)
      }
      expect(planOf(run.state, [], { wantedNow })).toEqual({ all: [], next: [], cancels: [], preferences: [], blocked: [], heldBack: [] })
    }), { numRuns })
  })

  test('asks for no more than the difference: nobody gains what is not wanted there, nobody loses what is', () => {
    fc.assert(fc.property(pastArb, ({ state, lost }) => {
      const wanted = wantedNow(state, lost)
      for (const { group, add, remove } of planOf(state, lost, { wantedNow }).all) {
        const nodes = group === 'meta' ? wanted.meta : wanted.shards[group] ?? []
        assert(add === null || nodes.includes(add), `${group} gains ${add} for nothing`)
        assert(remove === null || !nodes.includes(nodeOf(remove)), `${group} loses ${remove} for nothing`)
      }
    }), { numRuns })
  })

  test('ends with nodes lost too: whoever has a live majority has all that is wanted, nobody else is touched', () => {
    fc.assert(fc.property(pastArb, ({ state, lost }) => {
      const run = carryOut(state, lost, wantedNow)
      const wanted = wantedNow(run.state, lost)
      for (const group of groupsOf(run.state)) {
        const nodes = nodesOf(run.state, group)
        const missing = (group === 'meta' ? wanted.meta : wanted.shards[group] ?? []).filter((node) => !nodes.includes(node))
        const before = must(placementOf(state, group), 'the group was there')
        if (isLive(nodes, lost)) assert(missing.length === 0, `${group} lacks ${missing.join(' ')}`)
        else assert(before.move !== null || nodesOf(state, group).join() === nodes.join(), `${group} has no majority and was touched`)
      }
    }), { numRuns })
  })

  test('keeps within its limits, whatever is under way', () => {
    fc.assert(fc.property(pastArb, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 }), (drawn, movesMax, movesPerNodeMax) => {
      let { state } = drawn
      const before = movesOf(state).length
      for (const move of planOf(state, [], { limits: { movesMax, movesPerNodeMax }, wantedNow }).next) state = after(state, beginning(move))
      expect(movesOf(state).length).toBeLessThanOrEqual(Math.max(before, movesMax))
      if (before > 0) return
      const ends = movesOf(state).flatMap(({ move: { add, remove } }) =>
        [...new Set([add, remove].flatMap((one) => (one === null ? [] : [nodeOf(one)])))])
      for (const node of new Set(ends)) expect(ends.filter((one) => one === node).length).toBeLessThanOrEqual(movesPerNodeMax)
    }), { numRuns })
  })
})

describe('what has joined', () => {
  test('gets a quarter of the replicas as the fourth node, and nothing else moves', () => {
    const state = after(newborn({ shardCount: 64 }), { kind: 'addNode', node: n(4), weight: 1, zone: '' })
    const shards = planOf(state).all.filter(({ group }) => group !== 'meta')
    expect(shards.every(({ add, remove }) => add === n(4) && remove !== null)).toBe(true)
    expect(shards.length / (64 * 3)).toBeCloseTo(0.25, 1)
  })
})

/** Two nodes have joined five, and four copies to them are under way: as many as there may be. */
const copying = (limits = defaultPlanLimits): ClusterState => {
  const [six, seven] = [6, 7].map((i): Wish => ({ kind: 'addNode', node: n(i), weight: 1, zone: '' }))
  const state = after(newborn({ size: 5, shardCount: 32 }), must(six, 'a node'), must(seven, 'another'))
  const begun = after(state, ...planOf(state, [], { limits }).next.map(beginning))
  expect([movesOf(begun).length, planOf(begun, [], { limits }).next]).toEqual([limits.movesMax, []])
  return begun
}

const four = (): ClusterState => carryOut(after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' }), []).state

describe('what is lost', () => {
  test('is replaced before anything else moves, where a node can take it', () => {
    const state = after(four(), { kind: 'addNode', node: n(5), weight: 1, zone: '' })
    const { all } = planOf(state, [n(1)])
    const removed = all.map(({ remove }) => remove !== null && nodeOf(remove) === n(1))
    expect(removed.indexOf(false)).toBe(removed.filter(Boolean).length)
    expect(removed[0]).toBe(true)
  })

  test('waits for no copy that could wait as well, and is replaced a few at a time all the same', () => {
    const state = copying()
    const { next } = planOf(state, [n(1)])
    expect(next.map(({ remove }) => remove !== null && nodeOf(remove))).toEqual(next.map(() => n(1)))
    expect(next.length).toBeGreaterThan(1)
    const ends = next.map(({ add }) => add)
    for (const end of ends) expect(ends.filter((one) => one === end).length).toBeLessThanOrEqual(defaultPlanLimits.movesPerNodeMax)
    const then = planOf(after(state, ...next.map(beginning)), [n(1)]).next
    expect(then.length + next.length).toBeLessThanOrEqual(defaultPlanLimits.movesMax)
    expect(then.filter(({ remove }) => remove === null || nodeOf(remove) !== n(1))).toEqual([])
  })

  test('keeps its place where nobody can take it: it may come back', () => {
    const { all, next } = planOf(newborn(), [n(3)])
    expect([all, next]).toEqual([[], []])
  })

  test('holds back a drain for which too few would be left, until it is back, or drains, too', () => {
    const state = after(four(), { kind: 'drainNode', node: n(3), isForced: true })
    const { all, heldBack } = planOf(carryOut(state, [n(4)]).state, [n(4)])
    const onThird = groupsOf(state).filter((group) => nodesOf(carryOut(state, [n(4)]).state, group).includes(n(3)))
    expect([all, heldBack, onThird.length > 0]).toEqual([[], onThird, true])
    for (const [now, lost] of [[state, []], [after(state, { kind: 'drainNode', node: n(4), isForced: true }), [n(4)]]] as const) {
      expect(planOf(now, lost).heldBack).toEqual([])
      expect(planOf(carryOut(now, lost).state, lost)).toMatchObject({ all: [], heldBack: [] })
    }
  })

  test('blocks a group that has no majority without it', () => {
    const state = after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' })
    const { blocked, next } = planOf(state, [n(1), n(2)])
    expect(blocked).toEqual([0, 1, 2, 3, 'meta'])
    expect(next).toEqual([])
  })

  test('leaves everything where it is when it is everybody', () => {
    expect(planOf(newborn(), [n(1), n(2), n(3)]).all).toEqual([])
  })
})

describe('what is damaged', () => {
  const ill = (number: number, group: GroupKey = shardId(0), generation = 1): DamagedReplica =>
    ({ group, replica: replicaId(n(number), generation) })
  const planWith = (state: ClusterState, damaged: readonly DamagedReplica[], lost: readonly NodeId[] = []): Plan =>
    plan({ state, wanted: wantedOf(state, lost), lost, damaged, limits: defaultPlanLimits })

  test('is replaced by another replica on its own node, before anything else', () => {
    const state = after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' })
    const wanted = wantedOf(state, [])
    const stays = must(state.shards.findIndex((_, shard) => wanted.shards[shard]?.includes(n(2))), 'n2 keeps something')
    const { all, next } = planWith(state, [ill(2, shardId(stays))])
    expect(all[0]).toEqual({ group: stays, add: n(2), remove: replicaId(n(2), 1) })
    expect(next[0]).toEqual(all[0])
    expect(after(state, beginning(must(all[0], 'a move'))).shards[stays]?.move).toMatchObject({ add: replicaId(n(2), 2), step: 'adding' })
  })

  test('is replaced elsewhere where its node drains', () => {
    const state = after(newborn({ size: 4 }), { kind: 'drainNode', node: n(2), isForced: false })
    const group = shardId(state.shards.findIndex(({ replicas }) => replicas.some((replica) => nodeOf(replica) === n(2))))
    const step = planWith(state, [ill(2, group)]).all.find((move) => move.group === group)
    expect(step).toMatchObject({ remove: replicaId(n(2), 1) })
    expect(step?.add).not.toBe(n(2))
  })

  test('keeps its place on a node that drains while nobody else can take it: held back, like a sound one', () => {
    const state = after(four(), { kind: 'drainNode', node: n(3), isForced: true })
    const held = carryOut(state, [n(4)]).state
    const group = must(planOf(held, [n(4)]).heldBack.find((key) => key !== 'meta'), 'a shard is held back')
    const damaged = [{ group, replica: must(placementOf(held, group)?.replicas.find((replica) => nodeOf(replica) === n(3)), 'n3 has one') }]
    expect(planWith(held, damaged, [n(4)])).toMatchObject({ all: [], blocked: [] })
    expect(planWith(held, damaged, [n(4)]).heldBack).toContain(group)
    const bothDrain = planWith(after(held, { kind: 'drainNode', node: n(4), isForced: true }), damaged, [n(4)])
    const isActive = planWith(after(held, { kind: 'activateNode', node: n(3) }), damaged, [n(4)])
    const isBack = planWith(held, damaged)
    for (const { next } of [bothDrain, isActive, isBack]) expect(next.map(({ remove }) => remove)).toContain(damaged[0]?.replica)
  })

  test('is given up with its node that drains, where enough are left without it', () => {
    const state = after(newborn({ size: 5 }), { kind: 'drainNode', node: n(5), isForced: false })
    const damaged = ill(5, 'meta')
    expect(planWith(state, [damaged]).next).toContainEqual({ group: 'meta', add: null, remove: damaged.replica })
  })

  test('is not preferred as the heir of a leader that drains', () => {
    const state = after(newborn({ size: 4 }), { kind: 'drainNode', node: n(1), isForced: false })
    const { shard, replicas } = must(planOf(state).preferences[0], 'n1 hands something over')
    const [heir] = replicas
    const spared = planWith(state, [{ group: shard, replica: must(heir, 'there is an heir') }]).preferences
    const other = must(spared.find((preference) => preference.shard === shard), 'another takes it').replicas[0]
    expect(other).not.toBe(heir)
    expect(nodeOf(must(other, 'there is one'))).not.toBe(n(1))
  })

  test('of a whole node is replaced a few at a time', () => {
    const state = newborn()
    const damaged = [...groupsOf(state)].map((group) => ill(1, group))
    const { all, next } = planWith(state, damaged)
    expect([all.length, next.length]).toEqual([5, defaultPlanLimits.movesPerNodeMax])
    expect(planWith(after(state, ...next.map(beginning)), damaged).next).toEqual([])
  })

  test('counts for nothing: without a majority of the others the group is blocked, and said to be', () => {
    expect(planWith(newborn(), [ill(1), ill(2)])).toMatchObject({ next: [], blocked: [0] })
    expect(planWith(newborn(), [ill(1)], [n(2)])).toMatchObject({ next: [], blocked: [0] })
    expect(planWith(newborn({ size: 1 }), [ill(1)])).toMatchObject({ next: [], blocked: [0] })
    const two = after(newborn({ size: 2, replicationFactor: 1 }), { kind: 'pause' })
    expect(planWith(two, [ill(1), ill(2)]).next).toEqual([])
  })

  test('is no business of a group that does not have it any more', () => {
    expect(planWith(newborn(), [ill(1, shardId(0), 9)]).all).toEqual([])
  })

  test('while it is being added is given up for another', () => {
    const state = after(newborn(), beginning({ group: shardId(0), add: n(1), remove: replicaId(n(1), 1) }))
    expect(planWith(state, [ill(1)]).cancels).toEqual([])
    expect(planWith(state, [ill(1), ill(1, shardId(0), 2)]).cancels).toEqual([1])
    expect(planWith(after(state, { kind: 'promote', move: 1 }), [ill(1, shardId(0), 2)]).cancels).toEqual([1])
    const undone = after(state, { kind: 'cancel', move: 1 }, { kind: 'finish', move: 1, result: 'undone' })
    expect(planWith(undone, [ill(1)]).next).toEqual([{ group: 0, add: n(1), remove: replicaId(n(1), 1) }])
  })

  test('rests while the cluster is paused', () => {
    expect(planWith(after(newborn(), { kind: 'pause' }), [ill(1)])).toMatchObject({ next: [], all: [{ group: 0, add: n(1) }] })
  })
})

describe('a move that stands still', () => {
  test('keeps its nodes busy, and no others', () => {
    const limits = { movesMax: 2, movesPerNodeMax: 2 }
    const state = copying(limits)
    const still = movesOf(state).map(({ move }) => move.id)
    const { next } = plan({ state, wanted: wantedOf(state, []), lost: [], still, limits })
    expect(next).toHaveLength(2)
    const targets = movesOf(after(state, ...next.map(beginning))).map(({ move: { add } }) => nodeOf(must(add, 'something is added')))
    expect([6, 7].map((i) => targets.filter((target) => target === n(i)).length)).toEqual([2, 2])
  })
})

describe('a second node that is lost while the first is replaced', () => {
  const liveMoves = (state: ClusterState, lost: readonly NodeId[]) =>
    movesOf(state).filter(({ group }) => isLive(nodesOf(state, group), lost))
  const finishOne = (state: ClusterState, lost: readonly NodeId[]): ClusterState => {
    const [{ move: { id, step } }] = liveMoves(state, lost) as [ReturnType<typeof movesOf>[number]]
    if (step === 'undoing') return after(state, { kind: 'finish', move: id, result: 'undone' })
    return after(state, { kind: 'promote', move: id }, { kind: 'finish', move: id, result: 'moved' })
  }
  /** What begins, and what of it ends, until that many have ended or nothing is left to do. */
  const replace = (from: ClusterState, lost: readonly NodeId[], ended: number): ClusterState => {
    const wanted = wantedOf(from, lost)
    let state = from
    for (let left = ended; ; left -= 1) {
      const still = movesOf(state).filter((found) => !liveMoves(state, lost).includes(found)).map(({ move }) => move.id)
      const { cancels, preferences, next } = plan({ state, wanted, lost, still, limits: defaultPlanLimits })
      for (const move of cancels) state = after(state, { kind: 'cancel', move })
      if (preferences.length > 0) state = after(state, { kind: 'prefer', preferences })
      state = after(state, ...next.map(beginning))
      if (left === 0 || liveMoves(state, lost).length === 0) return state
      state = finishOne(state, lost)
    }
  }

  test('keeps no group that has a majority waiting for those that have none', () => {
    for (const [size, shardCount, ended] of [[5, 16, 0], [5, 16, 4], [5, 32, 4], [6, 32, 8]] as const) {
      const first = replace(newborn({ size, shardCount }), [n(1)], ended)
      const lost = [n(1), n(2)]
      const rest = replace(first, lost, Infinity)
      const hasMajority = (group: GroupKey): boolean => isLive(nodesOf(rest, group), lost)
      const waiting = planOf(rest, lost).all.filter(({ group }) => hasMajority(group)).map(({ group }) => group)
      const stuck = movesOf(rest).filter(({ group }) => !hasMajority(group))
      expect([size, shardCount, ended, waiting, liveMoves(rest, lost), stuck.length > 0]).toEqual([size, shardCount, ended, [], [], true])
    }
  })
})

describe('a move that became pointless is cancelled:', () => {
  const moved = (): ClusterState => {
    const state = after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' })
    return after(state, beginning(must(planOf(state).next[0], 'a fourth node gains something')))
  }

  test('its target is lost, whichever its step', () => {
    expect(planOf(moved(), [n(4)]).cancels).toEqual([1])
    expect(planOf(after(moved(), { kind: 'promote', move: 1 }), [n(4)]).cancels).toEqual([1])
    expect(planOf(after(moved(), { kind: 'cancel', move: 1 }), [n(4)]).cancels).toEqual([])
  })

  test('its target drains, while it still only copies', () => {
    const drains: Wish = { kind: 'drainNode', node: n(4), isForced: false }
    expect(planOf(after(moved(), drains)).cancels).toEqual([1])
    expect(planOf(after(moved(), { kind: 'promote', move: 1 }, drains)).cancels).toEqual([])
  })

  test('its target drains, and its last step has stood still for minutes: that disk is full', () => {
    const state = after(moved(), { kind: 'promote', move: 1 })
    const cancelsOf = (now: ClusterState, still: readonly number[]) =>
      plan({ state: now, wanted: wantedOf(now, []), lost: [], still, limits: defaultPlanLimits }).cancels
    const drains = after(state, { kind: 'drainNode', node: n(4), isForced: false })
    expect([cancelsOf(state, [1]), cancelsOf(drains, []), cancelsOf(drains, [1])]).toEqual([[], [], [1]])
    expect(cancelsOf(after(drains, { kind: 'cancel', move: 1 }), [1])).toEqual([])
  })

  test('what it replaces has come back', () => {
    const settled = carryOut(after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' }), []).state
    const { next } = planOf(settled, [n(1)])
    const state = after(settled, beginning(must(next[0], 'n1 is replaced')))
    expect(planOf(state, [n(1)]).cancels).toEqual([])
    expect(planOf(state).cancels).toEqual(movesOf(state).map(({ move }) => move.id))
  })

  test('another loss would leave it without a majority', () => {
    const state = after(newborn({ size: 3 }), { kind: 'setReplicationFactor', replicationFactor: 1 })
    const dropping = after(state, { kind: 'beginMove', group: shardId(0), add: null, remove: replicaId(n(3), 1), isPlanned: true })
    expect(planOf(dropping).cancels).toEqual([])
    expect(planOf(dropping, [n(1)]).cancels).toEqual([1])
  })

  test('it stands still, and another replica of its group waits to be replaced', () => {
    const state = moved()
    const [{ group, placement, move }] = movesOf(state) as [ReturnType<typeof movesOf>[number]]
    const other = must(placement.replicas.find((replica) => replica !== move.remove), 'another replica')
    const cancelsOf = (still: readonly number[], damaged: readonly DamagedReplica[]) =>
      plan({ state, wanted: wantedOf(state, []), lost: [], damaged, still, limits: defaultPlanLimits }).cancels
    expect(cancelsOf([1], [])).toEqual([])
    expect(cancelsOf([], [{ group, replica: other }])).toEqual([])
    expect(cancelsOf([1], [{ group, replica: other }])).toEqual([1])
    expect(cancelsOf([1], [{ group, replica: must(move.remove, 'it replaces one') }])).toEqual([])
  })

  test('its last step stands still, and another replica of its group waits to be replaced', () => {
    const state = after(moved(), { kind: 'promote', move: 1 })
    const [{ group, placement, move }] = movesOf(state) as [ReturnType<typeof movesOf>[number]]
    const other = must(placement.replicas.find((replica) => replica !== move.remove), 'another replica')
    const cancelsOf = (now: ClusterState, still: readonly number[], replica = other) =>
      plan({ state: now, wanted: wantedOf(now, []), lost: [], damaged: [{ group, replica }], still, limits: defaultPlanLimits }).cancels
    const removed = must(move.remove, 'it replaces one')
    expect([cancelsOf(state, []), cancelsOf(state, [1]), cancelsOf(state, [1], removed)]).toEqual([[], [1], []])
    expect(cancelsOf(after(state, { kind: 'cancel', move: 1 }), [1])).toEqual([])
  })

  test('while the cluster is paused only if the replica it adds counts for nothing', () => {
    const paused = after(moved(), { kind: 'pause' })
    const [{ group, move }] = movesOf(paused) as [ReturnType<typeof movesOf>[number]]
    const damaged = [{ group, replica: must(move.add, 'something is added') }]
    expect(planOf(paused, [n(4)])).toMatchObject({ cancels: [1], next: [], preferences: [] })
    const wanted = wantedOf(paused, [])
    expect(plan({ state: paused, wanted, lost: [], damaged, limits: defaultPlanLimits })).toMatchObject({ cancels: [1], next: [] })
    expect(planOf(after(paused, { kind: 'drainNode', node: n(4), isForced: false })).cancels).toEqual([])
    expect(planOf(paused).all.length).toBeGreaterThan(0)
  })
})

describe('the meta group', () => {
  test('stays where it is while it can', () => {
    const state = after(newborn({ size: 5 }), { kind: 'setWeight', node: n(5), weight: 4 })
    expect(wantedOf(state, []).meta).toEqual([1, 2, 3, 4, 5].map(n))
    expect(wantedOf(after(newborn(), { kind: 'addNode', node: n(4), weight: 9, zone: '' }), []).meta).toEqual([1, 2, 3].map(n))
  })

  test('spreads over the zones there are', () => {
    const state = after(newborn({ size: 4 }), ...[1, 2, 3].map((i): Wish => ({ kind: 'setZone', node: n(i), zone: 'a' })),
      { kind: 'setZone', node: n(4), zone: 'b' })
    expect(wantedOf(state, []).meta).toEqual([n(1), n(4), n(2)])
  })

  test('grows with the cluster, and shrinks with it', () => {
    const two = after(newborn({ size: 1 }), { kind: 'addNode', node: n(2), weight: 1, zone: '' })
    expect(planOf(two).all.filter(({ group }) => group === 'meta')).toEqual([])
    const three = after(two, { kind: 'addNode', node: n(3), weight: 1, zone: '' })
    expect(carryOut(three, []).state.meta.replicas).toHaveLength(3)
    const shrunk = after(carryOut(three, []).state, { kind: 'drainNode', node: n(1), isForced: true })
    expect(carryOut(shrunk, []).state.meta.replicas.map(nodeOf)).toHaveLength(1)
  })

  test('has a replacement for a replica of its own', () => {
    const state = after(newborn({ size: 4 }), { kind: 'drainNode', node: n(2), isForced: false })
    expect(planOf(state).all).toContainEqual({ group: 'meta', add: n(4), remove: replicaId(n(2), 1) })
    expect(planOf(state).all.some(({ group }) => group === shardId(0))).toBe(true)
  })
})
