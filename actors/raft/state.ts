/**
 * The state of one Raft member: a single mutable object that the handlers of this folder share.
 *
 * The chart (machine.ts) says which handler may run when; `role` repeats the chart's state for the few handlers that serve several
 * states, and is written only by the entry actions in roles.ts. `effects` is what the shell carries out after each event, in order.
 *
 * Invariants, asserted where they are written:
 * - term, commitIndex, emittedIndex and every matchIndex only grow;
 * - emittedIndex <= commitIndex <= lastIndex, and emittedIndex <= durableIndex;
 * - nothing at or below commitIndex is ever replaced.
 */

import { assert, must } from '../kernel/assert.ts'
import { between } from '../kernel/random.ts'
import { createLog, entriesBetween, lastIndexOf, lastTermOf, termAt } from './log.ts'
import { createMembership, isVoter, membersOf, noteEntry } from './membership.ts'
import type { Random } from '../kernel/random.ts'
import type { BootId, ReplicaId } from '../../topology/ids.ts'
import type { RecoveredGroup } from '../wal/protocol.ts'
import type { Allowance } from './allowance.ts'
import type { RaftLimits } from './limits.ts'
import type { Log, LogPosition } from './log.ts'
import type { Membership } from './membership.ts'
import type { Progress } from './progress.ts'
import type { Configuration, Index, Presentation, RaftEffect, RaftMessage, RaftRole, Term } from './protocol.ts'
import type { RaftTiming } from './timing.ts'

/** Which peers this member has presented itself to (presentation.ts). */
export interface Presenting {
  readonly own: Presentation
  /** By the peer that has to judge it: what is presented to it since, in place of the start's. */
  readonly renewed: Map<ReplicaId, Presentation>
  readonly accepted: Set<ReplicaId>
  /** By whom it had been accepted before they lost their place to others on their nodes; they may come back when that is cut. */
  readonly replaced: Set<ReplicaId>
  /** Presented to since the last tick, or told of a refusal: a burst of appends is answered once. */
  readonly saidThisTick: Set<ReplicaId>
  /** Ticks since the start, and since everybody was presented to. */
  ticks: number
  roundTicks: number
}

/** What is on disk, and what was handed to it (durability.ts). */
export interface Durability {
  /** The newest submission's ticket; tickets count from 1. */
  ticket: number
  /** Entries up to here were submitted. */
  submittedIndex: Index
  /** Entries up to here are on disk as the log in memory has them. */
  durableIndex: Index
  /** The submission that first rewrote entries in this term; 0 when none did. */
  rewriteTicket: number
  /** The term or the vote changed and is not submitted yet. */
  isHardStateDirty: boolean
  /** The submission that carries the newest term and vote. */
  hardStateTicket: number
  isHardStateDurable: boolean
}

/** What a peer has promised this member (promises.ts). */
export interface PeerPromise {
  term: Term
  vote: ReplicaId | ''
  matchIndex: Index
  /** The start of the peer that was accepted last: one that is presented twice was delayed, not forgotten. */
  incarnation: number | undefined
  /** The process that showed that this start lives. */
  boot: BootId | undefined
  /** Presented and not judged yet: whether that start is still alive was asked with this challenge. */
  claim: { readonly presented: Presentation; readonly challenge: number } | null
  /** The start that presented less than had been promised. The replica counts for nothing until another start presents all of it. */
  refused: number | undefined
}

/** A snapshot file this member has: what a transfer sends. */
export interface StoredSnapshot {
  readonly index: Index
  readonly term: Term
  readonly totalBytes: number
}

export interface Vote {
  readonly isGranted: boolean
  /** How far the voter's wall clock was ahead of this member's monotonic one when the vote came; 0 where nobody asks. */
  readonly wallAheadMs: number
}

/** A campaign: a pre-vote or an election. */
export interface Campaign {
  readonly votes: Map<ReplicaId, Vote>
  /** The old leader asked for it, so voters need not stick to that leader. */
  isTransfer: boolean
  /** Ticks since the requests last left; they are repeated, because the network loses. */
  silentTicks: number
  /** By how much the wall clock has leapt ahead since: the clocks that the votes brought are late by as much (wallClocks.ts). */
  leapMs: number
}

