/**
 * The headers of a request, read strictly, and the headers of an answer.
 *
 * A header that changes what a request means must never be overlooked: a compare-and-set whose header is misspelt would become a
 * plain write. So names are matched in any case, an unknown `Kv-` name is refused, and so is one given twice. Headers without
 * that prefix belong to others and are ignored; so is a malformed `traceparent` (W3C Trace Context: restart the trace). One of a later
 * version is read as far as it is known ("Versioning of traceparent" there).
 */

import { SAMPLED, isSampled } from '../actors/kernel/trace.ts'
import { REQUEST_ID_BYTES_MAX } from '../actors/shard/operation.ts'
import { isHex64 } from '../topology/ids.ts'
import { HEADER_BYTES_MAX, VALUES_APART, isMalformed } from './receivedHeaders.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Consistency, OperationResult, SessionRequest } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'
import type { Headers } from './port.ts'

export const TIMEOUT_MS_MAX = 60_000

export interface RequestHeaders {
  /** 0: the key must not exist. */
  readonly ifRevision?: number
  readonly ttlMs?: number
  readonly session?: SessionRequest
  readonly requestId?: string
  readonly consistency?: Consistency
  readonly timeoutMs?: number
  readonly trace?: TraceContext
}

export type HeadersResult =
  | { readonly ok: true; readonly headers: RequestHeaders }
  | { readonly ok: false; readonly reason: string }

type Draft = { -readonly [Name in keyof RequestHeaders]: RequestHeaders[Name] }

const KNOWN = 'Kv-If-Revision, Kv-Ttl-Ms, Kv-Request-Id, Kv-Consistency, Kv-Timeout-Ms'
const UNREADABLE = 'the headers can not be read: a line is a name of printable ASCII without blanks, a colon, and a value without '
  + `line ends; together they have at most ${HEADER_BYTES_MAX} bytes`
const none: HeadersResult = { ok: true, headers: {} }
/** The largest of a header's decimals: 15 digits. */
export const DECIMAL_MAX = 999_999_999_999_999
const decimal = /^(?:0|[1-9][0-9]{0,14})$/
const plainId = /^[\x21-\x39\x3b-\x7e]+$/
/** Later versions may go on after the flags, behind a dash. */
const traceparent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The typed headers, or what is wrong with one of them: the caller gets INVALID with the reason. */
export const parseRequestHeaders = (headers: Headers | undefined): HeadersResult => {
  if (headers === undefined || headers.size === 0) return none
  if (isMalformed(headers)) return { ok: false, reason: UNREADABLE }
  const draft: Draft = {}
  const seen = new Set<string>()
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (lower === 'traceparent') {
      const trace = parseTraceparent(value)
      if (trace !== null) draft.trace = trace
    }
    if (!lower.startsWith('kv-')) continue
    const reason = seen.has(lower) || value.includes(VALUES_APART) ? 'is given twice' : readHeader(lower, value, draft)
    if (reason !== null) return { ok: false, reason: `header ${name.slice(0, 40)} ${reason}` }
    seen.add(lower)
  }
  return { ok: true, headers: draft }
}

const readHeader = (name: string, value: string, draft: Draft): string | null => {
  switch (name) {
    case 'kv-if-revision': return readRevision(value, draft)
    case 'kv-ttl-ms': return readTtl(value, draft)
    case 'kv-request-id': return readRequestId(value, draft)
    case 'kv-consistency': return readConsistency(value, draft)
    case 'kv-timeout-ms': return readTimeout(value, draft)
  }
  return `is not known; the known ones are ${KNOWN}`
}

const readRevision = (value: string, draft: Draft): string | null => {
  if (!decimal.test(value)) return notDecimal
  draft.ifRevision = Number(value)
  return null
}

const readTtl = (value: string, draft: Draft): string | null => {
  if (!decimal.test(value)) return notDecimal
  draft.ttlMs = Number(value)
  return null
}

const readTimeout = (value: string, draft: Draft): string | null => {
  const timeoutMs = decimal.test(value) ? Number(value) : 0
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) return `is 1 to ${TIMEOUT_MS_MAX} milliseconds`
  draft.timeoutMs = timeoutMs
  return null
}

const readConsistency = (value: string, draft: Draft): string | null => {
  if (value !== 'linearizable' && value !== 'lease' && value !== 'stale') return 'is linearizable, lease or stale'
  draft.consistency = value
  return null
}

