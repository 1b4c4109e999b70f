/** How far apart replicas can be, and what is refused because of it: laws over random clusters, worked out the long way. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { apply } from '../../../actors/topology/apply.ts'
import { activeNodes } from '../../../actors/topology/clusterState.ts'
import { costOf, refuseWorse, spreadKinds, spreadOf } from '../../../actors/topology/spread.ts'
import { wantedOf } from '../../../actors/topology/wanted.ts'
import { replicaId } from '../../../topology/ids.ts'
import { rebalance } from '../../../topology/rebalance.ts'
import { countBy } from '../../topology/placements.ts'
import { after, asked, n, newborn } from './states.ts'
import type { ClusterNode, ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Refused, Wish } from '../../../actors/topology/protocol.ts'
import type { NodeId } from '../../../topology/ids.ts'

const NODES_MAX = 7

interface Drawn {
  readonly state: ClusterState
  readonly lost: readonly NodeId[]
}

interface Member {
  readonly zone: string
  readonly state: 'active' | 'draining'
  readonly isLost: boolean
  readonly isEmpty: boolean
}

const drawnOf = ({ members, replicationFactor }: { readonly members: readonly Member[]; readonly replicationFactor: number }): Drawn => {
  const nodes = members.map(({ zone, state }, i): ClusterNode => ({ id: n(i + 1), weight: 1, zone, state }))
  const carrying = nodes.filter((_, i) => i === 0 || members[i]?.isEmpty === false)
  const { replicas } = rebalance({ replicas: [] }, { nodes: carrying, shardCount: 4, replicationFactor })
  const shards = replicas.map((shard) => ({ replicas: shard.map((id) => replicaId(id, 1)), move: null }))
  return {
    state: { ...newborn({ size: 1, shardCount: 4, replicationFactor: 1 }), nodes, shards, replicationFactor },
    lost: nodes.flatMap(({ id }, i) => (members[i]?.isLost === true ? [id] : [])),
  }
}

const stateArb: fc.Arbitrary<Drawn> = fc.record({
  members: fc.array(fc.record({
    zone: fc.constantFrom('', 'a', 'b', 'c'),
    state: fc.constantFrom('active' as const, 'active' as const, 'active' as const, 'draining' as const),
    isLost: fc.integer({ min: 0, max: 5 }).map((drawn) => drawn === 0),
    isEmpty: fc.integer({ min: 0, max: 3 }).map((drawn) => drawn === 0),
  }), { minLength: 2, maxLength: NODES_MAX }),
  replicationFactor: fc.constantFrom(1, 3, 3, 5),
}).map(drawnOf)

const node = fc.integer({ min: 1, max: NODES_MAX }).map(n)
const zone = fc.constantFrom('', 'a', 'b', 'c', 'd')

const wishArb: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({ kind: fc.constant('drainNode' as const), node, isForced: fc.boolean() }),
  fc.record({ kind: fc.constant('removeNode' as const), node }),
  fc.record({ kind: fc.constant('setZone' as const), node, zone }),
  fc.record({ kind: fc.constant('setReplicationFactor' as const), replicationFactor: fc.constantFrom(1, 3, 5) }),
)

const joinArb: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({ kind: fc.constant('addNode' as const), node: fc.integer({ min: 1, max: 9 }).map(n), weight: fc.constant(1), zone }),
  fc.record({ kind: fc.constant('activateNode' as const), node }),
)

const zonesOf = (state: ClusterState, ids: readonly NodeId[]): string[] => ids.map((id) => {
  const of = state.nodes.find((one) => one.id === id)?.zone ?? ''
  return of === '' ? `alone ${id}` : of
})

const crowdIn = (zones: readonly string[]): number => Math.max(0, ...countBy(zones).values())

/** Of every way to place one shard, the best: fewest in one zone, then most zones. */
const bestOf = ({ state, lost }: Drawn): { readonly missing: number; readonly crowd: number; readonly apart: number } => {
  const usable = activeNodes(state).map(({ id }) => id).filter((id) => !lost.includes(id))
  const copies = Math.min(state.replicationFactor, usable.length)
  const ways = subsets(usable, copies).map((ids) => zonesOf(state, ids))
  return {
    missing: state.replicationFactor - copies,
    crowd: Math.min(...ways.map(crowdIn)),
    apart: Math.max(...ways.map((zones) => new Set(zones).size)),
  }
}

const subsets = (ids: readonly NodeId[], size: number): NodeId[][] => {
  const [first, ...others] = ids
  if (size === 0) return [[]]
  if (first === undefined) return []
  return [...subsets(others, size - 1).map((rest) => [first, ...rest]), ...subsets(others, size)]
}

const then = (state: ClusterState, wish: Wish): ClusterState => apply(state, asked(state, wish)).state

