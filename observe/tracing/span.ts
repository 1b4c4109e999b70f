/** A span as it leaves a node: one thing that took time in the service of a request, told when it is over. */

import type { TraceContext } from '../../actors/kernel/trace.ts'

export type SpanAttributes = Readonly<Record<string, string | number>>

export interface FinishedSpan {
  readonly name: string
  /** server: at the door. consumer: at a shard that another node forwarded to. */
  readonly kind: 'server' | 'consumer' | 'internal'
  readonly context: TraceContext
  /** Null: the trace begins with it. */
  readonly parent: { readonly spanId: string; readonly isRemote: boolean } | null
  /** Milliseconds since 1970 by the node's clock, with microseconds as a fraction; never later than `endMs`. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: SpanAttributes
  /** Spans of other requests that were served together with this one. */
  readonly links: readonly TraceContext[]
  readonly isFailed: boolean
}

/** Where ids come from: 32 and 16 hex digits, no two alike in all the world. */
export interface SpanIds {
  readonly trace: () => string
  readonly span: () => string
}
