/**
 * One replica of the meta group: the state that its log adds up to, who waits for a decision, and what its leader has begun.
 *
 * The core is told what a shard is told by its Raft member, in the same words, so that one kind of member serves both. A command is decided
 * when it is applied; whoever asked hears the outcome from the replica it was proposed at, and from nobody when that one lost its
 * leadership meanwhile: then it asks again, with the same request.
 */

import { apply } from './apply.ts'
import { decodeCommand, decodeState } from './codec.ts'
import { createDriver } from './driver.ts'
import { assert } from '../kernel/assert.ts'
import { EntryKind } from '../raft/protocol.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Entry, Index, RaftRole, Term } from '../raft/protocol.ts'
import type { ClusterState } from './clusterState.ts'
import type { Driver } from './driver.ts'
import type { PlanLimits } from './plan.ts'
import type { MoveOrder, Outcome, TopologyEvent } from './protocol.ts'

export interface TopologyLimits extends PlanLimits {
  /** Bytes of log since the last snapshot at which the next is written. Lower: a shorter log, and more snapshots. */
  readonly snapshotLogBytes: number
  /** Commands proposed here and not decided. Above, `busy`. */
  readonly undecidedMax: number
}

export type TopologyEffect =
  | { readonly type: 'raft.propose'; readonly proposal: number; readonly payload: Uint8Array }
  | { readonly type: 'topology.decided'; readonly ticket: number; readonly outcome: Outcome }
  /** Not decided here: another replica leads (empty when none is known), or leadership was lost and nobody knows. */
  | { readonly type: 'topology.undecided'; readonly ticket: number; readonly leader: NodeId | '' }
  | { readonly type: 'topology.stateChanged'; readonly state: ClusterState }
  | { readonly type: 'topology.order'; readonly order: MoveOrder }
  | { readonly type: 'topology.writeSnapshot'; readonly index: Index; readonly term: Term; readonly state: ClusterState }

/** What the replica's own leader asks for has no ticket. */
export const OWN_COMMAND = 0

interface Undecided {
  readonly ticket: number
  readonly term: Term
}

export interface TopologyCore {
  readonly limits: TopologyLimits
  readonly effects: TopologyEffect[]
  state: ClusterState
  appliedIndex: Index
  appliedTerm: Term
  role: RaftRole
  term: Term
  leader: NodeId | ''
  now: number
  wallMs: number
  lastProposal: number
  /** Proposals that Raft has not taken or refused yet: proposal to ticket. */
  readonly proposals: Map<number, number>
  readonly inFlight: Map<Index, Undecided>
  /** The leader's own command is on its way: the next waits, since it would be for another epoch. */
  isDeciding: boolean
  /** Nodes that whoever watches them takes for dead. */
  lost: readonly NodeId[]
  driver: Driver
  logBytes: number
  isSnapshotWanted: boolean
  isWritingSnapshot: boolean
  snapshotIndex: Index
  /** Of a snapshot that is being loaded. */
  restore: Uint8Array[] | null
}

const ENTRY_LOG_BYTES = 64

export interface TopologyInput {
  readonly state: ClusterState
  readonly limits: TopologyLimits
}

export const createTopologyCore = ({ state, limits }: TopologyInput): TopologyCore => ({
  limits, effects: [], state, appliedIndex: 0, appliedTerm: 0, role: 'follower', term: 0, leader: '', now: 0, wallMs: 0,
  lastProposal: 0, proposals: new Map(), inFlight: new Map(), isDeciding: false, lost: [], driver: createDriver(),
  logBytes: 0, isSnapshotWanted: false, isWritingSnapshot: false, snapshotIndex: 0, restore: null,
})

/** Leads, and has applied everything that was decided before it did. */
export const isLeading = (core: TopologyCore): boolean => core.role === 'leader' && core.appliedTerm === core.term

type Event<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { readonly type: Type }>

export const handleRoleChanged = (core: TopologyCore, { role, term, leaderNode }: Event<'raft.roleChanged'>): void => {
  const isSameLeadership = role === 'leader' && core.role === 'leader' && term === core.term
  core.role = role
  core.term = term
  core.leader = leaderNode
  if (isSameLeadership) return
  for (const { ticket } of core.inFlight.values()) giveUp(core, ticket)
  core.inFlight.clear()
  core.isDeciding = false
  core.driver = createDriver()
}

const giveUp = (core: TopologyCore, ticket: number): void => {
  if (ticket === OWN_COMMAND) core.isDeciding = false
  else core.effects.push({ type: 'topology.undecided', ticket, leader: core.role === 'leader' ? '' : core.leader })
}

