/**
 * What can be said to and by a shard: requests from connections, facts from its Raft member, completions from the snapshot store.
 */

import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Entry, Index, ProposalRefusal, RaftRole, ReadRefusal, Term } from '../raft/protocol.ts'
import type { Consistency, Operation, OperationResult } from './operation.ts'

/** Where an actor is reached: `connection/raw`, `connection/<id>`, `shard/7`, `raft/7`, `node`. */
export type Address = string

/**
 * How a request came, which decides who may answer what (docs/SUBJECTS.md, "Who answers").
 * - `slot`: by the broker's routing; only a serving leader answers, everybody else is silent, OVERLOADED is indefinite.
 * - `forward`: by a gateway node that knows the leader; `term` must match, otherwise NOT_LEADER, definite.
 * - `direct`: an SDK batch addressed to this node alone; NOT_LEADER is definite.
 */
export type Policy = 'slot' | 'forward' | 'direct'

/** Bus messages. */
export type ShardMessage =
  | { readonly type: 'shard.request'; readonly replyTo: Address; readonly batch: number; readonly policy: Policy
      /** The leader's term as the sender knows it; 0 when it does not matter (slot, direct). */
      readonly term: Term; readonly consistency: Consistency; readonly operations: readonly Operation[] }
  /** One result per operation, in order. Silence (`results` empty) is never sent. */
  | { readonly type: 'shard.reply'; readonly shard: ShardId; readonly batch: number; readonly results: readonly OperationResult[] }

/** Entries of one slice of a snapshot. Lower: shorter slices, and more of them. A session's results, at most this many, stay together. */
export const SLICE_ENTRIES_MAX = 1_024

/** A consistent cut as bytes, encoded lazily. Each chunk holds at most `entriesMax` entries, and by itself never more than a slice may. */
export interface SnapshotChunks {
  readonly next: (...entriesMax: [] | [number]) => IteratorResult<Uint8Array, undefined>
}

/** The sender, for an answer: a node and an actor there. */
export interface Origin {
  readonly node: NodeId
  readonly address: Address
}

/** What a node has too little left of to take more data: V8's heap, or the memory that the process may have (observe/memoryRoom.ts). */
export type MemoryShortage = 'heap' | 'process'

export type ShardLocalEvent =
  | { readonly type: 'tick'; readonly now: number; readonly wallMs: number }
  /** End of a turn: what was gathered becomes one entry and one read round. */
  | { readonly type: 'shard.flush'; readonly now: number }
  | { readonly type: 'raft.committed'; readonly entries: readonly Entry[] }
  | { readonly type: 'raft.roleChanged'; readonly role: RaftRole; readonly term: Term; readonly leaderNode: NodeId | ''
      readonly settled: boolean; readonly clockMs: number; readonly now: number }
  | { readonly type: 'raft.proposed'; readonly proposal: number; readonly term: Term; readonly index: Index }
  | { readonly type: 'raft.proposalRefused'; readonly proposal: number; readonly reason: ProposalRefusal }
  | { readonly type: 'raft.readReady'; readonly read: number; readonly index: Index; readonly term: Term }
  | { readonly type: 'raft.readRefused'; readonly read: number; readonly reason: ReadRefusal }
  /** Raft leads on in `term`: the successor it was to make did not take over. */
  | { readonly type: 'raft.transferAborted'; readonly term: Term }
  | { readonly type: 'wal.spaceChanged'; readonly full: boolean }
  | { readonly type: 'memory.spaceChanged'; readonly shortage: MemoryShortage | null }
  /** A snapshot is wanted now (log budget, cold group). */
  | { readonly type: 'shard.snapshotWanted' }
  /** The file of the newest snapshot is damaged: another is wanted, also of the same index. */
  | { readonly type: 'shard.snapshotLost' }
  | { readonly type: 'shard.snapshotWritten'; readonly index: Index; readonly term: Term; readonly totalBytes: number }
  | { readonly type: 'shard.snapshotFailed'; readonly reason: string }
  /** A snapshot takes the place of what was applied, and nothing of it is here yet. Its chunks follow, in order, then `shard.restored`. */
  | { readonly type: 'shard.restoring' }
  | { readonly type: 'shard.restoreChunk'; readonly bytes: Uint8Array }
  | { readonly type: 'shard.restored'; readonly index: Index; readonly term: Term }
  /** The leadership is to move: finish what has come, take nothing new, and say when it is quiet. */
  | { readonly type: 'shard.handOver' }
  /** The slot delivers nothing any more. `drain` is the effect's that asked for it. */
  | { readonly type: 'shard.slotDrained'; readonly drain: number }
  /** The time for finishing is up: quiet from now on, whatever waits. */
  | { readonly type: 'shard.handOverNow' }
  /** The move is given up. */
  | { readonly type: 'shard.serveAgain' }

export type ShardEvent =
  | ShardLocalEvent
  | (Extract<ShardMessage, { type: 'shard.request' }> & { readonly origin: Origin; readonly now: number })

export type ShardEffect =
  | { readonly type: 'shard.answer'; readonly to: Origin; readonly batch: number; readonly results: readonly OperationResult[]
      readonly operations: readonly Operation[]; readonly arrivedAt: number; readonly handedAt: number }
  | { readonly type: 'raft.propose'; readonly proposal: number; readonly payload: Uint8Array }
  | { readonly type: 'raft.read'; readonly read: number; readonly lease: boolean }
  /** The shard gathered something: call `shard.flush` at the end of this turn. */
  | { readonly type: 'shard.flushWanted' }
  /** Serving: subscribe the slot; not serving any more: drop the subscription and every buffered copy with it. */
  | { readonly type: 'shard.serving'; readonly serving: boolean; readonly term: Term }
  /** Ask for nothing new on the slot, deliver what the broker has sent, then bring `shard.slotDrained` with the same number. */
  | { readonly type: 'shard.drainSlot'; readonly drain: number }
  /** Nothing is taken and nothing waits: Raft may hand the leadership over. */
  | { readonly type: 'shard.quiet' }
  /** Write this consistent cut; `chunks` yields the state in slices, lazily, so that no slice blocks the loop. */
  | { readonly type: 'shard.writeSnapshot'; readonly index: Index; readonly term: Term; readonly chunks: SnapshotChunks }
  /** Only when the cluster announces changes (`kv-changed.<key>`). */
  | { readonly type: 'shard.changed'; readonly key: string; readonly revision: number; readonly code: number }
