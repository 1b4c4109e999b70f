/** What clients ask for: calls drawn, each as a plain request or as an operation of a batch, and its outcome read back. */

import { between, chance, fraction, pick } from '../actors/kernel/random.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { requestSubject } from '../bus/subjects.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Operation, OperationResult, SessionRequest } from '../actors/shard/operation.ts'
import type { Inbound, RequestFailure } from '../bus/port.ts'
import type { Call, HistoryOperation, Outcome } from './history.ts'
import type { WorkloadOptions } from './options.ts'

export const keyName = (letter: string, number: number, random: Random, options: WorkloadOptions): string =>
  (chance(random, options.partitionedKeys) ? `{p${between(random, 0, 2)}}${letter}${number}` : `${letter}${number}`)

export interface CallDraw {
  readonly random: Random
  readonly options: WorkloadOptions
  readonly id: number
  /** The request is remembered: it need not be recognised by its value. */
  readonly isRemembered: boolean
  /** The key's revision as this workload saw it last. */
  readonly revision: number
}

/** Unique by its beginning; now and then as long as the byte budget, or a little less. */
const drawValue = (id: number, random: Random, options: WorkloadOptions): string => {
  const start = `v${id}.`
  if (options.largeValues > 0 && chance(random, options.largeValues)) {
    return start.padEnd(options.largeValueBytes - (pick(random, [0, 0, 1, 100, 5_000]) ?? 0), 'x')
  }
  return start + 'x'.repeat(between(random, 0, options.valueBytesMax))
}

export type DrawnKind = Exclude<Call['kind'], 'touch'>

export const drawCall = (kind: DrawnKind, { random, options, id, isRemembered, revision }: CallDraw): Call => {
  const value = drawValue(id, random, options)
  switch (kind) {
    case 'get': return { kind }
    case 'del': return { kind }
    case 'put': return { kind, value }
    case 'cas': return { kind, value, ifRevision: chance(random, 0.8) ? revision : between(random, 0, 3) }
    case 'incr': return { kind, amount: isRemembered ? between(random, -5, 20) : 1_000 + id }
  }
  return kind satisfies never
}

/** A call on a key that expires. A touch changes no value, so it is drawn only where it can be recognised in the log. */
export const drawExpiringCall = ({ random, id, isRemembered }: CallDraw): Call => {
  const ttlMs = between(random, 20, 3_000)
  const kind = pick(random, isRemembered ? ['get', 'put', 'touch', 'touch'] as const : ['get', 'put'] as const)
  if (kind === 'touch') return { kind, ttlMs: chance(random, 0.1) ? 0 : ttlMs }
  return kind === 'put' ? { kind, value: `v${id}`, ttlMs } : { kind: 'get' }
}

export const drawKind = (random: Random, { weights }: WorkloadOptions): DrawnKind => {
  const kinds = ['get', 'put', 'cas', 'incr', 'del'] as const
  let left = fraction(random) * kinds.reduce((sum, kind) => sum + weights[kind], 0)
  for (const kind of kinds) {
    left -= weights[kind]
    if (left < 0) return kind
  }
  return 'get'
}

export const drawConsistency = (random: Random, options: WorkloadOptions): HistoryOperation['consistency'] => {
  if (chance(random, options.staleReads)) return 'stale'
  return chance(random, options.leaseReads) ? 'lease' : 'linearizable'
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface Request {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: ReadonlyMap<string, string>
}

/** `session` is the sequence as it is to be sent now. */
export const requestOf = (operation: HistoryOperation, options: WorkloadOptions, session: SessionRequest | undefined): Request => {
  const { call, key, requestId, consistency } = operation
  const headers = new Map([['Kv-Timeout-Ms', String(options.timeoutMs)]])
  if (requestId !== undefined) headers.set('Kv-Request-Id', requestId)
  if (session !== undefined) headers.set('Kv-Request-Id', `${session.client}:${session.sequence}:${session.firstIncomplete}`)
  if (call.kind === 'cas') headers.set('Kv-If-Revision', String(call.ifRevision))
  if ('ttlMs' in call && call.ttlMs !== undefined) headers.set('Kv-Ttl-Ms', String(call.ttlMs))
  if (call.kind === 'get' && consistency !== 'linearizable') headers.set('Kv-Consistency', consistency)
  const built = requestSubject('kv', call.kind === 'cas' ? 'put' : call.kind, key)
  return { subject: built.ok ? built.subject : '', data: encoder.encode(bodyOf(call)), headers }
}

const codes = { get: OpCode.get, put: OpCode.put, cas: OpCode.put, incr: OpCode.incr, del: OpCode.del, touch: OpCode.touch } as const

/** The same for the batch door, which knows no consistency but the batch's. */
export const operationOf = (
  { call, key, requestId }: Pick<HistoryOperation, 'call' | 'key' | 'requestId'>, session: SessionRequest | undefined,
): Operation => ({
  code: codes[call.kind],
  key,
  ...('value' in call || call.kind === 'incr' ? { value: encoder.encode(bodyOf(call)) } : {}),
  ...(call.kind === 'cas' ? { ifRevision: call.ifRevision } : {}),
  ...('ttlMs' in call && call.ttlMs !== undefined ? { ttlMs: call.ttlMs } : {}),
  ...(requestId === undefined ? {} : { requestId }),
  ...(session === undefined ? {} : { session }),
})

const bodyOf = (call: Call): string => {
  if (call.kind === 'put' || call.kind === 'cas') return call.value
  return call.kind === 'incr' ? String(call.amount) : ''
}

export const outcomeOfAnswer = (call: Call, failure: RequestFailure | null, answer: Inbound | null): Outcome => {
  if (failure === 'noResponders') return { kind: 'failed', status: 'NO_RESPONDERS' }
  if (failure === 'denied') return { kind: 'failed', status: 'DENIED' }
  const headers = answer?.headers
  const status = headers?.get('Kv-Status')
  if (answer === null || headers === undefined || status === undefined) return { kind: 'unknown' }
  const revision = Number(headers.get('Kv-Revision') ?? '0')
  return outcomeOf(call, { status, revision, value: answer.data, definite: headers.get('Kv-Definite') === 'true' })
}

export const outcomeOfResult = (call: Call, result: OperationResult | null): Outcome =>
  (result === null ? { kind: 'unknown' } : outcomeOf(call, { ...result, definite: result.definite === true }))

interface Answer {
  readonly status: string
  readonly revision: number
  readonly value?: Uint8Array
  readonly definite: boolean
}

const outcomeOf = (call: Call, { status, revision, value, definite }: Answer): Outcome => {
  const hasValue = status === 'OK' && (call.kind === 'get' || call.kind === 'incr')
  if (status === 'OK' || status === 'NOT_FOUND' || status === 'CONFLICT' || (status === 'INVALID' && call.kind === 'incr')) {
    return { kind: 'answered', status, revision, ...(hasValue ? { value: decoder.decode(value ?? new Uint8Array(0)) } : {}) }
  }
  return definite ? { kind: 'failed', status } : { kind: 'unknown' }
}
