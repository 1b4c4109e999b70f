/**
 * The core of one shard replica: its replicated state, its leadership as Raft reports it, and what waits for an answer.
 *
 *   request ──▶ gathered ──flush──▶ proposals ──raft.proposed──▶ inFlight ──raft.committed──▶ answer
 *                  │                                (by number)             (by index)
 *                  └──flush──▶ rounds ──raft.readReady──▶ readyReads ──applied far enough──▶ answer
 *
 * Invariants:
 * - A pending operation is in exactly one of these places, and leaves the last of them by `complete` or `silence`.
 * - A write is answered with a result only when the entry at its index commits with the term it was proposed in.
 * - When a leadership ends, everything that waited on it is resolved in that same event; nothing of it is answered later.
 * - A leadership that moves by plan is quiet first: nothing taken, nothing waiting (leadership.ts).
 * - A request by slot is answered only by a leader; who is unsure stays silent (docs/SUBJECTS.md, "Who answers").
 */

import { createPendingTable } from '../kernel/pendingTable.ts'
import { BATCH_HEADER_BYTES } from './batch.ts'
import { createState } from './state.ts'
import type { PendingTable } from '../kernel/pendingTable.ts'
import type { Entry, Index, RaftRole, Term } from '../raft/protocol.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { ShardLimits } from './limits.ts'
import type { LogTime } from './logTime.ts'
import type { Operation, OperationResult } from './operation.ts'
import type { MemoryShortage, Origin, Policy, ShardEffect } from './protocol.ts'
import type { Restore } from './restore.ts'
import type { Snapshot } from './snapshotCodec.ts'
import type { ShardState } from './state.ts'

/** One request message. It is answered once, when every operation has a result; not at all when any had to be met with silence. */
export interface RequestBatch {
  readonly to: Origin
  readonly operations: readonly Operation[]
  readonly number: number
  readonly policy: Policy
  /** Monotonic milliseconds. */
  readonly arrivedAt: number
  /** When the first of it was handed to Raft; 0 until then, and where nothing of it was. Told to instruments, decides nothing. */
  handedAt: number
  readonly results: OperationResult[]
  waiting: number
  isSilent: boolean
}

export interface PendingOperation {
  readonly batch: RequestBatch
  readonly position: number
  readonly operation: Operation
  /** What it counts against the limit: its encoded length. */
  readonly bytes: number
}

export interface Proposal {
  readonly operations: readonly PendingOperation[]
  /** 0 until Raft has taken it. */
  term: Term
}

export interface ReadyReads {
  readonly index: Index
  readonly operations: readonly PendingOperation[]
}

export interface ShardCounters {
  /** Requests met with silence because this replica could not be certain. */
  silenced: number
  overloaded: number
  /** Change announcements beyond the limit of a turn. */
  changesDropped: number
}

export interface ShardCoreOptions {
  readonly shard: ShardId
  readonly node: NodeId
  readonly limits: ShardLimits
  readonly entryBytesMax: number
  readonly announceChanges: boolean
  /** See ShardOptions. */
  readonly headStart: number
}

export interface ShardCore extends ShardCoreOptions {
  readonly effects: ShardEffect[]
  readonly operationBytesMax: number
  state: ShardState
  /** The latest monotonic time any event brought. */
  now: number

  role: RaftRole | 'unknown'
  term: Term
  leaderNode: NodeId | ''
  isSettled: boolean
  /** What most voters' wall clocks have reached, and the monotonic time it was said. */
  electedClockMs: number
  electedNow: number
  logTime: LogTime
  /** Announced by `shard.serving`. */
  isServing: boolean
  isDiskFull: boolean
  memoryShortage: MemoryShortage | null

  gatheredWrites: PendingOperation[]
  gatheredReads: PendingOperation[]
  gatheredLeaseReads: PendingOperation[]
  readonly proposals: PendingTable<Proposal>
  readonly inFlight: PendingTable<Proposal>
  readonly rounds: PendingTable<readonly PendingOperation[]>
  readyReads: ReadyReads[]
  lastProposal: number
  lastRead: number
  lastDrain: number
  pendingOperations: number
  pendingBytes: number

  /** Payload bytes applied since the last snapshot began. */
  logBytes: number
  /** By which share of it the log may be shorter when the next snapshot is due: see ShardOptions. */
  headStartNow: number
  /** It was found at rest, and the snapshot of that is still to come. */
  isAtRest: boolean
  /** Payload bytes applied since the process started. */
  writtenBytes: number
  snapshotIndex: Index
  /** What the keys weighed when that snapshot was begun, or restored. */
  snapshotKeyBytes: number
  /** When it was last looked whether the shard is at rest, and `writtenBytes` then. */
  restSince: number
  restMark: number
  /** The snapshot being written, if any. */
  snapshot: Snapshot | null
  isSnapshotWanted: boolean
  snapshotNotBefore: number

  restore: Restore | null
  /** Committed entries that follow a snapshot which is not restored yet. */
  held: Entry[]
  heldBytes: number

  changesThisTurn: number
  readonly counters: ShardCounters
}

/** Without a spread of the options: it would make cores of several kinds, and all code that meets them slower for it. */
export const createShardCore = ({ shard, node, limits, entryBytesMax, announceChanges, headStart }: ShardCoreOptions): ShardCore => ({
  shard, node, limits, entryBytesMax, announceChanges, headStart,
  effects: [],
  operationBytesMax: entryBytesMax - BATCH_HEADER_BYTES,
  state: createState(),
  now: 0,
  role: 'unknown',
  term: 0,
  leaderNode: '',
  isSettled: false,
  electedClockMs: 0,
  electedNow: 0,
  logTime: { baseMs: 0, baseNow: 0, lastMs: 0 },
  isServing: false,
  isDiskFull: false,
  memoryShortage: null,
  gatheredWrites: [],
  gatheredReads: [],
  gatheredLeaseReads: [],
  proposals: createPendingTable(),
  inFlight: createPendingTable(),
  rounds: createPendingTable(),
  readyReads: [],
  lastProposal: 0,
  lastRead: 0,
  lastDrain: 0,
  pendingOperations: 0,
  pendingBytes: 0,
  logBytes: 0,
  headStartNow: headStart,
  isAtRest: false,
  writtenBytes: 0,
  snapshotIndex: 0,
  snapshotKeyBytes: 0,
  restSince: 0,
  restMark: 0,
  snapshot: null,
  isSnapshotWanted: false,
  snapshotNotBefore: 0,
  restore: null,
  held: [],
  heldBytes: 0,
  changesThisTurn: 0,
  counters: { silenced: 0, overloaded: 0, changesDropped: 0 },
})

export const leads = (core: ShardCore, term: Term): boolean => core.role === 'leader' && core.term === term
