/**
 * Spans on their way out of the process: they wait here, and leave in batches, one at a time. Whoever adds one never waits and never fails.
 *
 * Limits: SPANS_QUEUED_MAX wait, what comes above it is dropped and counted; a batch is SPANS_A_BATCH_MAX. A batch that the receiver does
 * not take is given up (the exporter has tried again by itself) and counted, and the next waits for RETRY_MS. What has not left when the
 * queue closes is dropped and counted: every span that is added is in one count in the end, and in one only.
 */

import type { Clock } from '../../actors/kernel/clock.ts'
import type { FinishedSpan } from './span.ts'
import type { SpanDrops } from './spanDrops.ts'

export const SPANS_QUEUED_MAX = 8_192
/**
 * An export costs as much as some hundreds of spans before the first is in it, and holds the loop for 1.6 us a span. At the usual limit
 * a node has about 1,300 spans a second, so that it is the second that ends a batch, not this.
 */
export const SPANS_A_BATCH_MAX = 2_048
const EVERY_MS = 1_000
const RETRY_MS = 5_000

export interface SpanExporter {
  /** Calls back once. */
  readonly send: (spans: readonly FinishedSpan[], done: (error: Error | null) => void) => void
  readonly shutdown: () => void
}

export interface SpanCounts {
  readonly exported: number
  /** Not taken by the receiver. */
  readonly failed: number
}

export interface SpanQueue {
  readonly add: (span: FinishedSpan) => void
  readonly counts: () => SpanCounts
  readonly waiting: () => number
  /** Sends what waits, for as long as it may take, and calls back. */
  readonly close: (withinMs: number, done: () => void) => void
}

export interface SpanQueueOptions {
  readonly exporter: SpanExporter
  readonly clock: Pick<Clock, 'after'>
  readonly drops: SpanDrops
  readonly onProblem: (error: Error) => void
}

export const createSpanQueue = ({ exporter, clock, drops, onProblem }: SpanQueueOptions): SpanQueue => {
  const counts = { exported: 0, failed: 0 }
  let queue: FinishedSpan[] = []
  let isSending = false
  /** Spans of the batch that is being sent. */
  let sending = 0
  /** The receiver did not take the last batch, and RETRY_MS are not over. */
  let isBackingOff = false
  let isClosing = false
  let isClosed = false
  let cancel: (() => void) | null = null
  let closed: (() => void) | null = null

  const arm = (ms: number): void => {
    cancel ??= clock.after(ms, () => {
      cancel = null
      isBackingOff = false
      flush()
    })
  }
  const flush = (): void => {
    if (isSending || queue.length === 0) return
    const batch = queue.slice(0, SPANS_A_BATCH_MAX)
    queue = queue.slice(SPANS_A_BATCH_MAX)
    isSending = true
    sending = batch.length
    let isDone = false
    const done = (error: Error | null): void => {
      if (isDone) return
      isDone = true
      isSending = false
      ended(batch.length, error)
    }
    try {
      exporter.send(batch, done)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }
  /** What is heard of a batch after the end comes too late: it is counted already. */
  const ended = (count: number, error: Error | null): void => {
    if (isClosed) return
    sending = 0
    counts[error === null ? 'exported' : 'failed'] += count
    isBackingOff = error !== null
    if (error !== null) onProblem(error)
    if (isClosing && (error !== null || queue.length === 0)) closed?.()
    else if (isClosing || queue.length >= SPANS_A_BATCH_MAX && !isBackingOff) flush()
    else if (isBackingOff) arm(RETRY_MS)
    else if (queue.length > 0) arm(EVERY_MS)
  }
  return {
    add: (span) => {
      if (isClosing || queue.length >= SPANS_QUEUED_MAX) {
        drops.add(isClosing ? 'end' : 'queue')
        return
      }
      queue.push(span)
      if (queue.length === SPANS_A_BATCH_MAX && cancel !== null && !isSending && !isBackingOff) {
        cancel()
        cancel = null
        arm(0)
      } else if (!isSending) arm(EVERY_MS)
    },
    counts: () => counts,
    waiting: () => queue.length,
    close: (withinMs, done) => {
      const giveUp = clock.after(withinMs, () => closed?.())
      closed = () => {
        closed = null
        giveUp()
        isClosed = true
        drops.add('end', sending + queue.length)
        queue = []
        exporter.shutdown()
        done()
      }
      isClosing = true
      cancel?.()
      if (!isSending && queue.length === 0) closed()
      else flush()
    },
  }
}
