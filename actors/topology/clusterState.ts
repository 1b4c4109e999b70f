/**
 * What the meta group agrees on: who is in the cluster, where every replica lives, and the moves that are under way.
 *
 * Values are never changed in place: `apply` makes a new state from an old one and a committed command, so a state that was handed
 * out (to a snapshot, a reader, the node) stays as it was. Replaying the log gives the same bytes on every member: nothing here
 * depends on a clock, on chance or on the order in which a map was filled.
 *
 *     placement  ──beginMove──▶  adding ──promote──▶ promoting ──finish──▶ placement with `add` instead of `remove`
 *                                   └─cancel──▶ undoing ◀──cancel──┘
 *                                                  ├──finish 'undone'──▶ placement as it was
 *                                                  └──finish 'moved'───▶ the cancellation came too late
 *
 * A move's `orderedAt` is the epoch of the entry that brought it into its step: the orders of that step carry it, and a shard takes no
 * order that is older than its configuration. Invariants: nodes sorted and never forgotten; replicas of a group on distinct nodes;
 * no generation and no move id is given twice.
 */

import { must } from '../kernel/assert.ts'
import { nodeOf, replicaId } from '../../topology/ids.ts'
import { FIRST_LEVEL } from '../../topology/level.ts'
import type { ClusterMap } from '../../topology/clusterMap.ts'
import type { ClusterId, NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { Genesis } from '../wal/protocol.ts'

/** What has replicas: a shard, or the meta group itself. */
export type GroupKey = ShardId | 'meta'
/** Grows by one per move, from 1. */
export type MoveId = number
export type NodeState = 'active' | 'draining' | 'left'
export const moveSteps = ['adding', 'promoting', 'undoing'] as const
export type MoveStep = (typeof moveSteps)[number]

export interface ClusterNode {
  readonly id: NodeId
  /** Relative capacity, WEIGHT_MIN to WEIGHT_MAX. */
  readonly weight: number
  /** What fails together; '' when nobody said. */
  readonly zone: string
  readonly state: NodeState
}

/** At least one of `add` and `remove` is there. */
export interface Move {
  readonly id: MoveId
  readonly add: ReplicaId | null
  readonly remove: ReplicaId | null
  readonly step: MoveStep
  /** The epoch that the orders of this step carry. */
  readonly orderedAt: number
}

export interface Placement {
  /** In preference order: the first is the preferred leader. */
  readonly replicas: readonly ReplicaId[]
  readonly move: Move | null
}

/** One change, in words a person reads. */
export interface HistoryEvent {
  readonly epoch: number
  /** Wall clock of whoever asked, in milliseconds. */
  readonly at: number
  readonly by: string
  readonly what: string
  /** The command's request id, '' without one. */
  readonly request: string
  /** The move it is about, 0 when none. */
  readonly move: MoveId
}

export interface ClusterState {
  readonly cluster: ClusterId
  /** Grows by one with every committed command that changed something. */
  readonly epoch: number
  /** The layout level in force (topology/level.ts): raised by one when every node knows the next, never lowered. */
  readonly level: number
  readonly shardCount: number
  /** Replicas wanted per shard; fewer where there are fewer nodes. */
  readonly replicationFactor: number
  /** The generation of the next replica, wherever it will be. */
  readonly nextGeneration: number
  readonly nextMove: MoveId
  /** No move begins by itself; those under way go on. */
  readonly isPaused: boolean
  /** Leaders and replicas are moved because of load, too (balance.ts). */
  readonly isBalanced: boolean
  /** Sorted by id. */
  readonly nodes: readonly ClusterNode[]
  /** One per shard. */
  readonly shards: readonly Placement[]
  readonly meta: Placement
  /** Oldest first, at most HISTORY_EVENTS_MAX. */
  readonly history: readonly HistoryEvent[]
}

/** More: who did what is remembered for longer; a snapshot and an answer to a read with its history grow by some 150 bytes an event. */
export const HISTORY_EVENTS_MAX = 1_000
/** The epoch of the oldest event that a history of this epoch still has: every epoch has its event, and the newest are kept. */
export const oldestKept = (epoch: number): number => Math.max(1, epoch - HISTORY_EVENTS_MAX + 1)
export const NODES_MAX = 1_024
export const WEIGHT_MIN = 1
export const WEIGHT_MAX = 64
/** What a shard may be told to have. A cluster born smaller keeps its own number until it is told another. */
export const REPLICATION_FACTORS: readonly number[] = [1, 3, 5]
const META_REPLICAS_MAX = 5

/** The state of a cluster whose meta group has not decided anything yet: the same on every member. */
export const adoptGenesis = (genesis: Genesis): ClusterState => {
  const members = [...genesis.members].sort()
  const resting = (replicas: readonly ReplicaId[]): Placement => ({ replicas, move: null })
  return {
    cluster: genesis.cluster,
    epoch: 1,
    level: FIRST_LEVEL,
    shardCount: genesis.shardCount,
    replicationFactor: genesis.replicas.reduce((most, { length }) => Math.max(most, length), 1),
    nextGeneration: 2,
    nextMove: 1,
    isPaused: false,
    isBalanced: false,
    nodes: members.map((id) => ({ id, weight: 1, zone: '', state: 'active' })),
    shards: genesis.replicas.map(resting),
    meta: resting(members.slice(0, metaReplicas(members.length)).map((node) => replicaId(node, 1))),
    history: [{ epoch: 1, at: genesis.createdAtMs, by: 'genesis', what: 'the cluster is created', request: '', move: 0 }],
  }
}

/** 1, 3 or 5: a group of four survives no more than one of three. */
const metaReplicas = (nodes: number): number => {
  const most = Math.min(nodes, META_REPLICAS_MAX)
  return most % 2 === 0 ? Math.max(1, most - 1) : most
}

/** The routing view: where requests go. A replica that is only being added serves nobody yet. */
export const mapOf = (state: ClusterState): ClusterMap => ({
  cluster: state.cluster,
  epoch: state.epoch,
  shardCount: state.shardCount,
  nodes: presentNodes(state).map(({ id }) => id),
  replicas: state.shards.map(({ replicas }) => replicas),
})

export const placementOf = (state: ClusterState, group: GroupKey): Placement | undefined =>
  (group === 'meta' ? state.meta : state.shards[group])

export const groupsOf = (state: ClusterState): GroupKey[] => [...state.shards.keys() as Iterable<ShardId>, 'meta']

export interface MoveOfGroup {
  readonly group: GroupKey
  readonly placement: Placement
  readonly move: Move
}

/** By group: shards first, the meta group last. */
export const movesOf = ({ shards, meta }: ClusterState): MoveOfGroup[] => {
  const found: MoveOfGroup[] = []
  const note = (group: GroupKey, placement: Placement): void => {
    if (placement.move !== null) found.push({ group, placement, move: placement.move })
  }
  for (const [shard, placement] of shards.entries()) note(shard as ShardId, placement)
  note('meta', meta)
  return found
}

/** What the group's voters are once the move is carried out: `add` takes the place of `remove`. */
export const replicasAfter = (replicas: readonly ReplicaId[], { add, remove }: Pick<Move, 'add' | 'remove'>): readonly ReplicaId[] => {
  if (remove === null) return add === null ? replicas : [...replicas, add]
  return replicas.flatMap((replica) => {
    if (replica !== remove) return [replica]
    return add === null ? [] : [add]
  })
}

export interface HostedGroup {
  readonly group: GroupKey
  readonly replica: ReplicaId
  /** It is being added by a move and has no vote yet, whatever is lost: it may be begun, as a learner. */
  readonly isAdded: boolean
  /** The move that added it is being undone: it may have begun, and even have a vote. */
  readonly isUndone: boolean
}

/** Exactly the replicas that this state names for the node: what it hosts, and everything else it may delete. */
export const hostedOn = (state: ClusterState, node: NodeId): HostedGroup[] => groupsOf(state).flatMap((group) => {
  const { replicas, move } = must(placementOf(state, group), 'every group has a placement')
  const hosted = replicas.filter((replica) => nodeOf(replica) === node)
    .map((replica) => ({ group, replica, isAdded: false, isUndone: false }))
  if (move === null || move.add === null || nodeOf(move.add) !== node) return hosted
  return [...hosted, { group, replica: move.add, isAdded: move.step === 'adding', isUndone: move.step === 'undoing' }]
})

export const nodeIn = (state: ClusterState, node: string): ClusterNode | undefined => state.nodes.find(({ id }) => id === node)

/** Those that have not left: with data, a vote or a word in what the cluster does. */
export const presentNodes = (state: ClusterState): readonly ClusterNode[] => state.nodes.filter((node) => node.state !== 'left')

export const activeNodes = (state: ClusterState): readonly ClusterNode[] => state.nodes.filter((node) => node.state === 'active')

/** How many replicas a group should have with so many active nodes. */
export const replicasWanted = (state: ClusterState, group: GroupKey, active: number): number =>
  (group === 'meta' ? metaReplicas(active) : Math.min(state.replicationFactor, active))
