/**
 * How much a node takes in through its batch door before it says OVERLOADED. What is in flight beyond what keeps its shards and its
 * disk busy does not make them faster, it only waits (Little's law), and its callers give up before their turn.
 *
 *                         below the maxima              above them                      above twice the maxima
 *   a session may send    as much as it likes           while it holds less than an      nothing
 *                                                       equal share of each maximum
 *
 * The shares are for whoever shares a node with a client that floods it and waits for nobody: it takes the room as it comes free, and
 * the others would find none. Limits are passed by one batch at most, since a batch is counted after it was let in: whether there is
 * room is said before a batch is read, which makes a refusal cheap.
 */

import { createRetryAfter } from '../actors/kernel/retryAfter.ts'
import type { RetryAfterLimits } from '../actors/kernel/retryAfter.ts'

export interface AdmissionLimits extends RetryAfterLimits {
  /**
   * Operations of all sessions that wait for their result. The peak needs some hundreds a node. What is in flight moves in lumps, since
   * whatever commits together is applied, answered and replaced by as much in one turn: at 8,192, turns took up to 160 ms of CPU, and on
   * a machine that gives a node a tenth of a core its leaders lost their quorum over them; at 2,048, about 10 ms.
   */
  readonly pendingOperationsMax: number
  /** Bytes of the frames that brought them; their values stay in memory as long. */
  readonly pendingBytesMax: number
}

/** Of one session. */
export interface Holding {
  operations: number
  bytes: number
}

export const nothingHeld = (): Holding => ({ operations: 0, bytes: 0 })

export interface Arrived {
  readonly holding: Holding
  readonly operations: number
  readonly bytes: number
}

export interface Admission {
  readonly hasRoom: (holding: Holding) => boolean
  readonly admit: (batch: Arrived, now: number) => void
  /** One operation has its result. */
  readonly answered: (holding: Holding) => void
  /** A batch has all its results. */
  readonly released: (holding: Holding, bytes: number) => void
  /** Milliseconds that the caller is told to wait. */
  readonly refuse: (bytes: number, now: number) => number
  readonly operations: () => number
}

/** Above the maxima, up to this many times as much, sessions below their share are let in. */
const SHARED_TIMES = 2

export const createAdmission = (limits: AdmissionLimits): Admission => {
  const { pendingOperationsMax, pendingBytesMax } = limits
  const retryAfter = createRetryAfter(limits)
  let operations = 0
  let bytes = 0
  /** Sessions that wait for something. */
  let holders = 0
  const isBelow = (times: number): boolean => operations < pendingOperationsMax * times && bytes < pendingBytesMax * times
  /** In both: a few large values would fill the room of all as many small ones do. */
  const isBelowShare = (holding: Holding): boolean => {
    const sharers = Math.max(1, holders)
    return holding.operations < pendingOperationsMax / sharers && holding.bytes < pendingBytesMax / sharers
  }

  return {
    hasRoom: (holding) => isBelow(1) || (isBelowShare(holding) && holding.operations < operations && isBelow(SHARED_TIMES)),
    admit: (batch, now) => {
      const { holding } = batch
      if (batch.operations > 0 && holding.operations === 0) holders += 1
      holding.operations += batch.operations
      holding.bytes += batch.bytes
      operations += batch.operations
      bytes += batch.bytes
      retryAfter.taken(batch.bytes, now)
    },
    answered: (holding) => {
      holding.operations -= 1
      operations -= 1
      if (holding.operations === 0) holders -= 1
    },
    released: (holding, released) => {
      holding.bytes -= released
      bytes -= released
    },
    refuse: (refused, now) => retryAfter.refused(refused, now),
    operations: () => operations,
  }
}
