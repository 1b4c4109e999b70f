/**
 * What the invariants see of one replica, of a shard or of the meta group: a view taken from the live parts of a running node, and the
 * mail it sends.
 */

import type { Configuration, Entry, Index, RaftMessage, RaftRole, Term } from '../actors/raft/protocol.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { GroupLedger } from './ledger.ts'

export interface ReplicaView {
  readonly id: ReplicaId
  /** META_GROUP for one of the meta group, which has no keys, no clients and no revisions: 0 of each. */
  readonly shard: number
  /** Counts the lives of its node: another life has forgotten everything volatile. */
  readonly life: number
  /**
   * Damage was put on its disk, or it is quarantined and damage was put on a snapshot of its group there: what it forgot it may have
   * forgotten. A snapshot that rots costs the log nothing, so that whoever is trusted beside one has everything.
   */
  readonly isDamaged: boolean
  /** Damage was put there once, before this replica came or after, or on a snapshot of its group while it was there. */
  readonly hasDamagedDisk: boolean
  /** How far ahead the wall clock of its machine is. */
  readonly wallOffsetMs: number
  readonly role: RaftRole
  readonly term: Term
  readonly vote: ReplicaId | ''
  readonly quarantined: string | undefined
  readonly commitIndex: Index
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** Everything up to here is in the snapshot and no longer in the log. */
  readonly snapshotIndex: Index
  readonly voters: readonly ReplicaId[]
  /** In force, committed or not. */
  readonly configuration: Configuration
  /** Undefined outside the log. */
  readonly entryAt: (index: Index) => Entry | undefined
  /** A leader's view of what is durable where, itself included. */
  readonly matchIndex: ReadonlyMap<ReplicaId, Index>
  readonly appliedIndex: Index
  /** On its own disk, as the log in memory has it. */
  readonly durableIndex: Index
  /** Of the entry there; undefined where the log in memory begins behind it. */
  readonly durableTerm: Term | undefined
  readonly revision: number
  readonly keys: number
  readonly undecodable: number
  readonly isServing: boolean
  readonly pendingOperations: number
  readonly pendingBytes: number
  readonly walBacklogBytes: number
  readonly stateHash: () => string
}

export interface SentMail {
  readonly shard: number
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: RaftMessage
}

/** One sentence, or null while all is well. */
export type Problem = string | null

export interface Invariant {
  readonly name: string
  /** After every event of the replica's node, for each of its replicas that changed. */
  readonly check?: (view: ReplicaView, ledger: GroupLedger) => Problem
  /** When a life's replica is seen for the first time: what it shows is what its disk held. `before`: its last view in an earlier life. */
  readonly checkStart?: (view: ReplicaView, ledger: GroupLedger, before?: ReplicaView) => Problem
  /** Before a message leaves its node. */
  readonly checkMail?: (mail: SentMail) => Problem
}

export const isQuorum = (count: number, voters: readonly ReplicaId[]): boolean => count > voters.length / 2
