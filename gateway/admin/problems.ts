/**
 * Errors of the admin API as problem+json (RFC 9457). `reason` is for programs, `detail` for people: it says what is wrong and what would
 * be possible instead, in the words of whoever refused.
 */

import type { Outcome, RefusalReason } from '../../actors/topology/protocol.ts'
import type { Problem } from './views.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** Reasons of this API itself. */
type OwnReason =
  | 'malformed' | 'noSuchPath' | 'methodNotAllowed' | 'unauthorised' | 'foreignHost' | 'foreignOrigin' | 'lengthRequired' | 'tooLarge'
  | 'unsupportedMediaType' | 'starting' | 'undecided' | 'givenUp' | 'overloaded' | 'internal'

export type ProblemReason = RefusalReason | OwnReason

const statuses: Readonly<Record<ProblemReason, number>> = {
  malformed: 400, unauthorised: 401, foreignHost: 403, foreignOrigin: 403, noSuchPath: 404, methodNotAllowed: 405, lengthRequired: 411,
  tooLarge: 413,
  unsupportedMediaType: 415, internal: 500, starting: 503, undecided: 503, overloaded: 503, givenUp: 504,
  unknownNode: 404, unknownGroup: 404, unknownReplica: 404, moveUnknown: 404,
  staleEpoch: 412,
  invalid: 422, keyReused: 422, weightOutOfRange: 422, zoneInvalid: 422, replicationFactorInvalid: 422,
  nodeLeft: 409, nodeDraining: 409, nodeExists: 409, nodeCarriesReplicas: 409, lastNode: 409, tooFewNodes: 409, tooManyNodes: 409,
  zonesTooFew: 409, noRedundancy: 409,
  alreadyThere: 409, wouldLoseQuorum: 409, tooFewReplicas: 409, moveInProgress: 409, paused: 409, notPaused: 409, notPossible: 409,
  levelUnknown: 409,
}

/** Of what passes by itself, in seconds: an election, a start, the answers that others wait for. */
const retryAfters: ReadonlyMap<string, number> = new Map<ProblemReason, number>([['undecided', 2], ['starting', 2], ['overloaded', 1]])

/** Seconds after which to ask again; undefined where that would change nothing. */
export const retryAfterOf = ({ reason }: Problem): number | undefined => retryAfters.get(reason)

type More = Pick<Problem, 'epoch' | 'errors'>

export const problemOf = (reason: ProblemReason, detail: string, more: More = {}): Problem =>
  ({ type: `urn:shardkv:problem:${reason}`, title: titleOf(reason), status: statuses[reason], detail, reason, ...more })

/** `tooFewNodes`: "Too few nodes". */
const titleOf = (reason: string): string => {
  const words = reason.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`
}

/** Thrown by handlers; the app answers with it. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem

  constructor(reason: ProblemReason, detail: string, more: More = {}) {
    super(detail)
    this.problem = problemOf(reason, detail, more)
  }
}

const UNDECIDED = 'no leader of the meta group answered: it may yet take effect. Repeat it with the same Idempotency-Key, or look at '
  + '/v1/events'

/** What was decided, or the problem that it was not. */
export const decidedOrThrow = (outcome: Outcome | null): Exclude<Outcome, { readonly kind: 'refused' }> => {
  if (outcome === null) throw new ProblemError('undecided', UNDECIDED)
  if (outcome.kind === 'refused') throw new ProblemError(outcome.reason, outcome.message, { epoch: outcome.epoch })
  return outcome
}
