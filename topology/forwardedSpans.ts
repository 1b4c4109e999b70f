/**
 * Spans of batches that other nodes forwarded here on behalf of sampled requests: from their arrival to their reply.
 *
 * A shard that loses its leadership answers what was forwarded to it, but a batch may also never be answered (its shard stops). So at most
 * FORWARDED_SPANS_MAX are open, and the oldest ends as TIMEOUT when one more arrives.
 */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { RequestSpan, RequestTracing } from '../gateway/tracing.ts'
import type { ShardId } from './ids.ts'

export const FORWARDED_SPANS_MAX = 1_024

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>
type ShardReply = Extract<ShardMessage, { type: 'shard.reply' }>

export interface ForwardedSpans {
  readonly begin: (shard: ShardId, origin: Origin, request: ShardRequest, parent: TraceContext) => void
  readonly end: (to: Origin, reply: ShardReply) => void
}

export const createForwardedSpans = (tracing: RequestTracing | undefined): ForwardedSpans => {
  const open = new Map<string, RequestSpan>()
  const take = (key: string | undefined): RequestSpan | undefined => {
    const span = key === undefined ? undefined : open.get(key)
    if (key !== undefined) open.delete(key)
    return span
  }
  return {
    begin: (shard, origin, { batch, operations }, parent) => {
      const span = tracing?.beginForwarded({ shard, operations: operations.length, parent })
      if (span === undefined) return
      if (open.size >= FORWARDED_SPANS_MAX) take(open.keys().next().value)?.end('TIMEOUT')
      open.set(keyOf(shard, origin, batch), span)
    },
    end: (to, { shard, batch, results }) => {
      if (open.size > 0) take(keyOf(shard, to, batch))?.end(results.find(({ status }) => status !== 'OK')?.status ?? 'OK')
    },
  }
}

const keyOf = (shard: ShardId, { node, address }: Origin, batch: number): string => `${shard} ${node} ${address} ${batch}`
