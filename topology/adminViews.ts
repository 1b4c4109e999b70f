/**
 * One reading of the cluster as the admin API shows it (gateway/admin/views.ts). Pure: everything follows from the state, who is lost, and
 * who leads as far as this node knows. The ring and the plan are made only when somebody looks at them.
 */

import { apply } from '../actors/topology/apply.ts'
import { activeNodes, movesOf } from '../actors/topology/clusterState.ts'
import { plan } from '../actors/topology/plan.ts'
import { refuseWorse } from '../actors/topology/spread.ts'
import { wantedOf } from '../actors/topology/wanted.ts'
import { nodeOf } from './ids.ts'
import { healthOf } from './replicaHealth.ts'
import { sharesOf } from './shares.ts'
import type { ClusterNode, ClusterState, MoveOfGroup } from '../actors/topology/clusterState.ts'
import type { MoveProgress } from '../actors/topology/driver.ts'
import type { PlanLimits } from '../actors/topology/plan.ts'
import type { DamagedReplica, Refused } from '../actors/topology/protocol.ts'
import type {
  ClusterAnswer, Move, MovesAnswer, NodeView, NodesAnswer, PlanAnswer, RingAnswer, SettingsAnswer, ShardView, ShardsAnswer,
} from '../gateway/admin/views.ts'
import type { LoadsAnswer } from './loadReads.ts'
import type { NodeId, ReplicaId, ShardId } from './ids.ts'

export interface ReadingInput {
  readonly state: ClusterState
  readonly isLinearizable: boolean
  readonly lost: readonly NodeId[]
  readonly progress: readonly MoveProgress[]
  readonly limits: PlanLimits
  readonly loads: LoadsAnswer
  readonly leaderOf: (shard: ShardId) => NodeId | null
  /** As the nodes say of themselves; absent: none. */
  readonly damaged?: readonly DamagedReplica[]
  /** Of the node that answers. */
  readonly node: Omit<SettingsAnswer['node'], 'movesMax' | 'movesPerNodeMax'>
}

export interface Reading {
  readonly epoch: number
  readonly cluster: () => ClusterAnswer
  readonly nodes: () => NodesAnswer
  readonly shards: () => ShardsAnswer
  readonly moves: () => MovesAnswer
  /** As things are, or as if `drained` had been told to drain. */
  readonly plan: (drained: NodeId | null) => PlanAnswer | Refused
  readonly ring: () => RingAnswer
  readonly settings: () => SettingsAnswer
}

export const readingOf = (input: ReadingInput): Reading => {
  const { state } = input
  return {
    epoch: state.epoch,
    cluster: () => clusterAnswer(input),
    nodes: () => ({ ...headOf(input), nodes: state.nodes.map((node) => nodeView(input, node)) }),
    shards: () => ({ ...headOf(input), shards: state.shards.map((_, shard) => shardView(input, shard as ShardId)) }),
    moves: () => ({ ...headOf(input), moves: movesOf(state).map((found) => moveView(input, found)) }),
    plan: (drained) => planAnswer(input, drained),
    ring: () => ringAnswer(input),
    settings: () => ({
      ...headOf(input), replicationFactor: state.replicationFactor, isPaused: state.isPaused, isBalanced: state.isBalanced,
      node: { ...input.node, movesMax: input.limits.movesMax, movesPerNodeMax: input.limits.movesPerNodeMax },
    }),
  }
}

type Head = Pick<ClusterAnswer, 'epoch' | 'consistency'>

const headOf = ({ state: { epoch }, isLinearizable }: ReadingInput): Head =>
  ({ epoch, consistency: isLinearizable ? 'linearizable' : 'local' })

const clusterAnswer = (input: ReadingInput): ClusterAnswer => {
  const { state, lost } = input
  const inState = (wanted: ClusterNode['state']): number => state.nodes.filter((node) => node.state === wanted).length
  return {
    ...headOf(input),
    cluster: state.cluster,
    shardCount: state.shardCount,
    replicationFactor: state.replicationFactor,
    isPaused: state.isPaused,
    nodes: { active: inState('active'), draining: inState('draining'), left: inState('left'), lost: lost.length },
    moves: movesOf(state).length,
    metaReplicas: [...state.meta.replicas],
  }
}

const nodeView = ({ state, lost, leaderOf }: ReadingInput, { id, state: own, weight, zone }: ClusterNode): NodeView => ({
  id,
  state: own,
  isLost: own !== 'left' && lost.includes(id),
  weight,
  zone,
  replicas: state.shards.filter(({ replicas }) => replicas.some((replica) => nodeOf(replica) === id)).length,
  leads: state.shards.filter((_, shard) => leaderOf(shard as ShardId) === id).length,
  isMetaMember: state.meta.replicas.some((replica) => nodeOf(replica) === id),
  moves: movesOf(state).filter(({ move: { add, remove } }) => isOn(add, id) || isOn(remove, id)).length,
})

const isOn = (replica: ReplicaId | null, node: NodeId): boolean => replica !== null && nodeOf(replica) === node

