/** The layout level is raised when every node that is in the cluster tells that it knows the next, once, by one, and never lowered. */

import { describe, expect, test } from '@jest/globals'
import { apply } from '../../../actors/topology/apply.ts'
import { raiseDue } from '../../../actors/topology/levels.ts'
import { createMetaCluster, stateOf } from './metaCluster.ts'
import { after, asked, attempt, n, newborn } from './states.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { NodeLevels, Wish } from '../../../actors/topology/protocol.ts'

const told = (...maxima: readonly number[]): NodeLevels[] => maxima.map((max, i) => ({ node: n(i + 1), levels: { min: 1, max } }))
const raise = (level: number, ...nodes: readonly number[]): Wish => ({ kind: 'raiseLevel', level, knownBy: nodes.map(n) })
const fourth: Wish = { kind: 'addNode', node: n(4), weight: 1, zone: '' }
const drain: Wish = { kind: 'drainNode', node: n(4), isForced: false }
const gone = (): ClusterState => after(newborn(), fourth, { kind: 'removeNode', node: n(4) })

const due: readonly (readonly [string, () => ClusterState, readonly NodeLevels[], number | null])[] = [
  ['every node knows the next level', newborn, told(2, 2, 2), 2],
  ['every node knows levels far beyond it', newborn, told(9, 9, 9), 2],
  ['no node knows more than the one in force', newborn, told(1, 1, 1), null],
  ['one of them does not know it', newborn, told(2, 1, 2), null],
  ['one of them is not heard', newborn, told(2, 2), null],
  ['nobody is heard', newborn, [], null],
  ['one of them knows only levels beyond the next', newborn, [...told(3, 3), { node: n(3), levels: { min: 3, max: 3 } }], null],
  ['a node that has just been added is not heard', () => after(newborn(), fourth), told(2, 2, 2), null],
  ['a node that drains does not know it', () => after(newborn(), fourth, drain), told(2, 2, 2, 1), null],
  ['a node that has left does not know it', gone, told(2, 2, 2, 1), 2],
  ['the cluster is paused', () => after(newborn(), { kind: 'pause' }), told(2, 2, 2), null],
  ['it is at that level already', () => after(newborn(), raise(2, 1, 2, 3)), told(2, 2, 2), null],
  ['it is at that level, and all know one more', () => after(newborn(), raise(2, 1, 2, 3)), told(3, 3, 3), 3],
]

describe('where', () => {
  test.each(due)('%s, the raise that is due is right', (_, build, heard, level) => {
    const wish = raiseDue(build(), heard)
    expect(wish?.kind === 'raiseLevel' ? wish.level : wish).toBe(level)
  })
})

describe('a raise', () => {
  test('is an event of the history, and of the state', () => {
    const { state, outcome } = apply(newborn(), asked(newborn(), raise(2, 1, 2, 3)))
    expect([state.level, outcome]).toEqual([2, { kind: 'applied', epoch: 2, move: 0 }])
    expect(state.history.at(-1)).toMatchObject({ epoch: 2, what: 'layout level 2: all 3 nodes know it' })
  })

  test.each([
    ['by two', newborn, raise(3, 1, 2, 3), 'invalid', 'by one at a time'],
    ['to where it is', newborn, raise(1, 1, 2, 3), 'invalid', 'never lowered'],
    ['without one of the nodes', newborn, raise(2, 1, 3), 'levelUnknown', 'n2 has not told'],
    ['without one that drains', () => after(newborn(), fourth, drain), raise(2, 1, 2, 3), 'levelUnknown', 'n4'],
  ] as const)('%s is refused', (_, build, wish, reason, words) => {
    expect(attempt(build(), wish)).toMatchObject({ kind: 'refused', reason, message: expect.stringContaining(words) })
  })

  test('names everybody who is in the cluster, or is refused', () => {
    for (const some of [[], [1], [1, 2], [2, 3, 4]]) expect(attempt(newborn(), raise(2, ...some))).toMatchObject({ reason: 'levelUnknown' })
    expect(attempt(newborn(), raise(2, 4, 3, 2, 1))).toMatchObject({ kind: 'applied' })
  })

  test('keeps out whoever joins with a build that does not know it, and lets in whoever does', () => {
    const state = after(newborn(), raise(2, 1, 2, 3))
    expect(attempt(state, fourth)).toMatchObject({ reason: 'levelUnknown', message: expect.stringContaining('level 1 only') })
    expect(attempt(state, { ...fourth, levels: { min: 3, max: 4 } })).toMatchObject({ reason: 'levelUnknown' })
    expect(attempt(state, { ...fourth, levels: { min: 1, max: 2 } })).toMatchObject({ kind: 'applied' })
  })
})

describe('the leader of a meta group', () => {
  const tell = (cluster: ReturnType<typeof createMetaCluster>, levels: readonly NodeLevels[]): void => {
    for (const { topology } of cluster.members) topology?.send({ type: 'topology.levels', told: levels })
  }

  test('raises the level by itself once all tell that they know it, and once only', () => {
    const cluster = createMetaCluster()
    cluster.until(cluster.hasLeader, 'somebody leads')
    tell(cluster, told(2, 2, 1))
    cluster.pass(5_000)
    expect(stateOf(cluster.leader())).toMatchObject({ epoch: 1, level: 1 })
    tell(cluster, told(2, 2, 2))
    cluster.until(() => cluster.members.every((member) => stateOf(member).level === 2), 'all have it')
    cluster.pass(5_000)
    expect(stateOf(cluster.leader())).toMatchObject({ epoch: 2, level: 2 })
    expect(cluster.failures).toEqual([])
  })

  test('that dies with the raise under way leaves it to its successor', () => {
    const cluster = createMetaCluster()
    cluster.until(cluster.hasLeader, 'somebody leads')
    const dead = cluster.leader()
    dead.topology?.send({ type: 'topology.levels', told: told(2, 2, 2) })
    cluster.pass(50)
    cluster.kill(dead)
    cluster.until(cluster.hasLeader, 'another leads')
    tell(cluster, told(2, 2, 2))
    cluster.until(() => stateOf(cluster.leader()).level === 2, 'it is raised')
    cluster.restart(dead)
    cluster.until(() => dead.topology?.status().state.level === 2, 'the dead one learns of it')
    expect(stateOf(dead).epoch).toBe(2)
  })
})
