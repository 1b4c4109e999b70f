/** The doors of a node that hosts nothing yet: batches reach its shards' addresses, and come back with what is certain. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { createPost } from '../../bus/postOffice.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { SHARD_SPANS_MAX, createShardSpans } from '../../topology/shardSpans.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { createLiveMap } from '../../topology/liveMap.ts'
import { shardOf } from '../../topology/hash.ts'
import { bootId, clusterId, nodeId, shardId } from '../../topology/ids.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { createNodeParts } from '../../topology/nodeParts.ts'
import { countersOf } from '../../topology/nodeReport.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Logger } from '../../actors/kernel/log.ts'
import type { ClientFrame } from '../../bus/codec/batch.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { ActorMessage } from '../../bus/messages.ts'
import type { RequestTracing } from '../../gateway/tracing.ts'
import type { Parcel } from '../../bus/post.ts'
import type { Policy } from '../../actors/shard/protocol.ts'
import type { NodeSettings } from '../../topology/nodeOptions.ts'

const SHARDS = 4
const self = nodeId('n1')
const peer = nodeId('n2')
const cluster = clusterId('0123456789abcdef')
const shard = shardId(shardOf('a', SHARDS))

interface Surroundings {
  readonly tracing?: RequestTracing
  readonly log?: Logger
  readonly maxPayloadBytes?: number
  readonly settings?: Partial<NodeSettings>
}

const open = (observers: Surroundings = {}) => {
  const world = createVirtualWorld(observers.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: observers.maxPayloadBytes })
  const { clock, broker, pass } = world
  const genesis = must(
    createGenesis({ cluster, members: [self, peer], shardCount: SHARDS, replicationFactor: 2, createdAtMs: 1 })[0], 'the record of n1')
  const failures: unknown[] = []
  const fileSystem = createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) })
  const parts = createNodeParts({
    genesis, boot: bootId('00000000000000aa'), pid: 1, startedAtMs: 1, onExit: () => {},
    settings: { ...defaultSettings, ...observers.settings },
    ports: {
      clock, random: createRandom(1), fileSystem, log: observers.log ?? silentLogger,
      bus: broker.connect({ name: 'n1' }), doorsBus: broker.connect({ name: 'n1/doors' }),
      controlBus: broker.connect({ name: 'n1/control' }),
      ...(observers.tracing === undefined ? {} : { tracing: observers.tracing }),
    },
  }, createLiveMap({ genesis, fileSystem, clock, log: silentLogger, onChange: () => {}, onNewer: () => {} }), {
    onWalNotice: () => {}, onFailure: (error) => failures.push(error), catchUp: () => {}, onLeadershipChanged: () => {},
    onShardQuiet: () => {}, onOrder: () => {},
  })
  parts.doors.open()
  const client = broker.connect({ name: 'client' })
  const heard: NodeFrame[] = []
  client.subscribe('_INBOX.sdk.>', ({ data }) => {
    const decoded = decodeNodeFrame(data)
    if (decoded.ok) heard.push(decoded.frame)
  })
  const say = (frame: ClientFrame): NodeFrame | undefined => {
    client.publish('kv.to.n1.batch.v1', encodeClientFrame(frame), { reply: '_INBOX.sdk.1' })
    pass(5)
    return heard.pop()
  }
  const hello = (): string => {
    const welcome = say({ kind: 'hello', protocol: 1 })
    return welcome?.kind === 'welcome' ? welcome.session : ''
  }
  const put = (session: string, sequence: number): NodeFrame | undefined => say({
    kind: 'batch', session, sequence, timeoutMs: 1_000, consistency: 'linearizable',
    groups: [{ shard, operations: [{ code: OpCode.put, key: 'a', value: new Uint8Array(1) }] }],
  })
  return { ...world, parts, client, failures, say, hello, put }
}

const notLeader = { status: 'NOT_LEADER', definite: true, message: expect.stringMatching(/./) }

describe('the front doors of a node', () => {
  test('answer a batch for a shard the node does not serve with NOT_LEADER, definite and at once', () => {
    const { hello, put, parts, failures } = open()
    const session = hello()
    expect(session).toMatch(/^[0-9a-f]{16}$/)
    expect(put(session, 1)).toMatchObject({ kind: 'results', isLast: true, rows: [{ shard, result: notLeader }] })
    expect(countersOf(parts, null)).toMatchObject({ misdirected: 1, 'batch.batches': 1, 'batch.sessions': 1, 'batch.pendingOperations': 0 })
    expect(failures).toEqual([])
  })

  test('refuse writes, in batches and alone, while the log has more waiting than it should', () => {
    const { hello, put, client, pass } = open({ settings: { wal: { walBacklogBytesMax: 0 } } })
    expect(put(hello(), 1)).toMatchObject({ rows: [{ shard, result: { status: 'OVERLOADED', definite: true } }] })
    const statuses: string[] = []
    for (const subject of ['kv.put.a', 'kv.get.a']) {
      client.request(subject, new Uint8Array(0), { timeoutMs: 100 }, (_failure, answer) => {
        statuses.push(answer?.headers?.get('Kv-Status') ?? '')
      })
    }
    pass(50)
    expect(statuses.sort()).toEqual(['NO_QUORUM', 'OVERLOADED'])
  })

  test('warn of a map that the broker does not take, once, and not of one that it takes', () => {
    const warnings: string[] = []
    const log: Logger = { ...silentLogger, warn: (fields) => { warnings.push(String(fields.problem)) }, child: () => log }
    open({ log })
    expect(warnings).toEqual([])
    const { parts } = open({ log, maxPayloadBytes: 300 })
    parts.doors.noteMap()
    expect(warnings).toEqual([expect.stringMatching(/takes 300 in one message: raise its max_payload/)])
  })

  test('hold 4,096 requests without a session at a time, and refuse the next', () => {
    const { client, pass } = open()
    const statuses = new Map<string, number>()
    client.subscribe('_INBOX.raw', ({ headers }) => {
      const status = headers?.get('Kv-Status') ?? ''
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    })
    for (let i = 0; i < 4_100; i += 1) client.publish('kv.get.a', new Uint8Array(0), { reply: '_INBOX.raw' })
    pass(5)
    expect(statuses.get('OVERLOADED')).toBe(4)
  })

  test('answer a single request on the gateway subjects, and the map', () => {
    const { client, pass, parts } = open()
    const statuses: string[] = []
    for (const subject of ['kv.get.a', 'kv.map']) {
      client.request(subject, new Uint8Array(0), { timeoutMs: 100 }, (_failure, answer) => {
        statuses.push(answer?.headers?.get('Kv-Status') ?? '')
      })
    }
    pass(50)
    expect(statuses.sort()).toEqual(['NO_QUORUM', 'OK'])
    parts.doors.announce('a', 1, OpCode.put)
    parts.doors.setServing(shard, true)
    expect(parts.misdirected()).toBe(0)
  })

  test('close a session after 30 s of silence and forget its connection', () => {
    const { hello, parts, clock, pass } = open()
    const address = `connection/${hello()}`
    const reply = { type: 'shard.reply', shard, batch: 1, results: [], from: self, now: clock.now() } as const
    expect(parts.doors.reply(address, reply)).toBe(true)
    pass(31_000)
    parts.doors.onTick(clock.now())
    expect(parts.doors.reply(address, reply)).toBe(false)
    expect(parts.doors.reply('connection/raw', reply)).toBe(true)
  })

  test('take nothing new while they drain, and are silent once closed', () => {
    const { hello, say, put, parts } = open()
    const session = hello()
    parts.doors.drain()
    expect(put(session, 1)).toMatchObject({ kind: 'refused', sequence: 1, result: { status: 'OVERLOADED', definite: true } })
    parts.doors.close()
    expect(say({ kind: 'hello', protocol: 1 })).toBeUndefined()
    expect(parts.doors.reply('connection/raw', { type: 'shard.reply', shard, batch: 1, results: [], from: self, now: 0 })).toBe(false)
  })
})

describe('a request of another node for a shard that is not served here', () => {
  const ask = (policy: Policy, to: string): unknown[] => {
    const { broker, clock, pass, parts } = open()
    const replies: unknown[] = []
    const post = createPost({
      bus: broker.connect({ name: 'n2' }), clock, cluster, self: peer, bootId: bootId('00000000000000bb'), log: silentLogger,
      isMember: () => true, requestFlush: () => {}, onParcel: ({ to: address, message }) => replies.push([address, message]),
    })
    const message: ActorMessage = {
      type: 'shard.request', replyTo: 'connection/raw', batch: 9, policy, term: 3, consistency: 'linearizable',
      operations: [{ code: OpCode.get, key: 'a' }, { code: OpCode.get, key: 'a' }],
    }
    post.send(self, to, message)
    post.flush()
    pass(50)
    expect(parts.misdirected()).toBe(1)
    return replies
  }

  test.each(['forward', 'direct'] as const)('is answered with NOT_LEADER for every operation when it came by %s', (policy) => {
    expect(ask(policy, `shard/${shard}`)).toMatchObject([
      ['connection/raw', { type: 'shard.reply', shard, batch: 9, results: [notLeader, notLeader] }],
    ])
  })

  test('is met with silence on the slot path, where another node may execute it', () => {
    expect(ask('slot', `shard/${shard}`)).toEqual([])
  })

  test.each(['shard/99', 'node'])('is met with silence when %s is no shard of the map', (to) => {
    expect(ask('direct', to)).toEqual([])
  })
})

describe('the trace of a sampled request', () => {
  const parent = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), flags: 1 }
  const child = { ...parent, spanId: '3'.repeat(16) }
  const traceparent = (flags: string): ReadonlyMap<string, string> =>
    new Map([['traceparent', `00-${parent.traceId}-${parent.spanId}-${flags}`]])

  /** n1 believes that n2 leads every shard; what n2's post is handed is recorded. */
  const openWithLeader = () => {
    const told: string[] = []
    const listening: Logger = {
      ...silentLogger,
      child: () => listening,
      trace: ({ trace_id: trace, span_id: span, parent_span_id: above }, message) => {
        if (trace !== undefined) told.push([message, trace, span, 'below', above].join(' '))
      },
    }
    const node = open({
      log: listening,
      tracing: {
        begin: ({ op, parent: of }) => (of.flags === 0 ? null : { context: child, end: (status) => told.push(`${op} ended ${status}`) }),
        beginAtShard: ({ shard: of, operations, parent: context }) => {
          told.push(`batch of ${operations} for ${of} from ${context.spanId}`)
          return { context: { ...context, spanId: '4'.repeat(16) }, end: (status) => told.push(`batch ended ${status}`) }
        },
      },
    })
    const parcels: Parcel[] = []
    const post = createPost({
      bus: node.broker.connect({ name: 'n2' }), clock: node.clock, cluster, self: peer, bootId: bootId('00000000000000bb'),
      log: silentLogger, isMember: () => true, requestFlush: () => {}, onParcel: (parcel) => parcels.push(parcel),
    })
    node.parts.beacon.heard(peer, {
      boot: bootId('00000000000000bb'), startedAtMs: 1, state: 'serving', epoch: 1, leads: [[shard, 7]], damaged: [],
    }, node.clock.now())
    return { ...node, post, parcels, told }
  }

  test('reaches the node it is forwarded to in the envelope of its frame; an unsampled one has none', () => {
    const { client, pass, parcels } = openWithLeader()
    for (const flags of ['01', '00']) {
      client.publish('kv.put.a', new Uint8Array(1), { reply: '_INBOX.a', headers: traceparent(flags) })
      pass(5)
    }
    client.publish('kv.put.a', new Uint8Array(1), { reply: '_INBOX.a' })
    pass(5)
    const to = `shard/${shard}`
    expect(parcels.map((parcel) => [parcel.to, parcel.message.type, parcel.trace])).toEqual([
      [to, 'shard.request', child], [to, 'shard.request', undefined], [to, 'shard.request', undefined],
    ])
  })

  test('marks the batch it left with, also when others travel along', () => {
    const { client, pass, parcels } = openWithLeader()
    for (const headers of [new Map<string, string>(), traceparent('01'), new Map<string, string>()]) {
      client.publish('kv.put.a', new Uint8Array(1), { reply: '_INBOX.a', headers })
    }
    pass(5)
    expect(parcels).toMatchObject([{ message: { operations: [{ key: 'a' }, { key: 'a' }, { key: 'a' }] }, trace: child }])
  })

  test('is a log line and a span on the node it reaches, from arrival to reply', () => {
    const { post, pass, told } = openWithLeader()
    post.send(self, `shard/${shard}`, {
      type: 'shard.request', replyTo: 'connection/raw', batch: 9, policy: 'forward', term: 3, consistency: 'linearizable',
      operations: [{ code: OpCode.get, key: 'a' }],
    }, child)
    post.flush()
    pass(50)
    expect(told).toEqual([
      `batch of 1 for ${shard} from ${child.spanId}`,
      `a sampled request arrived from another node ${parent.traceId} ${'4'.repeat(16)} below ${child.spanId}`, 'batch ended NOT_LEADER',
    ])
  })
})

