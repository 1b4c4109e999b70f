/**
 * How long the refused are told to wait. One figure for all would let them come back in the same numbers: the wait grows with the excess,
 *
 *   wait = retryAfterMs * max(1, refused / taken), at most retryAfterMsMax, over the last one to two WINDOW_MS,
 *
 * so that what comes back in a second shrinks to about what can be taken, however many they are. It starts anew when the excess ends.
 * Clients spread what they are told (sdk/backoff.ts): the same wait for all of one moment does not bring all back in one moment.
 */

const WINDOW_MS = 500

export interface RetryAfterLimits {
  /** Told while no more is refused than taken, in milliseconds. Shorter than what is in flight takes, or a node that refused falls idle. */
  readonly retryAfterMs: number
  /** The longest, in milliseconds. Well below the timeout of a caller, which should be able to come back a few times. */
  readonly retryAfterMsMax: number
}

export interface RetryAfter {
  readonly taken: (amount: number, now: number) => void
  /** Milliseconds to wait. Amounts in any unit, the same for both. */
  readonly refused: (amount: number, now: number) => number
}

export const createRetryAfter = ({ retryAfterMs, retryAfterMsMax }: RetryAfterLimits): RetryAfter => {
  let startedAt = Number.NEGATIVE_INFINITY
  let now = { taken: 0, refused: 0 }
  let before = now
  const turnTo = (at: number): void => {
    if (at - startedAt < WINDOW_MS) return
    before = at - startedAt < 2 * WINDOW_MS ? now : { taken: 0, refused: 0 }
    now = { taken: 0, refused: 0 }
    startedAt = at
  }
  return {
    taken: (amount, at) => {
      turnTo(at)
      now.taken += amount
    },
    refused: (amount, at) => {
      turnTo(at)
      now.refused += amount
      const excess = (now.refused + before.refused) / Math.max(1, now.taken + before.taken)
      return Math.round(Math.min(retryAfterMsMax, retryAfterMs * Math.max(1, excess)))
    },
  }
}
