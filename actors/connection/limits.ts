/** The limits of one connection. At an in-flight maximum it is throttled, and refuses, until both are below
 * LOW_WATER of their maximum again. */

import { BATCH_OPERATIONS_MAX, ENTRY_OVERHEAD_BYTES, VALUE_BYTES_MAX } from '../shard/operation.ts'

import type { RetryAfterLimits } from '../kernel/retryAfter.ts'

export interface ConnectionLimits extends RetryAfterLimits {
  /** Requests taken in and not yet answered. Higher hides longer pauses from clients, with more memory and longer waits. */
  readonly inFlightRequestsMax: number
  /** Their encoded bytes; passed by one request at most. */
  readonly inFlightBytesMax: number
  /** Encoded operations of one message to a shard. A message must fit the broker's payload: the node sets it from the byte budget. */
  readonly batchBytesMax: number
  /** Operations of one message to another node's shard, whose answer must fit the broker's payload, too: set from the byte budget. */
  readonly forwardedOperationsMax: number
  /** Requests a second, by a token bucket; 0 is off. */
  readonly requestsPerSecondMax: number
  /** Requests that may come at once after a pause; at least 1. */
  readonly burstRequestsMax: number
  /** From opening to authenticated, in milliseconds; sessions only. */
  readonly handshakeMsMax: number
  /** Silence after which a session is closed, in milliseconds. */
  readonly idleMsMax: number
}

export const defaultConnectionLimits: ConnectionLimits = {
  inFlightRequestsMax: 16_384,
  inFlightBytesMax: 64 * 1_024 * 1_024,
  batchBytesMax: VALUE_BYTES_MAX + ENTRY_OVERHEAD_BYTES,
  forwardedOperationsMax: BATCH_OPERATIONS_MAX,
  retryAfterMs: 50,
  retryAfterMsMax: 500,
  requestsPerSecondMax: 0,
  burstRequestsMax: 1_000,
  handshakeMsMax: 10_000,
  idleMsMax: 30_000,
}

/** The longest a request may wait, in milliseconds; longer wishes are cut to it. */
export const TIMEOUT_MS_MAX = 60_000

/** The fraction of its maximum at which a throttled connection takes requests again. */
export const LOW_WATER = 0.75
