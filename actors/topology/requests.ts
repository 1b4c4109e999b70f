/** Questions to the meta group, from the first word to the answer; and what becomes of them when a leadership ends. */

import { createDriver } from './driver.ts'
import { createLoads } from './loads.ts'
import { createStandstill } from './standstill.ts'
import { rememberedIn } from './apply.ts'
import { encodeCommand } from './codec.ts'
import { presentNodes } from './clusterState.ts'
import { leads } from './core.ts'
import { refused } from './refusals.ts'
import { otherUseOf } from './requestKeys.ts'
import type { ShardLocalEvent } from '../shard/protocol.ts'
import type { Asker, Proposal, Reading, TopologyCore } from './core.ts'
import type { MetaAnswer, MetaCommand, Outcome, Refused, TopologyEvent } from './protocol.ts'

type Local<Type extends ShardLocalEvent['type']> = Extract<ShardLocalEvent, { type: Type }>
type Ask<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { type: Type }>
type Refusal = Extract<MetaAnswer, { type: 'meta.refused' }>['reason']

/** A wish that Raft would not take is made again after this. */
const REFUSED_REST_TICKS = 4

export const acceptRead = (core: TopologyCore, { origin, request, isHistoryWanted }: Ask<'meta.read'>): void => {
  const asker = { origin, request }
  if (isFull(core)) {
    refuse(core, asker, 'overloaded')
    return
  }
  core.lastRead += 1
  core.rounds.set(core.lastRead, { asker, isHistoryWanted })
  core.effects.push({ type: 'raft.read', read: core.lastRead, lease: false })
}

export const acceptCommand = (core: TopologyCore, { origin, request, command }: Ask<'meta.propose'>): void => {
  const asker = { origin, request }
  if (isFull(core)) {
    refuse(core, asker, 'overloaded')
    return
  }
  const refusal = rememberedIn(core.state, command) === undefined ? refusalOf(core, command) : null
  if (refusal !== null) {
    answerOutcome(core, asker, refusal)
    return
  }
  const problem = propose(core, command, asker)
  if (problem !== null) answerOutcome(core, asker, refused(core.state, 'invalid', problem))
}

/** What is refused here already, by what this leader alone knows, or what `apply` may not judge. */
const refusalOf = (core: TopologyCore, command: MetaCommand): Refused | null => {
  const { state } = core
  const other = otherUseOf(state.history, command.request)
  if (other !== undefined) {
    return refused(state, 'keyReused', `this key was given to another change, which made epoch ${other.epoch}: give each change its own`)
  }
  if (command.kind !== 'setBalance' || !command.isOn || isSpokenByAll(core)) return null
  return refused(state, 'levelUnknown',
    'not every node has told a version that knows of it: wait until all are up for a few seconds, and upgraded')
}

/** A member of before layout levels could not read the command, and would judge every later one differently. */
const isSpokenByAll = ({ state, told }: TopologyCore): boolean =>
  presentNodes(state).every(({ id }) => told.some(({ node }) => node === id))

const isFull = ({ proposals, inFlight, rounds, readyReads, limits }: TopologyCore): boolean =>
  proposals.size + inFlight.size + rounds.size + readyReads.length >= limits.waitingMax

export const refuseAsk = (core: TopologyCore, { origin, request }: Ask<'meta.read' | 'meta.propose'>): void =>
  refuse(core, { origin, request }, 'notLeader')

/** Null, or why there are no bytes of this command. */
export const propose = (core: TopologyCore, command: MetaCommand, asker: Asker | null): string | null => {
  const payload = encodeCommand(command)
  if ('reason' in payload) return payload.reason
  core.lastProposal += 1
  core.proposals.set(core.lastProposal, { asker, term: 0 })
  core.effects.push({ type: 'raft.propose', proposal: core.lastProposal, payload })
  return null
}

