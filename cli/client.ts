/**
 * Single-key requests over the bus, with retries: what `put`, `get`, `load` and the rest have in common.
 *
 * Reads may be repeated freely. A write is repeated under one request id, so it takes effect at most once within the dedup window;
 * a write without a request id is repeated only when it certainly did not happen. Waiting doubles from BACKOFF_MS_MIN to
 * BACKOFF_MS_MAX, and is at least what the cluster asks for.
 */

import { sleep } from './io.ts'
import { withoutControls } from './valueText.ts'
import { requestSubject } from '../bus/subjects.ts'
import { Status } from '../actors/shard/operation.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { StatusName } from '../actors/shard/operation.ts'
import type { Bus, Headers, Inbound, RequestFailure } from '../bus/port.ts'

const BACKOFF_MS_MIN = 25
const BACKOFF_MS_MAX = 1_000
/** One attempt. Longer than an election, so that a request that waits in a new leader's queue is not sent again too soon. */
const ATTEMPT_MS_MAX = 2_000

export interface KvRequest {
  readonly op: 'get' | 'put' | 'del' | 'incr' | 'touch'
  /** Full name, binary string. */
  readonly key: string
  readonly value?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly requestId?: string
}

export interface KvAnswer {
  readonly status: StatusName
  readonly revision: number
  readonly shard: number
  /** The caller's own copy. For an error: the cluster's sentence about it. */
  readonly value: Uint8Array
  /** Of an error: no attempt of the request had an effect. */
  readonly isDefinite: boolean
  readonly retryAfterMs: number
  readonly headers: Headers
}

export type KvOutcome =
  | { readonly kind: 'answered'; readonly answer: KvAnswer }
  /** The key can not be sent at all. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer in time. `isDefinite`: it certainly did not happen. */
  | { readonly kind: 'unavailable'; readonly reason: string; readonly isDefinite: boolean; readonly isDenied?: boolean }

export interface KvClientOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly prefix: string
  /** For one request with all its attempts. */
  readonly timeoutMs: number
  readonly onRetry?: () => void
  /** Becomes true when the user wants to stop: no further attempt is made. */
  readonly isStopped?: () => boolean
}

export interface KvClient {
  readonly send: (request: KvRequest) => Promise<KvOutcome>
}

type Attempt = { readonly failure: RequestFailure } | { readonly answer: KvAnswer }

export const createKvClient = (options: KvClientOptions): KvClient => ({
  send: async (request) => {
    const built = requestSubject(options.prefix, request.op, request.key)
    if (!built.ok) return { kind: 'refused', reason: built.reason }
    const { subject } = built
    const deadline = options.clock.now() + options.timeoutMs
    let mayHaveHappened = false
    for (let tries = 1; ; tries += 1) {
      const left = Math.max(1, Math.min(ATTEMPT_MS_MAX, deadline - options.clock.now()))
      const attempt = await attemptOnce(options.bus, subject, request, Math.ceil(left))
      if ('answer' in attempt && !isTransient(attempt.answer.status)) {
        const { answer } = attempt
        if (request.op === 'get') return { kind: 'answered', answer: { ...answer, isDefinite: true } }
        const mayHave = mayHaveHappened && !isOfAllAttempts(answer.status)
        return { kind: 'answered', answer: mayHave ? { ...answer, isDefinite: false } : answer }
      }
      mayHaveHappened ||= !isDefinite(attempt)
      const waitMs = Math.max(backoffMs(tries), 'answer' in attempt ? attempt.answer.retryAfterMs : 0)
      const isOver = options.clock.now() + waitMs >= deadline || options.isStopped?.() === true || isHopeless(attempt)
      if (isOver || (mayHaveHappened && !isRepeatable(request))) {
        const isUnchanged = !mayHaveHappened || request.op === 'get'
        return { kind: 'unavailable', reason: reasonOf(attempt, subject), isDefinite: isUnchanged, isDenied: isDenied(attempt) }
      }
      options.onRetry?.()
      await sleep(options.clock, waitMs)
    }
  },
})

