/** Where a request stands in a trace (W3C Trace Context): carried beside messages, never inside what is replicated. */

/** Lower-case hex, as in `traceparent`; `flags` is its last byte. */
export interface TraceContext {
  /** 32 digits. */
  readonly traceId: string
  /** 16 digits. */
  readonly spanId: string
  readonly flags: number
  /** Of other sampled requests that the same message serves. They stay in their process: an envelope carries one trace. */
  readonly others?: readonly TraceContext[]
}

/** Of `flags`. */
export const SAMPLED = 1

export const isSampled = ({ flags }: TraceContext): boolean => (flags & SAMPLED) !== 0

/** For a line of the log, in OpenTelemetry's names; nothing where no sampled request is at hand. */
export const traceFields = (trace: Pick<TraceContext, 'traceId' | 'spanId'> | undefined): Readonly<Record<string, string>> =>
  (trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId })

/** Of a message, its own included. */
export const TRACES_A_MESSAGE_MAX = 16
