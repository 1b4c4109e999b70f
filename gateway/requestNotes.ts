/** Requests that were not sampled and are worth keeping all the same: those that took long, and those that failed. */

import { OpCode, isAnswer } from '../actors/shard/operation.ts'
import type { ClientRequest } from '../actors/connection/protocol.ts'
import type { StatusName } from '../actors/shard/operation.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { RequestTracing } from './tracing.ts'

/** A request that takes longer is kept (docs/RECORDING.md). */
export const SLOW_REQUEST_MS = 100
const MICROS_PER_MS = 1_000

export interface AnsweredRequest {
  readonly request: Pick<ClientRequest, 'shard' | 'operation'>
  readonly status: StatusName
  readonly tookMs: number
  /** What its caller said of its trace. */
  readonly parent?: TraceContext | undefined
}

/** What it is kept by, for the log and for metrics: `shardkv trace` finds it under that. Of one that is not kept undefined. */
export const noteUnsampled = (
  tracing: RequestTracing | undefined, { request, status, tookMs, parent }: AnsweredRequest,
): TraceContext | undefined => {
  if (tracing?.noted === undefined || (tookMs < SLOW_REQUEST_MS && isAnswer(status))) return undefined
  const { shard, operation: { code, key } } = request
  return tracing.noted({ op: opNames.get(code) ?? '', shard, key, status, micros: Math.round(tookMs * MICROS_PER_MS), parent })
}

export const opNames: ReadonlyMap<OpCode, string> = new Map(Object.entries(OpCode).map(([name, code]) => [code, name]))