/** A snapshot being received. */
export interface IncomingSnapshot {
  readonly from: ReplicaId
  readonly term: Term
  readonly index: Index
  readonly snapshotTerm: Term
  readonly totalBytes: number
  requestedBytes: number
  writtenBytes: number
}

/** What a follower keeps about the log of the leader of its term. */
export interface Following {
  /** Everything up to here equals the leader's log. Starts at the commit index of the term's beginning: that much every leader has. */
  verifiedIndex: Index
  /** An append waits for its answer. */
  owesAnswer: boolean
  /** A vote was given and its answer waits for the disk. */
  owesVote: boolean
  answeredIndex: Index
  incoming: IncomingSnapshot | null
  /** Verified and waiting to take force; nothing else may touch the log meanwhile. */
  isInstalling: boolean
  /** Chunks handed to the disk and not yet written. */
  chunkWrites: number
}

export interface WaitingRead {
  readonly read: number
  /** The commit index when its round began. */
  readonly index: Index
  readonly round: number
}

export interface Transfer {
  readonly to: ReplicaId
  ticks: number
  isSent: boolean
}

export interface Leading {
  readonly progress: Map<ReplicaId, Progress>
  /** Monotonic time of the election: a new leader has that long to find its quorum. */
  readonly sinceMs: number
  /** The entry this leader began its term with. Until it commits nothing is served. */
  noopIndex: Index
  /** For the rest of the term: that entry has committed, and the time is known (wallClocks.ts). */
  isServing: boolean
  uncommittedBytes: number
  /** Appended since the last tick that was counted: a new replica is sent that whatever the allowance says. */
  writtenBytes: number
  heartbeatTicks: number
  /** Ticks since a client asked for anything. */
  quietTicks: number
  /** Ticks with pending entries and nothing emitted. */
  stalledTicks: number
  /** The newest confirmation round: counts from 1 in every term of a leader. */
  round: number
  confirmedRound: number
  /** When each of the last ROUNDS_REMEMBERED rounds was sent, by round modulo. */
  readonly roundSentAt: Float64Array
  isRoundWanted: boolean
  gatheredReads: number[]
  waitingReads: WaitingRead[]
  transfer: Transfer | null
  /** TimeoutNow was sent in this term; it may still arrive, so no lease holds any more. */
  isLeaseVoid: boolean
  /** Monotonic time when this machine was last seen to have been suspended: no round sent by then carries a lease. */
  suspendedAt: number
}

export interface RaftCore {
  readonly self: ReplicaId
  readonly timing: RaftTiming
  readonly limits: RaftLimits
  readonly random: Random
  readonly crc32: (bytes: Uint8Array) => number
  /** Shared by the groups of the node. */
  readonly allowance: Allowance
  readonly effects: RaftEffect[]

  /** The newest monotonic and wall time that an event brought, in milliseconds. */
  now: number
  wallMs: number
  /** How far the wall clock was ahead of the monotonic one when both were last read together (wallClocks.ts). */
  wallAheadMs: number

  role: RaftRole
  term: Term
  vote: ReplicaId | ''
  leader: ReplicaId | ''
  readonly log: Log
  readonly membership: Membership
  commitIndex: Index
  emittedIndex: Index
  /** The shard is loading a snapshot: committed entries wait. */
  isRestoring: boolean
  /** A later turn goes on with what is committed. */
  isEmitWanted: boolean
  /** What the first leader of this life said was committed, and its term (upToDate.ts); null before. */
  mark: LogPosition | null
  snapshot: StoredSnapshot | null
  /** What speaks against the file of `snapshot` (ownSnapshot.ts); null: nothing. */
  snapshotDoubt: 'verifying' | 'lost' | null
  readonly durability: Durability
  isDiskStalled: boolean
  quarantined: string | undefined

  /** Ticks since the election timer was last reset, and the number at which it fires. */
  electionTicks: number
  electionTimeout: number
  /** Terms it has stood for since a leader was last heard, or it led: the more, the longer the timeouts (timers.ts). */
  elections: number
  /** Ticks since a leader of the newest term was heard; infinite before the first time. */
  ticksSinceLeader: number
  /** Ticks until a started member may vote and campaign. */
  freshTicks: number

  readonly presenting: Presenting
  readonly promises: Map<ReplicaId, PeerPromise>

