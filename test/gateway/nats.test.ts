/** Raw requests through the NATS front door: what becomes an operation, what is refused, and who may be answered. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createNatsGateway } from '../../gateway/nats.ts'
import { nodesInbox } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { shardId } from '../../topology/ids.ts'
import { KEY_BYTES_MAX, OpCode } from '../../actors/shard/operation.ts'
import { conflict, notFound } from '../../actors/shard/outcome.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { ClientRequest } from '../../actors/connection/protocol.ts'
import type { Headers } from '../../bus/port.ts'

const SHARDS = 4
const VALUE_BYTES_MAX = 64

interface Answer {
  readonly status: string
  readonly body: string
  readonly headers: Headers
}

interface Situation {
  readonly isMapped?: boolean
  readonly isOverloaded?: boolean
  readonly delays?: number[]
  readonly map?: unknown
  readonly maxPayloadBytes?: number
  /** What publishing comes to, instead of what the broker makes of it. */
  readonly refusal?: 'full'
}

const open = (options: Situation = {}) => {
  const world = createVirtualWorld({
    ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
    ...(options.isMapped === false ? {} : { mappings: { prefix: 'kv', shardCount: SHARDS } }),
    fate: () => [options.delays?.shift() ?? 0],
  })
  const submitted: ClientRequest[] = []
  const log: string[] = []
  const spans: string[] = []
  const noted: string[] = []
  const took: string[] = []
  const examples: string[] = []
  let caughtUp = 0
  const bus = world.broker.connect({ name: 'node' })
  const gateway = createNatsGateway({
    bus: { ...bus, publish: (...args) => options.refusal ?? bus.publish(...args) },
    clock: world.clock,
    log: { ...silentLogger, warn: ({ reason, trace_id: trace, span_id: span }) => {
      log.push([reason, trace, span].filter((word): word is string => typeof word === 'string').join(' '))
    } },
    instruments: {
      told: () => {},
      took: (code, tookMs, operations, status, trace) => {
        const of = trace === undefined ? '' : ` ${trace.traceId}`
        took.push(`${code} ${tookMs >= 200 ? 'long' : 'short'} ${operations} ${String(status)}${of}`)
      },
      traced: (_code, _tookMs, traceId) => { examples.push(traceId) },
    },
    prefix: 'kv',
    inboxPrefix: '_INBOX.',
    shardCount: SHARDS,
    valueBytesMax: VALUE_BYTES_MAX,
    catchUp: () => { caughtUp += 1 },
    isOverloaded: () => options.isOverloaded === true,
    tracing: {
      begin: ({ op, parent }) => {
        if (parent.flags === 0) return null
        spans.push(`begin ${op} ${parent.traceId}`)
        return { context: { ...parent, spanId: 'c'.repeat(16) }, end: (status) => { spans.push(`end ${status}`) } }
      },
      beginAtShard: () => { throw new Error('the gateway has no batches of other nodes') },
      noted: ({ op, key, status, micros }) => {
        noted.push(`${op} ${key} ${status} ${Math.round(micros / 1_000)}`)
        return { traceId: `kept-${key}`, spanId: 'd'.repeat(16), flags: 1 }
      },
    },
    submit: (request) => submitted.push(request),
    mapText: () => JSON.stringify(options.map ?? { epoch: 1 }),
  })
  const client = world.broker.connect({ name: 'client' })
  const ask = (subject: string, body: string | Uint8Array = '', headers: Record<string, string> = {}): (() => Answer | string) => {
    let answer: Answer | string = 'silence'
    const data = typeof body === 'string' ? new TextEncoder().encode(body) : body
    client.request(subject, data, { timeoutMs: 1_000, headers: new Map(Object.entries(headers)) }, (failure, message) => {
      if (failure === 'noResponders') answer = failure
      if (message !== null) {
        const given = message.headers ?? new Map<string, string>()
        answer = { status: given.get('Kv-Status') ?? '', body: new TextDecoder().decode(message.data), headers: given }
      }
    })
    world.pass(5)
    return () => {
      world.pass(5)
      return answer
    }
  }
  const serveAll = (): void => {
    for (let shard = 0; shard < SHARDS; shard += 1) gateway.setServing(shardId(shard), true)
  }
  return { ...world, gateway, client, submitted, log, spans, noted, took, examples, ask, serveAll, caughtUp: () => caughtUp }
}

