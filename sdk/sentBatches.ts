/**
 * The batches of one link that wait for results, and what becomes of their calls. Three ways out for each call, one of which it takes:
 * its result came (`answered`), nobody received its copy (`unsent`), or nothing is known about that (`lost`).
 */

import type { OperationResult } from '../actors/shard/operation.ts'
import type { BatchSessionId } from '../bus/codec/batch.ts'
import type { BatchResults } from '../bus/codec/batchAnswers.ts'
import type { Call } from './call.ts'

export interface SentBatch {
  readonly session: BatchSessionId
  /** By position; null once it has taken its way out. */
  readonly calls: (Call | null)[]
  /** How many have not. */
  open: number
  /** By the clock. */
  readonly sentAt: number
  /** By the clock: whatever has no result by then was lost on its way. */
  readonly expiresAt: number
}

export interface SentPorts {
  readonly onResult: (call: Call, result: OperationResult) => void
  /** Nobody received the call's last copy. */
  readonly onUnsent: (call: Call, problem: string) => void
  /** The call's last copy may be executed, or may yet be. */
  readonly onLost: (call: Call, problem: string) => void
}

export interface SentBatches {
  readonly add: (sequence: number, batch: SentBatch) => void
  readonly count: () => number
  /** Calls without a result, in batches that were sent after `since`. */
  readonly openSince: (since: number) => number
  /** Out of the book: its calls are the caller's now. */
  readonly take: (sequence: number) => SentBatch | undefined
  /** Rows of one frame; what has none after the last frame is lost. */
  readonly answered: (frame: BatchResults, problem: string) => void
  /** One result for every call. */
  readonly refused: (batch: SentBatch, result: OperationResult) => void
  readonly unsent: (calls: readonly (Call | null)[], problem: string) => void
  readonly lost: (batch: SentBatch, problem: string) => void
  readonly allLost: (problem: string) => void
  readonly expire: (now: number, problem: string) => void
  /** Forgets calls that are done. */
  readonly sweep: () => void
}

export const createSentBatches = (ports: SentPorts): SentBatches => {
  const batches = new Map<number, SentBatch>()

  const answer = (batch: SentBatch, position: number, result: OperationResult): void => {
    const call = batch.calls[position]
    if (call === undefined || call === null) return
    batch.calls[position] = null
    batch.open -= 1
    call.isSent = false
    ports.onResult(call, result)
  }
  const unsent: SentBatches['unsent'] = (calls, problem) => {
    for (const call of calls) {
      if (call === null) continue
      call.isSent = false
      ports.onUnsent(call, problem)
    }
  }
  const lost: SentBatches['lost'] = ({ calls }, problem) => {
    for (const call of calls) {
      if (call === null) continue
      call.isSent = false
      ports.onLost(call, problem)
    }
  }
  return {
    add: (sequence, batch) => {
      batches.set(sequence, batch)
    },
    count: () => batches.size,
    openSince: (since) => {
      let open = 0
      for (const batch of batches.values()) if (batch.sentAt > since) open += batch.open
      return open
    },
    take: (sequence) => {
      const batch = batches.get(sequence)
      batches.delete(sequence)
      return batch
    },
    answered: ({ session, sequence, isLast, rows }, problem) => {
      const batch = batches.get(sequence)
      if (batch === undefined || session !== batch.session) return
      for (const { position, result } of rows) answer(batch, position, result)
      if (!isLast) return
      batches.delete(sequence)
      lost(batch, problem)
    },
    refused: (batch, result) => {
      batch.calls.forEach((_, position) => { answer(batch, position, result) })
    },
    unsent,
    lost,
    allLost: (problem) => {
      const all = [...batches.values()]
      batches.clear()
      for (const batch of all) lost(batch, problem)
    },
    expire: (now, problem) => {
      for (const [sequence, batch] of batches) {
        if (batch.expiresAt > now) continue
        batches.delete(sequence)
        lost(batch, problem)
      }
    },
    sweep: () => {
      for (const batch of batches.values()) {
        batch.calls.forEach((call, position) => {
          if (call?.isDone !== true) return
          batch.calls[position] = null
          batch.open -= 1
        })
      }
    },
  }
}
