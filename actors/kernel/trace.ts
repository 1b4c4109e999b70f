/** Where a request stands in a trace (W3C Trace Context): carried beside messages, never inside what is replicated. */

/** Lower-case hex, as in `traceparent`; `flags` is its last byte. */
export interface TraceContext {
  /** 32 digits. */
  readonly traceId: string
  /** 16 digits. */
  readonly spanId: string
  readonly flags: number
}