const statusOf = (answer: Answer | string): string => (typeof answer === 'string' ? answer : answer.status)

describe('the slots of the NATS gateway', () => {
  test('turn a routed request into an operation of its shard, and the result into an answer', () => {
    const { gateway, submitted, ask, serveAll, caughtUp } = open()
    serveAll()
    gateway.open()
    const headers = { 'Kv-If-Revision': '0', 'Kv-Ttl-Ms': '5000', 'Kv-Request-Id': 'abc', 'Kv-Timeout-Ms': '700' }
    const answer = ask('kv.put.user42', 'hello', headers)
    const request = must(submitted[0], 'the request was submitted')
    expect(request).toMatchObject({
      shard: shardOf('user42', SHARDS), policy: 'slot', consistency: 'linearizable', timeoutMs: 700,
      operation: { code: OpCode.put, key: 'user42', ifRevision: 0, ttlMs: 5_000, requestId: 'abc' },
    })
    expect(new TextDecoder().decode(request.operation.value)).toBe('hello')
    expect(caughtUp()).toBe(1)
    gateway.answer(request.ticket, { status: 'OK', revision: 17 })
    expect(answer()).toMatchObject({ status: 'OK', body: '' })
    expect((answer() as Answer).headers.get('Kv-Revision')).toBe('17')
    expect((answer() as Answer).headers.get('Kv-Shard')).toBe(String(request.shard))
  })

  test.each([notFound, conflict(9)])('have an empty payload for $status, whose headers say it all', (result) => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    const answer = ask('kv.del.user42', '', { 'Kv-If-Revision': '8' })
    gateway.answer(must(submitted[0], 'the request was submitted').ticket, result)
    expect(answer()).toMatchObject({ status: result.status, body: '' })
    expect((answer() as Answer).headers.get('Kv-Definite')).toBe('true')
    expect((answer() as Answer).headers.get('Kv-Revision')).toBe(result.status === 'CONFLICT' ? '9' : undefined)
  })

  test('hash a key of a partition by its partition and name it in full', () => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    ask('kv.get.user42.email', '', { 'Kv-Consistency': 'stale' })
    expect(submitted[0]).toMatchObject({
      shard: shardOf('user42', SHARDS), consistency: 'stale', operation: { code: OpCode.get, key: '{user42}email' },
    })
  })

  test('live exactly as long as the leadership: dropped, nobody answers', () => {
    const { gateway, submitted, ask } = open()
    const shard = shardId(shardOf('user42', SHARDS))
    gateway.open()
    expect(ask('kv.get.user42')()).toBe('noResponders')
    gateway.setServing(shard, true)
    ask('kv.get.user42')
    expect(submitted).toHaveLength(1)
    gateway.setServing(shard, false)
    expect(ask('kv.get.user42')()).toBe('noResponders')
    expect(submitted).toHaveLength(1)
  })

  test('wait for the node to serve', () => {
    const { gateway, ask, serveAll } = open()
    serveAll()
    expect(ask('kv.get.user42')()).toBe('noResponders')
    gateway.open()
    expect(ask('kv.get.user42')()).toBe('silence')
  })

  test.each([
    ['an unknown operation', 'kv.frobnicate.user42', '', {}, 'INVALID'],
    ['a key that is not in its canonical encoding', 'kv.get.%61', '', {}, 'INVALID'],
    ['a one-token key that looks like a partition', 'kv.get.%7Ba%7Db', '', {}, 'INVALID'],
    ['a partition with a brace', 'kv.get.a%7Db.c', '', {}, 'INVALID'],
    ['a key one byte above its limit', `kv.get.${'k'.repeat(KEY_BYTES_MAX + 1)}`, '', {}, 'TOO_LARGE'],
    ['an unknown header of ours', 'kv.get.user42', '', { 'Kv-Consistancy': 'stale' }, 'INVALID'],
    ['a revision that is no number', 'kv.put.user42', 'x', { 'Kv-If-Revision': '-1' }, 'INVALID'],
    ['a consistency on a write', 'kv.put.user42', 'x', { 'Kv-Consistency': 'stale' }, 'INVALID'],
  ] as const)('refuse %s, definitely, and change nothing', (_name, subject, body, headers, status) => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    const answer = ask(subject, body, headers)()
    expect(statusOf(answer)).toBe(status)
    expect((answer as Answer).headers.get('Kv-Definite')).toBe('true')
    expect((answer as Answer).body).not.toBe('')
    expect(submitted).toEqual([])
    expect(gateway.counters()[status]).toBe(1)
  })

  test('take a value of exactly the budget', () => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    ask('kv.put.user42', 'x'.repeat(VALUE_BYTES_MAX))
    expect(submitted[0]?.operation.value).toHaveLength(VALUE_BYTES_MAX)
  })

  test('refuse a token that the mapping sent to another shard than it belongs to', () => {
    const { gateway, submitted, client, serveAll, pass } = open()
    serveAll()
    gateway.open()
    const wrong = (shardOf('user42', SHARDS) + 1) % SHARDS
    let status = ''
    client.request(`kv.slot.${wrong}.get.user42`, new Uint8Array(0), { timeoutMs: 100 }, (_failure, answer) => {
      status = answer?.headers?.get('Kv-Status') ?? ''
    })
    pass(5)
    expect(status).toBe('INVALID')
    expect(submitted).toEqual([])
  })

  test('ignore routing probes', () => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    expect(ask('kv.routing-check.abc')()).toBe('silence')
    expect(submitted).toEqual([])
  })
})

