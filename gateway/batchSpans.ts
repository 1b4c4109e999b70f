/**
 * The spans of the sampled operations of one SDK batch, by position: each is a request of its own, with the trace that the client's header
 * names for it (bus/headers.ts) or one that this node drew. Most batches have none, and then there is no object of this kind.
 */

import { beginAtDoor } from './doorSpans.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { PlacedOperation } from './batchOperation.ts'
import type { DoorInstruments } from './instruments.ts'
import type { RequestSpan, RequestTracing } from './tracing.ts'

export interface BatchSpans {
  /** Of its first sampled operation. */
  readonly first: TraceContext
  readonly contextOf: (position: number) => TraceContext | undefined
  readonly answered: (position: number) => void
  /** Their answers have left. */
  readonly replied: (rows: readonly { readonly position: number; readonly result: OperationResult }[]) => void
}

export interface BatchSpansOptions {
  readonly tracing: RequestTracing | undefined
  readonly instruments: DoorInstruments | undefined
  readonly now: () => number
}

export const openBatchSpans = (
  { tracing, instruments, now }: BatchSpansOptions,
  operations: readonly PlacedOperation[],
  traces: ReadonlyMap<number, TraceContext> | null,
): BatchSpans | null => {
  if (tracing === undefined || (traces === null && tracing.draw === undefined)) return null
  let spans: Map<number, RequestSpan> | null = null
  let first: TraceContext | null = null
  for (let position = 0; position < operations.length; position += 1) {
    const span = beginAtDoor(tracing, operations[position] as PlacedOperation, traces?.get(position))
    if (span === null) continue
    (spans ??= new Map<number, RequestSpan>()).set(position, span)
    first ??= span.context
  }
  return spans === null || first === null ? null : spansIn({ spans, operations, instruments, now, arrivedAt: now() }, first)
}

const spansIn = (batch: SampledBatch, first: TraceContext): BatchSpans => {
  const { spans } = batch
  return {
    first,
    contextOf: (position) => spans.get(position)?.context,
    answered: (position) => spans.get(position)?.answered?.(),
    replied: (rows) => endSpans(batch, rows),
  }
}

interface SampledBatch extends Omit<BatchSpansOptions, 'tracing'> {
  readonly spans: Map<number, RequestSpan>
  readonly operations: readonly PlacedOperation[]
  readonly arrivedAt: number
}

/** Not in the batch's own function: that is gone with the batch, and with it what V8 compiled for it. */
const endSpans = ({ spans, operations, instruments, now, arrivedAt }: SampledBatch, rows: Parameters<BatchSpans['replied']>[0]): void => {
  for (const { position, result } of rows) {
    const span = spans.get(position)
    if (span === undefined) continue
    spans.delete(position)
    span.end(result.status)
    instruments?.traced(operations[position]?.operation.code ?? 0, now() - arrivedAt, span.context.traceId)
  }
}
