/** Request headers are read strictly; reply headers say what happened. */

import { describe, expect, test } from '@jest/globals'
import { parseRequestHeaders, replyHeaders } from '../../bus/headers.ts'
import { HEADER_BYTES_MAX, receivedHeaders } from '../../bus/receivedHeaders.ts'
import { shardId } from '../../topology/ids.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { RequestHeaders } from '../../bus/headers.ts'

const parse = (...pairs: readonly (readonly [string, string])[]): ReturnType<typeof parseRequestHeaders> =>
  parseRequestHeaders(new Map(pairs))

const onTheWire = (lines: string, status = ''): ReturnType<typeof receivedHeaders> =>
  receivedHeaders(new TextEncoder().encode(`NATS/1.0${status}\r\n${lines}\r\n\r\n`))

/** These blocks take a tenth of a second in all; with a square in it they took fifteen. */
const TIME_MS_MAX = 5_000
/** A quick machine takes 0.1 s for a single block whose blanks have many ways to match. */
const ROUNDS = 200

const client = '0123456789abcdef'
const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

describe('a request header', () => {
  test.each<[string, string, RequestHeaders]>([
    ['Kv-If-Revision', '0', { ifRevision: 0 }],
    ['Kv-If-Revision', '999999999999999', { ifRevision: 999_999_999_999_999 }],
    ['kv-if-revision', '7', { ifRevision: 7 }],
    ['Kv-Ttl-Ms', '1500', { ttlMs: 1_500 }],
    ['Kv-Timeout-Ms', '60000', { timeoutMs: 60_000 }],
    ['Kv-Consistency', 'stale', { consistency: 'stale' }],
    ['Kv-Consistency', 'lease', { consistency: 'lease' }],
    ['Kv-Consistency', 'linearizable', { consistency: 'linearizable' }],
    ['Kv-Request-Id', 'order-17/retry', { requestId: 'order-17/retry' }],
    ['Kv-Request-Id', 'x'.repeat(64), { requestId: 'x'.repeat(64) }],
    ['Kv-Request-Id', `${client}:5`, { session: { client, sequence: 5, firstIncomplete: 1 } }],
    ['Kv-Request-Id', `${client}:5:5`, { session: { client, sequence: 5, firstIncomplete: 5 } }],
    ['traceparent', `00-${traceId}-${spanId}-01`, { trace: { traceId, spanId, flags: 1 } }],
    ['traceparent', `00-${'0'.repeat(32)}-${spanId}-01`, {}],
    ['traceparent', `00-${traceId}-${'0'.repeat(16)}-01`, {}],
    ['traceparent', `00-${traceId}-${spanId}-01-more`, {}],
    ['traceparent', `01-${traceId}-${spanId}-01`, { trace: { traceId, spanId, flags: 1 } }],
    ['traceparent', `cc-${traceId}-${spanId}-01-what-will-be`, { trace: { traceId, spanId, flags: 1 } }],
    ['traceparent', `01-${traceId}-${spanId}-fe`, { trace: { traceId, spanId, flags: 0 } }],
    ['traceparent', `01-${traceId}-${spanId}-011`, {}],
    ['traceparent', `01-${traceId}-${spanId}-01.`, {}],
    ['traceparent', `01-${'0'.repeat(32)}-${spanId}-01`, {}],
    ['traceparent', `ff-${traceId}-${spanId}-01`, {}],
    ['traceparent', `FE-${traceId}-${spanId}-01`, {}],
    ['traceparent', 'nonsense', {}],
    ['X-Other', 'anything', {}],
  ])('%s: %s is understood', (name, value, expected) => {
    expect(parse([name, value])).toEqual({ ok: true, headers: expected })
  })

  test.each([
    ['Kv-If-Revision', '-1', /decimal/],
    ['Kv-If-Revision', '1e3', /decimal/],
    ['Kv-If-Revision', '01', /decimal/],
    ['Kv-If-Revision', '', /decimal/],
    ['Kv-If-Revision', '1000000000000000', /15 digits/],
    ['Kv-If-Revision', '1,2', /decimal/],
    ['Kv-Ttl-Ms', '1.5', /decimal/],
    ['Kv-Timeout-Ms', '0', /1 to 60000/],
    ['Kv-Timeout-Ms', '60001', /1 to 60000/],
    ['Kv-Timeout-Ms', 'soon', /1 to 60000/],
    ['Kv-Consistency', 'Stale', /linearizable, lease or stale/],
    ['Kv-Request-Id', '', /1 to 64/],
    ['Kv-Request-Id', 'x'.repeat(65), /1 to 64/],
    ['Kv-Request-Id', 'with blank', /printable/],
    ['Kv-Request-Id', 'ümlaut', /printable/],
    ['Kv-Request-Id', `${client}:0`, /from 1/],
    ['Kv-Request-Id', `${client}:`, /from 1/],
    ['Kv-Request-Id', `${client}:5:0`, /from 1/],
    ['Kv-Request-Id', `${client}:5:6`, /above its own number/],
    ['Kv-Request-Id', `${client}:5:1:1`, /colon/],
    ['Kv-Request-Id', `${client.toUpperCase()}:5`, /lower-case/],
    ['Kv-Request-Id', 'a:5', /16 lower-case hex/],
    ['Kv-If-Revison', '3', /not known.*Kv-If-Revision/],
  ])('%s: %s is refused', (name, value, reason) => {
    expect(parse([name, value])).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('given twice in two spellings is refused: one of the two would be lost', () => {
    expect(parse(['Kv-Ttl-Ms', '1'], ['kv-ttl-ms', '2'])).toMatchObject({ ok: false, reason: expect.stringMatching(/twice/) })
  })

  test.each(['Kv-Request-Id', 'Kv-Ttl-Ms', 'Kv-Consistency'])('%s given twice in one spelling is refused', (name) => {
    expect(parseRequestHeaders(onTheWire(`${name}: 1\r\n${name}: 1`))).toMatchObject({ ok: false, reason: expect.stringMatching(/twice/) })
  })

  test.each([
    ['no first line', 'Kv-Ttl-Ms: 5\r\n\r\n'],
    ['another first line', 'NATS/1.1\r\nKv-Ttl-Ms: 5\r\n\r\n'],
    ['nothing', ''],
    ['line feeds alone', 'NATS/1.0\nKv-Ttl-Ms: 5\n\n'],
    ['a line without a name', 'NATS/1.0\r\n: 5\r\n\r\n'],
    ['a name with a blank', 'NATS/1.0\r\nKv-Ttl-Ms : 5\r\n\r\n'],
    ['a name that is no ASCII', 'NATS/1.0\r\nSchlüssel: 5\r\n\r\n'],
    ['a carriage return in a value', 'NATS/1.0\r\nA: b\rc\r\n\r\n'],
    ['more than can be meant', `NATS/1.0\r\nA: ${'b'.repeat(HEADER_BYTES_MAX)}\r\n\r\n`],
  ])('with %s can not be read, and is never what it stands for', (_what, block) => {
    const refusal = { ok: false, reason: expect.stringMatching(/can not be read/) }
    expect(parseRequestHeaders(receivedHeaders(new TextEncoder().encode(block)))).toMatchObject(refusal)
  })

  /** The time of the test is the limit. */
  test('is read in a time that grows with its length, not with the square of it', async () => {
    const most = HEADER_BYTES_MAX - 100
    const blocks = [' ', '\n', ':', '\r\n'].flatMap((filler) => ['NATS/1.0 100 ', 'NATS/1.0', 'NATS/1.0\r\nA'].map((begin) =>
      new TextEncoder().encode(`${begin}${filler.repeat(most / filler.length)}\n\r\n\r\n`)))
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const block of blocks) receivedHeaders(block)
      await new Promise((resolve) => { setImmediate(resolve) })
    }
  }, TIME_MS_MAX)

  test('that lacks its colon is never overlooked: a condition would be lost', () => {
    const refusal = { ok: false, reason: expect.stringMatching(/can not be read/) }
    expect(parseRequestHeaders(onTheWire('Kv-If-Revision 5'))).toMatchObject(refusal)
  })

  test('comes as it was sent, without the blanks around its value, and beside the code of the broker\'s status line', () => {
    expect(onTheWire('')).toEqual(new Map())
    expect(onTheWire('Kv-Ttl-Ms:5 \r\n\r\na: b: c \r\nA:')).toEqual(new Map([['Kv-Ttl-Ms', '5'], ['a', 'b: c'], ['A', '']]))
    expect(onTheWire('Status: 503\r\nA: 1', ' 503 No Responders')).toEqual(new Map([['Status', '503'], ['A', '1']]))
    for (const status of [' 503', ' 503 ', '  503 a b ']) expect(onTheWire('', status)).toEqual(new Map([['Status', '503']]))
    expect(onTheWire('A: 1', '  ')).toEqual(new Map([['A', '1']]))
  })

  test('is optional', () => {
    expect(parseRequestHeaders(undefined)).toEqual({ ok: true, headers: {} })
    expect(parse()).toEqual({ ok: true, headers: {} })
  })
})

