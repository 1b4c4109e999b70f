/** Where a request's trace begins here: with what its caller said, or with a trace of its own where this node samples. */

import { opNames } from './requestNotes.ts'
import type { ClientRequest } from '../actors/connection/protocol.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { RequestSpan, RequestTracing } from './tracing.ts'

type Asked = Pick<ClientRequest, 'shard' | 'operation'>

/** Null: it is not sampled, which is said before anything is made for it. */
export const beginAtDoor = (
  tracing: RequestTracing | undefined, request: Asked, trace: TraceContext | undefined, isProbe = false,
): RequestSpan | null => {
  if (tracing === undefined) return null
  const parent = trace ?? tracing.draw?.() ?? null
  if (parent === null) return null
  const { shard, operation: { code, key } } = request
  return tracing.begin({ op: opNames.get(code) ?? '', shard, key, parent, isRoot: trace === undefined, isProbe })
}
