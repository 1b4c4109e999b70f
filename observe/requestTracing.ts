/**
 * Spans for traced requests, through the OpenTelemetry API: a request whose `traceparent` says that it is sampled gets a server span from
 * its arrival to its answer. Without an SDK in the process the API does nothing and costs next to nothing; unsampled requests do not
 * even reach it.
 */

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { RequestTracing } from '../gateway/tracing.ts'

const SAMPLED = 1

export const createRequestTracing = (node: string): RequestTracing => {
  const tracer = trace.getTracer('shardkv')
  return {
    begin: ({ op, shard, parent }) => {
      if ((parent.flags & SAMPLED) === 0) return null
      const { traceId, spanId, flags } = parent
      const context = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true })
      const attributes = { 'db.system.name': 'shardkv', 'db.operation.name': op, 'shardkv.shard': shard, 'shardkv.node': node }
      const span = tracer.startSpan(`kv ${op}`, { kind: SpanKind.SERVER, attributes }, context)
      return {
        end: (status) => {
          span.setAttribute('shardkv.status', status)
          if (status === 'INTERNAL') span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
  }
}
