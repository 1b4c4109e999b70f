/**
 * What can be said to and by a Raft member.
 *
 * Three unions, never mixed: `RaftMessage` may arrive on the bus (the codec knows it), `RaftLocalEvent` can only be made
 * inside this process (ticks, disk completions, proposals: no codec entry, so no peer can forge one), and `RaftEffect` is
 * what the core asks its shell to do.
 *
 * Sources: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (extended version); Ongaro's thesis,
 * chapters 3, 4, 6, 9, 10; etcd-io/raft for the shape. Departures: a replica presents itself after every start
 * (`raft.present`), so that a disk that forgot is noticed (docs/adr/0005-presentation.md); heartbeats carry ReadIndex rounds.
 */

import type { BootId, ReplicaId } from '../../topology/ids.ts'

export type Term = number
export type Index = number

/** What an entry's payload is. The numbers are the log's and the wire's. */
export const EntryKind = {
  /** Committed by a new leader before it serves anything (thesis 6.4). Payload: empty. */
  noop: 0,
  /** An encoded batch of operations for the shard (actors/shard/batch.ts). */
  batch: 1,
  /** An encoded Configuration. */
  configuration: 2,
} as const
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind]

export interface Entry {
  readonly term: Term
  readonly index: Index
  readonly kind: EntryKind
  readonly payload: Uint8Array
}

