/**
 * Balance under load: which leadership, or which replica, should be elsewhere because of what is asked of it.
 *
 *   leaders    a node's load is what is asked of the shards it is preferred for, against its share by weight. Above `highRatio` of
 *              what an even load makes of it for `patienceMs`, one leadership moves, or two are swapped; a transfer copies nothing,
 *              so leaders come first
 *   replicas   a node's burden is what its replicas weigh, and an hour of their writes. Above `burdenRatio` for `burdenPatienceMs`, one
 *              replica moves, if that relieves the node by more than the copying costs (`payRatio`)
 *
 * Nothing oscillates:
 * - a step must bring the busier of its two nodes down by `gainMin` of even, below what it was: under a steady load every step lessens
 *   the sum of squares, so there are finitely many;
 * - steps begin above `highRatio` and go on only until `lowRatio`; the gap is wider than what noise makes of smoothed figures. Both
 *   are multiples of the busiest node's load under an even load: with 24 shards on 7 nodes somebody leads 4, and is at 1.17 of even;
 * - a swap needs shards that differ (`swapRatio`): two shards that are asked equally often never trade places by noise;
 * - a shard that was moved rests for `restMs`, twice as long each time it is moved again soon after;
 * - evening by counts (topology/evening.ts, topology/leaders.ts) must leave the outcome as it is, or the step is not taken: the two
 *   can not undo one another;
 * - a new leader remembers no rests, so it waits one out since the last step that the history shows.
 *
 * Pure but for the memory, which the leader owns. A step is a command with an epoch like any other: it takes effect once or not at all.
 * Laws (test/actors/topology/balance.test.ts): hours of skewed, shifting and noisy loads converge, in a bounded number of steps, none
 * of them undone within `restMs`; an even load moves nothing.
 */

import { nodeOf } from '../../topology/ids.ts'
import { ceilOf, floorOf, sharesOf } from '../../topology/shares.ts'
import { activeNodes, replicasAfter } from './clusterState.ts'
import { BY_CHARACTERS_MAX } from './protocol.ts'
import { wantedOf } from './wanted.ts'
import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { ClusterNode, ClusterState, HistoryEvent } from './clusterState.ts'
import type { Loads, ShardLoad } from './loads.ts'
import type { Preference, Wish } from './protocol.ts'

export interface BalanceLimits {
  /** Between two looks, in ms. */
  readonly everyMs: number
  /** Load of the busiest node, over what it is when all shards are alike: above it for the patience, steps begin. */
  readonly highRatio: number
  /** They end below this. */
  readonly lowRatio: number
  readonly patienceMs: number
  /** By how much of even a step lowers the busier of its nodes, at least. */
  readonly gainMin: number
  /** How many times busier the shard that goes must be than the one that comes for it. */
  readonly swapRatio: number
  /** How long a shard is left alone after a step. */
  readonly restMs: number
  /** Operations a second in the cluster below which nothing is worth a step. */
  readonly operationsMin: number
  /** The same for replicas. */
  readonly burdenRatio: number
  readonly burdenPatienceMs: number
  /** Bytes above its share that a node must carry. */
  readonly burdenBytesMin: number
  /** Bytes of relief for each byte copied, at least. */
  readonly payRatio: number
  /** A shard's load counts once it has been known for so long, and while it is no older than this. */
  readonly knownMs: number
  readonly staleMs: number
}

export const defaultBalanceLimits: BalanceLimits = {
  everyMs: 10_000, highRatio: 1.3, lowRatio: 1.15, patienceMs: 60_000, gainMin: 0.15, swapRatio: 1.5, restMs: 600_000,
  operationsMin: 200, burdenRatio: 1.5, burdenPatienceMs: 600_000, burdenBytesMin: 256 * 1_048_576, payRatio: 0.5,
  knownMs: 60_000, staleMs: 30_000,
}

/** Commands of this file are asked for in this name, with the reason behind it. */
export const BALANCE_NAME = 'balance'
const BURDEN_HOUR_S = 3_600
/** Twice, four, eight, at most so many times the rest. */
const REST_DOUBLINGS_MAX = 4
/** Candidates that are tried against the evening, the best first. */
const TRIALS_MAX = 8

interface Rest {
  readonly untilMs: number
  readonly times: number
}

export interface BalanceMemory {
  lookedAt: number
  /** Since when somebody has been too busy, or carried too much; null when nobody is. */
  busySince: number | null
  /** The patience is over, and `lowRatio` is not reached. */
  isActing: boolean
  burdenedSince: number | null
  /** No step before: a new leader knows of no rests. */
  notBefore: number
  readonly rests: Map<ShardId, Rest>
}

export const createBalanceMemory = (notBefore: number): BalanceMemory =>
  ({ lookedAt: Number.NEGATIVE_INFINITY, busySince: null, isActing: false, burdenedSince: null, notBefore, rests: new Map() })

