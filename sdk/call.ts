/**
 * One operation from its call to the settling of its promise. One object and one promise per operation: the hot path makes nothing else
 * for it but what goes on the wire.
 *
 * `isUncertain` is the heart of what a failure may say: true from the moment at which a copy of the write may be executed, or may yet be,
 * and no answer for that copy has come. Whatever the caller is told afterwards is indefinite, unless it is the write's own result.
 */

import { OpCode, isRead } from '../actors/shard/operation.ts'
import {
  AbortError, ClosedError, CodecError, ConflictError, InternalError, InvalidError, NoSpaceError, OverloadedError, RequestIdReusedError,
  SessionExpiredError, TimeoutError, TooLargeError, UnauthorizedError,
} from './errors.ts'
import { NOWHERE } from './inFlight.ts'
import { RETRY_AFTER_MS } from './limits.ts'
import type { Consistency, Operation, OperationResult } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'
import type { Codec } from './codec.ts'
import type { ErrorCode, ShardKvError } from './errors.ts'
import type { ShardSession } from './session.ts'

export interface Call {
  readonly code: OpCode
  /** The key as the caller wrote it. */
  readonly name: string
  /** Its full name, a binary string; empty for session operations. */
  readonly key: string
  readonly shard: ShardId
  readonly value: Uint8Array | undefined
  readonly ifRevision: number | undefined
  readonly ttlMs: number | undefined
  readonly consistency: Consistency
  /** For what is read. */
  readonly decode: Codec<unknown>['decode']
  readonly timeoutMs: number
  /** By the clock. */
  readonly deadline: number
  readonly bytes: number
  readonly signal: AbortSignal | undefined
  /** Its `traceparent`; empty unless that is sampled. */
  readonly trace: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: ShardKvError) => void
  session: ShardSession | null
  /** Within its session; 0 while it has none. */
  sequence: number
  isUncertain: boolean
  /** In a batch that waits for results. */
  isSent: boolean
  isDone: boolean
  /** Among those in flight (inFlight.ts). */
  place: number
  /** What stood in its way last. */
  problem: string
  problemStatus: string
  /** What was asked of it then: how long to wait at least, in milliseconds; 0: nothing. */
  problemWaitMs: number
}

/** What a caller decides; the rest of a Call is the SDK's. */
export type CallInput = Pick<Call, 'code' | 'name' | 'key' | 'shard' | 'value' | 'ifRevision' | 'ttlMs' | 'consistency' | 'decode'
  | 'timeoutMs' | 'signal' | 'trace' | 'resolve' | 'reject'>

/** Field by field: a spread of so many takes ten times as long, which was a quarter of the SDK's time. */
export const createCall = (input: CallInput, now: number): Call => ({
  code: input.code,
  name: input.name,
  key: input.key,
  shard: input.shard,
  value: input.value,
  ifRevision: input.ifRevision,
  ttlMs: input.ttlMs,
  consistency: input.consistency,
  decode: input.decode,
  timeoutMs: input.timeoutMs,
  deadline: now + input.timeoutMs,
  bytes: bytesOf(input.key, input.value),
  signal: input.signal,
  trace: input.trace,
  resolve: input.resolve,
  reject: input.reject,
  session: null,
  sequence: 0,
  isUncertain: false,
  isSent: false,
  isDone: false,
  place: NOWHERE,
  problem: '',
  problemStatus: '',
  problemWaitMs: 0,
})

export const isWrite = (call: Call): boolean => !isRead(call.code)

/** Beside key and value: at most this many bytes on the wire, its share of a group's head included. */
const CALL_OVERHEAD_BYTES = 64

const bytesOf = (key: string, value: Uint8Array | undefined): number => CALL_OVERHEAD_BYTES + key.length + (value?.length ?? 0)

/** What goes on the wire for it now: the mark is the session's at this moment. */
export const operationOf = (call: Call): Operation => {
  const { code, key, value, ifRevision, ttlMs, session } = call
  const operation: { -readonly [Name in keyof Operation]: Operation[Name] } = { code, key }
  if (value !== undefined) operation.value = value
  if (ifRevision !== undefined) operation.ifRevision = ifRevision
  if (ttlMs !== undefined) operation.ttlMs = ttlMs
  if (session !== null) {
    const { sequence } = call
    operation.session = { client: session.client, sequence, firstIncomplete: Math.min(session.firstIncomplete, sequence) }
  }
  return operation
}

/** Settles a call with a result that is final; true when it was. */
export const settleWith = (call: Call, result: OperationResult): boolean => {
  switch (result.status) {
    case 'OK':
      resolveWith(call, result)
      return true
    case 'NOT_FOUND':
      call.resolve(null)
      return true
    case 'CONFLICT': {
      const found = result.revision === 0 ? 'does not exist' : `has revision ${result.revision}`
      call.reject(new ConflictError(`"${call.name}" ${found}, not ${call.ifRevision ?? 0}: read it and decide again.`, result.revision))
      return true
    }
    case 'INVALID':
    case 'TOO_LARGE':
    case 'NO_SPACE':
    case 'COMPACTED':
    case 'INTERNAL':
    case 'REQUEST_ID_REUSED':
      call.reject(refusalOf(call, result))
      return true
    case 'OVERLOADED':
    case 'NOT_LEADER':
    case 'NO_QUORUM':
    case 'TIMEOUT':
    case 'UNAUTHORIZED':
    case 'SESSION_EXPIRED':
      return false
  }
  result.status satisfies never
  return false
}

