/** The next placement out of the one that stands: its laws over thousands of random changes of random clusters. */

import { describe, expect, test } from '@jest/globals'
import { nodeId } from '../../topology/ids.ts'
import { place } from '../../topology/ring.ts'
import { rebalance } from '../../topology/rebalance.ts'
import { sharesOf } from '../../topology/shares.ts'
import { countBy, movedCount, movesOf, randomChanges, unevenNodes, zoneProblems } from './placements.ts'
import type { Change } from './placements.ts'
import type { Placement, PlacementInput } from '../../topology/placement.ts'

const CLUSTERS = 300

const fleets = [
  ['equal nodes', randomChanges({ weights: [1], zones: [''] }, 3 * CLUSTERS)],
  ['weights', randomChanges({ weights: [1, 1, 1, 2, 3], zones: [''] }, CLUSTERS)],
  ['zones', randomChanges({ weights: [1], zones: ['a', 'b', 'c', 'd'] }, CLUSTERS)],
  ['three zones', randomChanges({ weights: [1], zones: ['a', 'b', 'c'] }, CLUSTERS)],
  ['weights and some zones', randomChanges({ weights: [1, 1, 2, 5], zones: ['', 'a', 'b', 'c'] }, CLUSTERS)],
] as const

const equalNodes = fleets[0][1]

/** The first few changes that break a law, as text that says which. */
const breaking = (changes: readonly Change[], problems: (change: Change) => readonly string[]): string[] =>
  changes.flatMap((change) => problems(change).slice(0, 1).map((problem) => `${problem}: ${textOf(change)}`)).slice(0, 3)

const textOf = ({ kind, node, from, before }: Change): string =>
  `${kind} of ${node.id}, ${JSON.stringify(from)}, from ${JSON.stringify(before.replicas)}`

const shareOf = (input: PlacementInput, id: string): number => {
  const { nodes, share } = sharesOf(input)
  return share[nodes.findIndex((node) => node.id === id)] ?? 0
}

/** The replicas that a change must make anew: the newcomer's share, or what the leaver carried. */
const ideal = ({ kind, node, before, to }: Change): number =>
  (kind === 'join' ? shareOf(to, node.id) : before.replicas.flat().filter((id) => id === node.id).length)

const isSameSize = ({ from, to }: Change): boolean => sharesOf(from).copies === sharesOf(to).copies

const of = (changes: readonly Change[], kind: Change['kind']): readonly Change[] =>
  changes.filter((change) => change.kind === kind && isSameSize(change))

describe.each(fleets)('rebalancing %s', (_name, changes) => {
  test('keeps replicas distinct, and as many as wanted or possible', () => {
    expect(breaking(changes, ({ to, after }) => {
      const wanted = Math.min(to.replicationFactor, to.nodes.length)
      return after.replicas.filter((nodes) => nodes.length !== wanted || new Set(nodes).size !== wanted).map(String)
    })).toEqual([])
  })

  test('spreads the replicas of every shard over zones as evenly as the zones have nodes', () => {
    expect(breaking(changes, ({ to, after }) => zoneProblems(to, after))).toEqual([])
  })

  test('leaves every node with its share of replicas and of leaders, rounded down or up', () => {
    expect(breaking(changes, ({ to, after }) => unevenNodes(to, after))).toEqual([])
  })

  test('applied again, changes nothing', () => {
    expect(breaking(changes, ({ to, after }) => {
      const again = rebalance(after, to)
      return JSON.stringify(again) === JSON.stringify(after) ? [] : ['moved again']
    })).toEqual([])
  })

  test('is a pure function of the set of nodes: their order does not matter', () => {
    expect(breaking(changes, ({ to, before, after }) => {
      const other = rebalance(before, { ...to, nodes: [...to.nodes].reverse() })
      return JSON.stringify(other) === JSON.stringify(after) ? [] : ['another placement']
    })).toEqual([])
  })

  test.each(['join', 'leave'] as const)('moves within 1.25 of the ideal, all in all, when nodes %s', (kind) => {
    const some = of(changes, kind)
    const moved = some.reduce((sum, change) => sum + movedCount(change), 0)
    const needed = some.reduce((sum, change) => sum + ideal(change), 0)
    expect(some.length).toBeGreaterThan(40)
    expect(moved / needed).toBeLessThan(1.25)
  })
})

describe('equal nodes without zones', () => {
  test('a join moves at most the share of the newcomer, rounded up, and nothing but to it', () => {
    expect(breaking(of(equalNodes, 'join'), (change) => {
      const foreign = movesOf(change).filter(({ added }) => added.some((id) => id !== change.node.id))
      if (foreign.length > 0) return [`shard ${foreign[0]?.shard} moves between others`]
      return movedCount(change) > Math.ceil(ideal(change) - 1e-9) ? ['too many moves'] : []
    })).toEqual([])
  })

  test('a leave moves nothing but what was on the leaver, unless no placement that keeps the rest is even', () => {
    expect(breaking(of(equalNodes, 'leave'), (change) => {
      const isForeign = movesOf(change).some(({ gone }) => gone.some((id) => id !== change.node.id))
      return isForeign && canStayEven(change) ? ['a replica moves between others'] : []
    })).toEqual([])
  })

  test('a join or a leave changes hardly more leaders than the node itself must lead or led', () => {
    const some = [...of(equalNodes, 'join'), ...of(equalNodes, 'leave')]
    const changes = some.reduce((sum, { before, after }) =>
      sum + after.replicas.filter(([first], shard) => first !== before.replicas[shard]?.[0]).length, 0)
    const needed = some.reduce((sum, { kind, node, before, after }) =>
      sum + (kind === 'join' ? after : before).replicas.filter(([first]) => first === node.id).length, 0)
    expect(changes / needed).toBeLessThan(1.05)
  })

  test('a join that was interrupted anywhere goes on as if it had not been', () => {
    expect(breaking(of(equalNodes, 'join'), (change) => {
      const half = change.before.replicas.map((nodes, shard) => (shard % 2 === 0 ? change.after.replicas[shard] ?? [] : nodes))
      const rest = rebalance({ replicas: half }, change.to)
      const done = movedCount({ before: change.before, after: { replicas: half } })
      const left = movedCount({ before: { replicas: half }, after: rest })
      return done + left > Math.ceil(ideal(change) - 1e-9) || unevenNodes(change.to, rest).length > 0 ? ['it took another way'] : []
    })).toEqual([])
  })
})