export interface BalanceInput {
  readonly state: ClusterState
  readonly lost: readonly NodeId[]
  readonly loads: Loads
  readonly limits: BalanceLimits
  readonly now: number
}

export interface BalanceStep {
  readonly wish: Wish
  /** In words, at most 64 characters: who asks, and why. */
  readonly by: string
  readonly shards: readonly ShardId[]
}

/** The last step that the history shows. */
export const lastStepIn = ({ history }: ClusterState): HistoryEvent | undefined => history.findLast(({ by }) => by.startsWith(BALANCE_NAME))

/** When a new leader may take its first step: `wallMs` is the wall clock at `now`. */
export const firstStepAt = (state: ClusterState, restMs: number, now: number, wallMs: number): number => {
  const last = lastStepIn(state)
  return last === undefined ? now : now + Math.max(0, Math.min(restMs, last.at + restMs - wallMs))
}

/** The step that is due now, or null. Only asked when nothing moves and nothing else is to be done. */
export const balanceStep = (memory: BalanceMemory, input: BalanceInput): BalanceStep | null => {
  const { state, limits, now } = input
  if (!state.isBalanced) forgetImbalance(memory)
  if (!state.isBalanced || now - memory.lookedAt < limits.everyMs) return null
  memory.lookedAt = now
  const known = knownLoads(input)
  if (known === null || now < memory.notBefore) return null
  const step = leaderStep(memory, input, known) ?? replicaStep(memory, input, known)
  for (const shard of step?.shards ?? []) memory.rests.set(shard, restAfter(memory.rests.get(shard), limits.restMs, now))
  return step
}

/** Patience begins anew once it is switched on. */
const forgetImbalance = (memory: BalanceMemory): void => {
  memory.busySince = null
  memory.isActing = false
  memory.burdenedSince = null
}

const restAfter = (before: Rest | undefined, restMs: number, now: number): Rest => {
  const isSoon = before !== undefined && now < before.untilMs + restMs * 2 ** before.times
  const times = isSoon ? Math.min(before.times + 1, REST_DOUBLINGS_MAX) : 0
  return { untilMs: now + restMs * 2 ** times, times }
}

const isResting = ({ rests }: BalanceMemory, shard: ShardId, now: number): boolean => now < (rests.get(shard)?.untilMs ?? 0)

/** Every shard's, or null while one is not known well enough: what is missing may be the most. */
const knownLoads = ({ state, loads, limits, now }: BalanceInput): readonly ShardLoad[] | null => {
  const known: ShardLoad[] = []
  for (let shard = 0; shard < state.shardCount; shard += 1) {
    const load = loads.shards.get(shard as ShardId)
    if (load === undefined || now - load.sinceMs < limits.knownMs || now - load.atMs > limits.staleMs) return null
    known.push(load)
  }
  return known
}

/** What every node carries of something, over what would be even for its weight: 1 is even. Only nodes that may be given anything. */
interface Scale {
  readonly ratios: ReadonlyMap<NodeId, number>
  /** What one unit adds to the node's ratio. */
  readonly unit: (node: NodeId) => number
  readonly total: number
  readonly busiest: NodeId | null
}

const scaleOf = ({ state, lost }: BalanceInput, carried: (add: (node: NodeId, amount: number) => void) => void): Scale => {
  const nodes = usableNodes(state, lost)
  const weights = new Map(nodes.map(({ id, weight }) => [id, weight]))
  const amounts = new Map<NodeId, number>(nodes.map(({ id }) => [id, 0]))
  let total = 0
  carried((node, amount) => {
    total += amount
    if (amounts.has(node)) amounts.set(node, (amounts.get(node) ?? 0) + amount)
  })
  const weight = nodes.reduce((sum, node) => sum + node.weight, 0)
  const unit = (node: NodeId): number => (total === 0 ? 0 : weight / (weights.get(node) ?? 1) / total)
  const ratios = new Map([...amounts].map(([node, amount]) => [node, amount * unit(node)]))
  const [busiest = null] = [...ratios.keys()].sort((a, b) => (ratios.get(b) ?? 0) - (ratios.get(a) ?? 0))
  return { ratios, unit, total, busiest }
}

const ratioOf = ({ ratios }: Scale, node: NodeId): number => ratios.get(node) ?? Number.POSITIVE_INFINITY

const leaderScale = (input: BalanceInput, known: readonly ShardLoad[]): Scale => scaleOf(input, (add) => {
  input.state.shards.forEach(({ replicas: [first] }, shard) => {
    if (first !== undefined) add(nodeOf(first), known[shard]?.operations ?? 0)
  })
})

/** What comes of a step, before it is known whether the evening leaves it alone. */
interface Candidate<T> {
  readonly what: T
  readonly to: NodeId
  /** Of the busier of the two nodes. */
  readonly peak: number
}

