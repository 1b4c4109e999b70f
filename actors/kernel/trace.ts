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

/** Of a message, its own included. */
export const TRACES_A_MESSAGE_MAX = 16
