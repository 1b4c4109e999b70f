/**
 * Asks the meta group to decide something, from any node (topology/metaQuestions.ts).
 *
 * A proposal carries a request id, so that the same one may be asked again when an answer was lost: it takes effect once, and is answered
 * as the first time (actors/topology/protocol.ts). Without an answer within ASKED_MAX attempts nobody knows what became of it.
 */

import { assert } from '../actors/kernel/assert.ts'
import { encodeCommand } from '../actors/topology/codec.ts'
import { count, oneOf, record, text } from '../actors/topology/fields.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { MetaCommand, Outcome, RefusalReason } from '../actors/topology/protocol.ts'
import type { MetaQuestions, Redirect } from './metaQuestions.ts'

const ASKED_MAX = 20
const REASON_CHARACTERS_MAX = 64
const MESSAGE_CHARACTERS_MAX = 1_024

/** What became of a proposal; null when nobody who could decide answered. */
export type Proposed = (outcome: Outcome | null) => void

export interface Proposals {
  readonly propose: (command: MetaCommand, done: Proposed) => void
}

interface Decided {
  readonly outcome: Outcome
}

/** What the desk answers to a proposal. */
export type ProposalAnswer = Decided | Redirect

export const createProposals = ({ ask }: Pick<MetaQuestions, 'ask'>): Proposals => ({
  propose: (command, done) => {
    const bytes = encodeCommand(command)
    assert(!('reason' in bytes), 'reason' in bytes ? bytes.reason : '')
    ask({ request: { kind: 'propose', command: bytes }, askedMax: ASKED_MAX, answerOf: decided }, (answer) => done(answer?.outcome ?? null))
  },
})

type OutcomeOf<Kind extends Outcome['kind']> = Extract<Outcome, { readonly kind: Kind }>

const applied = record<OutcomeOf<'applied'>>({ kind: oneOf('applied'), epoch: count, move: count })
const unchanged = record<OutcomeOf<'unchanged'>>({ kind: oneOf('unchanged'), epoch: count })
const refused = record<OutcomeOf<'refused'>>({
  kind: oneOf('refused'), reason: text(REASON_CHARACTERS_MAX) as Check<RefusalReason>, epoch: count, message: text(MESSAGE_CHARACTERS_MAX),
})
const outcome: Check<Outcome> = (value) => applied(value) ?? unchanged(value) ?? refused(value)
const decided = record<Decided>({ outcome })
