/** Whether a group can do without one of its replicas. */

import { expect, test } from '@jest/globals'
import { nodeId, nodeOf, replicaId } from '../../topology/ids.ts'
import { hasMajorityWithout } from '../../topology/places.ts'

const n1 = nodeId('n1')
const replicasOn = (...names: readonly string[]) => names.map((name) => replicaId(nodeId(name), 1))

/** Seen from n1; `there`: the nodes that are heard and not damaged. */
const isSpared = (names: readonly string[], there: readonly string[]): boolean =>
  hasMajorityWithout(n1, replicasOn(...names), (id) => there.includes(nodeOf(id)))

test('a group can do without a replica where the others that are there are a majority of all', () => {
  expect(isSpared(['n1', 'n2', 'n3'], ['n1', 'n2', 'n3'])).toBe(true)
  expect(isSpared(['n1', 'n2', 'n3'], ['n1', 'n2'])).toBe(false)
  expect(isSpared(['n1', 'n2', 'n3', 'n4'], ['n1', 'n2', 'n3'])).toBe(false)
  expect(isSpared(['n1', 'n2', 'n3', 'n4', 'n5'], ['n3', 'n4', 'n5'])).toBe(true)
})

test('a group of one or two replicas, or one that the map does not know, never can', () => {
  expect(isSpared(['n1'], ['n1'])).toBe(false)
  expect(isSpared(['n1', 'n2'], ['n1', 'n2'])).toBe(false)
  expect(isSpared([], [])).toBe(false)
})
