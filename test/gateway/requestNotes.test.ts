/** Which requests without a sampled trace are worth keeping. */

import { expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { BATCH_TRACES_HEADER } from '../../bus/headers.ts'
import { createBatchGateway } from '../../gateway/batches.ts'
import { SLOW_REQUEST_MS, noteUnsampled } from '../../gateway/requestNotes.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { ClientRequest } from '../../actors/connection/protocol.ts'
import type { StatusName } from '../../actors/shard/operation.ts'
import type { ClientFrame } from '../../bus/codec/batch.ts'
import type { SessionPorts } from '../../gateway/batches.ts'
import type { NotedRequest } from '../../gateway/tracing.ts'

const SESSION = '0000000000000001'

test.each<readonly [StatusName, number, boolean]>([
  ['OK', 1, false], ['OK', SLOW_REQUEST_MS, true], ['NOT_FOUND', 1, false], ['CONFLICT', 1, false], ['CONFLICT', SLOW_REQUEST_MS, true],
  ['TIMEOUT', 1, true], ['OVERLOADED', 0, true],
])('%s after %d ms: %s', (status, tookMs, isKept) => {
  const kept: NotedRequest[] = []
  const beginAtShard = () => { throw new Error('nothing is forwarded') }
  const known = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
  const noted = (one: NotedRequest) => {
    kept.push(one)
    return known
  }
  const request = { shard: shardId(3), operation: { code: OpCode.incr, key: 'k' } }
  expect(noteUnsampled({ begin: () => null, beginAtShard, noted }, { request, status, tookMs })).toBe(isKept ? known : undefined)
  expect(kept).toEqual(isKept ? [{ op: 'incr', shard: 3, key: 'k', status, micros: tookMs * 1_000 }] : [])
})

test('the batch door notes operations that failed, under their caller\'s trace, and one of a slow batch; it measures all', () => {
  const { broker, clock, pass } = createVirtualWorld()
  const noted: string[] = []
  const took: string[] = []
  const examples: string[] = []
  const asked: { readonly requests: readonly ClientRequest[]; readonly answer: SessionPorts['answer'] }[] = []
  const gateway = createBatchGateway({
    bus: broker.connect({ name: 'node' }), clock, log: silentLogger, prefix: 'kv', self: nodeId('n1'), inboxPrefix: '_INBOX.',
    shardCount: 1, epoch: () => 1, valueBytesMax: 1_000, frameBytesMax: 3_000, catchUp: () => {}, isOverloaded: () => false,
    drawSession: () => SESSION, requestFlush: () => {},
    openConnection: (_id, { answer }) => ({
      send: (event) => { if (event.type === 'connection.requests') asked.push({ requests: event.requests, answer }) },
      stop: () => {},
    }),
    instruments: {
      told: () => {},
      traced: (_code, tookMs, traceId) => { examples.push(`${traceId[0] ?? ''} ${tookMs < SLOW_REQUEST_MS ? 'quick' : 'slow'}`) },
      took: (_code, _ms, operations, status, trace) => {
        took.push([operations, status, ...(trace === undefined ? [] : ['of', trace.traceId[0]])].join(' '))
      },
    },
    tracing: {
      // What this node samples itself, and not what is above its limit.
      begin: ({ parent }) => (parent.traceId.startsWith('e') ? { context: parent, end: () => {} } : null),
      beginAtShard: () => { throw new Error('nothing is forwarded') },
      // Called `c` by its caller, else by its key.
      noted: ({ op, key, status, parent }) => {
        noted.push([op, key, status, ...(parent === undefined ? [] : ['of', parent.traceId[0]])].join(' '))
        return { traceId: parent?.traceId ?? key.repeat(32), spanId: key.repeat(16), flags: 1 }
      },
    },
  })
  gateway.open()
  const client = broker.connect({ name: 'client' })
  let headers = new Map<string, string>()
  const say = (frame: ClientFrame): void => {
    client.publish('kv.to.n1.batch.v1', encodeClientFrame(frame), { reply: '_INBOX.x', headers })
    pass(1)
  }
  let sequence = 0
  const batch = (...keys: string[]): void => {
    sequence += 1
    const operations = keys.map((key) => ({ code: OpCode.get, key }))
    const groups = [{ shard: shardId(0), operations }]
    say({ kind: 'batch', session: SESSION, sequence, timeoutMs: 5_000, consistency: 'linearizable', groups })
  }
  const answerAll = (statusOf: (key: string) => StatusName): void => {
    for (const { requests, answer } of asked.splice(0)) {
      for (const { ticket, shard, operation: { key } } of requests) answer(ticket, shard, { status: statusOf(key), revision: 1 })
    }
  }
  say({ kind: 'hello', protocol: 1 })
  batch('a', 'b')
  answerAll(() => 'OK')
  batch('a', 'b')
  answerAll((key) => (key === 'a' ? 'NO_QUORUM' : 'OK'))
  gateway.flush()
  expect(noted.splice(0)).toEqual(['get a NO_QUORUM'])
  batch('a', 'b')
  pass(SLOW_REQUEST_MS)
  answerAll(() => 'OK')
  expect(noted.splice(0)).toEqual(['get b OK'])
  // Sampled by its caller, above this node's limit.
  headers = new Map([[BATCH_TRACES_HEADER, `1:00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`]])
  batch('a', 'b')
  answerAll(() => 'NO_QUORUM')
  expect(noted).toEqual(['get a NO_QUORUM', 'get b NO_QUORUM of c'])
  headers = new Map([[BATCH_TRACES_HEADER, `1:00-${'e'.repeat(32)}-${'d'.repeat(16)}-01`]])
  batch('a', 'b', 'c')
  answerAll((key) => (key === 'a' ? 'NOT_FOUND' : 'OK'))
  gateway.flush()
  expect(took).toEqual(['2 OK', '2 NO_QUORUM of a', '2 OK of b', '2 NO_QUORUM of a', '3 NOT_FOUND of e'])
  expect(examples).toEqual(['a quick', 'b slow', 'a quick', 'e quick'])
})