describe('over random clusters', () => {
  test('what is possible is what the best of all placements has', () => {
    fc.assert(fc.property(stateArb, (drawn) => {
      const { missing, crowd, apart } = spreadOf(drawn.state, drawn.lost)
      fc.pre(activeNodes(drawn.state).some(({ id }) => !drawn.lost.includes(id)))
      expect({ missing, crowd, apart }).toEqual(bestOf(drawn))
    }), { numRuns: 300 })
  })

  test('a change that is not forced never leaves replicas fewer nodes, a fuller zone, or fewer zones', () => {
    let taken = 0
    fc.assert(fc.property(stateArb, wishArb, ({ state, lost }, wish) => {
      if (refuseWorse(state, lost, wish) !== null) return
      const changed = then(state, wish)
      taken += changed.epoch > state.epoch ? 1 : 0
      const [old, now] = [bestOf({ state, lost }), bestOf({ state: changed, lost })]
      expect(now.missing).toBeLessThanOrEqual(old.missing)
      const sharing = ({ replicationFactor }: ClusterState, { missing, apart }: typeof now): number => replicationFactor - missing - apart
      if (now.missing === old.missing) {
        expect(now.crowd).toBeLessThanOrEqual(old.crowd)
        expect(sharing(changed, now)).toBeLessThanOrEqual(sharing(state, old))
      }
    }), { numRuns: 600 })
    expect(taken).toBeGreaterThan(50)
  })

  test('what is refused does make it worse, and after a forced change replicas are placed as well as is possible then', () => {
    const reasons = new Set<string>()
    const members = ['a', 'b', 'c'].map((name): Member => ({ zone: name, state: 'active', isLost: false, isEmpty: false }))
    const three = drawnOf({ members, replicationFactor: 3 })
    // Not every seed draws all reasons.
    const examples: [Drawn, Wish][] = [
      [three, { kind: 'drainNode', node: n(3), isForced: false }], [three, { kind: 'setZone', node: n(1), zone: 'b' }],
      [three, { kind: 'setReplicationFactor', replicationFactor: 1 }],
    ]
    fc.assert(fc.property(stateArb, wishArb, ({ state, lost }, wish) => {
      const refusal = refuseWorse(state, lost, wish)
      // What is refused costs something when it is forced, and nothing else does.
      expect(costOf(state, lost, wish) === null).toBe(refusal === null)
      const changed = then(state, wish)
      if (activeNodes(changed).every(({ id }) => lost.includes(id))) return
      const best = bestOf({ state: changed, lost })
      if (refusal !== null) {
        reasons.add(refusal.reason)
        if (refusal.reason !== 'noRedundancy') expect(best).not.toEqual(bestOf({ state, lost }))
      }
      for (const ids of wantedOf(changed, lost).shards) {
        const zones = zonesOf(changed, ids)
        expect({ copies: ids.length, crowd: crowdIn(zones), apart: new Set(zones).size })
          .toEqual({ copies: changed.replicationFactor - best.missing, crowd: best.crowd, apart: best.apart })
      }
    }), { numRuns: 150, examples })
    expect([...reasons].sort()).toEqual(['noRedundancy', 'tooFewNodes', 'zonesTooFew'])
  })

  test('whoever comes makes nothing worse', () => {
    fc.assert(fc.property(stateArb, joinArb, ({ state, lost }, wish) => {
      expect(spreadKinds).not.toContain(wish.kind)
      expect(refuseWorse(state, lost, wish)).toBeNull()
    }), { numRuns: 300 })
  })
})

