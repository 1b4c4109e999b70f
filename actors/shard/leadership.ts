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
 *
 * A planned move avoids all of that: nobody is owed anything when Raft is asked for it.
 *   1. The slot is drained: the broker is told, and what it had already sent still comes in and is taken as before.
 *   2. Then nothing new is taken: NOT_LEADER, definite, to who asks this node alone; a plain request meets no subscriber, so that its
 *      sender hears from the broker, at once and for certain, that nobody received it.
 *   3. What was taken is answered. Then it is quiet, and the leadership may go.
 * The leader leads until its successor is elected. When that fails, or takes too long, it serves again, and subscribes again.
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
  // Said again when it is settled, and by then it knows more of its voters' clocks.
  if (event.role === 'leader') {
    core.electedClockMs = event.clockMs
    core.electedNow = event.now
  }
  core.role = event.role
  core.term = event.term
  core.isSettled = event.role === 'leader' && event.settled
}

/** Settled, and everything up to an entry of the own term is applied: the state is complete. */
export const mayServe = (core: ShardCore): boolean => core.isSettled && core.state.appliedTerm === core.term

/** Once a leadership: its log time runs on while a move is tried and given up. */
export const startClock = (core: ShardCore): void => {
  const elapsedMs = core.now - core.electedNow
  core.logTime = startLogTime(Math.max(core.state.timeMs, core.electedClockMs + elapsedMs), core.now)
}

/** Said also when a move is given up in the middle of draining: the slot that is drained asks for nothing, so a new one is needed. */
export const serve = (core: ShardCore): void => announceServing(core, true)

export const drainSlot = (core: ShardCore): void => {
  core.lastDrain += 1
  core.effects.push({ type: 'shard.drainSlot', drain: core.lastDrain })
}

/** Not of a move that was given up since. */
export const isNewestDrain = (core: ShardCore, { drain }: Extract<ShardLocalEvent, { type: 'shard.slotDrained' }>): boolean =>
  drain === core.lastDrain

export const stopServing = (core: ShardCore): void => {
  if (core.isServing) announceServing(core, false)
}

/** Nobody waits for an answer, and no entry is under way that this leadership proposed. */
export const isQuiet = (core: ShardCore): boolean =>
  core.pendingOperations === 0 && core.proposals.size() === 0 && core.inFlight.size() === 0

export const announceQuiet = (core: ShardCore): void => {
  core.effects.push({ type: 'shard.quiet' })
}

const announceServing = (core: ShardCore, serving: boolean): void => {
  core.isServing = serving
  core.effects.push({ type: 'shard.serving', serving, term: core.term })
}

const endLeadership = (core: ShardCore): void => {
  // The subscription goes first, and with it every buffered copy.
  stopServing(core)
  const unproposed = core.gatheredWrites
  const reads = [
    ...core.gatheredReads, ...core.gatheredLeaseReads, ...core.rounds.values().flat(),
    ...core.readyReads.flatMap(({ operations }) => operations),
  ]
  const proposals = core.inFlight.values()
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
