/**
 * What applying an operation can come to. Outcomes with an effect or a final refusal are remembered for duplicates (apply.ts,
 * sessions.ts), so they are few and small: a status, a revision, a short value, and a message out of a fixed list.
 *
 * Beside the outcome stands what was asked, as a hash: what comes again under the same id and is the same gets the outcome, what is
 * something else is refused. Which of the two is an answer and no more: it changes nothing that is replicated, so replicas may differ
 * in what they know of the hashes (docs/adr/0012-reused-ids.md).
 */

import { UNKNOWN_CONTENT } from './contentHash.ts'
import type { Keyed } from './fifo.ts'
import type { OperationResult } from './operation.ts'

/** Of a request under an id. */
export interface Remembered {
  readonly outcome: OperationResult
  /** The request's `contentHashOf`; UNKNOWN_CONTENT matches anything. Set once, when it is made or read (restore.ts). */
  content: number
}

export interface RememberedRequest extends Remembered, Keyed {}

/** A remembered value is at most this long; of a longer one only status and revision are kept. Counters have 20 bytes at most. */
export const REMEMBERED_VALUE_BYTES_MAX = 64

/** Numbered by position in snapshots: append only. */
export const OUTCOME_MESSAGES = [
  '',
  'The value is not a signed 64-bit decimal: incr works on counters only.',
  'The sum does not fit in a signed 64-bit integer.',
  'The operation lacks what it needs.',
] as const

export const ok = (revision: number, value?: Uint8Array): OperationResult =>
  (value === undefined ? { status: 'OK', revision } : { status: 'OK', revision, value })

/** The key was not there: certain, and nothing changed. */
export const notFound: OperationResult = { status: 'NOT_FOUND', revision: 0, definite: true }

export const conflict = (revision: number): OperationResult => ({ status: 'CONFLICT', revision, definite: true })

export const notACounter: OperationResult = { status: 'INVALID', revision: 0, definite: true, message: OUTCOME_MESSAGES[1] }
export const counterOverflow: OperationResult = { status: 'INVALID', revision: 0, definite: true, message: OUTCOME_MESSAGES[2] }
export const incomplete: OperationResult = { status: 'INVALID', revision: 0, definite: true, message: OUTCOME_MESSAGES[3] }

/** What is remembered of an outcome. */
export const toRemember = (outcome: OperationResult): OperationResult =>
  (outcome.value !== undefined && outcome.value.length > REMEMBERED_VALUE_BYTES_MAX
    ? { status: outcome.status, revision: outcome.revision }
    : outcome)

/** Nothing was done, and nothing of it is remembered: under this id another write was done, or refused, before. */
export const reused: OperationResult = {
  status: 'REQUEST_ID_REUSED', revision: 0, definite: true,
  message: 'This request id was given to another write before: nothing was done. Send it again under an id of its own.',
}

/** What a request is told whose id is remembered. */
export const answerAgain = (first: Remembered, content: number): OperationResult =>
  (first.content === content || first.content === UNKNOWN_CONTENT ? asDuplicate(first.outcome) : reused)

export const asDuplicate = (outcome: OperationResult): OperationResult => ({ ...outcome, duplicate: true })
