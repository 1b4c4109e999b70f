/** The tracing port of the front doors (implementation: observe/requestTracing.ts; the simulator has none). */

import type { StatusName } from '../actors/shard/operation.ts'
import type { TraceContext } from '../bus/headers.ts'
import type { ShardId } from '../topology/ids.ts'

export interface RequestSpan {
  readonly end: (status: StatusName) => void
}

export interface RequestTracing {
  /** Null when the request is not sampled. */
  readonly begin: (request: { readonly op: string; readonly shard: ShardId; readonly parent: TraceContext }) => RequestSpan | null
}
