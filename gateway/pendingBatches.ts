/**
 * The batches that wait for results, and the results that wait for the end of the turn: what was answered in one turn for one batch
 * leaves together, by position, in frames within the byte budget.
 */

import { must } from '../actors/kernel/assert.ts'
import { isRead } from '../actors/shard/operation.ts'
import { createResultsEncoder } from '../bus/codec/batchAnswers.ts'
import { noRoomYet, tooManyValues, valueTooLarge } from './batchRefusals.ts'
import type { Admission, Holding } from './admission.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { StatusName } from '../actors/shard/operation.ts'
import type { DoorInstruments } from './instruments.ts'
import type { BatchSessionId } from '../bus/codec/batch.ts'
import type { ResultRow } from '../bus/codec/batchAnswers.ts'
import type { PlacedOperation } from './batchOperation.ts'
import type { BatchSpans } from './batchSpans.ts'

export interface PendingLimits {
  /** Bytes of the values read for one batch: they may leave in one burst, which has to pass the bus's outbox. */
  readonly resultBytesMax: number
}

export interface PendingOptions {
  readonly limits: PendingLimits
  readonly admission: Admission
  readonly valueBytesMax: number
  readonly frameBytesMax: number
  readonly publish: (to: string, frame: Uint8Array) => void
  /** What may still be on its way to the broker, in bytes; what is published above it is dropped. */
  readonly roomBytes: () => number
  readonly requestFlush: () => void
  readonly clock: Clock
  readonly instruments?: DoorInstruments | undefined
}

interface ArrivedBatch {
  readonly session: BatchSessionId
  /** Of its session. */
  readonly holding: Holding
  readonly sequence: number
  readonly reply: string
  readonly bytes: number
  readonly operations: readonly PlacedOperation[]
  /** What the client said of its operations, by position. */
  readonly traces: ReadonlyMap<number, TraceContext> | null
  /** Of its sampled operations; null when none is. */
  readonly spans: BatchSpans | null
}

export interface PendingBatch extends ArrivedBatch {
  /** Operations without a result. */
  waiting: number
  /** Bytes of the values that were read for it so far. */
  valueBytes: number
  readonly arrivedAt: number
  /** Of its first operation that is not OK. */
  status: StatusName
  /** What the first of its operations that is kept, though it was not sampled, is kept by. */
  kept: TraceContext | undefined
  /** Results that have not left yet. */
  readonly rows: ResultRow[]
}

export interface PendingBatches {
  /** One without operations is complete at once. */
  readonly open: (batch: ArrivedBatch, now: number) => PendingBatch
  /** Once for every position. */
  readonly answer: (batch: PendingBatch, row: ResultRow) => void
  readonly flush: () => void
}

/** A batch mostly holds operations of one kind: its first stands for all. Examples of sampled operations come with their spans. */
const measure = (instruments: DoorInstruments, { operations, arrivedAt, status, spans, kept }: PendingBatch, now: number): void => {
  const [first] = operations
  if (first === undefined) return
  const { code } = first.operation
  instruments.took(code, now - arrivedAt, operations.length, status, spans?.first ?? kept)
  if (kept !== undefined) instruments.traced(code, now - arrivedAt, kept.traceId)
}

/** Field by field: a spread takes several times as long. */
const batchOf = ({ session, holding, sequence, reply, bytes, operations, traces, spans }: ArrivedBatch, now: number): PendingBatch => ({
  session, holding, sequence, reply, bytes, operations, traces, spans,
  waiting: operations.length, valueBytes: 0, arrivedAt: now, status: 'OK', kept: undefined, rows: [],
})

/** Values of one turn that are sent without a look at the room for them. */
const UNASKED_BYTES = 64 * 1_024
/** What stands around a value, its share of the frame's head included. */
const ROW_BYTES = 64

/** Mostly they are: shards answer in the order in which they were asked. */
const areInOrder = (rows: readonly ResultRow[]): boolean => {
  let last = -1
  for (const { position } of rows) {
    if (position < last) return false
    last = position
  }
  return true
}

export const createPendingBatches = (options: PendingOptions): PendingBatches => {
  const { limits, admission, requestFlush, instruments } = options
  /** Batches with something to send at the end of this turn, in the order in which they got it. */
  let touched: PendingBatch[] = []
  let replyTo = ''
  /** Bytes of the values that leave with the next flush, and the room there was for them when they became many. */
  let unsentBytes = 0
  let roomBytes: number | null = null
  const encoder = createResultsEncoder({ bytesMax: options.frameBytesMax, onFrame: (frame) => options.publish(replyTo, frame) })

  const touch = (batch: PendingBatch): void => {
    touched.push(batch)
    requestFlush()
  }
  const isRoomFor = (bytes: number): boolean => {
    if (unsentBytes + bytes <= UNASKED_BYTES) return true
    roomBytes ??= options.roomBytes()
    return unsentBytes + bytes + ROW_BYTES <= roomBytes
  }
  /** A read has no effect, so that what can not be sent may still be refused for certain. */
  const fitRead = (batch: PendingBatch, row: ResultRow): ResultRow => {
    const valueBytes = row.result.value?.length ?? 0
    if (valueBytes > options.valueBytesMax) return { ...row, result: valueTooLarge(valueBytes, options.valueBytesMax) }
    if (batch.valueBytes + valueBytes > limits.resultBytesMax) return { ...row, result: tooManyValues }
    if (!isRoomFor(valueBytes)) return { ...row, result: noRoomYet }
    batch.valueBytes += valueBytes
    unsentBytes += valueBytes + ROW_BYTES
    return row
  }

  return {
    open: (arrived, now) => {
      const batch = batchOf(arrived, now)
      admission.admit({ holding: batch.holding, operations: batch.waiting, bytes: batch.bytes }, now)
      if (batch.waiting === 0) {
        admission.released(batch.holding, batch.bytes)
        touch(batch)
      }
      return batch
    },
    answer: (batch, row) => {
      const { position, result: { status } } = row
      const { code } = must(batch.operations[position], 'an answer is for an operation of its batch').operation
      batch.rows.push(isRead(code) ? fitRead(batch, row) : row)
      if (batch.status === 'OK') batch.status = status
      instruments?.told(code, status)
      batch.spans?.answered(position)
      batch.waiting -= 1
      admission.answered(batch.holding)
      if (batch.waiting === 0) admission.released(batch.holding, batch.bytes)
      if (batch.rows.length === 1) touch(batch)
    },
    flush: () => {
      const batches = touched
      touched = []
      unsentBytes = 0
      roomBytes = null
      for (const batch of batches) {
        const { session, sequence, waiting, rows, reply, spans } = batch
        replyTo = reply
        if (!areInOrder(rows)) rows.sort((a, b) => a.position - b.position)
        encoder.encode({ session, sequence, isLast: waiting === 0, rows })
        if (spans !== null) spans.replied(rows)
        rows.length = 0
        if (waiting === 0 && instruments !== undefined) measure(instruments, batch, options.clock.now())
      }
    },
  }
}
