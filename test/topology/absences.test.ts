/** Who counts as lost: the silent of the cluster's nodes, and nobody for a silence from before it was one of them. */

import { describe, expect, test } from '@jest/globals'
import { createAbsences } from '../../topology/absences.ts'
import { nodeId } from '../../topology/ids.ts'
import type { NodeId } from '../../topology/ids.ts'

const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeId) as [NodeId, NodeId, NodeId]

const listening = () => {
  const heard = new Map<NodeId, number>()
  const alive = new Set<NodeId>()
  const absences = createAbsences({
    self: n1, lostAfterMs: 30_000, beacon: { heardAt: (node) => heard.get(node) }, seesAlive: (node) => alive.has(node),
  })
  return { heard, alive, review: absences.review }
}

describe('a node', () => {
  test('is lost when it has been silent for longer than it is waited for, and told of once', () => {
    const { heard, review } = listening()
    heard.set(n2, 1_000)
    expect(review([n1, n2], 1_000)).toBeNull()
    expect(review([n1, n2], 31_000)).toBeNull()
    expect(review([n1, n2], 31_001)).toEqual([n2])
    expect(review([n1, n2], 40_000)).toBeNull()
    heard.set(n2, 40_100)
    expect(review([n1, n2], 40_200)).toEqual([])
  })

  test('that was never heard is waited for from the first look', () => {
    const { review } = listening()
    expect(review([n1, n2, n3], 500)).toBeNull()
    expect(review([n1, n2, n3], 30_500)).toBeNull()
    expect(review([n1, n2, n3], 30_501)).toEqual([n2, n3])
  })

  test('that joins an old cluster is not lost before it could be heard', () => {
    const { heard, review } = listening()
    review([n1], 0)
    expect(review([n1, n2], 900_000)).toBeNull()
    heard.set(n2, 900_800)
    expect(review([n1, n2], 930_700)).toBeNull()
    expect(review([n1, n2], 930_801)).toEqual([n2])
  })

  test('that comes back is not lost for the silence of its time away', () => {
    const { heard, review } = listening()
    heard.set(n2, 0)
    expect(review([n1, n2], 40_000)).toBeNull()
    expect(review([n1, n2], 70_001)).toEqual([n2])
    expect(review([n1], 80_000)).toEqual([])
    expect(review([n1, n2], 900_000)).toBeNull()
  })

  test('that the failure detector sees alive is not lost, however silent it is, until that says otherwise', () => {
    const { heard, alive, review } = listening()
    heard.set(n2, 0)
    alive.add(n2)
    expect(review([n1, n2], 0)).toBeNull()
    expect(review([n1, n2], 90_000)).toBeNull()
    alive.delete(n2)
    expect(review([n1, n2], 90_001)).toEqual([n2])
    alive.add(n2)
    expect(review([n1, n2], 90_002)).toEqual([])
  })

  test('never counts itself', () => {
    const { review } = listening()
    review([n1], 0)
    expect(review([n1], 1_000_000)).toBeNull()
  })
})
