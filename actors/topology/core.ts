/**
 * The core of the topology actor: one member of the meta group, and, while it leads, the conversation about moves.
 *
 *   ask ──▶ proposals ──raft.proposed──▶ inFlight ──raft.committed──▶ answer          (the leader's own wishes go the same way)
 *   ask ──▶ rounds ──raft.readReady──▶ readyReads ──applied far enough──▶ answer
 *
 * Invariants: of its own wishes at most one is under way, so each is made for the newest epoch; everything that waited on a leadership is
 * answered in the event that ends it; what only a leader knows (the driver) is forgotten with the leadership.
 */

import { adoptGenesis } from './clusterState.ts'
import { createBalanceMemory } from './balance.ts'
import { createDriver } from './driver.ts'
import { createLoads } from './loads.ts'
import { createStandstill } from './standstill.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Entry, Index, RaftRole, Term } from '../raft/protocol.ts'
import type { Origin } from '../shard/protocol.ts'
import type { Genesis } from '../wal/protocol.ts'
import type { ClusterState, MoveId } from './clusterState.ts'
import type { BalanceLimits, BalanceMemory } from './balance.ts'
import type { Loads } from './loads.ts'
import type { Driver } from './driver.ts'
import type { Plan, PlanLimits } from './plan.ts'
import type { DamagedReplica, NodeLevels, TopologyEffect } from './protocol.ts'
import type { Standstill } from './standstill.ts'
import type { Wanted } from './wanted.ts'

export interface TopologyLimits extends PlanLimits {
  /** Questions that wait for an answer, reads and commands together. Above it: overloaded. */
  readonly waitingMax: number
  /** A snapshot is due when the log since the last one exceeds this, in bytes. */
  readonly snapshotLogBytes: number
  /** Payload bytes of entries held while a snapshot is loaded. Above it the process stops, and recovers from its log. */
  readonly heldEntryBytesMax: number
  readonly balance: BalanceLimits
}

/** Who waits for what becomes of a command: somebody who asked, or (null) the leader itself. */
export interface Asker {
  readonly origin: Origin
  readonly request: number
}

export interface Proposal {
  readonly asker: Asker | null
  term: Term
}

export interface Reading {
  readonly asker: Asker
  readonly isHistoryWanted: boolean
}

/** What the plan was made from: it is made anew when any of it is another. */
export interface Planned {
  readonly state: ClusterState
  readonly lost: readonly NodeId[]
  readonly damaged: readonly DamagedReplica[]
  readonly still: readonly MoveId[]
  readonly wanted: Wanted
  readonly plan: Plan
}

export interface TopologyCore {
  readonly effects: TopologyEffect[]
  readonly limits: TopologyLimits
  state: ClusterState
  appliedIndex: Index
  appliedTerm: Term
  /** Committed payloads that did not decode: above 0 a version mix or a bug. */
  undecodable: number

  role: RaftRole | 'unknown'
  term: Term
  leaderNode: NodeId | ''
  isSettled: boolean
  now: number
  wallMs: number

  driver: Driver
  standstill: Standstill
  /** As leader: what is asked of the shards, and what the balance remembers. */
  loads: Loads
  balance: BalanceMemory
  lost: readonly NodeId[]
  /** What nodes that serve tell of their builds. */
  told: readonly NodeLevels[]
  damaged: readonly DamagedReplica[]
  planned: Planned | null
  /** A wish of its own is under way. */
  isDeciding: boolean
  /** No wish of its own for so many ticks: the last was refused. */
  restTicks: number

  readonly proposals: Map<number, Proposal>
  readonly inFlight: Map<Index, Proposal>
  readonly rounds: Map<number, Reading>
  readyReads: { readonly index: Index; readonly reading: Reading }[]
  lastProposal: number
  lastRead: number

  logBytes: number
  snapshotIndex: Index
  isSnapshotting: boolean
  isSnapshotWanted: boolean
  snapshotNotBefore: number
  /** The chunks of a snapshot that is being loaded. */
  restore: Uint8Array[] | null
  held: Entry[]
  heldBytes: number
}

export const createTopologyCore = (genesis: Genesis, limits: TopologyLimits): TopologyCore => ({
  effects: [],
  limits,
  state: adoptGenesis(genesis),
  appliedIndex: 0,
  appliedTerm: 0,
  undecodable: 0,
  role: 'unknown',
  term: 0,
  leaderNode: '',
  isSettled: false,
  now: 0,
  wallMs: 0,
  driver: createDriver(),
  standstill: createStandstill(),
  loads: createLoads(),
  balance: createBalanceMemory(0),
  lost: [],
  told: [],
  damaged: [],
  planned: null,
  isDeciding: false,
  restTicks: 0,
  proposals: new Map(),
  inFlight: new Map(),
  rounds: new Map(),
  readyReads: [],
  lastProposal: 0,
  lastRead: 0,
  logBytes: 0,
  snapshotIndex: 0,
  isSnapshotting: false,
  isSnapshotWanted: false,
  snapshotNotBefore: 0,
  restore: null,
  held: [],
  heldBytes: 0,
})

export const leads = (core: TopologyCore, term: Term): boolean => core.role === 'leader' && core.term === term

/** Settled, and everything up to an entry of the own term is applied: the state is complete. */
export const mayLead = (core: TopologyCore): boolean =>
  core.role === 'leader' && core.isSettled && core.appliedTerm === core.term && core.restore === null
