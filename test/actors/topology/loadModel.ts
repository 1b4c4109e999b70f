/**
 * A load on a cluster for hours of virtual time, and the planner's answer to it: figures arrive every five seconds, steps are applied
 * as the meta group would, and the evening by counts is asked after every step whether it would undo it.
 */

import { apply } from '../../../actors/topology/apply.ts'
import { balanceStep, createBalanceMemory, defaultBalanceLimits, firstStepAt } from '../../../actors/topology/balance.ts'
import { createLoads, noteFigures } from '../../../actors/topology/loads.ts'
import { defaultPlanLimits, plan } from '../../../actors/topology/plan.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { wantedOf } from '../../../actors/topology/wanted.ts'
import { createRandom } from '../../../actors/kernel/random.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { nodeOf } from '../../../topology/ids.ts'
import { asked } from './states.ts'
import type { BalanceLimits, BalanceMemory, BalanceStep } from '../../../actors/topology/balance.ts'
import type { Loads, ShardFigures } from '../../../actors/topology/loads.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'
import type { NodeId, ShardId } from '../../../topology/ids.ts'

const FIGURES_EVERY_MS = 5_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS

export interface ShardDemand {
  readonly operations: number
  readonly writtenBytes?: number
  readonly keyBytes?: number
}

/** What is asked of a shard at a moment, a second. */
export type Demand = (shard: number, atMs: number) => ShardDemand

export interface Weather {
  readonly seed: number
  readonly demand: Demand
  readonly hours: number
  readonly isOff?: boolean
  /** How far a sample may be off, as a part of it. */
  readonly noise?: number
  readonly limits?: Partial<BalanceLimits>
  /** Another node leads the meta group from then on: what the one before remembered is gone. */
  readonly newLeaderEveryMs?: number
}

export interface Taken {
  readonly atMs: number
  readonly step: BalanceStep
  /** Where the step's shards had their leader, or their replicas, before and after. */
  readonly before: ReadonlyMap<ShardId, string>
  readonly after: ReadonlyMap<ShardId, string>
}

export interface Course {
  readonly state: ClusterState
  readonly taken: readonly Taken[]
  /** Of the busiest node over even, by the true demand: at the start of the hours, and at their end. */
  readonly imbalance: readonly number[]
}

/** The busiest node's load over even, by what is asked in truth. */
export const imbalanceOf = (state: ClusterState, demand: Demand, atMs: number): number => {
  const loads = new Map<NodeId, number>(state.nodes.map(({ id }) => [id, 0]))
  let total = 0
  state.shards.forEach(({ replicas }, shard) => {
    const node = nodeOf(must(replicas[0], 'a shard has replicas'))
    const { operations } = demand(shard, atMs)
    loads.set(node, (loads.get(node) ?? 0) + operations)
    total += operations
  })
  return total === 0 ? 1 : (Math.max(...loads.values()) * loads.size) / total
}

interface Run {
  state: ClusterState
  loads: Loads
  memory: BalanceMemory
  readonly taken: Taken[]
  readonly counters: Map<ShardId, { operations: number, writtenBytes: number }>
}

export const runLoad = (start: ClusterState, weather: Weather): Course => {
  const limits = { ...defaultBalanceLimits, ...weather.limits }
  const random = createRandom(weather.seed)
  const run: Run = {
    state: { ...start, isBalanced: weather.isOff !== true }, loads: createLoads(), memory: createBalanceMemory(0), taken: [],
    counters: new Map([...start.shards.keys()].map((shard) => [shard as ShardId, { operations: 0, writtenBytes: 0 }])),
  }
  const imbalance: number[] = []
  const end = weather.hours * HOUR_MS
  for (let now = FIGURES_EVERY_MS; now <= end; now += FIGURES_EVERY_MS) {
    const every = weather.newLeaderEveryMs ?? Number.POSITIVE_INFINITY
    if (Math.floor(now / every) !== Math.floor((now - FIGURES_EVERY_MS) / every)) {
      run.loads = createLoads()
      run.memory = createBalanceMemory(firstStepAt(run.state, limits.restMs, now, now))
    }
    const noisy = (amount: number): number => {
      const noise = weather.noise ?? 0
      return amount * (1 + noise * (2 * (random.uint32() / 2 ** 32) - 1))
    }
    tell(run, weather.demand, noisy, now)
    decide(run, limits, now)
    if (now % HOUR_MS < FIGURES_EVERY_MS) imbalance.push(imbalanceOf(run.state, weather.demand, now))
  }
  return { state: run.state, taken: run.taken, imbalance }
}

/** Every leader's counters, as its node tells them. */
const tell = ({ state, loads, counters }: Run, demand: Demand, noisy: (amount: number) => number, now: number): void => {
  const rows = new Map<NodeId, ShardFigures[]>(state.nodes.map(({ id }) => [id, []]))
  state.shards.forEach(({ replicas }, at) => {
    const shard = at as ShardId
    const { operations, writtenBytes = 0, keyBytes = 0 } = demand(shard, now)
    const counter = must(counters.get(shard), 'every shard is counted')
    const seconds = FIGURES_EVERY_MS / 1_000
    counter.operations += Math.round(noisy(operations * seconds))
    counter.writtenBytes += Math.round(noisy(writtenBytes * seconds))
    rows.get(nodeOf(must(replicas[0], 'a shard has replicas')))?.push({ shard, ...counter, keys: 1, keyBytes })
  })
  for (const [node, shards] of rows) noteFigures(loads, { node, boot: 'b', atMs: now, shards, catchUps: [] }, now)
}

const decide = (run: Run, limits: BalanceLimits, now: number): void => {
  const step = balanceStep(run.memory, { state: run.state, lost: [], loads: run.loads, limits, now })
  if (step === null) return
  const before = placesOf(run.state, step)
  applied(run, step.wish, step.by, now)
  for (let found = movesOf(run.state)[0]; found !== undefined; found = movesOf(run.state)[0]) {
    const { move } = found
    const wish: Wish = move.step === 'adding' ? { kind: 'promote', move: move.id } : { kind: 'finish', move: move.id, result: 'moved' }
    applied(run, wish, 'planner', now)
  }
  run.taken.push({ atMs: now, step, before, after: placesOf(run.state, step) })
  const made = plan({ state: run.state, wanted: wantedOf(run.state, []), lost: [], limits: defaultPlanLimits })
  if (made.all.length > 0 || made.preferences.length > 0) throw new Error(`the evening undoes ${step.by}`)
}

const applied = (run: Run, wish: Wish, by: string, now: number): void => {
  const { state, outcome } = apply(run.state, { ...asked(run.state, wish), at: now, by })
  if (outcome.kind !== 'applied') throw new Error(`${wish.kind}: ${JSON.stringify(outcome)}`)
  run.state = state
}

/** Leadership steps are about who is preferred, replica steps about who has replicas. */
const placesOf = (state: ClusterState, { shards, wish }: BalanceStep): ReadonlyMap<ShardId, string> =>
  new Map(shards.map((shard) => {
    const nodes = must(state.shards[shard], 'the shard exists').replicas.map(nodeOf)
    return [shard, wish.kind === 'prefer' ? nodes[0] ?? '' : nodes.toSorted().join()]
  }))