/** A colon makes it a session's request: `<client>:<sequence>[:<first incomplete>]`. Without the mark nothing may be forgotten yet. */
const readRequestId = (value: string, draft: Draft): string | null => {
  if (!value.includes(':')) {
    if (!plainId.test(value) || value.length > REQUEST_ID_BYTES_MAX) {
      return `is 1 to ${REQUEST_ID_BYTES_MAX} printable ASCII characters without blanks, or a session's <16 hex>:<n>[:<first incomplete>]`
    }
    draft.requestId = value
    return null
  }
  const [client = '', sequence = '', firstIncomplete = '1', ...more] = value.split(':')
  if (more.length > 0 || !isHex64(client) || !isPositive(sequence) || !isPositive(firstIncomplete)) {
    return 'with a colon is a session\'s <16 lower-case hex>:<n>[:<first incomplete>], both from 1'
  }
  if (Number(firstIncomplete) > Number(sequence)) return 'has a first incomplete request above its own number'
  draft.session = { client, sequence: Number(sequence), firstIncomplete: Number(firstIncomplete) }
  return null
}

/** What is wrong with it as a request id, as a predicate; null when it is one. */
export const requestIdProblem = (value: string): string | null => readRequestId(value, {})

const isPositive = (text: string): boolean => decimal.test(text) && text !== '0'

const notDecimal = 'is a decimal number of at most 15 digits without sign or leading zero'

/** Version ff is none; ids of zeros alone are none. Of a later version's flags only the sampled one means what it means here. */
const parseTraceparent = (value: string): TraceContext | null => {
  const [, version = 'ff', traceId = '', spanId = '', flags = '', more = ''] = traceparent.exec(value) ?? []
  const isMalformed = version === 'ff' || (version === '00' && more !== '')
  if (isMalformed || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  const bits = Number.parseInt(flags, 16)
  return { traceId, spanId, flags: version === '00' ? bits : bits & SAMPLED }
}

/**
 * The text of a sampled one, as version 00 has it; empty when it is none, or not sampled. What a later version appends is nobody's to
 * pass on, and could be as long as it likes.
 */
export const sampledTraceparent = (text: string): string => {
  const trace = parseTraceparent(text)
  if (trace === null || !isSampled(trace)) return ''
  return `00-${trace.traceId}-${trace.spanId}-${trace.flags.toString(16).padStart(2, '0')}`
}

/**
 * Beside an SDK batch, for its sampled operations: `<position>:<traceparent>`, separated by commas. A header and not a part of the frame,
 * so that a node of an earlier version, and every unsampled batch, knows nothing of it.
 */
export const BATCH_TRACES_HEADER = 'Kv-Traces'
/** Of a batch: together they fit the margin that a frame leaves below the broker's payload. */
export const TRACED_OPERATIONS_MAX = 8

/** By position. What does not read as one is no trace; null when there is none. */
export const parseBatchTraces = (headers: Headers | undefined): ReadonlyMap<number, TraceContext> | null => {
  const value = headers?.get(BATCH_TRACES_HEADER)
  if (value === undefined) return null
  const traces = new Map<number, TraceContext>()
  for (const one of value.split(',', TRACED_OPERATIONS_MAX)) {
    const [, position, text = ''] = /^(\d{1,5}):(.*)$/.exec(one) ?? []
    const trace = position === undefined ? null : parseTraceparent(text)
    if (trace !== null) traces.set(Number(position), trace)
  }
  return traces.size === 0 ? null : traces
}

export interface ReplyContext {
  readonly shard?: ShardId
  /** What a read got; left out for writes. */
  readonly consistency?: Consistency
}

/** The headers of an answer. `Kv-Definite` stands on errors only and says whether the operation certainly had no effect. */
export const replyHeaders = (result: OperationResult, context: ReplyContext = {}): Headers => {
  const headers = new Map<string, string>([['Kv-Status', result.status]])
  if (hasRevision(result)) headers.set('Kv-Revision', String(result.revision))
  if (context.shard !== undefined) headers.set('Kv-Shard', String(context.shard))
  if (result.definite !== undefined) headers.set('Kv-Definite', String(result.definite))
  if (result.retryAfterMs !== undefined) headers.set('Kv-Retry-After-Ms', String(result.retryAfterMs))
  if (context.consistency !== undefined) headers.set('Kv-Consistency', context.consistency)
  return headers
}

const hasRevision = ({ status, revision }: OperationResult): boolean =>
  status === 'OK' || status === 'CONFLICT' || revision > 0
