/**
 * What one node says about itself when asked on `kv.status` (every node answers, no queue group). `shardkv status` merges the
 * answers of all nodes; a node that stays silent is shown as unreachable. Sent as JSON, for any client to read.
 */

import type { BootId, ClusterId, NodeId, ShardId } from './ids.ts'
import type { RaftRole } from '../actors/raft/protocol.ts'

export const nodeStates = ['booting', 'recovering', 'joining', 'serving', 'draining', 'stopped', 'failed'] as const
export type NodeState = (typeof nodeStates)[number]

/** How single-key requests reach leaders: by the broker's mapping, by this node's forwarding, or wrongly (another shard count). */
export type Routing = 'broker' | 'gateway' | 'mismatch'

export interface ReplicaReport {
  readonly shard: ShardId
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
  /** A leader's view of every member, itself included: what is known durable there. */
  readonly matchIndex?: Readonly<Record<string, number>>
}

export interface NodeReport {
  readonly cluster: ClusterId
  readonly epoch: number
  readonly shardCount: number
  readonly members: readonly NodeId[]
  readonly broker: { readonly url: string; readonly version: string; readonly routing: Routing }
  readonly node: {
    readonly id: NodeId
    readonly pid: number
    readonly state: NodeState
    readonly bootId: BootId
    readonly startedAtMs: number
    readonly diskFull: boolean
    readonly walBytes: number
    readonly counters: Readonly<Record<string, number>>
  }
  readonly replicas: readonly ReplicaReport[]
}
