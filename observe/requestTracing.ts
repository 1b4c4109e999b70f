/**
 * Spans for traced requests, through the OpenTelemetry API: a request whose `traceparent` says that it is sampled gets a server span from
 * its arrival to its answer, and a consumer span on the node it is forwarded to. Without an SDK in the process the API does nothing
 * and costs next to nothing; unsampled requests do not even reach it.
 */

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Attributes, Span } from '@opentelemetry/api'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { RequestSpan, RequestTracing } from '../gateway/tracing.ts'

const SAMPLED = 1

export const createRequestTracing = (node: string): RequestTracing => {
  const tracer = trace.getTracer('shardkv')
  const start = (name: string, parent: TraceContext, span: { readonly kind: SpanKind; readonly attributes: Attributes }): RequestSpan => {
    const { traceId, spanId, flags } = parent
    const context = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true })
    const attributes = { 'db.system.name': 'shardkv', 'shardkv.node': node, ...span.attributes }
    return requestSpan(tracer.startSpan(name, { kind: span.kind, attributes }, context))
  }
  return {
    begin: ({ op, shard, parent }) => {
      if ((parent.flags & SAMPLED) === 0) return null
      return start(`kv ${op}`, parent, { kind: SpanKind.SERVER, attributes: { 'db.operation.name': op, 'shardkv.shard': shard } })
    },
    beginForwarded: ({ shard, operations, parent }) =>
      start('shard batch', parent, { kind: SpanKind.CONSUMER, attributes: { 'shardkv.operations': operations, 'shardkv.shard': shard } }),
  }
}

const requestSpan = (span: Span): RequestSpan => {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return {
    context: { traceId, spanId, flags: traceFlags },
    end: (status) => {
      span.setAttribute('shardkv.status', status)
      if (status === 'INTERNAL') span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    },
  }
}
