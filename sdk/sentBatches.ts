/**
 * The batches of one link that wait for results, and what becomes of their calls. Three ways out for each call, one of which it takes:
 * its result came (`answered`), nobody received its copy (`unsent`), or nothing is known about that (`lost`).
 *
 * A batch whose time is over is late, not gone: its calls are lost and leave again, but what answers it yet settles them. That is safe
 * since a write keeps its session and sequence: whichever copy is executed, there is one result, and every copy's answer is that. Only
 * answers count of what is late; a refusal of an old copy says nothing about the new one.
 *
 * `bytes` counts a copy until it is answered or forgotten, a late one too: the node has it on its desk still.
 */

import { createPendingTable } from '../actors/kernel/pendingTable.ts'
import { isAnswer } from '../actors/shard/operation.ts'
import { LATE_MS_MAX } from './limits.ts'
import type { PendingTable } from '../actors/kernel/pendingTable.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { BatchSessionId } from '../bus/codec/batch.ts'
import type { BatchResults } from '../bus/codec/batchAnswers.ts'
import type { Call } from './call.ts'

export interface SentBatch {
  /** Within the door session, and of the link: no two that wait have the same. */
  readonly sequence: number
  readonly session: BatchSessionId
  /** In the subject of its answers. */
  readonly token: string
  /** By position; null once it has taken its way out. */
  readonly calls: (Call | null)[]
  /** How many have not. */
  open: number
  /** Of those. */
  bytes: number
  /** By the clock. */
  readonly sentAt: number
  /** By the clock: whatever has no result by then was lost on its way. Infinite while it may not have left this process. */
  expiresAt: number
}

export interface SentPorts {
  readonly onResult: (call: Call, result: OperationResult) => void
  /** Nobody received the call's last copy. */
  readonly onUnsent: (call: Call, problem: string) => void
  /** The call's last copy may be executed, or may yet be. */
  readonly onLost: (call: Call, problem: string) => void
}

export interface SentBatches {
  readonly add: (batch: SentBatch) => void
  /** Of a batch that waits for answers, late or not. */
  readonly tokenOf: (sequence: number) => string | undefined
  /** Batches that are not late. */
  readonly count: () => number
  /** Of calls without a result, late ones included. */
  readonly bytes: () => number
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
  /** Nothing of them can be answered any more. */
  readonly allLost: (problem: string) => void
  /** All are late from now on. */
  readonly allLate: (now: number, problem: string) => void
  /** Those are late whose time is over, and forgotten that are late for too long. */
  readonly expire: (now: number, problem: string) => void
  /** Forgets calls that are done. */
  readonly sweep: () => void
}

/** By sequence. */
interface Book {
  readonly ports: SentPorts
  readonly batches: PendingTable<SentBatch>
  /** Late ones. `expiresAt` is when they are forgotten. */
  readonly late: PendingTable<SentBatch>
  bytes: number
}

export const createSentBatches = (ports: SentPorts): SentBatches => {
  const book: Book = { ports, batches: createPendingTable(), late: createPendingTable(), bytes: 0 }
  const { batches, late } = book

  const take = (sequence: number): SentBatch | undefined => {
    const batch = batches.get(sequence)
    if (batch !== undefined) remove(book, batches, batch)
    return batch
  }
  const expire = (now: number, until: number, problem: string): void => {
    for (const batch of late.values()) if (batch.expiresAt <= now) remove(book, late, batch)
    for (const batch of batches.values()) if (batch.expiresAt <= until) makeLate(book, batch, { now, problem })
  }
  return {
    add: (batch) => {
      batches.set(batch.sequence, batch)
      book.bytes += batch.bytes
    },
    tokenOf: (sequence) => (batches.get(sequence) ?? late.get(sequence))?.token,
    count: batches.size,
    bytes: () => book.bytes,
    openSince: (since) => {
      let open = 0
      for (const batch of batches.values()) if (batch.sentAt > since) open += batch.open
      return open
    },
    take,
    answered: (frame, problem) => {
      const { session, sequence, isLast, rows } = frame
      const batch = batches.get(sequence)
      if (batch === undefined || session !== batch.session) {
        answerLate(book, frame)
        return
      }
      for (const { position, result } of rows) answer(book, batch, { position, result })
      if (!isLast) return
      remove(book, batches, batch)
      lose(book, batch, problem)
    },
    refused: (batch, result) => {
      for (const call of batch.calls) {
        if (call === null) continue
        call.isSent = false
        ports.onResult(call, result)
      }
    },
    unsent: (calls, problem) => {
      for (const call of calls) {
        if (call === null) continue
        call.isSent = false
        ports.onUnsent(call, problem)
      }
    },
    lost: (batch, problem) => { lose(book, batch, problem) },
    allLost: (problem) => {
      const all = batches.values()
      batches.clear()
      late.clear()
      book.bytes = 0
      for (const batch of all) lose(book, batch, problem)
    },
    allLate: (now, problem) => { expire(now, Number.POSITIVE_INFINITY, problem) },
    expire: (now, problem) => { expire(now, now, problem) },
    sweep: () => {
      for (const batch of batches.values()) forgetDone(book, batch)
      for (const batch of late.values()) {
        forgetDone(book, batch)
        if (batch.open === 0) remove(book, late, batch)
      }
    },
  }
}

interface Row {
  readonly position: number
  readonly result: OperationResult
}

const remove = (book: Book, from: PendingTable<SentBatch>, batch: SentBatch): void => {
  from.delete(batch.sequence)
  book.bytes -= batch.bytes
}

/** The call at that position has taken its way out. */
const close = (book: Book, batch: SentBatch, position: number): Call | null => {
  const call = batch.calls[position]
  if (call === undefined || call === null) return null
  batch.calls[position] = null
  batch.open -= 1
  batch.bytes -= call.bytes
  book.bytes -= call.bytes
  return call
}

const answer = (book: Book, batch: SentBatch, { position, result }: Row): void => {
  const call = close(book, batch, position)
  if (call === null) return
  call.isSent = false
  book.ports.onResult(call, result)
}

/** The call waits, or another copy of it is on its way. */
const answerLate = (book: Book, { session, sequence, isLast, rows }: BatchResults): void => {
  const batch = book.late.get(sequence)
  if (batch === undefined || session !== batch.session) return
  for (const { position, result } of rows) {
    const call = close(book, batch, position)
    if (call !== null && isAnswer(result.status)) book.ports.onResult(call, result)
  }
  if (isLast) remove(book, book.late, batch)
}

interface Lateness {
  readonly now: number
  readonly problem: string
}

const makeLate = (book: Book, batch: SentBatch, { now, problem }: Lateness): void => {
  book.batches.delete(batch.sequence)
  book.late.set(batch.sequence, batch)
  batch.expiresAt = now + LATE_MS_MAX
  lose(book, batch, problem)
}

const lose = ({ ports }: Book, { calls }: SentBatch, problem: string): void => {
  for (const call of calls) {
    if (call === null) continue
    call.isSent = false
    ports.onLost(call, problem)
  }
}

const forgetDone = (book: Book, batch: SentBatch): void => {
  batch.calls.forEach((call, position) => {
    if (call?.isDone === true) close(book, batch, position)
  })
}