const leaderStep = (memory: BalanceMemory, input: BalanceInput, known: readonly ShardLoad[]): BalanceStep | null => {
  const { limits, now } = input
  const scale = leaderScale(input, known)
  const { busiest: from } = scale
  if (from === null) return null
  const ratio = ratioOf(scale, from)
  noteBusy(memory, input, scale.total < limits.operationsMin ? 0 : ratio / worstOfEven(input))
  if (!memory.isActing) return null
  const candidates = leaderCandidates(memory, input, { scale, known, from }).filter(({ peak }) => peak <= ratio - limits.gainMin)
  for (const { what, to } of candidates.sort((a, b) => a.peak - b.peak).slice(0, TRIALS_MAX)) {
    if (!isLeftAlone(input, withPreferences(input.state, what))) continue
    const by = `${BALANCE_NAME}: load of ${from} ${ratio.toFixed(2)}, of ${to} ${ratioOf(scale, to).toFixed(2)} of even`
    return { wish: { kind: 'prefer', preferences: what }, by: shortened(by), shards: what.map(({ shard }) => shard) }
  }
  memory.isActing = false
  memory.busySince = now
  return null
}

const noteBusy = (memory: BalanceMemory, { limits, now }: BalanceInput, ratio: number): void => {
  if (ratio < limits.lowRatio) memory.isActing = false
  if (ratio <= limits.highRatio) memory.busySince = null
  else memory.busySince ??= now
  if (memory.busySince !== null && now - memory.busySince >= limits.patienceMs) memory.isActing = true
}

/** Of the busiest node's load, over even, when all shards are asked equally often and leaders are even by count. */
const worstOfEven = ({ state, lost }: BalanceInput): number =>
  Math.max(1, ...[...evenLeaders(state, lost).values()].map((even) => (even === 0 ? 1 : ceilOf(even) / even)))

/** How many leaderships are even for each node, a fraction. */
const evenLeaders = (state: ClusterState, lost: readonly NodeId[]): ReadonlyMap<NodeId, number> => {
  const { shardCount, replicationFactor } = state
  const { nodes, share, copies } = sharesOf({ nodes: usableNodes(state, lost), shardCount, replicationFactor })
  return new Map(nodes.map(({ id }, node) => [id, (share[node] ?? 0) / copies]))
}

interface Search {
  readonly scale: Scale
  readonly known: readonly ShardLoad[]
  readonly from: NodeId
}

const leaderCandidates = (memory: BalanceMemory, input: BalanceInput, search: Search): Candidate<readonly Preference[]>[] => {
  const { state, limits, now } = input
  const { scale, known, from } = search
  const rate = (shard: number): number => known[shard]?.operations ?? 0
  const led = leadersOf(state)
  const mayMove = (shard: ShardId): boolean => !isResting(memory, shard, now)
  const mayShift = shiftsWithin(input, led)
  const candidate = (to: NodeId, shard: ShardId, other: ShardId | null): Candidate<readonly Preference[]>[] => {
    const what = [preferring(state, shard, to), other === null ? null : preferring(state, other, from)].filter((order) => order !== null)
    const amount = rate(shard) - (other === null ? 0 : rate(other))
    const peak = Math.max(ratioOf(scale, from) - amount * scale.unit(from), ratioOf(scale, to) + amount * scale.unit(to))
    return what.length === (other === null ? 1 : 2) ? [{ what, to, peak }] : []
  }
  return (led.get(from) ?? []).filter((shard) => mayMove(shard) && rate(shard) > 0).flatMap((shard) =>
    replicasOf(state, shard).map(nodeOf).filter((to) => to !== from && scale.ratios.has(to)).flatMap((to) => [
      ...(mayShift(from, to) ? candidate(to, shard, null) : []),
      ...(led.get(to) ?? []).filter((other) => mayMove(other) && rate(shard) >= rate(other) * limits.swapRatio)
        .flatMap((other) => candidate(to, shard, other)),
    ]))
}

const leadersOf = ({ shards }: ClusterState): ReadonlyMap<NodeId, readonly ShardId[]> => {
  const led = new Map<NodeId, ShardId[]>()
  shards.forEach(({ replicas: [first] }, shard) => {
    if (first === undefined) return
    const node = nodeOf(first)
    led.set(node, [...led.get(node) ?? [], shard as ShardId])
  })
  return led
}

/** Whether a leadership may go from one to another without leaving the whole numbers next to even: other shifts are not worth a trial. */
const shiftsWithin = ({ state, lost }: BalanceInput, led: ReadonlyMap<NodeId, readonly ShardId[]>) => {
  const even = evenLeaders(state, lost)
  const count = (node: NodeId): number => led.get(node)?.length ?? 0
  return (from: NodeId, to: NodeId): boolean =>
    count(from) - 1 >= floorOf(even.get(from) ?? 0) && count(to) + 1 <= ceilOf(even.get(to) ?? 0)
}

