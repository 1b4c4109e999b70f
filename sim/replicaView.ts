/** Takes a view (view.ts) from a running node's parts: one object, made at once, since that is done after every event for each replica. */

import { encodeState } from '../actors/topology/codec.ts'
import { fnv1a32 } from '../topology/hash.ts'
import { META_GROUP, generationOf } from '../topology/ids.ts'
import { isHarmed } from './atlas.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { TopologyStatus } from '../actors/topology/actor.ts'
import type { HostedMeta } from '../topology/hostedMeta.ts'
import type { HostedReplica } from '../topology/hostedReplica.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { Machine } from './cluster.ts'
import type { ReplicaView } from './view.ts'

export interface ViewInput {
  readonly machine: Machine
  readonly replica: HostedReplica
  readonly walBacklogBytes: number
}

export const viewOf = ({ machine, replica, walBacklogBytes }: ViewInput): ReplicaView => {
  const { appliedIndex, revision, keys, undecodable, serving, pendingOperations, pendingBytes } = replica.actor.status()
  return view(machine, replica, {
    shard: replica.shard, appliedIndex, revision, keys, undecodable, isServing: serving, pendingOperations, pendingBytes, walBacklogBytes,
    stateHash: replica.actor.stateHash,
  })
}

export interface MetaViewInput {
  readonly machine: Machine
  readonly meta: HostedMeta
  readonly status: TopologyStatus
  readonly walBacklogBytes: number
}

/** Of the meta group's member. */
export const metaViewOf = ({ machine, meta, status, walBacklogBytes }: MetaViewInput): ReplicaView => {
  const { appliedIndex, undecodable, state } = status
  return view(machine, meta, {
    shard: META_GROUP, appliedIndex, revision: 0, keys: 0, undecodable, isServing: false, pendingOperations: 0, pendingBytes: 0,
    walBacklogBytes, stateHash: () => String(fnv1a32(new TextDecoder('latin1').decode(encodeState(state)))),
  })
}

/** What is not its Raft member's. */
type Own = Pick<ReplicaView,
  'shard' | 'appliedIndex' | 'revision' | 'keys' | 'undecodable' | 'isServing' | 'pendingOperations' | 'pendingBytes' | 'walBacklogBytes'
  | 'stateHash'>

const view = (machine: Machine, { id, raft: member }: { readonly id: ReplicaId; readonly raft: RaftMember }, own: Own): ReplicaView => {
  const raft = member.status()
  return {
    id,
    shard: own.shard,
    life: machine.lives,
    isDamaged: generationOf(id) < machine.soundFrom || (raft.quarantined !== undefined && isHarmed(machine, own.shard, id)),
    hasDamagedDisk: machine.isDamaged || isHarmed(machine, own.shard, id),
    wallOffsetMs: machine.wallOffsetMs,
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
    entryAt: member.entryAt,
    matchIndex: raft.matchIndex,
    appliedIndex: own.appliedIndex,
    durableIndex: raft.durableIndex,
    durableTerm: member.entryAt(raft.durableIndex)?.term,
    revision: own.revision,
    keys: own.keys,
    undecodable: own.undecodable,
    isServing: own.isServing,
    pendingOperations: own.pendingOperations,
    pendingBytes: own.pendingBytes,
    walBacklogBytes: own.walBacklogBytes,
    stateHash: own.stateHash,
  }
}
