/**
 * The end of a turn: what was gathered leaves. Writes become one entry (several when they exceed the byte budget), linearizable reads
 * share one ReadIndex round, lease reads one lease check. Nothing waits for an earlier entry: proposals are pipelined.
 */

import { complete, completeUnlessSlot, notLeader, outcomeUnknown, overloaded } from './answer.ts'
import { readKey } from './apply.ts'
import { BATCH_HEADER_BYTES, encodeBatch } from './batch.ts'
import { leads } from './core.ts'
import { isExpiryDue } from './expiry.ts'
import { logTimeAt } from './logTime.ts'
import { BATCH_OPERATIONS_MAX } from './operation.ts'
import type { Index } from '../raft/protocol.ts'
import type { PendingOperation, Proposal, ShardCore } from './core.ts'
import type { OperationResult } from './operation.ts'
import type { Policy, ShardLocalEvent } from './protocol.ts'

type Local<Type extends ShardLocalEvent['type']> = Extract<ShardLocalEvent, { type: Type }>

export const flush = (core: ShardCore, { now }: Local<'shard.flush'>): void => {
  core.now = now
  core.changesThisTurn = 0
  proposeGathered(core)
  askToRead(core)
  maybeProposeTick(core)
}

const proposeGathered = (core: ShardCore): void => {
  let operations: PendingOperation[] = []
  let bytes = BATCH_HEADER_BYTES
  for (const pending of core.gatheredWrites) {
    if (operations.length === BATCH_OPERATIONS_MAX || bytes + pending.bytes > core.entryBytesMax) {
      propose(core, operations)
      operations = []
      bytes = BATCH_HEADER_BYTES
    }
    operations.push(pending)
    bytes += pending.bytes
  }
  core.gatheredWrites = []
  if (operations.length > 0) propose(core, operations)
}

const propose = (core: ShardCore, operations: readonly PendingOperation[]): void => {
  noteHanded(core, operations)
  core.lastProposal += 1
  core.proposals.set(core.lastProposal, { operations, term: 0 })
  const timeMs = Math.max(core.state.timeMs, logTimeAt(core.logTime, core.now))
  const payload = encodeBatch({ timeMs, operations: operations.map(({ operation }) => operation) })
  core.effects.push({ type: 'raft.propose', proposal: core.lastProposal, payload })
}

const noteHanded = (core: ShardCore, operations: readonly PendingOperation[]): void => {
  for (const { batch } of operations) if (batch.handedAt === 0) batch.handedAt = core.now
}

/** Time moves only in entries: when something is due and no entry is under way to carry it, an empty one is proposed. */
export const maybeProposeTick = (core: ShardCore): void => {
  if (!core.isServing || core.isDiskFull || core.proposals.size() > 0 || core.inFlight.size() > 0) return
  if (isExpiryDue(core.state, logTimeAt(core.logTime, core.now))) propose(core, [])
}

const askToRead = (core: ShardCore): void => {
  const reads = core.gatheredReads
  const leaseReads = core.gatheredLeaseReads
  core.gatheredReads = []
  core.gatheredLeaseReads = []
  if (reads.length > 0) openRound(core, reads, false)
  if (leaseReads.length > 0) openRound(core, leaseReads, true)
}

const openRound = (core: ShardCore, operations: readonly PendingOperation[], lease: boolean): void => {
  noteHanded(core, operations)
  core.lastRead += 1
  core.rounds.set(core.lastRead, operations)
  core.effects.push({ type: 'raft.read', read: core.lastRead, lease })
}

export const handleProposed = (core: ShardCore, { proposal, term, index }: Local<'raft.proposed'>): void => {
  const taken = core.proposals.get(proposal)
  if (taken === undefined) return
  core.proposals.delete(proposal)
  if (!leads(core, term) || index <= core.state.appliedIndex) {
    loseProposal(core, taken)
    return
  }
  taken.term = term
  core.inFlight.set(index, taken)
}

/** Raft appended nothing: the operations certainly had no effect. */
export const handleProposalRefused = (core: ShardCore, { proposal, reason }: Local<'raft.proposalRefused'>): void => {
  const refused = core.proposals.get(proposal)
  if (refused === undefined) return
  core.proposals.delete(proposal)
  for (const pending of refused.operations) {
    switch (reason) {
      case 'notLeader':
      case 'transferring': completeUnlessSlot(core, pending, notLeader(core)); continue
      case 'tooManyUncommitted': shed(core, pending); continue
      case 'tooLarge': complete(core, pending, tooLarge(pending.batch.policy)); continue
    }
    reason satisfies never
  }
}

const shed = (core: ShardCore, pending: PendingOperation): void => {
  core.counters.overloaded += 1
  complete(core, pending, overloaded(core, pending.batch.policy))
}

/** By this process's limit: whoever holds the slot as well may have another (operationCheck.ts). */
const tooLarge = (policy: Policy): OperationResult => ({
  status: 'TOO_LARGE', revision: 0, definite: policy !== 'slot', message: 'The entry is above what the log takes: send less in one batch.',
})

/** Its entry may still commit under another leader, or be overwritten. */
export const loseProposal = (core: ShardCore, proposal: Proposal): void => {
  for (const pending of proposal.operations) completeUnlessSlot(core, pending, outcomeUnknown)
}

export const handleReadReady = (core: ShardCore, { read, index, term }: Local<'raft.readReady'>): void => {
  const operations = core.rounds.get(read)
  if (operations === undefined) return
  core.rounds.delete(read)
  if (!leads(core, term)) refuseReads(core, operations)
  else if (core.state.appliedIndex >= index) answerReads(core, operations)
  else core.readyReads.push({ index, operations })
}

/** A lease that can not be vouched for now is no reason to refuse: the stronger read is asked for instead. */
export const handleReadRefused = (core: ShardCore, { read, reason }: Local<'raft.readRefused'>): void => {
  const operations = core.rounds.get(read)
  if (operations === undefined) return
  core.rounds.delete(read)
  switch (reason) {
    case 'leaseUnavailable': openRound(core, operations, false); return
    case 'notLeader': refuseReads(core, operations); return
    case 'tooManyWaiting':
      for (const pending of operations) shed(core, pending)
      return
  }
  reason satisfies never
}

export const answerReadyReads = (core: ShardCore): void => {
  const isDue = (index: Index): boolean => index <= core.state.appliedIndex
  const due = core.readyReads.filter(({ index }) => isDue(index))
  if (due.length === 0) return
  core.readyReads = core.readyReads.filter(({ index }) => !isDue(index))
  for (const { operations } of due) answerReads(core, operations)
}

const answerReads = (core: ShardCore, operations: readonly PendingOperation[]): void => {
  for (const pending of operations) complete(core, pending, readKey(core.state, pending.operation.key))
}

/** A read has no effect, so its refusal is definite. */
export const refuseReads = (core: ShardCore, operations: readonly PendingOperation[]): void => {
  for (const pending of operations) completeUnlessSlot(core, pending, notLeader(core))
}
