/** What the meta group's leader is told of the builds in the cluster: all of it whenever it changes, and nothing of who is not heard. */

import { expect, test } from '@jest/globals'
import { nodeId } from '../../topology/ids.ts'
import { createLevelCensus } from '../../topology/levelCensus.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { LevelRange } from '../../topology/level.ts'

const [n1, n2, n3] = [nodeId('n1'), nodeId('n2'), nodeId('n3')]
const one: LevelRange = { min: 1, max: 1 }
const two: LevelRange = { min: 1, max: 2 }

test('the census tells what it hears, once, and forgets who is silent', () => {
  const heard = new Map<NodeId, LevelRange>()
  const census = createLevelCensus({ self: n1, own: two, beacon: { levelsOf: (node) => heard.get(node) } })
  const told = (nodes: readonly NodeId[] = [n1, n2, n3]): unknown => census.review(nodes, 0)?.map(({ node, levels }) => [node, levels])
  expect(told()).toEqual([[n1, two]])
  expect(told()).toBeUndefined()
  heard.set(n2, one)
  expect(told()).toEqual([[n1, two], [n2, one]])
  heard.set(n2, two)
  expect(told()).toEqual([[n1, two], [n2, two]])
  heard.delete(n2)
  heard.set(n3, one)
  expect(told()).toEqual([[n1, two], [n3, one]])
  expect(told([n1, n2])).toEqual([[n1, two]])
})
