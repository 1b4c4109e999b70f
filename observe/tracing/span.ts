/**
 * A span as it leaves a node: one thing that took time in the service of a request, told when it is over. Flat, since it waits for up to a
 * second and the collector of garbage carries each of its objects along.
 */

import type { TraceContext } from '../../actors/kernel/trace.ts'

export type SpanAttributes = Readonly<Record<string, string | number>>

export interface FinishedSpan {
  readonly name: string
  /** server: at the door. consumer: at a shard that another node forwarded to. */
  readonly kind: 'server' | 'consumer' | 'internal'
  /** Lower-case hex, as are all ids here. */
  readonly traceId: string
  readonly spanId: string
  /** Of the trace (actors/kernel/trace.ts). */
  readonly flags: number
  /** Empty: the trace begins with it. */
  readonly parentId: string
  /** The parent is another process's. */
  readonly isParentRemote: boolean
  /** Milliseconds since 1970 by the node's clock, with microseconds as a fraction; never later than `endMs`. */
  readonly startMs: number
  readonly endMs: number
  /** Never changed after it has been told: several spans may have the same ones. */
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