describe('the headers of an answer', () => {
  test.each<[string, OperationResult, Record<string, string>]>([
    ['a success', { status: 'OK', revision: 7 }, { 'Kv-Status': 'OK', 'Kv-Revision': '7', 'Kv-Shard': '3' }],
    ['a conflict with an absent key', { status: 'CONFLICT', revision: 0, definite: true },
      { 'Kv-Status': 'CONFLICT', 'Kv-Revision': '0', 'Kv-Shard': '3', 'Kv-Definite': 'true' }],
    ['nothing found', { status: 'NOT_FOUND', revision: 0 }, { 'Kv-Status': 'NOT_FOUND', 'Kv-Shard': '3' }],
    ['nothing found at a revision', { status: 'NOT_FOUND', revision: 9 },
      { 'Kv-Status': 'NOT_FOUND', 'Kv-Revision': '9', 'Kv-Shard': '3' }],
    ['an overload', { status: 'OVERLOADED', revision: 0, definite: false, retryAfterMs: 50 },
      { 'Kv-Status': 'OVERLOADED', 'Kv-Shard': '3', 'Kv-Definite': 'false', 'Kv-Retry-After-Ms': '50' }],
  ])('for %s', (_name, result, expected) => {
    expect(Object.fromEntries(replyHeaders(result, { shard: shardId(3) }))).toEqual(expected)
  })

  test('say which consistency a read got, and no shard when none was reached', () => {
    expect(Object.fromEntries(replyHeaders({ status: 'OK', revision: 1 }, { consistency: 'lease' })))
      .toEqual({ 'Kv-Status': 'OK', 'Kv-Revision': '1', 'Kv-Consistency': 'lease' })
    expect(Object.fromEntries(replyHeaders({ status: 'INVALID', revision: 0 }))).toEqual({ 'Kv-Status': 'INVALID' })
  })
})
