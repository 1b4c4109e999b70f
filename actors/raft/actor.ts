/**
 * The shell of a Raft member: carries out the core's effects through ports, and feeds completions back.
 */

import type { Logger } from '../kernel/log.ts'
import type { Random } from '../kernel/random.ts'
import type { GroupId, NodeId, ReplicaId } from '../../topology/ids.ts'
import type { SnapshotInfo, SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ShardLocalEvent } from '../shard/protocol.ts'
import type { RecoveredGroup, WalEvent, WalNotice } from '../wal/protocol.ts'
import type { RaftLimits } from './limits.ts'
import type { Configuration, Index, RaftEvent, RaftMessage, RaftRole, Term } from './protocol.ts'
import type { RaftTiming } from './timing.ts'

export interface RaftPorts {
  readonly mail: (to: ReplicaId, message: RaftMessage) => void
  readonly wal: (event: WalEvent) => void
  readonly shard: (event: ShardLocalEvent) => void
  readonly snapshots: SnapshotStore
  /** Asks for a `raft.flush` at the end of this turn; idempotent within a turn. */
  readonly requestFlush: () => void
}

export interface RaftMemberOptions {
  readonly group: GroupId
  readonly self: ReplicaId
  readonly configuration: Configuration
  readonly recovered: RecoveredGroup
  readonly snapshot: SnapshotInfo | null
  readonly random: Random
  readonly now: number
  readonly wallMs: number
  readonly log: Logger
  readonly timing?: Partial<RaftTiming>
  readonly limits?: Partial<RaftLimits>
  readonly ports: RaftPorts
  readonly onFailure: (error: unknown) => void
}

export interface RaftStatus {
  readonly role: RaftRole
  readonly term: Term
  /** The leader as this member knows it; empty when unknown. */
  readonly leader: ReplicaId | ''
  readonly settled: boolean
  readonly commitIndex: Index
  readonly lastIndex: Index
  /** The last index handed to the shard. */
  readonly emittedIndex: Index
  /** As leader: what is known durable on every member, itself included. Empty otherwise. */
  readonly matchIndex: ReadonlyMap<ReplicaId, Index>
  readonly quarantined?: string
}

export interface RaftMember {
  readonly send: (event: RaftEvent) => void
  /** `wal.snapshotMarked` and `wal.quarantined` of this group; `wal.appended` is an event and goes to `send`. */
  readonly walNotice: (notice: WalNotice) => void
  readonly role: () => RaftRole
  readonly status: () => RaftStatus
  readonly stop: () => void
}

export const createRaftMember = (options: RaftMemberOptions): RaftMember => {
  throw new Error(`under construction ${options.group} ${'' as NodeId}`)
}
