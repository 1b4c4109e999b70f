/** The meta group's state machine: what each command changes, and every reason for which one is refused. */

import { describe, expect, test } from '@jest/globals'
import { apply } from '../../../actors/topology/apply.ts'
import { HISTORY_EVENTS_MAX, NODES_MAX, hostedOn, mapOf, oldestKept } from '../../../actors/topology/clusterState.ts'
import { nodeId, replicaId, shardId } from '../../../topology/ids.ts'
import { mapOfGenesis } from '../../../topology/clusterMap.ts'
import { after, asked, attempt, genesisOf, n, newborn } from './states.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { RefusalReason, Wish } from '../../../actors/topology/protocol.ts'

const r = (number: number, generation = 1) => replicaId(n(number), generation)
const add = (number: number): Wish => ({ kind: 'addNode', node: n(number), weight: 1, zone: '' })
const begin = (group: number | 'meta', to: number | null, from: ReturnType<typeof r> | null, isPlanned = true): Wish => ({
  kind: 'beginMove', group: group === 'meta' ? group : shardId(group), add: to === null ? null : n(to), remove: from, isPlanned,
})
const four = (): ClusterState => after(newborn(), add(4))

describe('a cluster at its birth', () => {
  test('is what its genesis says, at epoch 1, and routes alike', () => {
    const genesis = genesisOf({ size: 5 })
    const state = newborn({ size: 5 })
    expect(mapOf(state)).toEqual(mapOfGenesis(genesis))
    expect(state).toMatchObject({ epoch: 1, replicationFactor: 3, nextGeneration: 2, nextMove: 1, isPaused: false })
    expect(state.nodes.every((node) => node.state === 'active' && node.weight === 1)).toBe(true)
  })

  test.each([[1, 1], [2, 1], [3, 3], [4, 3], [5, 5], [7, 5]])('of %i nodes has a meta group of %i', (size, replicas) => {
    expect(newborn({ size }).meta.replicas).toEqual(Array.from({ length: replicas }, (_, i) => r(i + 1)))
  })
})

describe('an epoch', () => {
  test('grows by one with a change, and says in the history who wanted what, when', () => {
    const state = four()
    expect(state.epoch).toBe(2)
    expect(state.history.at(-1)).toEqual({ epoch: 2, at: 5, by: 'test', what: 'node n4 joins with weight 1', request: '', move: 0 })
  })

  test('stays where nothing changes', () => {
    const state = four()
    for (const wish of [add(4), { kind: 'activateNode', node: n(4) }, { kind: 'setWeight', node: n(4), weight: 1 },
      { kind: 'setZone', node: n(4), zone: '' }, { kind: 'resume' }, { kind: 'setReplicationFactor', replicationFactor: 3 },
      { kind: 'prefer', preferences: [{ shard: shardId(0), replicas: state.shards[0]?.replicas ?? [] }] }] as Wish[]) {
      expect(apply(state, asked(state, wish))).toEqual({ state, outcome: { kind: 'unchanged', epoch: 2 } })
    }
  })

  test('that is another refuses the command, so that a repeated one takes effect once', () => {
    const state = newborn()
    const command = asked(state, add(4))
    const once = apply(state, command).state
    const twice = apply(once, command)
    expect(twice.state).toBe(once)
    expect(twice.outcome).toMatchObject({ kind: 'refused', reason: 'staleEpoch', epoch: 2 })
  })

  test('does not matter to a request that is remembered: it is answered as it was', () => {
    const state = four()
    const command = asked(state, begin(0, 4, r(1)), 'ask-1')
    const first = apply(state, command)
    const later = after(first.state, { kind: 'pause' })
    expect(apply(later, command)).toEqual({ state: later, outcome: first.outcome })
    expect(first.outcome).toEqual({ kind: 'applied', epoch: 3, move: 1 })
  })

  test('keeps the last of its history only', () => {
    let state = newborn()
    for (let i = 0; i < HISTORY_EVENTS_MAX; i += 1) state = after(state, { kind: i % 2 === 0 ? 'pause' : 'resume' })
    expect(state.history).toHaveLength(HISTORY_EVENTS_MAX)
    expect(state.history[0]?.epoch).toBe(2)
    expect(oldestKept(state.epoch)).toBe(2)
  })
})