const backoffMs = (tries: number): number => Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (tries - 1))

const isRepeatable = (request: KvRequest): boolean => request.op === 'get' || request.requestId !== undefined

const isDefinite = (attempt: Attempt): boolean =>
  'answer' in attempt ? attempt.answer.isDefinite : attempt.failure === 'noResponders' || attempt.failure === 'denied'

const denials: ReadonlySet<RequestFailure> = new Set(['denied', 'deniedAmong'])
const isDenied = (attempt: Attempt): boolean => 'failure' in attempt && denials.has(attempt.failure)

/** Asked again, it would be denied again, or done again unheard. */
const isHopeless = (attempt: Attempt): boolean => isDenied(attempt) || ('failure' in attempt && attempt.failure === 'noInbox')

/**
 * What is repeated under one id has one result, which these are, and no attempt was done where the id is another write's. Any other
 * refusal speaks of its own attempt alone.
 */
const results: ReadonlySet<StatusName> = new Set(['OK', 'NOT_FOUND', 'CONFLICT', 'REQUEST_ID_REUSED'])
const isOfAllAttempts = (status: StatusName): boolean => results.has(status)

const transient: ReadonlySet<StatusName> = new Set(['OVERLOADED', 'NO_QUORUM', 'NOT_LEADER', 'TIMEOUT'])
const isTransient = (status: StatusName): boolean => transient.has(status)

/** What an answer that is no success says. Whoever answers may be anybody, and a terminal does what control characters say. */
export const detailOf = ({ value }: KvAnswer): string => withoutControls(new TextDecoder().decode(value))

const reasonOf = (attempt: Attempt, subject: string): string => {
  if ('answer' in attempt) {
    const detail = detailOf(attempt.answer)
    return `the cluster answered ${attempt.answer.status}${detail === '' ? '' : `: ${detail}`}`
  }
  return `${failures[attempt.failure]}${isDenied(attempt) ? ` ${subject}` : ''}`
}

const DENIAL = 'the broker does not let this user publish'
const failures: Readonly<Record<RequestFailure, string>> = {
  noResponders: 'no node answers for this key',
  denied: DENIAL,
  deniedAmong: DENIAL,
  timeout: 'no answer came in time',
  closed: 'the connection to the broker is closed',
  noInbox: 'the broker does not let this user hear answers: name its own inbox with --inbox-prefix',
  unreadable: 'the headers of the answer can not be read',
}

const attemptOnce = (bus: Bus, subject: string, request: KvRequest, timeoutMs: number): Promise<Attempt> => {
  const headers = new Map(Object.entries(request.headers ?? {}))
  headers.set('Kv-Timeout-Ms', String(timeoutMs))
  if (request.requestId !== undefined) headers.set('Kv-Request-Id', request.requestId)
  return new Promise((resolve) => {
    bus.request(subject, request.value ?? new Uint8Array(0), { timeoutMs, headers }, (failure, answer) => {
      if (answer === null) resolve({ failure: failure ?? 'timeout' })
      else resolve({ answer: answerOf(answer) })
    })
  })
}

/** Anything that is no answer of ShardKV's counts as an internal error of whoever sent it. */
const answerOf = (message: Inbound): KvAnswer => {
  const headers: Headers = new Map(message.headers ?? [])
  const status = headers.get('Kv-Status') ?? ''
  return {
    status: Object.hasOwn(Status, status) ? status as StatusName : 'INTERNAL',
    revision: numberOf(headers, 'Kv-Revision'),
    shard: numberOf(headers, 'Kv-Shard'),
    value: Uint8Array.from(message.data),
    isDefinite: headers.get('Kv-Definite') === 'true',
    retryAfterMs: numberOf(headers, 'Kv-Retry-After-Ms'),
    headers,
  }
}

const numberOf = (headers: Headers, name: string): number => {
  const value = Number(headers.get(name) ?? 0)
  return Number.isFinite(value) ? value : 0
}
