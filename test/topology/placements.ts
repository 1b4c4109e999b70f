/** What tests ask of a placement, worked out again the long way; and random clusters through random changes. */

import fc from 'fast-check'
import { nodeId } from '../../topology/ids.ts'
import { place } from '../../topology/ring.ts'
import { rebalance } from '../../topology/rebalance.ts'
import { sharesOf } from '../../topology/shares.ts'
import type { Placement, PlacementInput, RingNode } from '../../topology/placement.ts'

export const countBy = (items: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** Shards of which one zone has a replica more than another has, or could have, by two or more. */
export const zoneProblems = ({ nodes }: PlacementInput, { replicas }: Placement): string[] => {
  const zoneOf = new Map(nodes.map(({ id, zone }) => [id, zone === '' ? `alone ${id}` : zone]))
  const sizes = countBy([...zoneOf.values()])
  return replicas.flatMap((shard, i) => {
    const counts = countBy(shard.map((id) => zoneOf.get(id) ?? 'unknown'))
    const fullest = Math.max(...counts.values())
    const couldTake = [...sizes].filter(([zone, size]) => (counts.get(zone) ?? 0) < Math.min(size, fullest - 1))
    return couldTake.length === 0 ? [] : [`shard ${i} on ${shard.join(' ')} has ${fullest} in a zone`]
  })
}

export const unevenNodes = (input: PlacementInput, { replicas }: Placement): string[] => {
  const shares = sharesOf(input)
  const loads = countBy(replicas.flat())
  const leads = countBy(replicas.map(([first]) => first ?? ''))
  return shares.nodes.flatMap(({ id }, node) => {
    const share = shares.share[node] ?? 0
    const isNear = (count: number, of: number): boolean => count > of - 1 - 1e-6 && count < of + 1 + 1e-6
    const [load, led] = [loads.get(id) ?? 0, leads.get(id) ?? 0]
    return isNear(load, share) && isNear(led, share / shares.copies) ? [] : [`${id} carries ${load} of ${share} and leads ${led}`]
  })
}

export interface Change {
  readonly kind: 'join' | 'leave' | 'weight' | 'zone'
  readonly node: RingNode
  readonly from: PlacementInput
  readonly to: PlacementInput
  readonly before: Placement
  readonly after: Placement
}

export interface Fleet {
  readonly weights: readonly number[]
  readonly zones: readonly string[]
}

export interface ShardMove {
  readonly shard: number
  readonly added: string[]
  readonly gone: string[]
}

/** The shards whose replicas change: where some are made anew, and where some are no more. */
export const movesOf = ({ before, after }: Pick<Change, 'before' | 'after'>): ShardMove[] =>
  after.replicas.map((nodes, shard) => {
    const old = before.replicas[shard] ?? []
    return { shard, added: nodes.filter((id) => !old.includes(id)), gone: old.filter((id) => !nodes.includes(id)) }
  }).filter(({ added, gone }) => added.length + gone.length > 0)

export const movedCount = (change: Pick<Change, 'before' | 'after'>): number =>
  movesOf(change).reduce((sum, { added }) => sum + added.length, 0)

/** `clusters` of random sizes, each through four changes, from an even start. The seed is fast-check's, so it prints and replays. */
export const randomChanges = ({ weights, zones }: Fleet, clusters: number): readonly Change[] => {
  const node = fc.record({ weight: fc.constantFrom(...weights), zone: fc.constantFrom(...zones) })
  const change = fc.record({ node, kind: fc.constantFrom('join', 'leave', 'leave', 'alter'), at: fc.nat(100) })
  const cluster = fc.record({
    born: fc.array(node, { minLength: 1, maxLength: 10 }),
    shardCount: fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
    replicationFactor: fc.constantFrom(1, 3, 3, 5),
    changes: fc.array(change, { minLength: 4, maxLength: 4 }),
  })
  return fc.sample(cluster, { numRuns: clusters, ...seedOption() }).flatMap(({ born, changes, ...counts }) => {
    let nodes: readonly RingNode[] = born.map((drawn, i) => ({ id: nodeId(`n${i + 1}`), ...drawn }))
    let before = rebalance(place({ nodes, ...counts }), { nodes, ...counts })
    return changes.flatMap(({ node: drawn, kind, at }, step): Change[] => {
      const next = changed(nodes, { kind, drawn, at, name: `x${step}` })
      if (next === null) return []
      const change = { ...next, from: { nodes, ...counts }, to: { nodes: next.nodes, ...counts }, before }
      const after = rebalance(before, change.to)
      nodes = next.nodes
      before = after
      return [{ ...change, after }]
    })
  })
}

const seedOption = (): { readonly seed?: number } => {
  const { seed } = fc.readConfigureGlobal()
  return seed === undefined ? {} : { seed }
}

interface Draw {
  readonly kind: string
  readonly drawn: Pick<RingNode, 'weight' | 'zone'>
  readonly at: number
  readonly name: string
}

const changed = (
  nodes: readonly RingNode[], { kind, drawn, at, name }: Draw,
): { readonly nodes: readonly RingNode[]; readonly kind: Change['kind']; readonly node: RingNode } | null => {
  const chosen = nodes[at % nodes.length]
  if (kind === 'join' || chosen === undefined) {
    const node = { id: nodeId(name), ...drawn }
    return { nodes: [...nodes, node], kind: 'join', node }
  }
  if (kind === 'leave') return nodes.length === 1 ? null : { nodes: nodes.filter(({ id }) => id !== chosen.id), kind, node: chosen }
  const altered = at % 2 === 0 ? { ...chosen, weight: drawn.weight } : { ...chosen, zone: drawn.zone }
  return { nodes: nodes.map((one) => (one.id === chosen.id ? altered : one)), kind: at % 2 === 0 ? 'weight' : 'zone', node: chosen }
}
