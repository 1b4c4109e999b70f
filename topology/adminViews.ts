/**
 * One reading of the cluster as the admin API shows it (gateway/admin/views.ts). Pure: everything follows from the state, who is lost, and
 * who leads as far as this node knows. The ring and the plan are made only when somebody looks at them.
 */

import { apply } from '../actors/topology/apply.ts'
import { activeNodes, movesOf } from '../actors/topology/clusterState.ts'
import { plan } from '../actors/topology/plan.ts'
import { wantedOf } from '../actors/topology/wanted.ts'
import { nodeOf } from './ids.ts'
import type { ClusterNode, ClusterState, MoveOfGroup } from '../actors/topology/clusterState.ts'
import type { MoveProgress } from '../actors/topology/driver.ts'
import type { PlanLimits } from '../actors/topology/plan.ts'
import type { Refused } from '../actors/topology/protocol.ts'
import type {
  ClusterAnswer, Move, MovesAnswer, NodeView, NodesAnswer, PlanAnswer, RingAnswer, SettingsAnswer, ShardView, ShardsAnswer,
} from '../gateway/admin/views.ts'
import type { NodeId, ReplicaId, ShardId } from './ids.ts'

export interface ReadingInput {
  readonly state: ClusterState
  readonly isLinearizable: boolean
  readonly lost: readonly NodeId[]
  readonly progress: readonly MoveProgress[]
  readonly limits: PlanLimits
  readonly leaderOf: (shard: ShardId) => NodeId | null
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
      ...headOf(input), replicationFactor: state.replicationFactor, isPaused: state.isPaused,
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
    move: found === undefined ? null : moveView(input, found),
  }
}

const moveView = ({ progress }: ReadingInput, { group, move: { id, add, remove, step, orderedAt } }: MoveOfGroup): Move =>
  ({ id, group, add, remove, step, orderedAt, entriesLeft: progress.find(({ move }) => move === id)?.entriesLeft ?? null })

const planAnswer = (input: ReadingInput, drained: NodeId | null): PlanAnswer | Refused => {
  const then = drained === null ? { state: input.state } : afterDrain(input.state, drained)
  if ('kind' in then) return then
  const { state } = then
  const { lost, limits } = input
  const made = plan({ state, wanted: wantedOf(state, lost), lost, limits })
  return {
    ...headOf(input),
    isPaused: state.isPaused,
    underWay: movesOf(state).length,
    moves: made.all.map((move) => ({ ...move })),
    next: made.next.map((move) => ({ ...move })),
    cancels: [...made.cancels],
    preferences: made.preferences.map(({ shard, replicas }) => ({ shard, replicas: [...replicas] })),
    blocked: [...made.blocked],
  }
}

const afterDrain = (state: ClusterState, node: NodeId): { readonly state: ClusterState } | Refused => {
  const command = { kind: 'drainNode', node, isForced: false, expectedEpoch: state.epoch, at: 0, by: '', request: '' } as const
  const { state: then, outcome } = apply(state, command)
  return outcome.kind === 'refused' ? outcome : { state: then }
}

const ringAnswer = (input: ReadingInput): RingAnswer => {
  const { state, lost } = input
  const wanted = wantedOf(state, lost)
  const usable = activeNodes(state).filter(({ id }) => !lost.includes(id))
  const weights = usable.reduce((sum, { weight }) => sum + weight, 0)
  return {
    ...headOf(input),
    nodes: usable.map(({ id, weight, zone }) => ({
      id, weight, zone,
      share: weight / weights,
      replicas: wanted.shards.filter((nodes) => nodes.includes(id)).length,
      leaders: wanted.shards.filter(([first]) => first === id).length,
    })),
    shards: wanted.shards.map((nodes, shard) => ({ shard, nodes: [...nodes] })),
    meta: [...wanted.meta],
  }
}
