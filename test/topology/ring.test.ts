/** The placement of shards against random clusters: distinct nodes, the same for any order, balanced, weighted, and moving little. */

import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { nodeId } from '../../topology/ids.ts'
import { place } from '../../topology/ring.ts'
import { unevenNodes, zoneProblems } from './placements.ts'
import type { PlacementInput, RingNode } from '../../topology/placement.ts'

const nodesArb = fc.uniqueArray(fc.record({ n: fc.integer({ min: 0, max: 400 }), weight: fc.integer({ min: 1, max: 3 }) }),
  { minLength: 1, maxLength: 12, selector: ({ n }) => n })
  .map((drawn) => drawn.map(({ n, weight }): RingNode => ({ id: nodeId(`n${n}`), weight, zone: '' })))

const inputArb: fc.Arbitrary<PlacementInput> = fc.record({
  nodes: nodesArb,
  shardCount: fc.integer({ min: 1, max: 128 }),
  replicationFactor: fc.constantFrom(1, 3, 5),
})

const zonedArb = fc.record({ drawn: inputArb, zones: fc.array(fc.constantFrom('', 'a', 'b', 'c', 'd'), { minLength: 12, maxLength: 12 }) })
  .map(({ drawn, zones }) => ({ ...drawn, nodes: drawn.nodes.map((node, i) => ({ ...node, zone: zones[i] ?? '' })) }))
  .filter(({ nodes }) => nodes.some(({ zone }) => zone !== ''))

/** Nodes, shards, copies, and a hash of the placement, recorded in November 2026: genesis records of clusters that live. */
const recorded: readonly (readonly [number, number, number, string])[] = [
  [1, 16, 3, '187ba2815d758d97'], [1, 64, 3, '0c8911f8004c41bc'], [1, 1024, 3, '9e4be2c8f0a21617'],
  [3, 16, 3, 'bc1b7f1d8ac7ba45'], [3, 64, 3, '8ef80f98ac660cea'], [3, 1024, 3, '95ee0578aba2192e'],
  [4, 16, 3, 'a6375bd4bf22adce'], [4, 64, 3, 'b9903d452d1e8b98'], [4, 1024, 3, '31955eed6b6d0263'],
  [5, 16, 3, '74f591f66fe919a1'], [5, 64, 3, '4d46b017bcfb6d43'], [5, 1024, 3, 'f995dbd10d9c40bf'],
  [7, 16, 3, 'f8ee76e2cb2b145e'], [7, 64, 3, '6123d9c2dcae7dbe'], [7, 1024, 3, '39901ca1ea88c7cd'],
  [16, 16, 3, '3302f3df34305553'], [16, 64, 3, '8fd05b6e64d1aa33'], [16, 1024, 3, '9ef427beba5d2890'],
  [40, 16, 3, 'a172852ef77804ab'], [40, 64, 3, '5a44b117f529c420'], [40, 1024, 3, 'a5b4b1244d85502f'],
  [5, 256, 1, '1247f1843f8a754c'], [5, 256, 5, '69face42261c2350'],
]

/** Random clusters for each law. */
const RUNS = { numRuns: 250 }

const pairs = (placement: ReturnType<typeof place>): Set<string> =>
  new Set(placement.replicas.flatMap((nodes, shard) => nodes.map((node) => `${shard}@${node}`)))

const countBy = (items: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

describe('the ring', () => {
  test('places every shard on as many distinct nodes as wanted or available', () => {
    fc.assert(fc.property(inputArb, (input) => {
      const { replicas } = place(input)
      expect(replicas).toHaveLength(input.shardCount)
      for (const nodes of replicas) {
        expect(new Set(nodes).size).toBe(Math.min(input.replicationFactor, input.nodes.length))
      }
    }), RUNS)
  })

  test('is a pure function of the set of nodes: their order does not matter', () => {
    fc.assert(fc.property(inputArb, (input) => {
      expect(place({ ...input, nodes: [...input.nodes].reverse() })).toEqual(place(input))
    }), RUNS)
  })

  test('keeps every node of equal weight within its load bound', () => {
    fc.assert(fc.property(inputArb, (drawn) => {
      const input = { ...drawn, nodes: drawn.nodes.map(({ id }) => ({ id, weight: 1, zone: '' })) }
      const copies = Math.min(input.replicationFactor, input.nodes.length)
      const bound = Math.ceil((input.shardCount * copies / input.nodes.length) * 1.15)
      // The last shards may find only full nodes and then ignore the bound: one more round of copies at most.
      for (const count of countBy(place(input).replicas.flat()).values()) expect(count).toBeLessThanOrEqual(bound + copies)
    }), RUNS)
  })

  test('spreads preferred leaders within one of even when every node has every shard', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 5 }), (shardCount, size) => {
      const nodes = Array.from({ length: size }, (_, i) => ({ id: nodeId(`n${i}`), weight: 1, zone: '' }))
      const leaders = countBy(place({ nodes, shardCount, replicationFactor: 5 }).replicas.map((shard) => shard[0] ?? ''))
      const counts = nodes.map(({ id }) => leaders.get(id) ?? 0)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }), RUNS)
  })

  test('moves about the share of a node that joins, and leaves most of the rest where it is', () => {
    const nodes = Array.from({ length: 6 }, (_, i) => ({ id: nodeId(`n${i + 1}`), weight: 1, zone: '' }))
    const before = pairs(place({ nodes: nodes.slice(0, 5), shardCount: 256, replicationFactor: 3 }))
    const after = pairs(place({ nodes, shardCount: 256, replicationFactor: 3 }))
    const moved = [...after].filter((pair) => !before.has(pair))
    const fairShare = 256 * 3 / 6
    expect(moved.length).toBeGreaterThan(fairShare * 0.5)
    expect(moved.length).toBeLessThan(fairShare * 2)
  })

  test('gives a node of twice the weight about twice the replicas', () => {
    const nodes = [1, 1, 1, 1, 2].map((weight, i) => ({ id: nodeId(`n${i + 1}`), weight, zone: '' }))
    const counts = countBy(place({ nodes, shardCount: 512, replicationFactor: 1 }).replicas.flat())
    const heavy = counts.get('n5') ?? 0
    expect(heavy).toBeGreaterThan(1.4 * 512 / 6)
    expect(heavy).toBeLessThan(2.4 * 512 / 6)
  })

  test.each(recorded)('is for ever what it was for a genesis of %i nodes, %i shards and %i copies', (size, shardCount, copies, hash) => {
    const nodes = Array.from({ length: size }, (_, i) => ({ id: nodeId(`n${i + 1}`), weight: 1, zone: '' }))
    const { replicas } = place({ nodes, shardCount, replicationFactor: copies })
    expect(createHash('sha256').update(JSON.stringify(replicas)).digest('hex').slice(0, 16)).toBe(hash)
  })

  test('keeps zones apart, and every node even, where there are zones or weights', () => {
    fc.assert(fc.property(zonedArb, (input) => {
      expect(zoneProblems(input, place(input))).toEqual([])
      expect(unevenNodes(input, place(input))).toEqual([])
    }), RUNS)
  })

  test('refuses an empty cluster', () => {
    expect(() => place({ nodes: [], shardCount: 4, replicationFactor: 3 })).toThrow('at least one node')
  })
})