const usableNodes = (state: ClusterState, lost: readonly NodeId[]): readonly ClusterNode[] =>
  activeNodes(state).filter(({ id }) => !lost.includes(id))

const replicasOf = (state: ClusterState, shard: ShardId): readonly ReplicaId[] => state.shards[shard]?.replicas ?? []

/** The shard's replicas with the node's in front; null when it has none. */
const preferring = (state: ClusterState, shard: ShardId, node: NodeId): Preference | null => {
  const replicas = replicasOf(state, shard)
  const first = replicas.find((replica) => nodeOf(replica) === node)
  return first === undefined ? null : { shard, replicas: [first, ...replicas.filter((replica) => replica !== first)] }
}

const withPreferences = (state: ClusterState, preferences: readonly Preference[]): ClusterState => {
  const shards = [...state.shards]
  for (const { shard, replicas } of preferences) shards[shard] = { replicas, move: null }
  return { ...state, shards }
}

/** The evening by counts would change nothing. */
const isLeftAlone = ({ lost }: BalanceInput, state: ClusterState): boolean => {
  const { shards } = wantedOf(state, lost)
  return state.shards.every(({ replicas }, shard) => replicas.map(nodeOf).join() === shards[shard]?.join())
}

const burdenOf = ({ keyBytes, writtenBytes }: ShardLoad): number => keyBytes + BURDEN_HOUR_S * writtenBytes

const replicaStep = (memory: BalanceMemory, input: BalanceInput, known: readonly ShardLoad[]): BalanceStep | null => {
  const { limits, now, state } = input
  const burdens = known.map(burdenOf)
  const scale = scaleOf(input, (add) => state.shards.forEach(({ replicas }, shard) => {
    for (const replica of replicas) add(nodeOf(replica), burdens[shard] ?? 0)
  }))
  const { busiest: from } = scale
  if (from === null) return null
  const ratio = ratioOf(scale, from)
  const excessBytes = (ratio - 1) / scale.unit(from)
  if (ratio > limits.burdenRatio && excessBytes > limits.burdenBytesMin) memory.burdenedSince ??= now
  else memory.burdenedSince = null
  if (memory.burdenedSince === null || now - memory.burdenedSince < limits.burdenPatienceMs) return null
  const candidates = replicaCandidates(memory, input, { scale, known, from }).filter(({ what: { shard }, peak }) =>
    peak <= ratio - limits.gainMin && (ratio - peak) / scale.unit(from) >= limits.payRatio * (known[shard]?.keyBytes ?? 0))
  for (const { what: { shard, remove }, to } of candidates.sort((a, b) => a.peak - b.peak).slice(0, TRIALS_MAX)) {
    if (!isLeftAlone(input, withReplicaMoved(state, { shard, remove, to }))) continue
    const by = `${BALANCE_NAME}: ${from} carries ${ratio.toFixed(2)}, ${to} ${ratioOf(scale, to).toFixed(2)} of even`
    return { wish: { kind: 'beginMove', group: shard, add: to, remove, isPlanned: true }, by: shortened(by), shards: [shard] }
  }
  memory.burdenedSince = now
  return null
}

interface ReplicaMove {
  readonly shard: ShardId
  readonly remove: ReplicaId
}

/** Followers only: a leader that goes would have to hand over first. */
const replicaCandidates = (memory: BalanceMemory, { state, now }: BalanceInput, { scale, known, from }: Search): Candidate<ReplicaMove>[] =>
  [...state.shards.keys() as Iterable<ShardId>].flatMap((shard) => {
    const replicas = replicasOf(state, shard)
    const remove = replicas.slice(1).find((replica) => nodeOf(replica) === from)
    const load = known[shard]
    if (remove === undefined || load === undefined || isResting(memory, shard, now)) return []
    const here = new Set(replicas.map(nodeOf))
    return [...scale.ratios.keys()].filter((to) => !here.has(to)).map((to) => ({
      what: { shard, remove }, to,
      peak: Math.max(ratioOf(scale, from) - burdenOf(load) * scale.unit(from), ratioOf(scale, to) + burdenOf(load) * scale.unit(to)),
    }))
  })

/** As it will stand; the generation does not matter to the evening. */
const withReplicaMoved = (state: ClusterState, { shard, remove, to }: ReplicaMove & { readonly to: NodeId }): ClusterState => ({
  ...state,
  shards: state.shards.map((placement, at) =>
    (at === shard ? { replicas: replicasAfter(placement.replicas, { add: `${to}:1` as ReplicaId, remove }), move: null } : placement)),
})

const shortened = (by: string): string => by.slice(0, BY_CHARACTERS_MAX)
