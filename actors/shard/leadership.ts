/**
 * Leadership, as the Raft member reports it. Its end resolves everything that waited on it, in the same event:
 *
 * | what waited | forward, direct | slot |
 * |---|---|---|
 * | a write that was not proposed | NOT_LEADER, definite | silence |
 * | a write in the log, unconfirmed | NO_QUORUM, indefinite | silence |
 * | a read | NOT_LEADER, definite | silence |
 *
 * A write that Raft was asked to take and has not answered for stays: the answer says which of the first two rows it is.
 */

import { completeUnlessSlot, notLeader } from './answer.ts'
import { leads } from './core.ts'
import { loseProposal, refuseReads } from './flush.ts'
import { startLogTime } from './logTime.ts'
import type { ShardCore } from './core.ts'
import type { ShardLocalEvent } from './protocol.ts'

type RoleChanged = Extract<ShardLocalEvent, { type: 'raft.roleChanged' }>

/** Whether the event tells of the leadership the core knows already (its no-op committed, say). */
export const isSameLeadership = (core: ShardCore, event: RoleChanged): boolean =>
  event.role === 'leader' && leads(core, event.term)

export const handleRoleChanged = (core: ShardCore, event: RoleChanged): void => {
  core.now = event.now
  const isSame = isSameLeadership(core, event)
  core.leaderNode = event.leaderNode
  if (core.role === 'leader' && !isSame) endLeadership(core)
  if (event.role === 'leader' && !isSame) {
    core.electedClockMs = event.clockMs
    core.electedNow = event.now
  }
  core.role = event.role
  core.term = event.term
  core.isSettled = event.role === 'leader' && event.settled
}

/** Settled, and everything up to an entry of the own term is applied: the state is complete. */
export const mayServe = (core: ShardCore): boolean => core.isSettled && core.state.appliedTerm === core.term

export const beginServing = (core: ShardCore): void => {
  const elapsedMs = core.now - core.electedNow
  core.logTime = startLogTime(Math.max(core.state.timeMs, core.electedClockMs + elapsedMs), core.now)
  setServing(core, true)
}

/** `leading` to `handingOff`: nothing new comes in, what is in flight finishes. */
export const beginHandingOff = (core: ShardCore): void => setServing(core, false)

const setServing = (core: ShardCore, serving: boolean): void => {
  if (core.isServing === serving) return
  core.isServing = serving
  core.effects.push({ type: 'shard.serving', serving, term: core.term })
}

const endLeadership = (core: ShardCore): void => {
  // The subscription goes first, and with it every buffered copy.
  setServing(core, false)
  const unproposed = core.gatheredWrites
  const reads = [
    ...core.gatheredReads, ...core.gatheredLeaseReads, ...[...core.rounds.values()].flat(),
    ...core.readyReads.flatMap(({ operations }) => operations),
  ]
  const proposals = [...core.inFlight.values()]
  core.gatheredWrites = []
  core.gatheredReads = []
  core.gatheredLeaseReads = []
  core.rounds.clear()
  core.readyReads = []
  core.inFlight.clear()
  for (const pending of unproposed) completeUnlessSlot(core, pending, notLeader(core))
  for (const proposal of proposals) loseProposal(core, proposal)
  refuseReads(core, reads)
}
