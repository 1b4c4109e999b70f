/** Which moves stand still, by what their groups' leaders tell: more than ever before is progress, the same again is none. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { createDriver, noteReport, orderOf, ordersDue } from '../../../actors/topology/driver.ts'
import { createLoads } from '../../../actors/topology/loads.ts'
import { STILL_MS, createStandstill, standingStill } from '../../../actors/topology/standstill.ts'
import { replicaId, shardId } from '../../../topology/ids.ts'
import { after, n, newborn } from './states.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'

const STEP_MS = STILL_MS - 1
const learner = replicaId(n(4), 2)

/** One move adds n4:2 to shard 0. Each `tell` comes almost as long after the one before as it is waited for. */
const watch = () => {
  const driver = createDriver()
  const loads = createLoads()
  const standstill = createStandstill()
  let now = 5_000
  let state: ClusterState = after(newborn(), { kind: 'addNode', node: n(4), weight: 1, zone: '' },
    { kind: 'beginMove', group: shardId(0), add: n(4), remove: replicaId(n(1), 1), isPlanned: true })
  const see = (): readonly number[] => standingStill(standstill, { state, driver, loads, now })
  see()
  return {
    see,
    pass: (ms: number): readonly number[] => {
      now += ms
      return see()
    },
    bytes: (doneBytes: number): readonly number[] => {
      now += STEP_MS
      loads.catchUps.set(learner, { doneBytes, totalBytes: 1_000, bytesPerSecond: 1 })
      return see()
    },
    index: (index: number): readonly number[] => {
      now += STEP_MS
      ordersDue(driver, state, 100)
      const { group, move, epoch, voters, learners } = orderOf(must(movesOf(state)[0], 'a move'))
      const configuration = { voters, outgoing: [], learners, epoch }
      noteReport(driver, { group, move, epoch, outcome: 'done', configuration, matches: [{ replica: learner, index }] })
      return see()
    },
    become: (wish: Wish): readonly number[] => {
      state = after(state, wish)
      return see()
    },
  }
}

describe('a move stands still', () => {
  test('when nothing is told of it for some minutes', () => {
    const { pass } = watch()
    expect([pass(STEP_MS), pass(1)]).toEqual([[], [1]])
  })

  test('not while more bytes of a copy arrive, or more of the log', () => {
    const { bytes, index } = watch()
    expect([bytes(10), bytes(20), index(5), index(6), bytes(30)]).toEqual([[], [], [], [], []])
  })

  test('when a copy begins again and again, and comes no further', () => {
    const { bytes } = watch()
    expect([bytes(20), bytes(5), bytes(20), bytes(21)]).toEqual([[], [], [1], []])
  })

  test('by its age alone when it does not copy: a voter gets the log whatever hinders the change', () => {
    const { become, index } = watch()
    expect([index(5), become({ kind: 'promote', move: 1 }), index(6), index(7)]).toEqual([[], [], [], [1]])
    expect([become({ kind: 'cancel', move: 1 }), index(8), index(9)]).toEqual([[], [], [1]])
  })

  test('and is forgotten when it ends', () => {
    const { become, pass } = watch()
    expect(pass(STILL_MS)).toEqual([1])
    become({ kind: 'cancel', move: 1 })
    expect(become({ kind: 'finish', move: 1, result: 'undone' })).toEqual([])
  })

  test('the list is another only when it names others: a plan is made anew for each', () => {
    const { see, pass } = watch()
    expect(see()).toBe(see())
    const still = pass(STILL_MS)
    expect(pass(1)).toBe(still)
  })
})