  campaign: Campaign
  following: Following
  leading: Leading

  /** Why the role changes, in words, for the log; set just before the change. */
  reason: string
  announced: string
}

export interface RaftInput {
  readonly self: ReplicaId
  /** In force at the snapshot, or the genesis' when there is none. */
  readonly configuration: Configuration
  readonly recovered: RecoveredGroup
  readonly snapshot: StoredSnapshot | null
  readonly timing: RaftTiming
  readonly limits: RaftLimits
  readonly random: Random
  readonly crc32: (bytes: Uint8Array) => number
  readonly allowance: Allowance
  readonly now: number
  readonly wallMs: number
  /** Beyond the first election timeout (timing.ts). Absent: none. */
  readonly firstElectionDelay?: number
}

/**
 * Confirmation rounds whose send time is known. Rounds for reads are limited to `roundsInFlightMax` (512 at most) beyond the
 * confirmed one, and a leader whose rounds are not confirmed steps down within a maximum election timeout, so an older round is
 * of no use.
 */
export const ROUNDS_REMEMBERED = 1_024

export const createCore = (input: RaftInput): RaftCore => {
  const { self, recovered, snapshot, timing, configuration, firstElectionDelay = 0 } = input
  const log = createLog(recovered.snapshot, recovered.entries)
  const startIndex = snapshot?.index ?? recovered.snapshot.index
  assert(snapshot === null || termAt(log, snapshot.index) === snapshot.term, 'the log vouches for the snapshot a member starts from')
  const membership = createMembership(startIndex, configuration)
  for (const entry of entriesBetween(log, startIndex + 1, lastIndexOf(log))) noteEntry(membership, entry)
  const { term, vote } = recovered.hardState
  const isAlone = isSole({ membership, self })
  const core: RaftCore = {
    self, timing, limits: input.limits, random: input.random, crc32: input.crc32, allowance: input.allowance, effects: [],
    now: input.now, wallMs: input.wallMs, wallAheadMs: input.wallMs - input.now,
    role: 'follower', term, vote, leader: '',
    log, membership,
    commitIndex: startIndex, emittedIndex: startIndex, isRestoring: startIndex > 0, isEmitWanted: false, mark: null,
    snapshot, snapshotDoubt: null, durability: createDurability(lastIndexOf(log)), isDiskStalled: false, quarantined: recovered.quarantined,
    electionTicks: 0,
    electionTimeout: isAlone ? 1 : firstTimeout(input) + firstElectionDelay,
    elections: 0,
    ticksSinceLeader: Number.POSITIVE_INFINITY,
    freshTicks: isAlone ? timing.electionTicksMin : timing.electionTicksMax + 1,
    presenting: createPresenting({
      incarnation: input.random.uint32(), term, vote, lastTerm: lastTermOf(log), lastIndex: lastIndexOf(log),
    }),
    promises: new Map(),
    campaign: createCampaign(), following: createFollowing(startIndex), leading: createLeading(input.now),
    reason: 'started', announced: '',
  }
  if (snapshot !== null && recovered.quarantined === undefined) {
    core.effects.push({ type: 'raft.restore', index: snapshot.index, term: snapshot.term })
  }
  return core
}

const firstTimeout = ({ timing: { electionTicksMin, electionTicksMax }, random }: RaftInput): number =>
  electionTicksMax + between(random, 1, electionTicksMax - electionTicksMin)

/**
 * Nobody else can have been promised anything, if no configuration in the log has another member: no need to wait out what a started member
 * may have forgotten. The last configuration alone does not say so: whoever led when it was appended, the one that it removes, may lead on
 * by a lease (test: "a member that is left alone by its newest configuration waits as any other").
 *
 * Unless the log is an old copy of a time before others joined. It waits for a minimum election timeout, in which its node hears of a newer
 * map where there is one (topology/beaconRadio.ts), then for that map, and whoever is named there with others halts (`isOutgrown`).
 */
export const isSole = ({ membership: { history }, self }: Pick<RaftCore, 'membership' | 'self'>): boolean =>
  history.every((row) => isSoleMember(row.configuration, self))

/** So many maximum election timeouts for a map that its node has heard of. Answers take no longer, or the way is as good as cut. */
const MAP_ELECTIONS = 3

