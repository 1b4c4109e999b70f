/**
 * Asks the meta group to decide something, from any node: members are tried in turn until one answers that leads, or says who does.
 *
 * A proposal carries a request id, so that the same one may be asked again when an answer was lost: it takes effect once, and is answered
 * as the first time (actors/topology/protocol.ts). Without an answer within ASKED_MAX attempts nobody knows what became of it.
 */

import { assert } from '../actors/kernel/assert.ts'
import { encodeCommand } from '../actors/topology/codec.ts'
import { count, node, oneOf, record, text } from '../actors/topology/fields.ts'
import { nodeOf } from './ids.ts'
import type { Cancel, Clock } from '../actors/kernel/clock.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { MetaCommand, Outcome, RefusalReason } from '../actors/topology/protocol.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { TopologyDesk } from './topologyDesk.ts'

const ASKED_MAX = 20
const PAUSE_MS = 250
const REASON_CHARACTERS_MAX = 64
const MESSAGE_CHARACTERS_MAX = 1_024

/** What became of a proposal; null when nobody who could decide answered. */
export type Proposed = (outcome: Outcome | null) => void

export interface Proposals {
  readonly propose: (command: MetaCommand, done: Proposed) => void
  readonly stop: () => void
}

export interface ProposalsOptions {
  readonly live: Pick<LiveMap, 'state'>
  readonly clock: Clock
  readonly ask: TopologyDesk['ask']
}

/** What the desk answers to a proposal. */
export type ProposalAnswer =
  | { readonly outcome: Outcome }
  /** Not the leader; empty when it knows of none. */
  | { readonly leader: NodeId | '' }

export const createProposals = ({ live, clock, ask }: ProposalsOptions): Proposals => {
  const pauses = new Set<Cancel>()
  let isStopped = false

  const attempt = (command: MetaCommand, asked: number, hint: NodeId | '', done: Proposed): void => {
    const members = live.state().meta.replicas.map(nodeOf)
    const to = hint === '' ? members[asked % members.length] : hint
    if (asked === ASKED_MAX || to === undefined) {
      done(null)
      return
    }
    const bytes = encodeCommand(command)
    assert(!('reason' in bytes), 'reason' in bytes ? bytes.reason : '')
    ask(to, { kind: 'propose', command: bytes }, (value) => {
      const answer = proposalAnswerOf(value)
      if (answer !== undefined && 'outcome' in answer) done(answer.outcome)
      else if (answer !== undefined && answer.leader !== '' && answer.leader !== to) attempt(command, asked + 1, answer.leader, done)
      else later(() => attempt(command, asked + 1, '', done))
    })
  }
  const later = (next: () => void): void => {
    const cancel = clock.after(PAUSE_MS, () => {
      pauses.delete(cancel)
      if (!isStopped) next()
    })
    pauses.add(cancel)
  }
  return {
    propose: (command, done) => attempt(command, 0, '', done),
    stop: () => {
      isStopped = true
      for (const cancel of pauses) cancel()
    },
  }
}

type OutcomeOf<Kind extends Outcome['kind']> = Extract<Outcome, { readonly kind: Kind }>

const applied = record<OutcomeOf<'applied'>>({ kind: oneOf('applied'), epoch: count, move: count })
const unchanged = record<OutcomeOf<'unchanged'>>({ kind: oneOf('unchanged'), epoch: count })
const refused = record<OutcomeOf<'refused'>>({
  kind: oneOf('refused'), reason: text(REASON_CHARACTERS_MAX) as Check<RefusalReason>, epoch: count, message: text(MESSAGE_CHARACTERS_MAX),
})
const outcome: Check<Outcome> = (value) => applied(value) ?? unchanged(value) ?? refused(value)
const decided = record<{ readonly outcome: Outcome }>({ outcome })
const redirected = record<{ readonly leader: NodeId | '' }>({ leader: (value) => (value === '' ? '' : node(value)) })

/** What a member answered, or undefined when it is no answer. */
const proposalAnswerOf: Check<ProposalAnswer> = (value) => decided(value) ?? redirected(value)
