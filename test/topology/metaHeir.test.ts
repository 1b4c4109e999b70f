/** Who is handed the leadership of the meta group by a replica that leaves it. */

import { expect, test } from '@jest/globals'
import { metaHeir } from '../../topology/metaHeir.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'

const [r1, r2, r3, r4] = ['n1', 'n2', 'n3', 'n4'].map((node) => replicaId(nodeId(node), 1)) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId]

/** Of three voters the first leads, and a fourth is to come in its place. */
const heirOf = (
  matches: readonly (readonly [ReplicaId, number])[], steady: readonly string[], staying = [r2, r3, r4], ill: readonly ReplicaId[] = [],
) =>
  metaHeir({
    self: r1, staying,
    status: { configuration: { epoch: 1, voters: [r1, r2, r3], outgoing: [], learners: [r4] }, matchIndex: new Map(matches) },
    isSteady: (node: NodeId) => steady.includes(node),
    isWell: (voter) => !ill.includes(voter),
  })

const even = [[r1, 9], [r2, 9], [r3, 9], [r4, 9]] as const

test('the heir is the steady one that has most of the log', () => {
  expect(heirOf([[r1, 9], [r2, 7], [r3, 8], [r4, 9]], ['n2', 'n3', 'n4'])).toBe(r3)
})

test('no leadership is handed to a node that is not heard, though its log is as long', () => {
  expect(heirOf(even, ['n3', 'n4'])).toBe(r3)
  expect(heirOf([[r1, 9], [r2, 9], [r3, 5], [r4, 9]], ['n3'])).toBe(r3)
})

test('nor to a newcomer, one that goes as well, or anybody when none is steady', () => {
  expect(heirOf(even, ['n4'])).toBeUndefined()
  expect(heirOf(even, ['n2', 'n3'], [r3, r4])).toBe(r3)
  expect(heirOf(even, [])).toBeUndefined()
})

test('nor to one that says it is damaged: the same one would be asked again and again', () => {
  expect(heirOf(even, ['n2', 'n3'])).toBe(r2)
  expect(heirOf(even, ['n2', 'n3'], [r2, r3], [r2])).toBe(r3)
  expect(heirOf(even, ['n2', 'n3'], [r2, r3], [r2, r3])).toBeUndefined()
})