const mapTicks = ({ timing }: RaftCore): number => MAP_ELECTIONS * timing.electionTicksMax

const keepWaiting = (core: RaftCore, ticks: number): void => {
  if (core.role === 'follower' && isSole(core)) core.freshTicks = ticks
}

export const awaitMap = (core: RaftCore): void => keepWaiting(core, mapTicks(core))

/**
 * The map in force says nothing against it; others may have a newer one still. Once both waits could be over, no map makes one longer:
 * where it changes all the time, whoever is alone would get no leader (test: "shards of one replica get a leader while the map ...").
 */
export const hearOthers = (core: RaftCore): void => {
  const { electionTicksMin } = core.timing
  const isYoung = core.presenting.ticks <= electionTicksMin + mapTicks(core)
  keepWaiting(core, isYoung ? electionTicksMin : Math.min(core.freshTicks, electionTicksMin))
}

/** May be an old copy that has heard of no other yet. */
export const isWaitingAlone = (core: RaftCore): boolean =>
  core.role === 'follower' && core.freshTicks > 0 && isSole(core)

/**
 * Of ticks that come at once such a wait counts one. A process that stood still wakes to all of them in one, which is given before the
 * messages that came meanwhile (kernel/ticker.ts).
 */
export const waitedIn = (core: RaftCore, ticks: number): number => (isWaitingAlone(core) ? Math.min(1, ticks) : ticks)

/**
 * By the cluster's map the group had other voters at that epoch; no configuration in the log has, and none was ordered later. The one that
 * made them voters was committed by this member, by itself or with them, before the map could name them: so its disk held it once.
 */
export const isOutgrown = (core: RaftCore, { othersAt }: { readonly othersAt: number | null }): boolean =>
  othersAt !== null && isSole(core) && core.membership.configuration.epoch <= othersAt

const isSoleMember = (configuration: Configuration, self: ReplicaId): boolean => {
  const members = membersOf(configuration)
  return members.length === 1 && members[0] === self
}

const createDurability = (lastIndex: Index): Durability => ({
  ticket: 0, submittedIndex: lastIndex, durableIndex: lastIndex, rewriteTicket: 0,
  isHardStateDirty: false, hardStateTicket: 0, isHardStateDurable: true,
})

const createPresenting = (own: Presentation): Presenting => ({
  own, renewed: new Map(), accepted: new Set(), replaced: new Set(), saidThisTick: new Set(),
  ticks: 0, roundTicks: Number.POSITIVE_INFINITY,
})

export const createCampaign = (isTransfer = false): Campaign => ({ votes: new Map(), isTransfer, silentTicks: 0, leapMs: 0 })

/** `chunkWrites`: of the time before, since the disk will answer them. */
export const createFollowing = (verifiedIndex: Index, chunkWrites = 0): Following => ({
  verifiedIndex, owesAnswer: false, owesVote: false, answeredIndex: 0, incoming: null, isInstalling: false, chunkWrites,
})

export const createLeading = (now: number): Leading => ({
  progress: new Map(), sinceMs: now, noopIndex: 0, isServing: false, uncommittedBytes: 0, writtenBytes: 0, heartbeatTicks: 0,
  quietTicks: 0, stalledTicks: 0, round: 0, confirmedRound: 0, roundSentAt: new Float64Array(ROUNDS_REMEMBERED), isRoundWanted: false,
  gatheredReads: [], waitingReads: [], transfer: null, isLeaseVoid: false, suspendedAt: Number.NEGATIVE_INFINITY,
})

export const send = (core: RaftCore, to: ReplicaId, message: RaftMessage): void => {
  core.effects.push({ type: 'raft.send', to, message })
}

export const wantFlush = (core: RaftCore): void => {
  core.effects.push({ type: 'raft.flushWanted' })
}

export const configurationOf = (core: RaftCore): Configuration => core.membership.configuration

export const peersOf = (core: RaftCore): ReplicaId[] => membersOf(configurationOf(core)).filter((member) => member !== core.self)

export const isSelfVoter = (core: RaftCore): boolean => isVoter(configurationOf(core), core.self)

/** Entries of the log are there: an index this member has checked itself. */
export const knownTermAt = (core: RaftCore, index: Index): Term => must(termAt(core.log, index), `index ${index} is in the log`)
