/**
 * The application's traces, as far as the SDK has to do with them: which calls belong to a sampled one, and how a batch says so. The SDK
 * knows no tracing library: it is handed `traceparent` values (W3C Trace Context), or a function that reads the current one.
 */

import { BATCH_TRACES_HEADER, TRACED_OPERATIONS_MAX, sampledTraceparent } from '../bus/headers.ts'
import type { Headers } from '../bus/port.ts'
import type { Call } from './call.ts'

/** Reads the current `traceparent`; undefined where there is none. */
export type ReadTraceparent = () => string | undefined

/**
 * As version 00 has it; empty unless it is sampled. What is malformed, and a reader that throws, are no trace: tracing never fails a call.
 */
export const sampledTrace = (given: string | undefined, read: ReadTraceparent | undefined): string => {
  if (given === undefined && read === undefined) return ''
  try {
    const traceparent = given ?? read?.()
    return typeof traceparent === 'string' ? sampledTraceparent(traceparent) : ''
  } catch {
    return ''
  }
}

/** Of a batch, by position; the first of them, where there are very many. */
export const traceHeaders = (calls: readonly Pick<Call, 'trace'>[]): Headers => {
  const traces = calls.flatMap(({ trace }, position) => (trace === '' ? [] : [`${position}:${trace}`]))
  return new Map([[BATCH_TRACES_HEADER, traces.slice(0, TRACED_OPERATIONS_MAX).join(',')]])
}
