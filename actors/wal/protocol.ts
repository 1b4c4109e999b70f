/**
 * What can be said to and by the node's log. Everything here is local: the log never speaks on the bus.
 *
 * One log for all groups of a node, so that one fsync serves them all.
 */

import type { ClusterId, GroupId, NodeId, ReplicaId } from '../../topology/ids.ts'
import type { Configuration, Entry, HardState, Index, Term } from '../raft/protocol.ts'

/** An installed or locally written snapshot that the log builds on: nothing at or below `index` is needed any more. */
export interface SnapshotMark {
  readonly index: Index
  readonly term: Term
}

/** Which replica of its group this node has, or had: the newest that the log has heard of. */
export interface ReplicaMark {
  readonly generation: number
  /** A tombstone: nothing of it is left, and no message to it is ever answered but with that. */
  readonly isRemoved: boolean
}

/** What one group finds in the log after a start. */
export interface RecoveredGroup {
  readonly group: GroupId
  readonly hardState: HardState
  /** The newest mark, or index 0 and term 0. */
  readonly snapshot: SnapshotMark
  /** Contiguous from snapshot.index + 1. */
  readonly entries: readonly Entry[]
  /** Set when damage was found that may have cost this group a promise, or a quarantine was recorded: it must not vote. */
  readonly quarantined?: string
  /**
   * Absent when no replica was ever adopted or retired: then what is here is the genesis' replica. With `isRemoved` there is nothing
   * else here. Where `quarantined` says that the node's log is damaged, the record of a newer replica may be among what was lost: a
   * generation that was adopted before must not be adopted again.
   */
  readonly replica?: ReplicaMark
}

export interface RecoveryReport {
  readonly groups: ReadonlyMap<GroupId, RecoveredGroup>
  /**
   * Set when damage was found that can not be pinned to one group: every replica of this node is quarantined, those without
   * a record in `groups` included, but for those that were adopted behind all of the damage. Says what was found.
   */
  readonly damagedNode?: string
  /** A part of the log could not be read: what is damaged may be so in this life alone. */
  readonly isUnread?: true
  /** Bytes cut from a torn tail; 0 when the log ended cleanly. */
  readonly tornBytes: number
  /** One line a person can read for everything unusual that was found. */
  readonly findings: readonly string[]
}

export type WalEvent =
  /** The layout level in force, before `wal.open` and when it is raised: what is written in a segment begun from now on is laid out so. */
  | { readonly type: 'wal.level'; readonly level: number }
  | { readonly type: 'wal.open' }
  /** See RaftEffect 'wal.append'. `reserved`: votes and no-ops may use the space kept back for them when the disk is full. */
  | { readonly type: 'wal.append'; readonly group: GroupId; readonly ticket: number; readonly submittedTerm: Term
      readonly hardState?: HardState; readonly entries: readonly Entry[]; readonly reserved: boolean }
  /**
   * A received snapshot takes force: replaces the group's log up to (and, where terms differ, beyond) the mark. Durable before
   * it is answered.
   */
  | { readonly type: 'wal.installSnapshot'; readonly group: GroupId; readonly ticket: number; readonly mark: SnapshotMark }
  /** The group's own verified snapshot covers everything up to the mark. */
  | { readonly type: 'wal.compact'; readonly group: GroupId; readonly mark: SnapshotMark }
  | { readonly type: 'wal.quarantine'; readonly group: GroupId; readonly ticket: number; readonly reason: string }
  /**
   * A new replica of the group begins on this node, from nothing: whatever the log has of the group is void, quarantine and damage
   * included. The generation is newer than any the group had here; the genesis' is 1. What the group has submitted and is still
   * waiting is dropped, or written and answered in vain: the owner has stopped whoever submitted it, and goes by tickets.
   */
  | { readonly type: 'wal.adopt'; readonly group: GroupId; readonly generation: number; readonly ticket: number }
  /** The group's replica is gone: as `wal.adopt`, but what is left is a tombstone, behind which nothing but an adoption may come. */
  | { readonly type: 'wal.retire'; readonly group: GroupId; readonly generation: number; readonly ticket: number }
  /**
   * Every replica that this node is to have began behind all of the damage that was found in the log: segments may be freed again. Said as
   * often as one likes; nothing happens while a group has anything among what is damaged.
   */
  | { readonly type: 'wal.damageReplaced' }
  /** Flush, seal, close; answered by `wal.closed`. */
  | { readonly type: 'wal.close' }

/** Facts the wal reports to its owner, who hands each to the group it names. */
export type WalNotice =
  | { readonly type: 'wal.recovered'; readonly report: RecoveryReport }
  /** Everything submitted with this ticket, and everything submitted before it, is on disk. */
  | { readonly type: 'wal.appended'; readonly group: GroupId; readonly ticket: number; readonly submittedTerm: Term
      readonly lastIndex: Index }
  | { readonly type: 'wal.snapshotMarked'; readonly group: GroupId; readonly ticket: number; readonly mark: SnapshotMark }
  | { readonly type: 'wal.quarantined'; readonly group: GroupId; readonly ticket: number }
  /**
   * The new replica, or the tombstone, is on disk. Every `wal.adopt` and `wal.retire` is answered, in order. Notices of what the group
   * had submitted before may come until then, or never.
   */
  | { readonly type: 'wal.adopted' | 'wal.retired'; readonly group: GroupId; readonly ticket: number }
  /** The disk is full (or has room again): new client writes are refused, votes, no-ops and reads go on. */
  | { readonly type: 'wal.spaceChanged'; readonly full: boolean }
  /** A group's live records pin the oldest segments: write a snapshot of it soon, so that they can go. */
  | { readonly type: 'wal.snapshotWanted'; readonly group: GroupId }
  | { readonly type: 'wal.closed' }
  /** The process must end: fsync failed, or the directory is damaged beyond what one group's quarantine covers. */
  | { readonly type: 'wal.failed'; readonly reason: string }

/** The first record of a data directory, written once when the cluster is created (storage/genesis.ts). */
export interface Genesis {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly shardCount: number
  /** Every initial node, sorted. */
  readonly members: readonly NodeId[]
  /** Initial replicas of each shard, in preference order: the first is the preferred leader. */
  readonly replicas: readonly (readonly ReplicaId[])[]
  readonly createdAtMs: number
  /**
   * The directory was made by a join (topology/joinCluster.ts): none of the cluster's first replicas was ever in it, though a node of its
   * name may have had some, elsewhere. Absent in the directories that the cluster was created with, and in those that joined before this
   * was written.
   */
  readonly hasJoined?: true
}

export const initialConfiguration = (voters: readonly ReplicaId[]): Configuration => ({ epoch: 0, voters, outgoing: [], learners: [] })