/** Joint-ready (thesis 4.3): outside a joint phase `outgoing` is empty. A learner is in neither list of voters. */
export interface Configuration {
  /** Of the cluster map whose order made it; 0 for the genesis'. A leader takes orders of newer epochs only (reconfiguration.ts). */
  readonly epoch: number
  readonly voters: readonly ReplicaId[]
  readonly outgoing: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

export interface HardState {
  readonly term: Term
  /** Whom this replica voted for in `term`; empty when nobody. */
  readonly vote: ReplicaId | ''
}

/** What was durable when a replica started; what a member presents to its peers. */
export interface Presentation {
  /** Drawn at every start, 32 bits: an answer to an earlier start is never taken for an answer to this one. */
  readonly incarnation: number
  readonly term: Term
  readonly vote: ReplicaId | ''
  readonly lastTerm: Term
  readonly lastIndex: Index
}

export type VoteRefusal = 'staleTerm' | 'staleLog' | 'votedForOther' | 'leaderAlive' | 'freshlyStarted' | 'notPresented'

/** Bus messages. Every one travels with the sender's and the receiver's replica id (see RaftMail). */
export type RaftMessage =
  /** Asks whether a vote would be granted in `term`, without changing anybody's term (thesis 9.6). */
  | { readonly type: 'raft.requestPreVote'; readonly term: Term; readonly lastTerm: Term; readonly lastIndex: Index }
  | { readonly type: 'raft.preVoteGranted'; readonly term: Term }
  | { readonly type: 'raft.preVoteRefused'; readonly term: Term; readonly reason: VoteRefusal }
  /** `transfer`: the old leader asked for this election (TimeoutNow), so leader stickiness does not apply. */
  | { readonly type: 'raft.requestVote'; readonly term: Term; readonly lastTerm: Term; readonly lastIndex: Index
      readonly transfer: boolean }
  /** Sent only when the vote is durable. `wallMs` is the voter's wall clock, for the new leader's log time. */
  | { readonly type: 'raft.voteGranted'; readonly term: Term; readonly wallMs: number }
  | { readonly type: 'raft.voteRefused'; readonly term: Term; readonly reason: VoteRefusal }
  | { readonly type: 'raft.append'; readonly term: Term; readonly prevTerm: Term; readonly prevIndex: Index
      readonly commitIndex: Index; readonly entries: readonly Entry[] }
  /** Everything up to `matchIndex` equals the leader's log and is durable here. */
  | { readonly type: 'raft.appendAccepted'; readonly term: Term; readonly matchIndex: Index }
  /** `rejectedIndex` is the refused prevIndex; the hint is the last index that could match, and its term (5.3, fast backtracking). */
  | { readonly type: 'raft.appendRejected'; readonly term: Term; readonly rejectedIndex: Index
      readonly hintIndex: Index; readonly hintTerm: Term }
  /**
   * `round` identifies this leader's confirmation round; unique within (leader, term), grows. `commitIndex` never exceeds the
   * receiver's match.
   */
  | { readonly type: 'raft.heartbeat'; readonly term: Term; readonly commitIndex: Index; readonly round: number }
  /**
   * `diskStalled`: this replica's log has not completed a write for an election timeout, or is full. A learner says it, too, while its
   * state is being loaded: a leader of any version promotes nobody who says so.
   */
  | { readonly type: 'raft.heartbeatAcked'; readonly term: Term; readonly round: number; readonly diskStalled: boolean }
  /** One piece of the leader's snapshot file. `crc` covers `bytes`. The receiver verifies the whole file before it counts. */
  | { readonly type: 'raft.snapshotChunk'; readonly term: Term; readonly snapshotTerm: Term; readonly snapshotIndex: Index
      readonly offset: number; readonly totalBytes: number; readonly crc: number; readonly bytes: Uint8Array }
  /** `nextOffset` is what the receiver has, contiguous from 0; the total, when it is verified, installed and durable; not before that. */
  | { readonly type: 'raft.snapshotAccepted'; readonly term: Term; readonly snapshotIndex: Index; readonly nextOffset: number }
  | { readonly type: 'raft.snapshotRefused'; readonly term: Term; readonly snapshotIndex: Index
      readonly reason: 'older' | 'damaged' | 'noSpace' }
  | { readonly type: 'raft.timeoutNow'; readonly term: Term }
  /** Sent after every start, until each peer has answered or one maximum election timeout has passed. */
  | ({ readonly type: 'raft.present' } & Presentation)
  /** Is the start that was presented still alive? `challenge` is fresh, 32 bits: only a living start can repeat it. */
  | { readonly type: 'raft.presentChallenged'; readonly incarnation: number; readonly challenge: number }
  | { readonly type: 'raft.presentConfirmed'; readonly incarnation: number; readonly challenge: number }
  | { readonly type: 'raft.presentAccepted'; readonly incarnation: number }
  /** The sender presented less than it once promised to this peer: `term` and `index` are what it had promised. It halts. */
  | { readonly type: 'raft.presentRefused'; readonly incarnation: number; readonly term: Term; readonly index: Index }

/** A message in its envelope inside the process: both ends named, so that a removed or replaced replica is never mistaken. */
export interface RaftMail {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: RaftMessage
}

/** What the meta group orders a shard to become: `epoch` is that of the committed entry that orders it, and names the order. */
export interface ConfigurationOrder {
  readonly epoch: number
  readonly voters: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

/**
 * `done`: it has committed. `pending`: it is in the log, on its way. Nothing was changed by any other: `notLeader` asks another
 * replica; `busy` asks again (another change or a hand-over is under way, or the term has just begun); `behind`: a new voter has not
 * caught up as a learner yet or is loading its state, or no majority of the old voters or of the new ones answers; `leaves`: this leader
 * would remove itself, and has first to hand over; `stale`: a newer order was taken; `invalid`: no voters, or a voter as learner.
 */
export type OrderOutcome = 'done' | 'pending' | 'notLeader' | 'busy' | 'behind' | 'leaves' | 'stale' | 'invalid'

export type ReadRefusal = 'notLeader' | 'leaseUnavailable' | 'tooManyWaiting'
export type ProposalRefusal = 'notLeader' | 'transferring' | 'tooManyUncommitted' | 'tooLarge'

export type RaftLocalEvent =
  /** `ticks` have passed since the last one (more than one after a stall); `now` is the monotonic clock in ms, `wallMs` the wall. */
  | { readonly type: 'tick'; readonly ticks: number; readonly now: number; readonly wallMs: number }
  /** The log has made durable what was submitted with this ticket. `submittedTerm` guards against the ABA of an old term. */
  | { readonly type: 'wal.appended'; readonly ticket: number; readonly submittedTerm: Term; readonly lastIndex: Index }
  | { readonly type: 'wal.stalled'; readonly stalled: boolean }
  | { readonly type: 'raft.propose'; readonly proposal: number; readonly payload: Uint8Array }
  /** Asks for a read index. Reads of a turn share one round. Both clocks: by them a lease tells that this machine was suspended. */
  | { readonly type: 'raft.read'; readonly read: number; readonly now: number; readonly wallMs: number; readonly lease: boolean }
  /** End of a turn of the event loop: replication and rounds gathered during the turn are sent now. */
  | { readonly type: 'raft.flush'; readonly now: number }
  /** A later turn of the event loop: the shard is given the next portion of what is committed. */
  | { readonly type: 'raft.emit' }
  | { readonly type: 'raft.transferLeadership'; readonly to: ReplicaId }
  /** Orders another membership. Answered at once by `raft.orderAnswered`; repeated until that says `done`. */
  | { readonly type: 'raft.reconfigure'; readonly order: ConfigurationOrder }
  /** A local snapshot up to this index is verified and durable: the log before it may go. */
  | { readonly type: 'raft.snapshotStored'; readonly index: Index; readonly term: Term; readonly totalBytes: number }
  /** A piece of the local snapshot file, read at the core's request. */
  | { readonly type: 'raft.chunkRead'; readonly to: ReplicaId; readonly snapshotIndex: Index; readonly offset: number
      readonly crc: number; readonly bytes: Uint8Array }
  | { readonly type: 'raft.chunkReadFailed'; readonly to: ReplicaId; readonly snapshotIndex: Index }
  /** What a look at the own file says. Not good: its bytes are not what was written, or can not be read. */
  | { readonly type: 'raft.snapshotVerified'; readonly index: Index; readonly isGood: boolean }
  /** A received piece is in the temporary file; contiguous up to `nextOffset`. */
  | { readonly type: 'raft.chunkWritten'; readonly snapshotIndex: Index; readonly nextOffset: number }
  /** The received snapshot is verified, renamed, synced, and its record is durable in the log. */
  | { readonly type: 'raft.snapshotInstalled'; readonly index: Index; readonly term: Term; readonly totalBytes: number
      readonly configuration: Configuration }
  | { readonly type: 'raft.snapshotDamaged'; readonly snapshotIndex: Index; readonly reason: 'damaged' | 'noSpace' }
  /** The state of the snapshot that `raft.restore` named is loaded: committed entries may follow. */
  | { readonly type: 'raft.restored'; readonly index: Index }
  /** A map of the cluster is in force, by which the group had others at this epoch, if any: whose log knows of none halts (state.ts). */
  | { readonly type: 'raft.mapInForce'; readonly othersAt: number | null }
  /** Another node has a newer map than the one in force here. */
  | { readonly type: 'raft.mapMissed' }
  /** This replica is corrupt or presented less than it promised: it never votes or acknowledges again under its id. */
  | { readonly type: 'raft.halt'; readonly reason: string }

/** Mail is signed by its sender; `boot` is the process it came from, by the envelope. */
export type RaftEvent = RaftLocalEvent | (RaftMessage & { readonly from: ReplicaId; readonly boot?: BootId })

export type RaftRole = 'learner' | 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'halted'

export type RaftEffect =
  /** Something was gathered that leaves at the end of this turn: bring a `raft.flush`. */
  | { readonly type: 'raft.flushWanted' }
  /** More is committed than one event may bring the shard: bring a `raft.emit` in a later turn. */
  | { readonly type: 'raft.emitWanted' }
  | { readonly type: 'raft.send'; readonly to: ReplicaId; readonly message: RaftMessage }
  /**
   * Make durable, in this order: the hard state when present, then the entries. An entry at or below the log's last index
   * replaces it and everything after it. Answered by `wal.appended` with the same ticket.
   */
  | { readonly type: 'wal.append'; readonly ticket: number; readonly submittedTerm: Term; readonly hardState?: HardState
      readonly entries: readonly Entry[] }
  /** Everything at or below `index` is in a verified durable snapshot. */
  | { readonly type: 'wal.compact'; readonly index: Index; readonly term: Term }
  /** Apply in order. Each entry is committed and is given exactly once, in index order without gaps. */
  | { readonly type: 'raft.committed'; readonly entries: readonly Entry[] }
  /** The proposal became the entry (term, index), or was refused, definitely without effect. */
  | { readonly type: 'raft.proposed'; readonly proposal: number; readonly term: Term; readonly index: Index }
  | { readonly type: 'raft.proposalRefused'; readonly proposal: number; readonly reason: ProposalRefusal }
  /** A transfer was refused, or its target did not campaign within a maximum election timeout: this leader takes proposals again. */
  | { readonly type: 'raft.transferAborted'; readonly term: Term }
  | { readonly type: 'raft.orderAnswered'; readonly outcome: OrderOutcome }
  /** Answer the read from a state that has applied at least `index`, if this replica still leads `term` then. */
  | { readonly type: 'raft.readReady'; readonly read: number; readonly index: Index; readonly term: Term }
  | { readonly type: 'raft.readRefused'; readonly read: number; readonly reason: ReadRefusal }
  /** `settled`: the leader's own no-op has committed, and it may serve. `clockMs`: what most voters' wall clocks have reached. */
  | { readonly type: 'raft.roleChanged'; readonly role: RaftRole; readonly term: Term; readonly leader: ReplicaId | ''
      readonly settled: boolean; readonly clockMs: number; readonly reason: string }
  | { readonly type: 'raft.readChunk'; readonly to: ReplicaId; readonly snapshotIndex: Index; readonly snapshotTerm: Term
      readonly offset: number; readonly lengthMax: number }
  /** Verify the own file whole, then report `raft.snapshotVerified`. */
  | { readonly type: 'raft.verifySnapshot'; readonly index: Index; readonly term: Term }
  /** The file of the newest snapshot is of no use: write another, also where nothing was applied since. */
  | { readonly type: 'raft.snapshotLost' }
  | { readonly type: 'raft.writeChunk'; readonly snapshotIndex: Index; readonly snapshotTerm: Term; readonly offset: number
      readonly totalBytes: number; readonly bytes: Uint8Array }
  /** All bytes are in the temporary file: verify, rename, sync, write the snapshot record, then report `raft.snapshotInstalled`. */
  | { readonly type: 'raft.installSnapshot'; readonly snapshotIndex: Index; readonly snapshotTerm: Term; readonly totalBytes: number }
  /** Load the state from the snapshot, then report `raft.restored`; what was applied before is replaced. */
  | { readonly type: 'raft.restore'; readonly index: Index; readonly term: Term }
  /** Durable mark: this replica never votes again under its id. */
  | { readonly type: 'raft.quarantine'; readonly reason: string }