describe('a node', () => {
  test('joins, drains, comes back, and leaves, and may join again', () => {
    let state = after(four(), { kind: 'drainNode', node: n(4), isForced: false }, { kind: 'activateNode', node: n(4) },
      { kind: 'drainNode', node: n(4), isForced: false }, { kind: 'removeNode', node: n(4) })
    expect(mapOf(state).nodes).toEqual([n(1), n(2), n(3)])
    expect(attempt(state, { kind: 'removeNode', node: n(4) }).kind).toBe('unchanged')
    state = after(state, { kind: 'addNode', node: n(4), weight: 2, zone: 'b' })
    expect(state.nodes.map(({ id }) => id)).toEqual([n(1), n(2), n(3), n(4)])
    expect(state.nodes[3]).toEqual({ id: n(4), weight: 2, zone: 'b', state: 'active' })
  })

  test('has a weight and a zone', () => {
    const state = after(newborn(), { kind: 'setWeight', node: n(2), weight: 3 }, { kind: 'setZone', node: n(2), zone: 'east' },
      { kind: 'setZone', node: n(1), zone: 'west' }, { kind: 'setZone', node: n(1), zone: '' })
    expect(state.nodes[1]).toMatchObject({ weight: 3, zone: 'east' })
    expect(state.history.at(-1)?.what).toBe('node n1 is in no zone')
  })

  test('may drain by force where that costs replicas', () => {
    const state = after(newborn(), { kind: 'drainNode', node: n(3), isForced: true })
    expect(attempt(state, { kind: 'drainNode', node: n(3), isForced: false }).kind).toBe('unchanged')
    // Two active nodes are left for three replicas: the third may go without a successor.
    expect(after(state, begin(0, null, r(3))).shards[0]?.move).toMatchObject({ add: null, remove: r(3), step: 'promoting' })
  })
})

describe('a move', () => {
  test('makes a replica of a generation that was never there, and names it to its node', () => {
    const state = after(four(), begin(0, 4, r(1)), begin('meta', 4, r(2)))
    expect(state.shards[0]?.move).toEqual({ id: 1, add: r(4, 2), remove: r(1), step: 'adding', orderedAt: 3 })
    expect(state.meta.move).toEqual({ id: 2, add: r(4, 3), remove: r(2), step: 'adding', orderedAt: 4 })
    expect(hostedOn(state, n(4))).toEqual([
      { group: 0, replica: r(4, 2), isAdded: true, isUndone: false },
      { group: 'meta', replica: r(4, 3), isAdded: true, isUndone: false }])
    expect(mapOf(state).replicas).toEqual(mapOf(four()).replicas)
  })

  test('makes a replica of a generation that nobody has had, though nothing is left of who had it', () => {
    const undone = after(four(), begin(0, 4, r(1)), { kind: 'cancel', move: 1 }, { kind: 'finish', move: 1, result: 'undone' })
    expect(after(undone, begin(0, 4, r(1))).shards[0]?.move).toMatchObject({ id: 2, add: r(4, 3) })
    const gone = after(undone, { kind: 'removeNode', node: n(4) }, add(4), begin(1, 4, r(2)))
    expect(gone.shards[1]?.move).toMatchObject({ add: r(4, 3) })
  })

  test('has its replica begun while it adds it, not once that has caught up, and not when it is undone', () => {
    const stands = (state: ClusterState) => hostedOn(state, n(4)).map(({ isAdded, isUndone }) => [isAdded, isUndone])
    const adding = after(four(), begin(0, 4, r(1)))
    const promoting = after(adding, { kind: 'promote', move: 1 })
    const undoings = [adding, promoting].map((state) => after(state, { kind: 'cancel', move: 1 }))
    expect([adding, promoting, ...undoings].map(stands)).toEqual([[[true, false]], [[false, false]], [[false, true]], [[false, true]]])
    expect(stands(after(promoting, { kind: 'finish', move: 1, result: 'moved' }))).toEqual([[false, false]])
  })

  test('leaves the replica that is to go where it is until the move is done', () => {
    const own = (state: ClusterState) => hostedOn(state, n(1)).find(({ group }) => group === 0)
    const begun = after(four(), begin(0, 4, r(1)))
    const promoted = after(begun, { kind: 'promote', move: 1 })
    for (const state of [begun, promoted, after(promoted, { kind: 'cancel', move: 1 })]) expect(own(state)).toMatchObject({ replica: r(1) })
    expect(own(after(promoted, { kind: 'finish', move: 1, result: 'moved' }))).toBeUndefined()
  })

  test('goes from adding to promoting to the new placement, each with its own epoch', () => {
    const before = four()
    const promoting = after(before, begin(0, 4, r(1)), { kind: 'promote', move: 1 })
    expect(promoting.shards[0]?.move).toMatchObject({ step: 'promoting', orderedAt: 4 })
    const done = after(promoting, { kind: 'finish', move: 1, result: 'moved' })
    const replicas = before.shards[0]?.replicas.map((replica) => (replica === r(1) ? r(4, 2) : replica))
    expect(done.shards[0]).toEqual({ replicas, move: null })
    expect(hostedOn(done, n(1)).map(({ group }) => group)).toEqual([1, 2, 3, 'meta'])
  })

  test('is undone from either step', () => {
    for (const steps of [[], [{ kind: 'promote', move: 1 }]] as Wish[][]) {
      const undoing = after(four(), begin(0, 4, r(1)), ...steps, { kind: 'cancel', move: 1 })
      expect(undoing.shards[0]?.move).toMatchObject({ step: 'undoing', orderedAt: undoing.epoch })
      expect(attempt(undoing, { kind: 'cancel', move: 1 }).kind).toBe('unchanged')
      const undone = after(undoing, { kind: 'finish', move: 1, result: 'undone' })
      expect(undone.shards).toEqual(four().shards)
    }
  })

  test('whose cancellation came too late is done after all', () => {
    const undoing = after(four(), begin(0, 4, r(1)), { kind: 'promote', move: 1 }, { kind: 'cancel', move: 1 })
    expect(after(undoing, { kind: 'finish', move: 1, result: 'moved' }).shards[0]?.replicas).toContain(r(4, 2))
  })

  test('adds to a group of one before it removes', () => {
    const alone = after(newborn({ size: 1 }), add(2))
    const two = after(alone, begin(0, 2, null), { kind: 'promote', move: 1 }, { kind: 'finish', move: 1, result: 'moved' })
    const moved = after(two, begin(0, null, r(1)), { kind: 'finish', move: 2, result: 'moved' })
    expect(moved.shards[0]?.replicas).toEqual([r(2, 2)])
  })

  test('replaces a replica on its own node where two others hold the group meanwhile', () => {
    expect(after(newborn(), begin(0, 1, r(1))).shards[0]?.move).toMatchObject({ add: r(1, 2), remove: r(1) })
  })

  test('by a person needs a pause, and one by the planner needs none', () => {
    const paused = after(four(), { kind: 'pause' })
    expect(after(paused, begin(0, 4, r(1), false)).shards[0]?.move?.id).toBe(1)
    expect(attempt(paused, begin(0, 4, r(1)))).toMatchObject({ reason: 'paused' })
    expect(attempt(four(), begin(0, 4, r(1), false))).toMatchObject({ reason: 'notPaused' })
  })
})