export const handlePropose = (core: TopologyCore, { ticket, command }: Event<'topology.propose'>): void => {
  if (!isLeading(core) || core.proposals.size + core.inFlight.size >= core.limits.undecidedMax) giveUp(core, ticket)
  else propose(core, ticket, command)
}

export const propose = (core: TopologyCore, ticket: number, payload: Uint8Array): void => {
  core.lastProposal += 1
  core.proposals.set(core.lastProposal, ticket)
  core.effects.push({ type: 'raft.propose', proposal: core.lastProposal, payload })
}

export const handleProposed = (core: TopologyCore, { proposal, term, index }: Event<'raft.proposed'>): void => {
  const ticket = core.proposals.get(proposal)
  if (ticket === undefined) return
  core.proposals.delete(proposal)
  if (core.role === 'leader' && term === core.term) core.inFlight.set(index, { ticket, term })
  else giveUp(core, ticket)
}

export const handleProposalRefused = (core: TopologyCore, { proposal }: Event<'raft.proposalRefused'>): void => {
  const ticket = core.proposals.get(proposal)
  if (ticket === undefined) return
  core.proposals.delete(proposal)
  giveUp(core, ticket)
}

export const handleCommitted = (core: TopologyCore, { entries }: Event<'raft.committed'>): void => {
  const before = core.state.epoch
  for (const entry of entries) if (entry.index > core.appliedIndex) applyEntry(core, entry)
  if (core.state.epoch !== before) core.effects.push({ type: 'topology.stateChanged', state: core.state })
  maybeSnapshot(core)
}

const applyEntry = (core: TopologyCore, entry: Entry): void => {
  assert(core.restore === null && entry.index === core.appliedIndex + 1, `entry ${entry.index} follows ${core.appliedIndex}`)
  core.appliedIndex = entry.index
  core.appliedTerm = entry.term
  core.logBytes += entry.payload.length + ENTRY_LOG_BYTES
  const outcome = entry.kind === EntryKind.batch ? decide(core, entry.payload) : null
  const undecided = core.inFlight.get(entry.index)
  if (undecided === undefined) return
  core.inFlight.delete(entry.index)
  if (outcome === null || undecided.term !== entry.term) giveUp(core, undecided.ticket)
  else if (undecided.ticket === OWN_COMMAND) core.isDeciding = false
  else core.effects.push({ type: 'topology.decided', ticket: undecided.ticket, outcome })
}

/** A command that can not be read is one of a later version: every replica of this version passes over it alike. */
const decide = (core: TopologyCore, payload: Uint8Array): Outcome => {
  const command = decodeCommand(payload)
  if ('reason' in command) return { kind: 'refused', reason: 'invalid', epoch: core.state.epoch, message: command.reason }
  const { state, outcome } = apply(core.state, command)
  core.state = state
  return outcome
}

const maybeSnapshot = (core: TopologyCore): void => {
  const isDue = core.isSnapshotWanted || core.logBytes > core.limits.snapshotLogBytes
  if (!isDue || core.isWritingSnapshot || core.restore !== null || core.appliedIndex === core.snapshotIndex) return
  core.isSnapshotWanted = false
  core.isWritingSnapshot = true
  core.logBytes = 0
  core.effects.push({ type: 'topology.writeSnapshot', index: core.appliedIndex, term: core.appliedTerm, state: core.state })
}

export const handleSnapshotWanted = (core: TopologyCore): void => {
  core.isSnapshotWanted = true
  maybeSnapshot(core)
}

export const handleSnapshotWritten = (core: TopologyCore, { index }: Event<'shard.snapshotWritten'>): void => {
  core.isWritingSnapshot = false
  core.snapshotIndex = Math.max(core.snapshotIndex, index)
}

/** Tried again when the log has grown, or is asked for. */
export const handleSnapshotFailed = (core: TopologyCore): void => {
  core.isWritingSnapshot = false
}

export const handleRestoreChunk = (core: TopologyCore, { bytes }: Event<'shard.restoreChunk'>): void => {
  core.restore ??= []
  core.restore.push(Uint8Array.from(bytes))
}

export const handleRestored = (core: TopologyCore, { index, term }: Event<'shard.restored'>): void => {
  const state = decodeState(joined(core.restore ?? []))
  assert(!('reason' in state), 'reason' in state ? `a snapshot of the meta group holds no state: ${state.reason}` : '')
  core.restore = null
  core.state = state
  core.appliedIndex = index
  core.appliedTerm = term
  core.snapshotIndex = index
  core.logBytes = 0
  core.effects.push({ type: 'topology.stateChanged', state })
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}
