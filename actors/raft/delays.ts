/**
 * How long a new replica takes to answer what it is sent: what the pace of copying follows (allowance.ts). An answer brings no time
 * with it, so it asks for a flush, and flushes look.
 */

import { noteDelay } from './allowance.ts'
import type { Progress } from './progress.ts'
import type { RaftCore } from './state.ts'

/** A new replica has answered, and nobody has looked how long that took. */
export const isToBeTimed = ({ isLearner, answeredSentAt }: Progress): boolean => isLearner && answeredSentAt !== null

/** Of a probe, or of a transfer that was begun again, the peer may be gone: nothing is told by that. */
export const noteDelays = ({ allowance, now }: RaftCore, progress: Progress): void => {
  const { state, isLearner, answeredSentAt, transfer } = progress
  progress.answeredSentAt = null
  if (!isLearner || state === 'probe' || (transfer?.retries ?? 0) > 0) return
  const unansweredSentAt = unansweredSince(progress)
  if (unansweredSentAt !== undefined) noteDelay(allowance, now - unansweredSentAt, fastestOf(progress))
  if (answeredSentAt === null) return
  progress.fastestMs = Math.min(progress.fastestMs, now - answeredSentAt)
  noteDelay(allowance, now - answeredSentAt, progress.fastestMs)
}

/** The last chunk is answered once all of the snapshot is verified and in force: that takes its time. */
const unansweredSince = ({ transfer, inFlight }: Progress): number | undefined => {
  if (transfer === null) return inFlight[0]?.sentAt
  const [oldest] = transfer.asked
  return oldest?.endOffset === transfer.totalBytes ? undefined : oldest?.sentAt
}

/** As long as nothing was answered, any time is slow. */
const fastestOf = ({ fastestMs }: Progress): number => (Number.isFinite(fastestMs) ? fastestMs : 0)