describe('an order of preference', () => {
  test('is another order of the same replicas', () => {
    const state = newborn()
    const replicas = [...state.shards[2]?.replicas ?? []].reverse()
    expect(after(state, { kind: 'prefer', preferences: [{ shard: shardId(2), replicas }] }).shards[2]?.replicas).toEqual(replicas)
  })
})

const moving = (): ClusterState => after(four(), begin(0, 4, r(1)))
const crowd = (): ClusterState => {
  const nodes = Array.from({ length: NODES_MAX }, (_, i) => ({ id: nodeId(`n${i}`), weight: 1, zone: '', state: 'active' as const }))
  return { ...newborn(), nodes }
}

const refusals: readonly (readonly [string, () => ClusterState, Wish, RefusalReason, string])[] = [
  ['an unknown node', four, { kind: 'setWeight', node: n(9), weight: 1 }, 'unknownNode', 'n1, n2, n3, n4'],
  ['a drain of an unknown node', four, { kind: 'drainNode', node: n(9), isForced: false }, 'unknownNode', 'n1'],
  ['an activation of an unknown node', four, { kind: 'activateNode', node: n(9) }, 'unknownNode', 'n1'],
  ['a zone of an unknown node', four, { kind: 'setZone', node: n(9), zone: '' }, 'unknownNode', 'n1'],
  ['a removal of an unknown node', four, { kind: 'removeNode', node: n(9) }, 'unknownNode', 'n1'],
  ['a node name', four, { kind: 'addNode', node: 'N 1' as never, weight: 1, zone: '' }, 'invalid', 'a-z'],
  ['a node that has left', () => after(four(), { kind: 'removeNode', node: n(4) }), begin(0, 4, r(1)), 'nodeLeft', 'add it again'],
  ['a weight of 0', four, { kind: 'setWeight', node: n(4), weight: 0 }, 'weightOutOfRange', 'drain'],
  ['a weight of 65', four, { kind: 'addNode', node: n(5), weight: 65, zone: '' }, 'weightOutOfRange', '1 to 64'],
  ['a zone', four, { kind: 'setZone', node: n(4), zone: 'Ü' }, 'zoneInvalid', 'a-z'],
  ['a zone of a new node', four, { kind: 'addNode', node: n(5), weight: 1, zone: ' ' }, 'zoneInvalid', 'a-z'],
  ['a known node with another weight', four, { kind: 'addNode', node: n(4), weight: 2, zone: '' }, 'nodeExists', 'set its weight'],
  ['a known node that drains', () => after(four(), { kind: 'drainNode', node: n(4), isForced: false }), add(4), 'nodeDraining', 'activate'],
  ['a node too many', crowd, { kind: 'addNode', node: nodeId('x'), weight: 1, zone: '' }, 'tooManyNodes', '1024'],
  ['a drain that costs replicas', newborn, { kind: 'drainNode', node: n(3), isForced: false }, 'tooFewNodes', '2 of 3'],
  ['a drain of the last node', () => newborn({ size: 1 }), { kind: 'drainNode', node: n(1), isForced: true }, 'lastNode', 'add another'],
  ['a removal of what carries', four, { kind: 'removeNode', node: n(1) }, 'nodeCarriesReplicas', 'drain it first'],
  ['a removal of the last active node', () => {
    const state = after(newborn({ size: 1 }), add(2), { kind: 'drainNode', node: n(1), isForced: true })
    return state
  }, { kind: 'removeNode', node: n(2) }, 'lastNode', 'add another'],
  ['an even replication factor', four, { kind: 'setReplicationFactor', replicationFactor: 2 }, 'replicationFactorInvalid', '1, 3, 5'],
  ['a replication factor above the nodes', four, { kind: 'setReplicationFactor', replicationFactor: 5 }, 'tooFewNodes', 'add 1'],
  ['an unknown shard', four, begin(9, 4, r(1)), 'unknownGroup', '0 to 3'],
  ['a second move', moving, begin(0, 4, r(2)), 'moveInProgress', 'cancel it'],
  ['a move of nothing', four, begin(0, null, null), 'notPossible', 'adds'],
  ['a replica that is not there', four, begin(0, 4, r(1, 7)), 'unknownReplica', 'n1:1'],
  ['the removal of the only replica', () => after(newborn({ size: 1 }), add(2)), begin(0, 2, r(1)), 'wouldLoseQuorum', 'add another'],
  ['a removal below the factor', four, begin(0, null, r(1)), 'tooFewReplicas', 'n4'],
  ['a move to a node that drains', () => after(four(), { kind: 'drainNode', node: n(4), isForced: false }), begin(0, 4, r(1)),
    'nodeDraining', 'possible'],
  ['a move to an unknown node', four, begin(0, 9, r(1)), 'unknownNode', 'n1'],
  ['a move to where it is', four, begin(0, 2, r(1)), 'alreadyThere', 'n4'],
  ['a move to where it is, by a person', () => after(newborn(), { kind: 'pause' }), begin(0, 1, r(1), false), 'alreadyThere', 'n1:1'],
  ['a replacement in a group of two', () => newborn({ size: 2 }), begin(0, 1, r(1)), 'wouldLoseQuorum', 'missed'],
  ['an unknown move', moving, { kind: 'promote', move: 7 }, 'moveUnknown', '1'],
  ['an unknown move to finish', moving, { kind: 'finish', move: 7, result: 'moved' }, 'moveUnknown', '1'],
  ['an unknown move to cancel', four, { kind: 'cancel', move: 7 }, 'moveUnknown', 'none'],
  ['a second promotion', () => after(moving(), { kind: 'promote', move: 1 }), { kind: 'promote', move: 1 }, 'notPossible', 'promoting'],
  ['an end before its time', moving, { kind: 'finish', move: 1, result: 'moved' }, 'notPossible', 'adding'],
  ['an undoing that nobody ordered', () => after(moving(), { kind: 'promote', move: 1 }), { kind: 'finish', move: 1, result: 'undone' },
    'notPossible', 'undone'],
  ['an order of other replicas', four, { kind: 'prefer', preferences: [{ shard: shardId(0), replicas: [r(1)] }] }, 'invalid', 'each once'],
  ['an order of an unknown shard', four, { kind: 'prefer', preferences: [{ shard: shardId(9), replicas: [] }] }, 'invalid', 'shard 9'],
  ['an order during a move', moving, { kind: 'prefer', preferences: [{ shard: shardId(0), replicas: [r(1), r(2), r(3)] }] },
    'moveInProgress', 'wait'],
]

describe('refused, with nothing changed and a way out in words:', () => {
  test.each(refusals)('%s', (_, build, wish, reason, words) => {
    const state = build()
    const applied = apply(state, asked(state, wish))
    expect(applied.state).toBe(state)
    expect(applied.outcome).toMatchObject({ kind: 'refused', reason, epoch: state.epoch })
    expect(applied.outcome.kind === 'refused' && applied.outcome.message).toContain(words)
  })

  test('an added move that removes nothing and is undoing can not count as moved', () => {
    const alone = after(newborn({ size: 1 }), add(2))
    const undoing = after(alone, begin(0, 2, null), { kind: 'promote', move: 1 }, { kind: 'cancel', move: 1 })
    expect(attempt(undoing, { kind: 'finish', move: 1, result: 'moved' })).toMatchObject({ reason: 'notPossible' })
  })
})
