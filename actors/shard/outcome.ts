/**
 * What applying an operation can come to. Outcomes with an effect or a final refusal are remembered for duplicates (dedup.ts,
 * sessions.ts), so they are few and small: a status, a revision, a short value, and a message out of a fixed list.
 */

import type { OperationResult } from './operation.ts'

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

export const asDuplicate = (outcome: OperationResult): OperationResult => ({ ...outcome, duplicate: true })
