/**
 * What one node says about itself when asked on `kv.status` (every node answers, no queue group). `shardkv status` merges the
 * answers of all nodes; a node that stays silent is shown as unreachable. Sent as JSON, for any client to read.
 */

import type { MemoryShortage } from '../actors/shard/protocol.ts'
import type { MemoryUses } from '../observe/memoryRoom.ts'
import type { NodeAddresses } from './addresses.ts'
import type { BootId, ClusterId, NodeId, ShardId } from './ids.ts'
import type { PeerView } from '../actors/gossip/protocol.ts'
import type { SparseCounts } from '../actors/kernel/histogram.ts'
import type { RaftRole } from '../actors/raft/protocol.ts'
import type { LevelRange } from './level.ts'
import type { OtherPrefix } from './prefixWatch.ts'

export const nodeStates = ['booting', 'recovering', 'joining', 'serving', 'draining', 'stopped', 'failed'] as const
export type NodeState = (typeof nodeStates)[number]

/** How single-key requests reach leaders: by the broker's mapping, by this node's forwarding, or wrongly (another shard count). */
export type Routing = 'broker' | 'gateway' | 'mismatch'

/** See topology/replicaHealth.ts. */
export type ReplicaHealth = 'suspect' | 'quarantined' | 'repairing'

export interface ReplicaReport {
  readonly shard: ShardId
  /** Of its replica id; absent from a node of before there was replacement. */
  readonly generation?: number
  readonly role: RaftRole
  /** The shard chart's state, such as `leading.serving`. */
  readonly state: string
  readonly term: number
  /** The leader's node as this replica knows it; empty when unknown. */
  readonly leader: NodeId | ''
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly keys: number
  readonly revision: number
  /** Set when this replica is quarantined: why. */
  readonly quarantined?: string
  /** Set while something is known to be wrong with it. */
  readonly health?: ReplicaHealth
  /** A leader's view of every member, itself included: what is known durable there. */
  readonly matchIndex?: Readonly<Record<string, number>>
  /** What it has answered since its process started; absent when nothing. */
  readonly load?: ShardLoad
  /** Operations accepted and not answered. */
  readonly waiting: number
}

/** Only grows while a process lives: the difference of two reports is what happened between them. */
export interface ShardLoad {
  readonly reads: number
  readonly writes: number
  /** From arrival at the shard to its answer, in microseconds (actors/kernel/histogram.ts). */
  readonly readMicros: SparseCounts
  readonly writeMicros: SparseCounts
}

/** What only a real process knows; absent in the simulator. */
export interface NodeVitals {
  /** User and system time since the process started. */
  readonly cpuMs: number
  readonly rssBytes: number
  /** How late timers ran, of the last whole minute or of the time since the start. */
  readonly loopDelayMs: { readonly p99: number; readonly max: number }
  /** How long the log's commit groups took to be written and synced, since the start, in microseconds. */
  readonly syncMicros: SparseCounts
  /** The same of the last minute or two, in milliseconds; zeros where there was none. Absent in reports of older nodes. */
  readonly syncMs?: { readonly count: number; readonly p50: number; readonly p99: number }
  /** Of the file system that holds the data; null until it is known. */
  readonly disk: { readonly freeBytes: number; readonly totalBytes: number } | null
  /** That could not be written to standard output or to a file, since the start; absent from older nodes. */
  readonly lostLogLines?: number
}

/** `shortage`: of what the node has too little to take more data; null where there is enough. */
export interface MemoryReport extends MemoryUses {
  readonly shortage: MemoryShortage | null
}

/** What this node's failure detector believes of the others. Who is alive to it is waited for longer (absences.ts); no more comes of it. */
export interface GossipReport {
  /** `joining`, `running` or `leaving`. */
  readonly state: string
  readonly incarnation: number
  /** How much it doubts itself: 0 is well, 7 the worst. */
  readonly health: number
  readonly peers: readonly PeerView[]
}

export interface MemberPlace {
  readonly id: NodeId
  readonly weight: number
  readonly zone: string
  readonly isActive: boolean
}

export interface NodeReport {
  readonly cluster: ClusterId
  readonly epoch: number
  /** The layout level in force there; absent from a node of before there were levels. */
  readonly level?: number
  readonly shardCount: number
  readonly members: readonly NodeId[]
  /** What the map says of them; absent from older nodes. */
  readonly places?: readonly MemberPlace[]
  readonly broker: { readonly url: string; readonly version: string; readonly routing: Routing }
  readonly node: {
    readonly id: NodeId
    readonly pid: number
    readonly state: NodeState
    readonly bootId: BootId
    readonly startedAtMs: number
    /** Of ShardKV, as the process was told; absent when it was not. */
    readonly version?: string
    /** Absent likewise. */
    readonly addresses?: NodeAddresses
    /** The layout levels that its build knows; absent likewise. */
    readonly levels?: LevelRange
    /** The node's wall clock when it answered. */
    readonly wallMs: number
    readonly diskFull: boolean
    /** Absent from older nodes, and where it is not measured. */
    readonly memory?: MemoryReport
    readonly walBytes: number
    /** Submitted to the log and not yet durable. */
    readonly walBacklogBytes: number
    readonly vitals?: NodeVitals
    readonly counters: Readonly<Record<string, number>>
  }
  /** Of its replica of the meta group; absent while nothing is known to be wrong with it, or there is none. */
  readonly metaHealth?: ReplicaHealth
  /** Members that it hears, and that serve another prefix than it does; absent where there are none. */
  readonly otherPrefixes?: readonly OtherPrefix[]
  /** Absent before the node joins. */
  readonly gossip?: GossipReport
  /** One message of the broker did not hold it all: no `load` is told, and so many replicas are not (topology/statusAnswer.ts). */
  readonly shortened?: { readonly replicas: number }
  readonly replicas: readonly ReplicaReport[]
}