describe('the NATS gateway', () => {
  test('answers nobody outside the inbox prefix, so that a client can not have it forge internal messages', () => {
    const { gateway, client, submitted, serveAll, pass, broker, log } = open()
    serveAll()
    gateway.open()
    const heard: string[] = []
    broker.connect({ name: 'other' }).subscribe('skv.>', ({ subject }) => heard.push(subject))
    client.publish('kv.get.user42', new Uint8Array(0), { reply: 'skv.c.node.n2.n1' })
    client.publish('kv.get.%61', new Uint8Array(0), { reply: 'skv.c.node.n2.n1' })
    pass(100)
    expect(heard).toEqual([])
    expect(submitted).toEqual([])
    expect(gateway.counters().replySubject).toBe(2)
    expect(log).toEqual(['replySubject'])
  })

  test('answers no client where nodes hear what nodes answer', () => {
    const { gateway, client, submitted, serveAll, pass, broker } = open()
    serveAll()
    gateway.open()
    const heard: string[] = []
    broker.connect({ name: 'n2' }).subscribe('_INBOX.>', ({ subject }) => heard.push(subject))
    for (const inbox of ['_INBOX', '_INBOX.n2'].map(nodesInbox)) {
      for (const subject of ['kv.get.user42', 'kv.map', 'kv.status']) client.publish(subject, new Uint8Array(0), { reply: `${inbox}.1.7` })
    }
    pass(100)
    expect([heard, submitted]).toEqual([[], []])
    expect(gateway.counters().replySubject).toBe(4) // Not of the status: nodes ask for it, and every node answers for itself.
  })

  test('executes a request that wants no answer', () => {
    const { gateway, client, submitted, serveAll, pass } = open()
    serveAll()
    gateway.open()
    client.publish('kv.put.user42', new Uint8Array(1))
    pass(5)
    gateway.answer(must(submitted[0], 'submitted').ticket, { status: 'OK', revision: 1 })
    expect(submitted).toHaveLength(1)
  })

  test('forwards on a broker without the mapping', () => {
    const { gateway, submitted, ask } = open({ isMapped: false })
    gateway.open()
    ask('kv.incr.visits')
    ask('kv.put.a.b', 'x')
    expect(submitted.map(({ policy }) => policy)).toEqual(['forward', 'forward'])
    expect(submitted.map(({ shard }) => shard)).toEqual([shardOf('visits', SHARDS), shardOf('a', SHARDS)])
  })

  test('answers help and map itself, stays silent on status, and refuses the rest', () => {
    const { gateway, ask } = open()
    gateway.open()
    expect((ask('kv.help')() as Answer).body).toContain('kv.put.<key>')
    expect((ask('kv.map')() as Answer).body).toBe('{"epoch":1}')
    expect(ask('kv.status')()).toBe('silence')
    expect(statusOf(ask('kv.get')())).toBe('INVALID')
    expect(statusOf(ask('kv.scan')())).toBe('INVALID')
  })

  test.each([
    ['map', { map: { epoch: 1, nodes: ['n'.repeat(1_000)] } }, /kv\.map has 10\d\d bytes.*takes 1024 .*raise its max_payload/],
    ['help', {}, /kv\.help has \d+ bytes.*max_payload/],
  ] as const)('says what to do when %s is more than the broker takes in one message, and logs it', (op, more, sentence) => {
    const { gateway, ask, log } = open({ maxPayloadBytes: 1_024, ...more })
    gateway.open()
    const answer = ask(`kv.${op}`)() as Answer
    expect(answer).toMatchObject({ status: 'TOO_LARGE', body: expect.stringMatching(sentence) })
    expect(answer.headers.get('Kv-Definite')).toBe('true')
    expect(log).toEqual(['TOO_LARGE'])
  })

  test.each(['kv.map', 'kv.help', 'kv.scan'])('notes an answer to %s that could not be sent', (subject) => {
    const { gateway, ask, log } = open({ refusal: 'full' })
    gateway.open()
    expect(ask(subject)()).toBe('silence')
    expect(gateway.counters().unsent).toBe(1)
    expect(log).toContain('unsent')
  })

  test('forgets a ticket without an answer, and answers each at most once', () => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    const forgotten = ask('kv.get.user42')
    gateway.forget(must(submitted[0], 'submitted').ticket)
    gateway.answer(must(submitted[0], 'submitted').ticket, { status: 'OK', revision: 1 })
    expect(forgotten()).toBe('silence')
  })

  test('says why in the body of an error and how sure it is in a header', () => {
    const { gateway, submitted, ask, serveAll } = open()
    serveAll()
    gateway.open()
    const answer = ask('kv.put.user42', 'x')
    gateway.answer(must(submitted[0], 'submitted').ticket, {
      status: 'OVERLOADED', revision: 0, definite: false, retryAfterMs: 50, message: 'The shard is full: retry later.',
    })
    const given = answer() as Answer
    expect(given).toMatchObject({ status: 'OVERLOADED', body: 'The shard is full: retry later.' })
    expect([given.headers.get('Kv-Definite'), given.headers.get('Kv-Retry-After-Ms')]).toEqual(['false', '50'])
  })

  test('notes a request without a sampled trace that fails, is forgotten, or takes long, and no other', () => {
    const { gateway, submitted, ask, serveAll, noted, took, examples, pass } = open()
    serveAll()
    gateway.open()
    for (const key of ['quick', 'missing', 'slow', 'failed', 'silent']) ask(`kv.get.${key}`)
    const ticketOf = (key: string): number => must(submitted.find(({ operation }) => operation.key === key), key).ticket
    gateway.answer(ticketOf('quick'), { status: 'OK', revision: 1 })
    gateway.answer(ticketOf('missing'), { status: 'NOT_FOUND', revision: 0 })
    gateway.answer(ticketOf('failed'), { status: 'NO_QUORUM', revision: 0, definite: false })
    pass(200)
    gateway.answer(ticketOf('slow'), { status: 'OK', revision: 1 })
    gateway.forget(ticketOf('silent'))
    expect(noted.map((line) => line.replace(/ 2\d\d$/, ' long').replace(/ \d+$/, ''))).toEqual([
      'get failed NO_QUORUM', 'get slow OK long', 'get silent TIMEOUT long',
    ])
    const [quick, long] = [`${OpCode.get} short 1`, `${OpCode.get} long 1`]
    expect(took).toEqual([
      `${quick} OK`, `${quick} NOT_FOUND`, `${quick} NO_QUORUM kept-failed`, `${long} OK kept-slow`, `${long} TIMEOUT kept-silent`,
    ])
    expect(examples).toEqual(['kept-failed', 'kept-slow', 'kept-silent'])
  })

  test('measures a request that was forgotten, or waits as the node ends, like one that was answered', () => {
    const { gateway, submitted, ask, serveAll, took, pass } = open()
    serveAll()
    gateway.open()
    const trace = 'a'.repeat(32)
    ask('kv.get.answered')
    ask('kv.get.forgotten', '', { traceparent: `00-${trace}-${'b'.repeat(16)}-01` })
    ask('kv.put.waiting', 'x')
    gateway.answer(must(submitted[0], 'submitted').ticket, { status: 'NOT_FOUND', revision: 0 })
    pass(200)
    gateway.forget(must(submitted[1], 'submitted').ticket)
    gateway.close()
    expect(took).toEqual([
      `${OpCode.get} short 1 NOT_FOUND`, `${OpCode.get} long 1 TIMEOUT ${trace}`, `${OpCode.put} long 1 TIMEOUT kept-waiting`,
    ])
    expect(gateway.waiting()).toBe(0)
  })

  test('measures nothing of a request that is turned away as it comes, and logs its trace', () => {
    const { gateway, ask, serveAll, took, log, pass } = open({ isOverloaded: true })
    serveAll()
    gateway.open()
    expect(statusOf(ask('kv.put.a', 'x', { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` })())).toBe('OVERLOADED')
    pass(1_000)
    ask('kv.put.unsampled', 'x')
    const known = [`${'a'.repeat(32)} ${'c'.repeat(16)}`, `kept-unsampled ${'d'.repeat(16)}`]
    expect([took, log]).toEqual([[], known.map((trace) => `OVERLOADED ${trace}`)])
  })

  test('sends a probe the way of forwarded requests, spans it, and tells its result', () => {
    const { gateway, submitted, spans } = open()
    const results: (string | null)[] = []
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
    for (const op of ['put', 'get'] as const) {
      gateway.probe({ op, key: '{p}k', hashToken: 'p', trace }, (result) => results.push(result?.status ?? null))
    }
    expect(submitted).toMatchObject([
      {
        policy: 'forward', shard: shardOf('p', SHARDS), operation: { code: OpCode.put, key: '{p}k', ttlMs: 60_000 },
        trace: { traceId: trace.traceId },
      },
      { policy: 'forward', shard: shardOf('p', SHARDS), operation: { code: OpCode.get, key: '{p}k' } },
    ])
    gateway.answer(must(submitted[0], 'the put').ticket, { status: 'OK', revision: 1 })
    gateway.forget(must(submitted[1], 'the get').ticket)
    expect(results).toEqual(['OK', null])
    expect(spans.slice(2)).toEqual(['end OK', 'end TIMEOUT'])
  })

  test('spans a sampled request from its arrival to its answer, or to the deadline that ends it', () => {
    const { gateway, submitted, ask, serveAll, spans } = open()
    serveAll()
    gateway.open()
    const trace = 'a'.repeat(32)
    ask('kv.get.user42', '', { traceparent: `00-${trace}-${'b'.repeat(16)}-01` })
    ask('kv.get.user43', '', { traceparent: `00-${trace}-${'b'.repeat(16)}-01` })
    ask('kv.get.user44', '', { traceparent: `00-${trace}-${'b'.repeat(16)}-00` })
    gateway.answer(must(submitted[0], 'submitted').ticket, { status: 'NOT_FOUND', revision: 0 })
    gateway.forget(must(submitted[1], 'submitted').ticket)
    gateway.answer(must(submitted[2], 'submitted').ticket, { status: 'NOT_FOUND', revision: 0 })
    expect(spans).toEqual([`begin get ${trace}`, `begin get ${trace}`, 'end NOT_FOUND', 'end TIMEOUT'])
  })

  test('announces a change on its own root, and nothing for what is no key', () => {
    const { gateway, broker, pass } = open()
    const heard: string[] = []
    broker.connect({ name: 'other' }).subscribe('kv-changed.>', ({ subject, headers }) => {
      heard.push(`${subject} ${headers?.get('Kv-Revision')}`)
    })
    gateway.announce('{user42}email', 7, OpCode.put)
    gateway.announce('', 8, OpCode.put)
    pass(5)
    expect(heard).toEqual(['kv-changed.user42.email 7'])
  })

  test('drains a slot: what was sent before is taken, who asks later finds nobody, and overdue ticks come first', () => {
    const { gateway, client, submitted, ask, pass, caughtUp } = open()
    const shard = shardId(shardOf('user42', SHARDS))
    const drained: number[] = []
    const drain = (): void => gateway.drainSlot(shard, () => drained.push(submitted.length, caughtUp()))
    drain()
    expect(drained).toEqual([0, 0])
    gateway.setServing(shard, true)
    gateway.open()
    client.publish('kv.get.user42', new Uint8Array(0), { reply: '_INBOX.x' })
    drain()
    pass(5)
    expect(drained).toEqual([0, 0, 1, 2])
    expect(ask('kv.get.user42')()).toBe('noResponders')
    gateway.setServing(shard, false)
    gateway.setServing(shard, true)
    ask('kv.get.user42')
    expect(submitted).toHaveLength(2)
  })

  test('serves a slot anew while the old subscription still delivers, and drops both with the leadership', () => {
    const { gateway, client, submitted, pass } = open({ delays: [10, 0, 10, 0] })
    const shard = shardId(shardOf('user42', SHARDS))
    /** One request on its way to the old subscription, one to the new. */
    const askBoth = (): void => {
      client.publish('kv.get.user42', new Uint8Array(0), { reply: '_INBOX.x' })
      gateway.drainSlot(shard, () => {})
      gateway.setServing(shard, true)
      client.publish('kv.get.user42', new Uint8Array(0), { reply: '_INBOX.x' })
    }
    gateway.setServing(shard, true)
    gateway.open()
    askBoth()
    pass(20)
    expect(submitted).toHaveLength(2)
    askBoth()
    gateway.setServing(shard, false)
    pass(20)
    expect(submitted).toHaveLength(2)
  })

  test('takes what was sent while it drains, is idle when all of it is answered, and takes nothing at all once closed', () => {
    const { gateway, client, submitted, ask, serveAll, pass } = open({ isMapped: false })
    serveAll()
    gateway.open()
    client.publish('kv.get.user42', new Uint8Array(0), { reply: '_INBOX.x' })
    gateway.drain()
    expect(gateway.isIdle()).toBe(false)
    pass(5)
    expect(submitted).toHaveLength(1)
    expect(gateway.isIdle()).toBe(false)
    gateway.answer(must(submitted[0], 'submitted').ticket, { status: 'NOT_FOUND', revision: 0 })
    expect(gateway.isIdle()).toBe(true)
    expect(ask('kv.help')()).toBe('noResponders')
    gateway.close()
    expect(ask('kv.get.user42')()).toBe('noResponders')
  })

  test('refuses writes, not reads, while the log has too much waiting', () => {
    const { gateway, submitted, ask, serveAll } = open({ isOverloaded: true })
    serveAll()
    gateway.open()
    expect(statusOf(ask('kv.put.user42', 'x')())).toBe('OVERLOADED')
    ask('kv.get.user42')
    expect(submitted.map(({ operation }) => operation.code)).toEqual([OpCode.get])
  })

  test('refuses with OVERLOADED when too many answers are outstanding', () => {
    const { gateway, client, ask, serveAll, pass } = open()
    serveAll()
    gateway.open()
    for (let i = 0; i < 65_536; i += 1) client.publish('kv.get.user42', new Uint8Array(0), { reply: '_INBOX.nobody' })
    pass(5)
    const answer = ask('kv.get.user42')() as Answer
    expect(answer.status).toBe('OVERLOADED')
    expect(answer.headers.get('Kv-Definite')).toBe('false')
  })
})
