/**
 * What can go wrong, as one class per thing a caller would do about it. Every error says in `code` what it is, in `definite` whether
 * the operation certainly had no effect (false: it may have happened, or may yet), and in its message what to do next.
 *
 * An operation is retried inside its timeout wherever that is safe, so whatever arrives here is the last word of the SDK.
 */

export type ErrorCode =
  | 'CONFLICT' | 'INVALID' | 'TOO_LARGE' | 'OVERLOADED' | 'NO_SPACE' | 'UNAUTHORIZED' | 'UNAVAILABLE' | 'SESSION_EXPIRED'
  | 'TIMEOUT' | 'ABORTED' | 'CLOSED' | 'CODEC' | 'INTERNAL'

export interface ErrorDetails {
  readonly definite: boolean
  /** How long to wait at least before trying again, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The root of all errors of this package. */
export class ShardKvError extends Error {
  override readonly name: string = 'ShardKvError'
  readonly code: ErrorCode
  /** True: the operation certainly had no effect. False: it may have had it, or may have it yet. */
  readonly definite: boolean
  /** How long to wait at least before trying again, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.definite = details.definite
    this.retryAfterMs = details.retryAfterMs
  }
}

/** The key has another revision than the one asked for. Read, decide again, write with the new revision. */
export class ConflictError extends ShardKvError {
  override readonly name = 'ConflictError'
  /** The key's revision when the write was refused; 0: there was no such key. */
  readonly revision: number

  constructor(message: string, revision: number) {
    super('CONFLICT', message, { definite: true })
    this.revision = revision
  }
}

/** The call can not be meant: a bad key, option or value. Repeating it changes nothing. */
export class InvalidError extends ShardKvError {
  override readonly name = 'InvalidError'

  constructor(message: string, details: ErrorDetails = { definite: true }) {
    super('INVALID', message, details)
  }
}

/** A key or value is above its limit. */
export class TooLargeError extends ShardKvError {
  override readonly name = 'TooLargeError'

  constructor(message: string, details: ErrorDetails = { definite: true }) {
    super('TOO_LARGE', message, details)
  }
}

/** This connection has too much in flight, or the cluster refused for its whole timeout. Wait `retryAfterMs`, send less at a time. */
export class OverloadedError extends ShardKvError {
  override readonly name = 'OverloadedError'

  constructor(message: string, retryAfterMs: number) {
    super('OVERLOADED', message, { definite: true, retryAfterMs })
  }
}

/** The leader's disk is full: writes are refused until there is space, reads go on. */
export class NoSpaceError extends ShardKvError {
  override readonly name = 'NoSpaceError'

  constructor(message: string, details: ErrorDetails) {
    super('NO_SPACE', message, details)
  }
}

/** The broker or the cluster does not let this user do it. */
export class UnauthorizedError extends ShardKvError {
  override readonly name = 'UnauthorizedError'

  constructor(message: string, details: ErrorDetails) {
    super('UNAUTHORIZED', message, details)
  }
}

/** `connect` found no broker, or no cluster behind it. */
export class UnavailableError extends ShardKvError {
  override readonly name = 'UnavailableError'

  constructor(message: string, details: ErrorDetails) {
    super('UNAVAILABLE', message, details)
  }
}

/** The cluster forgot this client's session while the outcome of a write was open: nobody can say any more whether it happened. */
export class SessionExpiredError extends ShardKvError {
  override readonly name = 'SessionExpiredError'

  constructor(message: string) {
    super('SESSION_EXPIRED', message, { definite: false })
  }
}

/** The call's time is over. `definite` says whether the operation may have happened, `cause` what stood in its way last. */
export class TimeoutError extends ShardKvError {
  override readonly name = 'TimeoutError'

  constructor(message: string, details: ErrorDetails) {
    super('TIMEOUT', message, details)
  }
}

/** The call's signal was aborted. `definite` says whether the operation may have happened; `cause` is the signal's reason. */
export class AbortError extends ShardKvError {
  override readonly name = 'AbortError'

  constructor(message: string, details: ErrorDetails) {
    super('ABORTED', message, details)
  }
}

/** The connection is closed. Connect again. */
export class ClosedError extends ShardKvError {
  override readonly name = 'ClosedError'

  constructor(message: string, details: ErrorDetails) {
    super('CLOSED', message, details)
  }
}

/** The codec could not make bytes of a value, or a value of the bytes that were read. `cause` is what it threw. */
export class CodecError extends ShardKvError {
  override readonly name = 'CodecError'

  constructor(message: string, details: ErrorDetails) {
    super('CODEC', message, details)
  }
}

/** A bug, here or in the cluster. Report it, with the message. */
export class InternalError extends ShardKvError {
  override readonly name = 'InternalError'

  constructor(message: string, details: ErrorDetails) {
    super('INTERNAL', message, details)
  }
}
