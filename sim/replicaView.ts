/** Takes a view (view.ts) from a running node's parts. */

import { isHarmed } from './atlas.ts'
import type { HostedReplica } from '../topology/hostedReplica.ts'
import type { Machine } from './cluster.ts'
import type { ReplicaView } from './view.ts'

export interface ViewInput {
  readonly machine: Machine
  readonly replica: HostedReplica
  readonly walBacklogBytes: number
}

export const viewOf = ({ machine, replica, walBacklogBytes }: ViewInput): ReplicaView => {
  const raft = replica.raft.status()
  const shard = replica.actor.status()
  return {
    id: replica.id,
    shard: replica.shard,
    life: machine.lives,
    isDamaged: isHarmed(machine, replica.id),
    role: raft.role,
    term: raft.term,
    vote: raft.vote,
    quarantined: raft.quarantined,
    commitIndex: raft.commitIndex,
    lastIndex: raft.lastIndex,
    lastTerm: raft.lastTerm,
    snapshotIndex: raft.baseIndex,
    voters: raft.configuration.voters,
    configuration: raft.configuration,
    entryAt: replica.raft.entryAt,
    matchIndex: raft.matchIndex,
    appliedIndex: shard.appliedIndex,
    durableIndex: raft.durableIndex,
    revision: shard.revision,
    keys: shard.keys,
    undecodable: shard.undecodable,
    isServing: shard.serving,
    pendingOperations: shard.pendingOperations,
    pendingBytes: shard.pendingBytes,
    walBacklogBytes,
    stateHash: replica.actor.stateHash,
  }
}
