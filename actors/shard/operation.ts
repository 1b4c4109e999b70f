/**
 * One operation on one key, and its result: the vocabulary shared by every front door, the batch codec and the state machine.
 *
 * Keys are *binary strings*: one character per byte (0-255), so that string order is byte order. The full name of a key in a
 * partition is `{partition}key`; a partition never contains `}`, so that no key has two homes.
 */

export const OpCode = {
  get: 1,
  put: 2,
  del: 3,
  /** Adds a signed 64-bit decimal in the value (default 1) to a decimal value; a missing key counts as 0. */
  incr: 4,
  /** Sets or clears (ttlMs 0) the time to live; keeps the value. */
  touch: 5,
  /** Opens the exactly-once session named by `session.client`. No key. */
  openSession: 6,
  /** Ends the session and forgets its results. No key. */
  closeSession: 7,
} as const
export type OpCode = (typeof OpCode)[keyof typeof OpCode]

/** RIFL (Lee et al., SOSP 2015, section 4): results below `firstIncomplete` may be forgotten. */
export interface SessionRequest {
  /** 16 hex digits. */
  readonly client: string
  /** Grows by one per request of this client to this shard; from 1. */
  readonly sequence: number
  readonly firstIncomplete: number
}

export interface Operation {
  readonly code: OpCode
  /** Full name, binary string; empty for session operations. */
  readonly key: string
  readonly value?: Uint8Array
  /** Compare-and-set: the key's revision must equal this; 0 means the key must not exist. */
  readonly ifRevision?: number
  /** Time to live in milliseconds, from the entry's log time. */
  readonly ttlMs?: number
  readonly session?: SessionRequest
  /** A plain request id: 1-64 bytes, no colon; remembered among the shard's last 65,536. It names one write. */
  readonly requestId?: string
}

/** Stable codes; the text is `Kv-Status`, the number is the wire's. */
export const Status = {
  OK: 0,
  NOT_FOUND: 1,
  CONFLICT: 2,
  INVALID: 3,
  TOO_LARGE: 4,
  OVERLOADED: 5,
  NOT_LEADER: 6,
  NO_QUORUM: 7,
  TIMEOUT: 8,
  UNAUTHORIZED: 9,
  COMPACTED: 10,
  NO_SPACE: 11,
  SESSION_EXPIRED: 12,
  INTERNAL: 13,
  /** The request id, or the sequence of the session, was given to another write before. */
  REQUEST_ID_REUSED: 14,
} as const
export type StatusName = keyof typeof Status
export type Status = (typeof Status)[StatusName]

/** No failure: whatever the status says, the caller knows where it stands. */
export const isAnswer = (status: StatusName): boolean => status === 'OK' || status === 'NOT_FOUND' || status === 'CONFLICT'

export interface OperationResult {
  readonly status: StatusName
  /** OK: the key's revision (put, incr, touch, get) or the mutation's (del). CONFLICT: the key's current revision, 0 if absent. */
  readonly revision: number
  readonly value?: Uint8Array
  /** One sentence saying what to do, for errors a person may see. */
  readonly message?: string
  /** Errors only: true when the operation certainly had no effect. */
  readonly definite?: boolean
  readonly retryAfterMs?: number
  /** The request was a duplicate and this is its first result. */
  readonly duplicate?: boolean
}

export type Consistency = 'linearizable' | 'lease' | 'stale'

export const KEY_BYTES_MAX = 1_024
export const VALUE_BYTES_MAX = 512 * 1_024
export const REQUEST_ID_BYTES_MAX = 64
/** Ten years of 365 days: the longest time to live, in milliseconds. */
export const TTL_MS_MAX = 315_360_000_000
export const BATCH_OPERATIONS_MAX = 4_096
/** Results that a session remembers above its first-incomplete mark: its client has no more writes open at a time. */
export const SESSION_RESULTS_MAX = 1_024
/** Added to the byte budget (half of the broker's payload) for keys, headers and framing: budget bounds values. */
export const ENTRY_OVERHEAD_BYTES = 16 * 1_024

export const isRead = (code: OpCode): boolean => code === OpCode.get

/** A read whose value does not fit the message with those before it (actors/shard/answer.ts, `withinReply`). */
export const cutOff: OperationResult = {
  status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 0,
  message: 'The values asked for together exceed one message: ask for fewer at a time.',
}

/** Nothing else names no time to wait. */
export const isCutOff = ({ status, retryAfterMs }: OperationResult): boolean => status === 'OVERLOADED' && retryAfterMs === 0
