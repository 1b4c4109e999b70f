/**
 * Spans of batches with sampled requests at the shards that are to execute them, of this node's doors or forwarded by other nodes: from
 * their arrival to their reply.
 *
 * A shard that loses its leadership answers what was forwarded to it, but a batch may also never be answered (its shard stops). So at most
 * SHARD_SPANS_MAX are open, and the oldest ends as TIMEOUT when one more arrives.
 */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { RequestSpan, RequestTracing } from '../gateway/tracing.ts'
import type { NodeId, ShardId } from './ids.ts'

export const SHARD_SPANS_MAX = 1_024

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>
type ShardReply = Extract<ShardMessage, { type: 'shard.reply' }>

export interface ShardSpans {
  /** What the shard's work for it is a child of. */
  readonly begin: (shard: ShardId, origin: Origin, request: ShardRequest, parent: TraceContext) => TraceContext
  /** Of what has begun and not ended. */
  readonly contextOf: (shard: ShardId, to: Origin, batch: number) => TraceContext | undefined
  readonly end: (to: Origin, reply: ShardReply) => void
}

export const createShardSpans = (self: NodeId, tracing: RequestTracing | undefined): ShardSpans => {
  const open = new Map<string, RequestSpan>()
  const take = (key: string | undefined): RequestSpan | undefined => {
    const span = key === undefined ? undefined : open.get(key)
    if (key !== undefined) open.delete(key)
    return span
  }
  return {
    begin: (shard, origin, { batch, operations }, parent) => {
      const isForwarded = origin.node !== self
      const span = tracing?.beginAtShard({ shard, operations: operations.length, parent, isForwarded })
      if (span === undefined) return parent
      if (open.size >= SHARD_SPANS_MAX) take(open.keys().next().value)?.end('TIMEOUT')
      const key = keyOf(shard, origin, batch)
      // A frame that comes again: the first has lost its name.
      take(key)?.end('TIMEOUT')
      open.set(key, span)
      return span.context
    },
    contextOf: (shard, to, batch) => (open.size > 0 ? open.get(keyOf(shard, to, batch))?.context : undefined),
    end: (to, { shard, batch, results }) => {
      if (open.size > 0) take(keyOf(shard, to, batch))?.end(results.find(({ status }) => status !== 'OK')?.status ?? 'OK')
    },
  }
}

const keyOf = (shard: ShardId, { node, address }: Origin, batch: number): string => `${shard} ${node} ${address} ${batch}`
