/**
 * What can go wrong, as one class per thing a caller would do about it. Every error says in `code` what it is, in `definite` whether
 * the operation certainly had no effect (false: it may have happened, or may yet), and in its message what to do next.
 *
 * An operation is retried inside its timeout wherever that is safe, so whatever arrives here is the last word of the SDK.
 */

export type ErrorCode =
  | 'CONFLICT' | 'INVALID' | 'TOO_LARGE' | 'OVERLOADED' | 'NO_SPACE' | 'UNAUTHORIZED' | 'UNAVAILABLE' | 'SESSION_EXPIRED'
  | 'REQUEST_ID_REUSED' | 'TIMEOUT' | 'ABORTED' | 'CLOSED' | 'CODEC' | 'INTERNAL'

export interface ErrorDetails {
  readonly definite: boolean
  /** How long to wait at least before trying again, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The root of all errors of this package. */
export abstract class ShardKvError extends Error {
  override readonly name: string = 'ShardKvError'
  abstract readonly code: ErrorCode
  /** True: the operation certainly had no effect. False: it may have had it, or may have it yet. */
  readonly definite: boolean
  /** How long to wait at least before trying again, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, details: ErrorDetails = { definite: true }) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.definite = details.definite
    this.retryAfterMs = details.retryAfterMs
  }
}

/** The key has another revision than the one asked for. Read, decide again, write with the new revision. */
export class ConflictError extends ShardKvError {
  override readonly name = 'ConflictError'
  override readonly code = 'CONFLICT'
  /** The key's revision when the write was refused; 0: there was no such key. */
  readonly revision: number

  constructor(message: string, revision: number) {
    super(message)
    this.revision = revision
  }
}

/** The call can not be meant: a bad key, option or value. Repeating it changes nothing. */
export class InvalidError extends ShardKvError {
  override readonly name = 'InvalidError'
  override readonly code = 'INVALID'
}

/** A key or value is above its limit. */
export class TooLargeError extends ShardKvError {
  override readonly name = 'TooLargeError'
  override readonly code = 'TOO_LARGE'
}

/** This connection has too much in flight, or the cluster refused for the whole timeout. Wait `retryAfterMs`, send less at a time. */
export class OverloadedError extends ShardKvError {
  override readonly name = 'OverloadedError'
  override readonly code = 'OVERLOADED'
}

/** The leader's disk is full, or its memory, as the message says: until there is room only reads go on, and of memory deletes, too. */
export class NoSpaceError extends ShardKvError {
  override readonly name = 'NoSpaceError'
  override readonly code = 'NO_SPACE'
}

/** The broker or the cluster does not let this user do it. */
export class UnauthorizedError extends ShardKvError {
  override readonly name = 'UnauthorizedError'
  override readonly code = 'UNAUTHORIZED'
}

/** `connect` found no broker, or no cluster behind it. */
export class UnavailableError extends ShardKvError {
  override readonly name = 'UnavailableError'
  override readonly code = 'UNAVAILABLE'
}

/** The cluster forgot this client's session while the outcome of a write was open: nobody can say any more whether it happened. */
export class SessionExpiredError extends ShardKvError {
  override readonly name = 'SessionExpiredError'
  override readonly code = 'SESSION_EXPIRED'
}

/**
 * The id of this write was given to another one: by a copy of this client, which needs a connection of its own, or since the bytes of the
 * value were changed while the write was under way.
 */
export class RequestIdReusedError extends ShardKvError {
  override readonly name = 'RequestIdReusedError'
  override readonly code = 'REQUEST_ID_REUSED'
}

/** The call's time is over. `definite` says whether the operation may have happened, `cause` what stood in its way last. */
export class TimeoutError extends ShardKvError {
  override readonly name = 'TimeoutError'
  override readonly code = 'TIMEOUT'
}

/** The call's signal was aborted. `definite` says whether the operation may have happened; `cause` is the signal's reason. */
export class AbortError extends ShardKvError {
  override readonly name = 'AbortError'
  override readonly code = 'ABORTED'
}

/** The connection is closed. Connect again. */
export class ClosedError extends ShardKvError {
  override readonly name = 'ClosedError'
  override readonly code = 'CLOSED'
}

/** The codec could not make bytes of a value, or a value of the bytes that were read. `cause` is what it threw. */
export class CodecError extends ShardKvError {
  override readonly name = 'CodecError'
  override readonly code = 'CODEC'
}

/** A bug, here or in the cluster. Report it, with the message. */
export class InternalError extends ShardKvError {
  override readonly name = 'InternalError'
  override readonly code = 'INTERNAL'
}
