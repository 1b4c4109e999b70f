/** What a plain NATS client sends: the subject with its key, the headers, and all of it as one request. */

import { between, chance } from '../../actors/kernel/random.ts'
import { BATCH_TRACES_HEADER, TRACED_OPERATIONS_MAX, parseBatchTraces, parseRequestHeaders } from '../../bus/headers.ts'
import { decodeToken, encodeToken, tokensOfKey } from '../../bus/keys.ts'
import { receivedHeaders } from '../../bus/receivedHeaders.ts'
import { parseSubject, requestSubject } from '../../bus/subjects.ts'
import { readRequest } from '../../gateway/natsRequest.ts'
import { drawHex, drawText, drawWhole, one } from '../draw.ts'
import { latin1, refused, textOf } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Headers } from '../../bus/port.ts'
import type { Outcome, Target } from '../target.ts'

const words = [
  'kv.', '.', 'put', 'get', 'slot', 'to', 'batch', 'v1', '%2E', '%7B', '%7D', '%', '{', '}', '0', '1023', '1024', 'status', '*', '>',
]

const drawKey = (random: Random): string =>
  (chance(random, 0.3) ? `{${one(random, ['a', 'p.q', 'ü'])}}` : '') + (drawText(random, 12) || 'k')

const drawSubject = (random: Random): string => {
  const built = requestSubject('kv', one(random, ['get', 'put', 'del', 'incr', 'touch']), drawKey(random))
  const subject = built.ok ? built.subject : 'kv.get.a'
  if (chance(random, 0.3)) return subject.replace('kv.', `kv.slot.${between(random, 0, 15)}.`)
  return chance(random, 0.1) ? one(random, ['kv.status', 'kv.to.n1.batch.v1', 'kv.map']) : subject
}

/** A key's request is named by its subject alone: what is read is what would be sent. */
const againOf = (op: string, key: string, slot: number | undefined): Uint8Array => {
  const built = requestSubject('kv', op, key)
  if (!built.ok) throw new Error(`${JSON.stringify(key)} was read from a subject and has none`)
  return latin1(slot === undefined ? built.subject : built.subject.replace('kv.', `kv.slot.${slot}.`))
}

export const subject: Target = {
  name: 'subject', share: 6, isCanonical: true, words,
  example: (random) => latin1(drawSubject(random)),
  decode: (bytes) => {
    const parsed = parseSubject('kv', textOf(bytes))
    if (!parsed.ok) return refused(parsed.reason)
    if (parsed.kind !== 'key') return { ok: true, shape: parsed.kind }
    return { ok: true, shape: `key ${parsed.slot === undefined ? '' : 'slot'}`, again: againOf(parsed.op, parsed.key, parsed.slot) }
  },
}

export const keyToken: Target = {
  name: 'key token', share: 4, isCanonical: true, words,
  example: (random) => latin1(encodeToken(drawText(random, 20) || 'k')),
  decode: (bytes) => {
    const decoded = decodeToken(textOf(bytes))
    if (!decoded.ok) return refused(decoded.reason)
    const named = tokensOfKey(decoded.key)
    return { ok: true, shape: named.ok ? 'name' : 'no name', again: latin1(encodeToken(decoded.key)) }
  },
}

const HEADER_WORDS = [
  'Kv-If-Revision: ', 'Kv-Ttl-Ms: ', 'Kv-Request-Id: ', 'Kv-Consistency: ', 'Kv-Timeout-Ms: ', 'traceparent: ', 'Kv-', '\n', 'lease',
  'stale', ':', '0', '00-',
]

