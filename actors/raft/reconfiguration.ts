/**
 * Changing who is in the group (section 6; thesis chapter 4), at the order of the meta group.
 *
 *   order ──▶ learner added: one entry
 *         └─▶ voters changed: joint entry ──committed──▶ final entry, appended by whoever leads then
 *
 * An order says what the group shall become, and carries the epoch of the committed map entry that gave it. Orders travel a network that
 * loses, repeats and delays, and are given again by every new meta leader, so they must be safe to hear twice and late:
 * - the epoch in force is part of the configuration, in the log: of every leader, for ever;
 * - an order of that epoch is the one that was carried out: it is only reported on;
 * - an older one is refused, whatever the members are now. Example: "add learner L" is delayed; the move is cancelled and an order of
 *   a newer epoch restores the old members; now the late one must not bring L back, though the members look as it expected them.
 *   So a newer order becomes an entry even when it changes nobody.
 *
 * Safety does not depend on orders being wise. Raft's own rules are kept here: one change at a time, only after an entry of this
 * term has committed (Ongaro's 2015 correction), and joint consensus whenever voters change. A new voter has been a learner and has
 * nearly the whole log, so that commitment does not wait for it (thesis 4.2.1), and its state is loaded, so that it could lead. A leader
 * does not remove itself: it hands over first, with the care of a planned move (topology/leadership.ts), so that nobody waits for an
 * election timeout.
 *
 * Availability does depend on it, and whoever orders knows late who has died. So a joint phase begins only while both its halves would
 * let it end (test: "does not rest a group of two on a voter that ..."):
 * 1. Of n1 (leader), n2 and n3 the group is to lose n3. n2 has just died, and nobody who plans has noticed.
 * 2. The joint entry {n1 n2 | n1 n2 n3} is in force once it is appended, and needs n2. n1 hears no quorum and steps down.
 * 3. n1 and n3 have everything, and neither can be elected, nor the entry be taken back: the group is gone with n2.
 * A leader knows within an election timeout who answers it: it says `behind`, as of a new voter that has not caught up. What is
 * dead may still be removed, since that asks for those who are left.
 */

import { lastIndexOf } from './log.ts'
import { configurationIndex, encodeConfiguration, isVoter } from './membership.ts'
import { isTrusted } from './presentation.ts'
import { EntryKind } from './protocol.ts'
import { isQuorum } from './quorum.ts'
import { isSettled } from './readIndex.ts'
import { appendOwn } from './replication.ts'
import { configurationOf, wantFlush } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Configuration, ConfigurationOrder, OrderOutcome, RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Reconfigure = Extract<RaftLocalEvent, { type: 'raft.reconfigure' }>

export const handleReconfigure = (core: RaftCore, { order }: Reconfigure): void => {
  const obstacle = obstacleTo(core, order)
  if (obstacle === null) appendConfiguration(core, firstStep(configurationOf(core), order))
  answer(core, obstacle ?? 'pending')
}

export const refuseReconfigure = (core: RaftCore): void => {
  answer(core, 'notLeader')
}

/**
 * The joint entry has committed: both halves have agreed, and the outgoing one is not needed any more. Not while leadership is being handed
 * over: the successor has everything and was told to campaign, and with an entry more here it could not win. It leaves the phase itself.
 */
export const isJointPhaseOver = (core: RaftCore): boolean =>
  configurationOf(core).outgoing.length > 0 && isChangeCommitted(core) && isSettled(core) && core.leading.transfer === null

export const leaveJointPhase = (core: RaftCore): void => {
  appendConfiguration(core, { ...configurationOf(core), outgoing: [] })
}

const answer = (core: RaftCore, outcome: OrderOutcome): void => {
  core.effects.push({ type: 'raft.orderAnswered', outcome })
}

const appendConfiguration = (core: RaftCore, configuration: Configuration): void => {
  appendOwn(core, EntryKind.configuration, encodeConfiguration(configuration))
  wantFlush(core)
}

const isChangeCommitted = (core: RaftCore): boolean => core.commitIndex >= configurationIndex(core.membership)

/** Null when the order can be carried out now. */
const obstacleTo = (core: RaftCore, order: ConfigurationOrder): OrderOutcome | null => {
  const current = configurationOf(core)
  const isUnderWay = current.outgoing.length > 0 || !isChangeCommitted(core)
  if (order.epoch < current.epoch) return 'stale'
  if (order.epoch === current.epoch) return isUnderWay ? 'pending' : 'done'
  if (!isWellFormed(order, current)) return 'invalid'
  // Voters that come in while clocks are awaited have brought none, and would hold log time back.
  if (isUnderWay || !core.leading.isServing || core.leading.transfer !== null) return 'busy'
  if (!order.voters.includes(core.self)) return 'leaves'
  if (!order.voters.every((voter) => isVoter(current, voter) || hasCaughtUp(core, voter))) return 'behind'
  const next = firstStep(current, order)
  return next.outgoing.length === 0 || isQuorum(next, (voter) => isInTouch(core, voter)) ? null : 'behind'
}

/** Every replica once, at least one voter, and no voter made a learner: a replica that has lost its vote leaves. */
const isWellFormed = ({ voters, learners }: ConfigurationOrder, current: Configuration): boolean => {
  const all = [...voters, ...learners]
  return voters.length > 0 && new Set(all).size === all.length && !learners.some((learner) => isVoter(current, learner))
}

const hasCaughtUp = (core: RaftCore, replica: ReplicaId): boolean => {
  const matchIndex = core.leading.progress.get(replica)?.matchIndex ?? 0
  return isInTouch(core, replica) && lastIndexOf(core.log) - matchIndex <= core.limits.promotionLagMax
}

/**
 * An entry that is appended now would reach its disk soon: it answered a round of within the time after which a leader gives up without a
 * quorum (checkQuorum.ts), has forgotten nothing, lacks nothing but what is sent to it in a stream, and its disk writes. A learner says
 * that its disk does not while it loads its state.
 */
const isInTouch = (core: RaftCore, replica: ReplicaId): boolean => {
  if (replica === core.self) return !core.isDiskStalled
  const progress = core.leading.progress.get(replica)
  if (progress?.state !== 'replicate' || progress.isDiskStalled || !isTrusted(core, replica)) return false
  return core.now - progress.contactSentAt <= core.timing.electionTicksMax * core.timing.tickMs
}

const firstStep = (current: Configuration, { epoch, voters, learners }: ConfigurationOrder): Configuration => {
  const isSame = voters.length === current.voters.length && voters.every((voter) => current.voters.includes(voter))
  return { epoch, voters, outgoing: isSame ? [] : current.voters, learners }
}
