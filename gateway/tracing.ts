/** The tracing port of a node (implementation: observe/requestTracing.ts; the simulator has none). */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { StatusName } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'

export interface RequestSpan {
  /** What work done for this span elsewhere is a child of. */
  readonly context: TraceContext
  readonly end: (status: StatusName) => void
}

export interface RequestTracing {
  /** A request at a front door. Null when it is not sampled. */
  readonly begin: (request: { readonly op: string; readonly shard: ShardId; readonly parent: TraceContext }) => RequestSpan | null
  /** A batch that another node forwarded, with at least one sampled request in it. */
  readonly beginForwarded: (batch: { readonly shard: ShardId; readonly operations: number; readonly parent: TraceContext }) => RequestSpan
}