const drawHeaders = (random: Random): string => [
  ...(chance(random, 0.4) ? [`Kv-If-Revision: ${drawWhole(random)}`] : []),
  ...(chance(random, 0.4) ? [`Kv-Ttl-Ms: ${drawWhole(random)}`] : []),
  ...(chance(random, 0.4) ? [`Kv-Request-Id: ${chance(random, 0.5) ? 'once' : `${drawHex(random, 16)}:${between(random, 1, 9)}:1`}`] : []),
  ...(chance(random, 0.3) ? [`Kv-Consistency: ${one(random, ['linearizable', 'lease', 'stale'])}`] : []),
  ...(chance(random, 0.3) ? [`Kv-Timeout-Ms: ${between(random, 1, 60_000)}`] : []),
  ...(chance(random, 0.3) ? [`traceparent: 00-${drawHex(random, 32)}-${drawHex(random, 16)}-01`] : []),
  ...(chance(random, 0.2) ? ['X-Other: 1'] : []),
].join('\n')

/** As they come over the wire. */
const headersOf = (text: string): Headers => receivedHeaders(latin1(`NATS/1.0\r\n${text.replaceAll('\n', '\r\n')}\r\n\r\n`))

export const requestHeaders: Target = {
  name: 'request headers', share: 6, isCanonical: false, words: HEADER_WORDS,
  example: (random) => latin1(drawHeaders(random)),
  decode: (bytes) => {
    const parsed = parseRequestHeaders(headersOf(textOf(bytes)))
    if (!parsed.ok) return refused(parsed.reason)
    const numbers = [parsed.headers.ifRevision, parsed.headers.ttlMs, parsed.headers.timeoutMs, parsed.headers.session?.sequence]
    if (numbers.some((n) => n !== undefined && !(Number.isSafeInteger(n) && n >= 0))) throw new Error('a number is none')
    return { ok: true, shape: Object.keys(parsed.headers).join(' '), value: parsed.headers }
  },
}

const RULES = { shardCount: 16, valueBytesMax: 64 }

const readRaw = (bytes: Uint8Array): Outcome => {
  const text = textOf(bytes)
  const [line = '', ...rest] = text.split('\r')
  const parsed = parseSubject('kv', line)
  if (!parsed.ok) return refused(parsed.reason)
  if (parsed.kind !== 'key') return refused('not a request on a key')
  const data = latin1(rest.slice(1).join('\r'))
  const read = readRequest(parsed, { subject: line, reply: '_INBOX.x', data, headers: headersOf(rest[0] ?? '') }, RULES)
  if (!read.ok) return refused(`${read.status} ${read.message}`)
  const { operation, shard } = read.request
  if (shard >= RULES.shardCount) throw new Error(`there is no shard ${shard}`)
  return { ok: true, shape: `${operation.code} ${Object.keys(operation).length}`, value: operation }
}

export const rawRequest: Target = {
  name: 'raw request', share: 5, isCanonical: false, words: [...words, ...HEADER_WORDS, '\r'],
  example: (random) => latin1([drawSubject(random), drawHeaders(random), drawText(random, 70)].join('\r')),
  decode: readRaw,
}

const drawTraces = (random: Random): string => Array.from({ length: between(random, 1, TRACED_OPERATIONS_MAX + 2) }, () =>
  `${between(random, 0, 99_999)}:00-${drawHex(random, 31)}1-${drawHex(random, 15)}1-${one(random, ['00', '01'])}`).join(',')

/** What does not read as a trace is none, and takes no other's place. */
export const batchTraces: Target = {
  name: 'batch traces', share: 2, isCanonical: false, words: [':00-', '-01', ',', ':', '00000', '99999', '0'.repeat(32), 'ff'],
  example: (random) => latin1(drawTraces(random)),
  decode: (bytes) => {
    const traces = parseBatchTraces(new Map([[BATCH_TRACES_HEADER, textOf(bytes)]]))
    if (traces === null) return refused('no trace')
    if (traces.size > TRACED_OPERATIONS_MAX) throw new Error(`${traces.size} traces are more than a batch may have`)
    const texts = [...traces].map(([position, { traceId, spanId, flags }]) => {
      if (!Number.isSafeInteger(position) || !(flags >= 0 && flags <= 255)) throw new Error('a number is none')
      return `${position}:00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`
    })
    return { ok: true, shape: `${Math.min(3, traces.size)} traces`, again: latin1(texts.join(',')), value: texts }
  },
}