const shardView = (input: ReadingInput, shard: ShardId): ShardView => {
  const found = movesOf(input.state).find(({ group }) => group === shard)
  return {
    shard,
    replicas: [...input.state.shards[shard]?.replicas ?? []],
    leader: input.leaderOf(shard),
    load: loadView(input, shard),
    move: found === undefined ? null : moveView(input, found),
    damaged: damagedOf(input, shard),
  }
}

const damagedOf = ({ state, damaged = [] }: ReadingInput, shard: ShardId): ShardView['damaged'] => {
  const placement = state.shards[shard]
  return (placement?.replicas ?? []).flatMap((replica) => {
    const isQuarantined = damaged.some((one) => one.group === shard && one.replica === replica)
    const health = healthOf({ id: replica, isQuarantined, isSuspect: false }, placement)
    return health === null || health === 'suspect' ? [] : [{ replica, state: health }]
  })
}

const loadView = ({ loads }: ReadingInput, shard: ShardId): ShardView['load'] => {
  const rate = loads.shards.find((row) => row.shard === shard)
  if (rate === undefined) return null
  const { operations, writtenBytes, keys, keyBytes } = rate
  return { operationsPerSecond: operations, writtenBytesPerSecond: writtenBytes, keys, keyBytes }
}

const moveView = ({ progress, loads }: ReadingInput, { group, move: { id, add, remove, step, orderedAt } }: MoveOfGroup): Move => {
  const rate = loads.moves.find(({ move }) => move === id)
  return {
    id, group, add, remove, step, orderedAt,
    entriesLeft: progress.find(({ move }) => move === id)?.entriesLeft ?? null,
    bytes: rate === undefined ? null : {
      done: rate.doneBytes, total: rate.totalBytes, perSecond: rate.bytesPerSecond,
      secondsLeft: rate.bytesPerSecond === 0 ? null : Math.ceil((rate.totalBytes - rate.doneBytes) / rate.bytesPerSecond),
    },
  }
}

const planAnswer = (input: ReadingInput, drained: NodeId | null): PlanAnswer | Refused => {
  const then = drained === null ? { state: input.state } : afterDrain(input, drained)
  if ('kind' in then) return then
  const { state } = then
  const { lost, damaged = [], limits } = input
  const made = plan({ state, wanted: wantedOf(state, lost), lost, damaged, limits })
  return {
    ...headOf(input),
    isPaused: state.isPaused,
    underWay: movesOf(state).length,
    moves: made.all.map((move) => ({ ...move })),
    next: made.next.map((move) => ({ ...move })),
    cancels: [...made.cancels],
    preferences: made.preferences.map(({ shard, replicas }) => ({ shard, replicas: [...replicas] })),
    blocked: [...made.blocked],
    heldBack: [...made.heldBack],
    heldBackBy: made.heldBack.length === 0 ? [] : activeNodes(state).map(({ id }) => id).filter((id) => lost.includes(id)),
    balance: balanceView(input),
  }
}

const balanceView = ({ state, lost, loads }: ReadingInput): PlanAnswer['balance'] => ({
  isOn: state.isBalanced,
  nodes: activeNodes(state).filter(({ id }) => !lost.includes(id)).map(({ id, weight }) => ({
    id, weight,
    operationsPerSecond: state.shards.reduce((sum, { replicas: [first] }, shard) =>
      sum + (first !== undefined && nodeOf(first) === id ? loads.shards.find((row) => row.shard === shard)?.operations ?? 0 : 0), 0),
  })),
})

const afterDrain = ({ state, lost }: ReadingInput, node: NodeId): { readonly state: ClusterState } | Refused => {
  const wish = { kind: 'drainNode', node, isForced: false } as const
  const { state: then, outcome } = apply(state, { ...wish, expectedEpoch: state.epoch, at: 0, by: '', request: '' })
  return outcome.kind === 'refused' ? outcome : refuseWorse(state, lost, wish) ?? { state: then }
}

const ringAnswer = (input: ReadingInput): RingAnswer => {
  const { state, lost } = input
  const wanted = wantedOf(state, lost)
  const usable = activeNodes(state).filter(({ id }) => !lost.includes(id))
  const shares = shareOfEach(state, usable)
  return {
    ...headOf(input),
    nodes: usable.map(({ id, weight, zone }) => ({
      id, weight, zone,
      share: shares.get(id) ?? 0,
      replicas: wanted.shards.filter((nodes) => nodes.includes(id)).length,
      leaders: wanted.shards.filter(([first]) => first === id).length,
    })),
    shards: wanted.shards.map((nodes, shard) => ({ shard, nodes: [...nodes] })),
    meta: [...wanted.meta],
  }
}

/** Of 1. */
const shareOfEach = ({ shardCount, replicationFactor }: ClusterState, usable: readonly ClusterNode[]): ReadonlyMap<NodeId, number> => {
  if (usable.length === 0) return new Map()
  const { nodes, share, copies } = sharesOf({ nodes: usable, shardCount, replicationFactor })
  return new Map(nodes.map(({ id }, i) => [id, (share[i] ?? 0) / (shardCount * copies)]))
}
