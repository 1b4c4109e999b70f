/** Who counts as lost: the silent of the cluster's nodes, and nobody for another's silence, or one from before it was one of them. */

import { describe, expect, test } from '@jest/globals'
import { MUTE_PATIENCE, createAbsences } from '../../topology/absences.ts'
import { nodeId } from '../../topology/ids.ts'
import type { NodeId } from '../../topology/ids.ts'

const PATIENCE_MS = 30_000
const nodes = ['n1', 'n2', 'n3', 'n4', 'n5'].map(nodeId)
const [n1, n2, n3, n4, n5] = nodes as [NodeId, NodeId, NodeId, NodeId, NodeId]

/** Seen by n1. Time passes in seconds, in each of which those who speak are heard. */
const listening = () => {
  const heard = new Map<NodeId, number>()
  const alive = new Set<NodeId>()
  const absences = createAbsences({
    self: n1, lostAfterMs: PATIENCE_MS, beacon: { heardAt: (node) => heard.get(node) }, present: () => alive,
  })
  let now = 0
  const review = (members: readonly NodeId[] = nodes): readonly NodeId[] | null => absences.review(members, now)
  const pass = (ms: number, speakers: readonly NodeId[], members: readonly NodeId[] = nodes): readonly NodeId[] => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      now += 1_000
      for (const speaker of speakers) heard.set(speaker, now)
      review(members)
    }
    return absences.known()
  }
  const standStill = (ms: number): void => { now += ms }
  return { alive, pass, review, standStill }
}

describe('a node', () => {
  test('is lost when it has been silent for longer than it is waited for, and told of once', () => {
    const { pass, review } = listening()
    pass(1_000, [n2, n3, n4, n5])
    expect(pass(PATIENCE_MS, [n2, n3, n4])).toEqual([])
    expect(pass(1_000, [n2, n3, n4])).toEqual([n5])
    expect(review()).toBeNull()
    expect(pass(1_000, [n2, n3, n4, n5])).toEqual([])
  })

  test('that was never heard is waited for from the first look', () => {
    const { pass } = listening()
    expect(pass(PATIENCE_MS + 1_000, [n2, n3, n4])).toEqual([])
    expect(pass(1_000, [n2, n3, n4])).toEqual([n5])
  })

  test('that joins an old cluster is not lost before it could be heard', () => {
    const { pass } = listening()
    pass(900_000, [n2], [n1, n2])
    expect(pass(PATIENCE_MS, [n2], [n1, n2, n3])).toEqual([])
    expect(pass(2_000, [n2], [n1, n2, n3])).toEqual([n3])
  })

  test('that comes back is not lost for the silence of its time away', () => {
    const { pass } = listening()
    pass(2_000, [n2, n3], [n1, n2, n3])
    expect(pass(PATIENCE_MS + 2_000, [n2], [n1, n2, n3])).toEqual([n3])
    expect(pass(10_000, [n2], [n1, n2])).toEqual([])
    expect(pass(PATIENCE_MS, [n2], [n1, n2, n3])).toEqual([])
  })

  test('never counts itself', () => {
    const { pass } = listening()
    expect(pass(1_000_000, [n2], [n1, n2])).toEqual([])
  })
})

describe('a silence counts', () => {
  test('only while others are heard: after an outage of the broker nobody is lost, and the time before it still counts', () => {
    const { pass } = listening()
    pass(5_000, [n2, n3, n4, n5])
    pass(10_000, [n2, n3, n4])
    expect(pass(20 * PATIENCE_MS, [])).toEqual([])
    expect(pass(PATIENCE_MS - 15_000, [n2, n3, n4])).toEqual([])
    expect(pass(10_000, [n2, n3, n4])).toEqual([n5])
  })

  test('only while most of those are heard that the failure detector takes for alive', () => {
    const { alive, pass } = listening()
    for (const node of [n2, n3, n4, n5]) alive.add(node)
    pass(5_000, [n2, n3, n4, n5])
    expect(pass(2 * MUTE_PATIENCE * PATIENCE_MS, [n2])).toEqual([])
    alive.clear()
    expect(pass(PATIENCE_MS + 1_000, [n2])).toEqual([n3, n4, n5])
  })

  test('not for the time in which this process stood still', () => {
    const { pass, review, standStill } = listening()
    pass(5_000, [n2, n3, n4, n5])
    standStill(10 * PATIENCE_MS)
    expect(review()).toBeNull()
    expect(pass(5_000, [n2, n3, n4])).toEqual([])
    standStill(PATIENCE_MS)
    expect(pass(5_000, [n2, n3, n4])).toEqual([])
  })

  test('for what is lost already, also while nobody is heard', () => {
    const { pass } = listening()
    pass(5_000, [n2, n3, n4, n5])
    expect(pass(PATIENCE_MS + 2_000, [n2, n3, n4])).toEqual([n5])
    expect(pass(10_000, [])).toEqual([n5])
  })

  test('and makes nobody lost in the moment in which nobody is heard', () => {
    const { alive, pass } = listening()
    for (const node of [n2, n3, n4, n5]) alive.add(node)
    pass(5_000, [n2, n3, n4, n5])
    expect(pass(2 * PATIENCE_MS, [n2, n3, n4])).toEqual([])
    pass(4_000, [])
    alive.clear()
    expect(pass(10_000, [])).toEqual([])
    expect(pass(1_000, [n2, n3, n4])).toEqual([n5])
  })
})

describe('a silent node that the failure detector takes for alive', () => {
  test('is waited for longer, until that says otherwise', () => {
    const { alive, pass } = listening()
    alive.add(n5)
    pass(1_000, [n2, n3, n4, n5])
    expect(pass(3 * PATIENCE_MS, [n2, n3, n4])).toEqual([])
    alive.delete(n5)
    expect(pass(1_000, [n2, n3, n4])).toEqual([n5])
    alive.add(n5)
    expect(pass(1_000, [n2, n3, n4])).toEqual([])
  })

  test('is lost all the same when it has been silent for many times as long', () => {
    const { alive, pass } = listening()
    for (const node of [n2, n3, n4, n5]) alive.add(node)
    pass(1_000, [n2, n3, n4, n5])
    expect(pass(MUTE_PATIENCE * PATIENCE_MS, [n2, n3, n4])).toEqual([])
    expect(pass(1_000, [n2, n3, n4])).toEqual([n5])
  })
})
