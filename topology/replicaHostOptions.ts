/** What a node gives to the replicas on it (replicaHost.ts), and what they ask of it. */

import type { RaftMessage } from '../actors/raft/protocol.ts'
import type { Allowance } from '../actors/raft/allowance.ts'
import type { RaftTiming } from '../actors/raft/timing.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { ShardLimits } from '../actors/shard/limits.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { TopologyLimits } from '../actors/topology/core.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { MoveOrder } from '../actors/topology/protocol.ts'
import type { Genesis, WalEvent } from '../actors/wal/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Recorder } from '../actors/kernel/recorder.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { SnapshotStore } from '../storage/snapshotStore.ts'
import type { Journeys } from './journeys.ts'
import type { NamedReplica } from './namedReplicas.ts'
import type { NodeInstruments } from './nodeOptions.ts'
import type { GroupId, NodeId, ReplicaId, ShardId } from './ids.ts'

export interface ReplicaHostPorts {
  readonly mail: (group: GroupId, from: ReplicaId, to: ReplicaId, message: RaftMessage) => void
  readonly wal: (event: WalEvent) => void
  readonly answer: (to: Origin, message: Extract<ShardMessage, { type: 'shard.reply' }>) => void
  /** As of shard actors. */
  readonly traceOf?: (shard: ShardId, to: Origin, batch: number) => TraceContext | undefined
  readonly serving: (shard: ShardId, serving: boolean, term: number) => void
  readonly drainSlot: (shard: ShardId, done: () => void) => void
  /** The shard waits for Raft to hand its leadership over. */
  readonly quiet: (shard: ShardId) => void
  readonly changed: (key: string, revision: number, code: number) => void
  /** The replica here has ended. */
  readonly ended: (shard: ShardId) => void
  /** The meta group's leader orders this of a group's. */
  readonly order: (order: MoveOrder) => void
  /** The meta group has decided. */
  readonly stateChanged: (state: ClusterState) => void
}

export interface ReplicaHostOptions {
  readonly node: NodeId
  readonly genesis: Genesis
  /** What the map names for this node now. A replica that is added comes behind the one whose place it takes. */
  readonly named: () => readonly NamedReplica[]
  /**
   * Of the map that this node had at its last stop: no replica of this generation or a later one was ever here. Null: that map is lost.
   */
  readonly nextGeneration: () => number | null
  /** Of the map in force: that it does not name a replica of this generation or a later one means nothing, since it is older. */
  readonly unknownFrom: () => number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly journeys?: Pick<Journeys, 'toRaft' | 'toShard'>
  readonly turn: Turn
  readonly snapshots: SnapshotStore
  readonly entryBytesMax: number
  readonly announceChanges: boolean
  readonly traceMessages: boolean | (() => boolean)
  readonly raftTiming?: Partial<RaftTiming> | undefined
  readonly raftLimits?: Partial<RaftLimits> | undefined
  /** What the node sends to new replicas, of all its groups. */
  readonly allowance?: Allowance | undefined
  readonly shardLimits?: Partial<ShardLimits> | undefined
  readonly topologyLimits?: Partial<TopologyLimits> | undefined
  readonly ports: ReplicaHostPorts
  readonly instruments?: Pick<NodeInstruments, 'shard' | 'raft'> | undefined
  readonly onFailure: (error: unknown) => void
}