export const handleProposed = (core: TopologyCore, { proposal, term, index }: Local<'raft.proposed'>): void => {
  const taken = core.proposals.get(proposal)
  if (taken === undefined) return
  core.proposals.delete(proposal)
  if (!leads(core, term) || index <= core.appliedIndex) {
    loseProposal(core, taken)
    return
  }
  taken.term = term
  core.inFlight.set(index, taken)
}

/** Nothing was appended. */
export const handleProposalRefused = (core: TopologyCore, { proposal, reason }: Local<'raft.proposalRefused'>): void => {
  const taken = core.proposals.get(proposal)
  if (taken === undefined) return
  core.proposals.delete(proposal)
  if (taken.asker !== null) {
    refuse(core, taken.asker, reason === 'tooManyUncommitted' || reason === 'tooLarge' ? 'overloaded' : 'notLeader')
    return
  }
  core.isDeciding = false
  core.restTicks = REFUSED_REST_TICKS
}

/** Its entry may still commit under another leader, or be overwritten. */
export const loseProposal = (core: TopologyCore, { asker }: Proposal): void => {
  if (asker === null) core.isDeciding = false
  else refuse(core, asker, 'outcomeUnknown')
}

export const handleReadReady = (core: TopologyCore, { read, index, term }: Local<'raft.readReady'>): void => {
  const reading = core.rounds.get(read)
  if (reading === undefined) return
  core.rounds.delete(read)
  if (!leads(core, term)) refuse(core, reading.asker, 'notLeader')
  else if (core.appliedIndex >= index) answerRead(core, reading)
  else core.readyReads.push({ index, reading })
}

export const handleReadRefused = (core: TopologyCore, { read, reason }: Local<'raft.readRefused'>): void => {
  const reading = core.rounds.get(read)
  if (reading === undefined) return
  core.rounds.delete(read)
  refuse(core, reading.asker, reason === 'tooManyWaiting' ? 'overloaded' : 'notLeader')
}

export const answerReadyReads = (core: TopologyCore): void => {
  if (core.readyReads.length === 0) return
  const waiting = core.readyReads
  core.readyReads = waiting.filter(({ index }) => index > core.appliedIndex)
  for (const { index, reading } of waiting) if (index <= core.appliedIndex) answerRead(core, reading)
}

const answerRead = (core: TopologyCore, { asker, isHistoryWanted }: Reading): void => {
  const state = isHistoryWanted ? core.state : { ...core.state, history: [] }
  core.effects.push({ type: 'topology.answer', to: asker.origin, message: { type: 'meta.state', request: asker.request, state } })
}

export const answerOutcome = (core: TopologyCore, { origin, request }: Asker, outcome: Outcome): void => {
  core.effects.push({ type: 'topology.answer', to: origin, message: { type: 'meta.outcome', request, outcome } })
}

const refuse = (core: TopologyCore, { origin, request }: Asker, reason: Refusal): void => {
  const message: MetaAnswer = { type: 'meta.refused', request, leader: core.leaderNode, reason }
  core.effects.push({ type: 'topology.answer', to: origin, message })
}

export const handleRoleChanged = (core: TopologyCore, event: Local<'raft.roleChanged'>): void => {
  const isSame = event.role === 'leader' && leads(core, event.term)
  core.now = event.now
  core.leaderNode = event.leaderNode
  if (core.role === 'leader' && !isSame) endLeadership(core)
  core.role = event.role
  core.term = event.term
  core.isSettled = event.role === 'leader' && event.settled
}

/** Proposals that Raft has not answered for stay: its answer says what became of them. */
const endLeadership = (core: TopologyCore): void => {
  const readings = [...core.rounds.values(), ...core.readyReads.map(({ reading }) => reading)]
  const lost = [...core.inFlight.values()]
  core.rounds.clear()
  core.readyReads = []
  core.inFlight.clear()
  core.driver = createDriver()
  core.standstill = createStandstill()
  core.loads = createLoads()
  core.planned = null
  core.restTicks = 0
  for (const { asker } of readings) refuse(core, asker, 'notLeader')
  for (const proposal of lost) loseProposal(core, proposal)
}
