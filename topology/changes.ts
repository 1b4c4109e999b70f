/**
 * A change that a person asks for through this node: one command to the meta group, made for the epoch that was given, or else for the
 * newest that is known here, and again for the epoch that a refusal names: while moves are under way an epoch lives for a tenth of a
 * second. The request id is the same each time: it takes effect once.
 *
 * A change that could take nodes or zones away which replicas need (actors/topology/spread.ts) is judged first, by what the meta group's
 * leader knows, and made for exactly that epoch: whoever changes anything in between makes it stale, and it is judged again. What is judged
 * to be refused may be the repetition of a change that took effect when it was possible, and whose answer was lost: the meta group is
 * asked whether it remembers the request before anybody hears of a refusal. A forced one is judged, too, for what it costs, which is told
 * with the outcome.
 */

import { encodeCommand } from '../actors/topology/codec.ts'
import { refused } from '../actors/topology/refusals.ts'
import { costOf, refuseWorse, spreadKinds } from '../actors/topology/spread.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { MetaCommand, Outcome, Refused, Wish } from '../actors/topology/protocol.ts'
import type { LiveMap } from './liveMap.ts'
import type { MetaReads, Overview } from './metaReads.ts'
import type { Proposals } from './proposals.ts'

export interface ChangeRequest {
  readonly wish: Wish
  /** Null: whatever the epoch is. */
  readonly expectedEpoch: number | null
  readonly by: string
  /** To repeat it safely. */
  readonly request: string
  /** Even where fewer nodes or zones are left than replicas need. Absent: no. */
  readonly isForced?: boolean
}

export interface ChangesOptions {
  readonly live: Pick<LiveMap, 'state'>
  readonly clock: Pick<Clock, 'wall'>
  readonly reads: Pick<MetaReads, 'overview'>
  readonly proposals: Proposals
}

/** Of a change that is for no epoch in particular. */
const ATTEMPTS_MAX = 10

/** Before the first: a command made for it changes nothing, and is answered as stale unless its request is remembered. */
const NO_EPOCH = 0

/** Null when nobody who could decide answered: it may yet take effect. `cost`: what a change that was forced takes away, in words. */
export type Changed = (outcome: Outcome | null, cost?: string) => void
export type Change = (request: ChangeRequest, done: Changed) => void

export const createChanges = ({ live, clock, reads, proposals }: ChangesOptions): Change => {
  const commandOf = ({ wish, by, request }: ChangeRequest, epoch: number): MetaCommand =>
    ({ ...wish, expectedEpoch: epoch, at: Math.floor(clock.wall()), by, request })
  const proposeFor = (asked: ChangeRequest, epoch: number, done: (outcome: Outcome | null) => void): void =>
    proposals.propose(commandOf(asked, epoch), done)

  const judge = (asked: ChangeRequest, done: Changed): void => reads.overview((overview) => {
    const epoch = asked.expectedEpoch ?? overview?.state.epoch
    const refusal = overview === undefined || epoch === undefined ? null : refusalOf(asked, overview)
    if (refusal !== null) refuse(asked, refusal, done)
    else if (epoch === undefined || overview === undefined) done(null)
    else proposeFor(asked, epoch, done)
  })
  const refuse = (asked: ChangeRequest, refusal: Refused, done: Changed): void => {
    if (asked.request === '') done(refusal)
    else proposeFor(asked, NO_EPOCH, (outcome) => done(isStale(outcome) ? refusal : outcome))
  }
  /** Without a leader's word on who is lost nobody knows the price; for another epoch than the newest it is refused. */
  const proposeForced = (asked: ChangeRequest, done: Changed): void => reads.overview((overview) => {
    const { wish, expectedEpoch } = asked
    if (overview === undefined || (expectedEpoch !== null && expectedEpoch !== overview.state.epoch)) {
      proposeNow(asked, done)
      return
    }
    const cost = costOf(overview.state, overview.lost, wish)
    proposeFor(asked, overview.state.epoch, (outcome) => {
      // One that is remembered took effect earlier, at another price.
      if (outcome?.kind === 'applied' && outcome.epoch === overview.state.epoch + 1 && cost !== null) done(outcome, cost)
      else done(outcome)
    })
  })
  const proposeNow = (asked: ChangeRequest, done: Changed): void => {
    let epoch = asked.expectedEpoch ?? live.state().epoch
    untilTimely(asked, (answer) => proposeFor(asked, epoch, (outcome) => {
      epoch = outcome?.epoch ?? epoch
      answer(outcome)
    }), done)
  }

  return (asked, done) => {
    const encoded = encodeCommand(commandOf(asked, asked.expectedEpoch ?? NO_EPOCH))
    if ('reason' in encoded) {
      done(refused(live.state(), 'invalid', encoded.reason))
    } else if (!spreadKinds.includes(asked.wish.kind)) {
      proposeNow(asked, done)
    } else {
      const decide = asked.isForced === true ? proposeForced : judge
      untilTimely(asked, (answer) => decide(asked, answer), done)
    }
  }
}

/** Attempts again while somebody else was faster, unless the change is for one epoch alone. */
const untilTimely = ({ expectedEpoch }: ChangeRequest, attempt: (answer: Changed) => void, done: Changed): void => {
  let attempts = 0
  const next = (): void => {
    attempts += 1
    attempt((outcome, ...cost) => {
      if (isStale(outcome) && expectedEpoch === null && attempts < ATTEMPTS_MAX) next()
      else done(outcome, ...cost)
    })
  }
  next()
}

const isStale = (outcome: Outcome | null): outcome is Refused => outcome?.kind === 'refused' && outcome.reason === 'staleEpoch'

/** An older epoch is refused by the meta group, which may remember the request; for one that is not there yet nothing can be judged. */
const refusalOf = ({ wish, expectedEpoch }: ChangeRequest, { state, lost }: Overview): Refused | null => {
  if (expectedEpoch !== null && expectedEpoch > state.epoch) {
    return refused(state, 'staleEpoch', `made for epoch ${expectedEpoch}, and it is ${state.epoch}: look again, then ask again`)
  }
  return expectedEpoch !== null && expectedEpoch < state.epoch ? null : refuseWorse(state, lost, wish)
}