const resolveWith = (call: Call, result: OperationResult): void => {
  const { revision, value } = result
  switch (call.code) {
    case OpCode.get: {
      const { name: key, consistency } = call
      try {
        call.resolve({ key, value: call.decode(value ?? nothing), revision, consistency })
      } catch (cause) {
        const message = `The value of "${key}" does not decode: read it with the codec it was written with.`
        call.reject(new CodecError(message, { definite: true, cause }))
      }
      return
    }
    case OpCode.incr:
      call.resolve({ value: BigInt(Buffer.from(value ?? nothing).toString('latin1')), revision })
      return
    case OpCode.put:
    case OpCode.del:
    case OpCode.touch:
    case OpCode.openSession:
    case OpCode.closeSession:
      call.resolve({ revision })
      return
  }
  call.code satisfies never
}

const nothing = new Uint8Array(0)

/** An earlier copy of the write may have happened although this one was refused. */
const refusalOf = (call: Call, { status, definite, message = '' }: OperationResult): ShardKvError => {
  const details = { definite: definite === true && !call.isUncertain }
  const text = call.isUncertain ? `${message} An earlier attempt may have happened: ${READ_FIRST}`.trimStart() : message
  if (status === 'TOO_LARGE') return new TooLargeError(text, details)
  if (status === 'NO_SPACE') return new NoSpaceError(text, details)
  if (status === 'INVALID') return new InvalidError(text, details)
  if (status === 'REQUEST_ID_REUSED') return new RequestIdReusedError(reusedText(call), details)
  return new InternalError(`${describe(call)} met a bug of the cluster, please report it: ${status}: ${text}`, details)
}

/** Here an id is given to one write alone: so this client is there twice, or the write was another one when it left before. */
const reusedText = (call: Call): string =>
  `${describe(call)}: its id was given to another write, be it by a copy of this client, such as a fork of its process (let each copy `
  + 'connect by itself), or since the bytes of its value were changed before it was answered. '
  + (call.isUncertain ? `An earlier attempt may have happened: ${READ_FIRST}` : 'It did not happen.')

/**
 * What a write is told whose session was refused for good, which it shares with all that waited; null when `error` is no refusal but may
 * pass. Definite, since the write never left.
 */
export const refusalFor = (call: Call, { code, message }: ShardKvError): ShardKvError | null => {
  const Refusal = refusals[code]
  return Refusal === undefined ? null : new Refusal(message, { definite: !call.isUncertain })
}

const refusals: { readonly [Code in ErrorCode]?: new (...args: ConstructorParameters<typeof InternalError>) => ShardKvError } =
  { INVALID: InvalidError, TOO_LARGE: TooLargeError, NO_SPACE: NoSpaceError, INTERNAL: InternalError }

/** What keeps the opening of its session keeps the write that waits for it. */
export const blameOpening = (call: Call, opening: Call): void => {
  call.problem = opening.problem
  call.problemStatus = opening.problemStatus
  call.problemWaitMs = opening.problemWaitMs
}

/** Whether a copy of the write may have been executed, or may yet be. A read has no effect to be unsure of. */
export const mayHaveHappened = (call: Call): boolean => isWrite(call) && (call.isUncertain || call.isSent)

const READ_FIRST = 'read the key before you write again.'

const advice = (call: Call, cure = 'try again.'): string =>
  (mayHaveHappened(call) ? `It may have happened: ${READ_FIRST}` : `It did not happen: ${cure}`)

export const timeoutOf = (call: Call): ShardKvError => {
  const definite = !mayHaveHappened(call)
  const last = call.problem === '' ? '' : ` Last: ${call.problem}`
  if (call.problemStatus === 'OVERLOADED' && definite && !call.isSent) {
    return new OverloadedError(`The cluster was overloaded for ${call.timeoutMs} ms: send less at a time.${last}`,
      { definite, retryAfterMs: call.problemWaitMs > 0 ? call.problemWaitMs : RETRY_AFTER_MS })
  }
  const cause = call.problem === '' ? undefined : new Error(call.problem)
  return new TimeoutError(`${describe(call)} was not answered within ${call.timeoutMs} ms. ${advice(call)}${last}`, { definite, cause })
}

export const abortOf = (call: Call): ShardKvError =>
  new AbortError(`${describe(call)} was aborted. ${advice(call)}`, { definite: !mayHaveHappened(call), cause: call.signal?.reason })

export const closedOf = (call: Call, reason: string): ShardKvError =>
  new ClosedError(`${describe(call)} was not answered: ${reason}. Connect again. ${advice(call, 'repeat it then.')}`,
    { definite: !mayHaveHappened(call) })

interface Denied {
  readonly operation: string
  readonly subject: string
}

export const unauthorizedOf = (call: Call, denied: Denied): ShardKvError =>
  new UnauthorizedError(`${describe(call)}: the broker does not let this user ${denied.operation} ${denied.subject}. `
    + `${advice(call)} ${PERMISSIONS}`, { definite: !mayHaveHappened(call) })

/** To whoever waits for the connection. */
export const deniedOf = ({ operation, subject }: Denied): ShardKvError =>
  new UnauthorizedError(`The broker does not let this user ${operation} ${subject}, which connecting needs. `
    + `${operation === 'subscribe' ? 'Has it an inbox of its own? Then say so in inboxPrefix. ' : ''}${PERMISSIONS}`)

const PERMISSIONS = 'shardkv nats-config prints the permissions that clients need.'

export const sessionExpiredOf = (call: Call): ShardKvError =>
  new SessionExpiredError(`${describe(call)}: the cluster forgot this client's session before it could say whether the write happened. `
    + 'Read the key before you write again.', { definite: false })

const describe = (call: Call): string => `${names[call.code]} of "${call.name}"`
const names: Readonly<Record<OpCode, string>> =
  { 1: 'get', 2: 'put', 3: 'del', 4: 'incr', 5: 'touch', 6: 'openSession', 7: 'closeSession' }