describe('spans of forwarded batches', () => {
  test('are bounded: the oldest ends as TIMEOUT when one more than the limit is open', () => {
    const ended: string[] = []
    let begun = 0
    const spans = createShardSpans(self, {
      begin: () => null,
      beginAtShard: ({ parent }) => {
        begun += 1
        const number = begun
        return { context: parent, end: (status) => { ended.push(`${number} ${status}`) } }
      },
    })
    const origin = { node: peer, address: 'connection/raw' }
    const request = {
      type: 'shard.request', replyTo: origin.address, batch: 0, policy: 'forward', term: 1, consistency: 'linearizable', operations: [],
    } as const
    for (let batch = 0; batch <= SHARD_SPANS_MAX; batch += 1) {
      spans.begin(shard, origin, { ...request, batch }, { traceId: '', spanId: '', flags: 1 })
    }
    expect(ended).toEqual(['1 TIMEOUT'])
    expect([0, 1].map((batch) => spans.contextOf(shard, origin, batch)?.flags)).toEqual([undefined, 1])
    spans.end(origin, { type: 'shard.reply', shard, batch: 0, results: [] })
    spans.end(origin, { type: 'shard.reply', shard, batch: 1, results: [] })
    expect(ended).toEqual(['1 TIMEOUT', '2 OK'])
  })
})