describe('a refusal says what it would cost and what to do instead', () => {
  const zoned = (...zones: readonly string[]): ClusterState =>
    ({ ...newborn({ size: zones.length }), nodes: zones.map((name, i) => ({ id: n(i + 1), weight: 1, zone: name, state: 'active' })) })
  const textOf = (refusal: Refused | null): string => `${refusal?.reason}: ${refusal?.message}`

  test.each<readonly [string, ClusterState, readonly NodeId[], Wish, string]>([
    ['a first zone', newborn(), [], { kind: 'setZone', node: n(2), zone: 'a' }, 'null'],
    ['the last node of a zone', zoned('a', 'b', 'c', 'c'), [], { kind: 'drainNode', node: n(1), isForced: false },
      'zonesTooFew: the 3 replicas of a shard would have 2 zones to be in (b, c), and 2 of them would share one, whose failure takes '
      + 'the majority of them; as it is, each can be in a zone of its own: add a node in another zone first, or ask for fewer '
      + 'replicas, or force it'],
    ['one of two of a zone', zoned('a', 'b', 'c', 'c'), [], { kind: 'drainNode', node: n(3), isForced: false }, 'null'],
    ['the second of a zone', zoned('a', '', ''), [], { kind: 'setZone', node: n(2), zone: 'a' }, '2 zones to be in (a, n3 alone)'],
    ['five replicas in three zones', zoned('a', 'a', 'b', 'b', 'c'), [], { kind: 'setReplicationFactor', replicationFactor: 5 },
      'share one, whose failure leaves a majority of them'],
    ['five in five', newborn({ size: 5 }), [], { kind: 'setReplicationFactor', replicationFactor: 5 }, 'null'],
    ['a zone beside one that is lost', zoned('a', 'b', 'c', 'c'), [n(4)], { kind: 'drainNode', node: n(3), isForced: false },
      'tooFewNodes: 3 replicas of every shard need 3 active nodes and 2 would be left, beside those that are lost (n4): add a node first, '
      + 'or lower the replication factor, or force it: it keeps replicas until those that are lost have come back, or are drained, too, '
      + 'which leaves 2 of 3 replicas'],
    ['more replicas beside one that is lost', newborn({ size: 5 }), [n(4)], { kind: 'setReplicationFactor', replicationFactor: 5 },
      'or force it, which leaves 4 of 5 replicas'],
    ['the lost one itself', zoned('a', 'b', 'c', 'a'), [n(3)], { kind: 'drainNode', node: n(3), isForced: false }, 'null'],
    ['all replicas but one', newborn(), [], { kind: 'setReplicationFactor', replicationFactor: 1 },
      'noRedundancy: every shard would have one replica, and is lost with its disk: keep 3, or force it'],
    ['three replicas of five', newborn({ size: 5, replicationFactor: 5 }), [], { kind: 'setReplicationFactor', replicationFactor: 3 },
      'null'],
    ['the meta group but one', newborn({ replicationFactor: 1 }), [], { kind: 'drainNode', node: n(1), isForced: false },
      'noRedundancy: the meta group would have one replica, and the map of the cluster is lost with its disk: add a node first, '
      + 'or force it'],
    ['what was alone before', newborn({ size: 2, replicationFactor: 1 }), [], { kind: 'drainNode', node: n(1), isForced: false }, 'null'],
    ['one that is on its way out', after(zoned('a', 'b', 'c', 'c'), { kind: 'drainNode', node: n(1), isForced: true }), [],
      { kind: 'removeNode', node: n(1) }, 'null'],
  ])('%s', (_, state, lost, wish, expected) => {
    const refusal = refuseWorse(state, lost, wish)
    if (expected === 'null') expect(refusal).toBeNull()
    else expect(textOf(refusal)).toContain(expected)
  })

  test.each<readonly [string, ClusterState, readonly NodeId[], Wish, string | null]>([
    ['one of three', newborn(), [], { kind: 'drainNode', node: n(1), isForced: true },
      'every shard has 2 of 3 replicas, and goes on after no failure, not 1 failure; the meta group has one replica, and the map of the '
      + 'cluster is lost with its disk'],
    ['all replicas but one', newborn(), [], { kind: 'setReplicationFactor', replicationFactor: 1 },
      'every shard has one replica, and is lost with its disk'],
    ['four of five', newborn({ size: 5 }), [n(4)], { kind: 'setReplicationFactor', replicationFactor: 5 },
      'every shard has 4 of 5 replicas, and goes on after 1 failure, as before'],
    ['the last node of a zone', zoned('a', 'b', 'c', 'c'), [], { kind: 'drainNode', node: n(1), isForced: true },
      '2 of the 3 replicas of a shard share one of 2 zones (b, c), whose failure takes the majority of them'],
    ['five replicas in three zones', zoned('a', 'a', 'b', 'b', 'c'), [], { kind: 'setReplicationFactor', replicationFactor: 5 },
      '2 of the 5 replicas of a shard share one of 3 zones (a, b, c), whose failure leaves a majority of them'],
    ['one beside one that is lost', zoned('a', 'b', 'c', 'c'), [n(4)], { kind: 'drainNode', node: n(3), isForced: true },
      'it keeps its replicas until n4, now lost, comes back; if that is drained, too, every shard has 2 of 3 replicas, and goes on after '
      + 'no failure, not 1 failure'],
    ['nothing', newborn({ size: 4 }), [], { kind: 'drainNode', node: n(1), isForced: true }, null],
  ])('forced, it costs: %s', (_, state, lost, wish, expected) => {
    expect(costOf(state, lost, wish)).toBe(expected)
  })

  test('a newcomer that carries nothing yet, where the others are too few without it', () => {
    const three = after(newborn({ size: 4 }), { kind: 'drainNode', node: n(1), isForced: true })
    const few = after({ ...three, shards: three.shards.map(({ move }) => ({ move, replicas: [replicaId(n(2), 1), replicaId(n(1), 1)] })),
      meta: { ...three.meta, replicas: [replicaId(n(2), 1)] } }, { kind: 'pause' })
    expect(textOf(refuseWorse(few, [], { kind: 'removeNode', node: n(4) }))).toContain('tooFewNodes: 3 replicas')
    expect(then(few, { kind: 'removeNode', node: n(4) }).nodes.find(({ id }) => id === n(4))?.state).toBe('left')
  })
})