const nodesNamed = (count: number, zone = '') => Array.from({ length: count }, (_, i) => ({ id: nodeId(`n${i + 1}`), weight: 1, zone }))
const sixteen = { shardCount: 16, replicationFactor: 3 }

describe('sixteen shards of three replicas', () => {
  const three = place({ nodes: nodesNamed(3), ...sixteen })
  const four = rebalance(three, { nodes: nodesNamed(4), ...sixteen })
  const loadsOf = ({ replicas }: Placement): number[] => [...countBy(replicas.flat()).values()]
  const leadsOf = ({ replicas }: Placement): number[] => [...countBy(replicas.map(([first]) => first ?? '')).values()]

  test('a fourth node gets 12 of 48 replicas and leads 4 shards, by 12 moves', () => {
    expect([loadsOf(four), leadsOf(four), movedCount({ before: three, after: four })]).toEqual([[12, 12, 12, 12], [4, 4, 4, 4], 12])
  })

  test('no leader has to hand over to make room for it', () => {
    const lost = movesOf({ before: three, after: four }).filter(({ shard, gone }) => gone.includes(three.replicas[shard]?.[0] ?? ''))
    expect(lost).toEqual([])
  })

  test('its drain moves the 12 back', () => {
    const back = rebalance(four, { nodes: nodesNamed(3), ...sixteen })
    expect([loadsOf(back), movedCount({ before: four, after: back })]).toEqual([[16, 16, 16], 12])
  })

  test('five copies instead of three only add, and three again only remove', () => {
    const six = { nodes: nodesNamed(6), shardCount: 16 }
    const before = rebalance({ replicas: [] }, { ...six, replicationFactor: 3 })
    const after = rebalance(before, { ...six, replicationFactor: 5 })
    expect(movesOf({ before, after }).every(({ added, gone }) => added.length === 2 && gone.length === 0)).toBe(true)
    expect(movedCount({ before: after, after: rebalance(after, { ...six, replicationFactor: 3 }) })).toBe(0)
  })

  test('a node that gets a zone of its own moves nothing where zones were apart already', () => {
    const nodes = nodesNamed(4).map((node) => (node.id === 'n4' ? { ...node, zone: 'a' } : node))
    expect(rebalance(four, { nodes, ...sixteen })).toEqual(four)
  })

  test('a small node that is alone in one of three zones carries a copy of everything: weights give way to zones', () => {
    const nodes = ['a', 'a', 'b', 'b', 'c'].map((zone, i) => ({ id: nodeId(`n${i + 1}`), weight: zone === 'c' ? 1 : 4, zone }))
    const loads = countBy(rebalance({ replicas: [] }, { nodes, ...sixteen }).replicas.flat())
    expect(Object.fromEntries(loads)).toEqual({ n1: 8, n2: 8, n3: 8, n4: 8, n5: 16 })
  })
})

/** By matching orphans to places, the long way: can every node be even while everything on the others stays? */
const canStayEven = ({ node, before, to }: Change): boolean => {
  const { low, high, nodes } = sharesOf(to)
  const kept = before.replicas.map((ids) => ids.filter((id) => id !== node.id))
  const loads = countBy(kept.flat())
  const orphans = kept.filter((_, shard) => before.replicas[shard]?.includes(node.id)).map((ids) => ids as readonly string[])
  const places = (limit: readonly number[]) => nodes.flatMap(({ id }, i) =>
    Array.from({ length: Math.max(0, (limit[i] ?? 0) - (loads.get(id) ?? 0)) }, () => id as string))
  const [least, most] = [places(low), places(high)]
  const isOver = nodes.some(({ id }, i) => (loads.get(id) ?? 0) > (high[i] ?? 0))
  // A matching of the least and one of the orphans can be joined into one that does both (Mendelsohn and Dulmage).
  return !isOver && matched(least, orphans, (id, ids) => !ids.includes(id)) === least.length
    && matched(orphans, most, (ids, id) => !ids.includes(id)) === orphans.length
}

const matched = <A, B>(left: readonly A[], right: readonly B[], fits: (a: A, b: B) => boolean): number => {
  const takenBy = new Map<number, number>()
  const tryFor = (a: number, seen: Set<number>): boolean => right.some((b, i) => {
    if (seen.has(i) || !fits(left[a] as A, b)) return false
    seen.add(i)
    const owner = takenBy.get(i)
    if (owner !== undefined && !tryFor(owner, seen)) return false
    takenBy.set(i, a)
    return true
  })
  return left.filter((_, a) => tryFor(a, new Set())).length
}
