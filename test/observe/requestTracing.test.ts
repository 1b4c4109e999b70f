/** Spans of sampled requests, against a tracer that only writes down what it was told. */

import { afterAll, describe, expect, test } from '@jest/globals'
import { trace } from '@opentelemetry/api'
import { createRequestTracing } from '../../observe/requestTracing.ts'
import { shardId } from '../../topology/ids.ts'
import type { Context, Span, SpanOptions, Tracer } from '@opentelemetry/api'

const told: string[] = []
const span = {
  spanContext: () => ({ traceId: '1'.repeat(32), spanId: '9'.repeat(16), traceFlags: 1 }),
  setAttribute: (name: string, value: unknown) => { told.push(`${name}=${String(value)}`) },
  setStatus: ({ code }: { code: number }) => { told.push(`code=${code}`) },
  end: () => { told.push('end') },
}
const tracer = {
  startSpan: (name: string, options?: SpanOptions, context?: Context) => {
    const parent = context === undefined ? undefined : trace.getSpanContext(context)
    told.push(`${name} of ${parent?.traceId}/${parent?.spanId} shard=${String(options?.attributes?.['shardkv.shard'])}`)
    return span as unknown as Span
  },
}
trace.setGlobalTracerProvider({ getTracer: () => tracer as unknown as Tracer })
afterAll(() => { trace.disable() })

describe('request tracing', () => {
  const parent = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1 }

  test('makes a sampled request a child of its caller, ended with its status', () => {
    told.length = 0
    createRequestTracing('n1').begin({ op: 'put', shard: shardId(7), parent })?.end('CONFLICT')
    expect(told).toEqual([`kv put of ${parent.traceId}/${parent.spanId} shard=7`, 'shardkv.status=CONFLICT', 'end'])
  })

  test('makes a forwarded batch a child of the request it was forwarded for', () => {
    told.length = 0
    const forwarded = createRequestTracing('n2').beginForwarded({ shard: shardId(3), operations: 5, parent })
    forwarded.end('OK')
    expect(told).toEqual([`shard batch of ${parent.traceId}/${parent.spanId} shard=3`, 'shardkv.status=OK', 'end'])
    expect(forwarded.context).toEqual({ traceId: parent.traceId, spanId: '9'.repeat(16), flags: 1 })
  })

  test('marks an internal error as one, and leaves unsampled requests alone', () => {
    told.length = 0
    createRequestTracing('n1').begin({ op: 'get', shard: shardId(1), parent })?.end('INTERNAL')
    expect(told).toContain('code=2')
    expect(createRequestTracing('n1').begin({ op: 'get', shard: shardId(1), parent: { ...parent, flags: 0 } })).toBeNull()
  })
})
