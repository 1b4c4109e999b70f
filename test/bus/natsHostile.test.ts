/** What a stranger, a strict broker or a lost one does to a bus over a real nats-server: bytes on the wire, permissions, a drain. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseRequestHeaders } from '../../bus/headers.ts'
import { connectNats } from '../../bus/nats.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { serverConfig } from '../../bus/natsConfig.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { createVitals } from '../../observe/vitals.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { bootId, clusterId, nodeId } from '../../topology/ids.ts'
import { createNode } from '../../topology/node.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { kv, settledKv } from '../support/kv.ts'
import { hpub, malformedHeaders, sayRaw } from '../support/rawNats.ts'
import { until } from '../support/until.ts'
import { ask, bytesOf, flushed, textOf } from './contract.ts'
import type { Bus, BusEvent, Inbound } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'
import type { Node } from '../../topology/node.ts'

type Copy = Pick<Inbound, 'subject' | 'reply' | 'headers'> & { readonly text: string }

const copyOf = ({ subject, reply, data, headers }: Inbound): Copy =>
  ({ subject, reply, text: textOf(data), ...(headers === undefined ? {} : { headers }) })

describe('headers that can not be read', () => {
  let server: NatsServer
  let bus: Bus
  let other: Bus
  const thrown: unknown[] = []
  beforeAll(async () => {
    server = await startNatsServer()
    const open = (): Promise<Bus> => connectNats({ servers: [server.url], name: 'test', onHandlerError: (error) => thrown.push(error) })
    bus = await open()
    other = await open()
  })
  afterAll(async () => {
    bus.close()
    other.close()
    await server.stop()
  })

  test.each(malformedHeaders)('%s: the message comes, a strict reader refuses it, and the next one comes too', async (_name, headers) => {
    const heard: Copy[] = []
    const subscription = bus.subscribe('door', (message) => heard.push(copyOf(message)))
    await flushed(bus)
    await sayRaw(server.port, `${hpub('door', 'answers.here', headers, 'body')}${hpub('door', '', 'Kv-Ttl-Ms: 5')}`)
    await until(() => heard.length === 2 || thrown.length > 0, 'both messages have come')
    expect(thrown).toEqual([])
    expect(heard[0]).toMatchObject({ subject: 'door', reply: 'answers.here', text: 'body' })
    expect(parseRequestHeaders(heard[0]?.headers)).toEqual({ ok: false, reason: expect.stringMatching(/can not be read/) })
    expect(parseRequestHeaders(heard[1]?.headers)).toEqual({ ok: true, headers: { ttlMs: 5 } })
    subscription.unsubscribe()
  })

  test.each(malformedHeaders)('%s in an answer: the request has failed, and the connection hears on', async (_name, headers) => {
    const service = other.subscribe('service', (message) => void sayRaw(server.port, hpub(message.reply, '', headers, 'answer')))
    const after = other.subscribe('after', (message) => other.publish(message.reply, bytesOf('heard')))
    await flushed(other)
    expect(await ask(bus, 'service', bytesOf(''))).toEqual({ failure: 'unreadable', answer: null })
    expect(await ask(bus, 'after', bytesOf(''))).toMatchObject({ failure: null, answer: { text: 'heard' } })
    expect(thrown).toEqual([])
    service.unsubscribe()
    after.unsubscribe()
  })

  test('a header given twice is refused, be it a number or a name for a request', async () => {
    const heard: Copy[] = []
    const subscription = bus.subscribe('door', (message) => heard.push(copyOf(message)))
    await flushed(bus)
    for (const header of ['Kv-Request-Id: a', 'Kv-Ttl-Ms: 1', 'Kv-Consistency: stale']) {
      await sayRaw(server.port, hpub('door', '', `${header}\r\n${header}`))
    }
    await sayRaw(server.port, hpub('door', '', 'Kv-Request-Id: a,a'))
    await until(() => heard.length === 4, 'all have come')
    expect(heard.map(({ headers }) => parseRequestHeaders(headers))).toEqual([
      ...Array.from({ length: 3 }, () => ({ ok: false, reason: expect.stringMatching(/given twice/) })),
      { ok: true, headers: { requestId: 'a,a' } },
    ])
    subscription.unsubscribe()
  })

  test('a header that is called Status is no status of the broker\'s', async () => {
    const service = other.subscribe('service', (message) => void sayRaw(server.port, hpub(message.reply, '', 'Status: 503')))
    await flushed(other)
    expect(await ask(bus, 'service', bytesOf(''))).toMatchObject({ failure: null, answer: { text: '' } })
    service.unsubscribe()
  })
})

describe('a node that serves', () => {
  const SHARDS = 2
  let server: NatsServer
  const buses: Bus[] = []
  const failures: unknown[] = []
  const lost: string[] = []
  const open = async (name: string): Promise<Bus> => {
    const bus = await connectNats({ servers: [server.url], name, onHandlerError: (error) => failures.push(error) })
    bus.onEvent(({ type }) => { if (type === 'bus.disconnected') lost.push(name) })
    buses.push(bus)
    return bus
  }
  beforeAll(async () => {
    server = await startNatsServer((port) => serverConfig({ host: '127.0.0.1', port, prefix: 'kv', shardCount: SHARDS }))
  })
  afterAll(async () => {
    for (const bus of buses) bus.close()
    await server.stop()
  })

  const serve = async (): Promise<{ readonly node: Node; readonly client: Bus }> => {
    const clock = createSystemClock()
    const genesis = must(createGenesis({
      cluster: clusterId('0123456789abcdef'), members: [nodeId('n1')], shardCount: SHARDS, replicationFactor: 1, createdAtMs: 1,
    })[0], 'the record of n1')
    const node = createNode({
      genesis, boot: bootId('00000000000000aa'), pid: 1, startedAtMs: clock.wall(), settings: defaultSettings,
      onExit: (code, reason) => failures.push(`${code} ${reason}`),
      ports: {
        clock, random: createRandom(1), fileSystem: createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) }), log: silentLogger,
        bus: await open('data'), doorsBus: await open('doors'), controlBus: await open('control'),
        vitals: createVitals(defaultSettings.tickMs, () => ({ freeBytes: 1, totalBytes: 2 })),
      },
    })
    const client = await open('client')
    await until(() => node.state() === 'serving', 'the node serves', 20_000)
    expect(await settledKv(client, 'kv.put.k', 'before')).toMatchObject({ status: 'OK' })
    return { node, client }
  }

  test('answers what it can not read with INVALID, and serves on, whichever subject it came by', async () => {
    const { node, client } = await serve()
    const answers: string[] = []
    client.subscribe('_INBOX.me', ({ headers }) => answers.push(headers?.get('Kv-Status') ?? 'no status'))
    await flushed(client)
    const headers = malformedHeaders.map(([, lines]) => lines)
    const subjects = [
      'kv.status', '$SRV.PING', '$SRV.STATS.shardkv', 'kv.map', 'kv.to.n1.batch.v1', 'skv.0123456789abcdef.node.n1.n2', 'kv.put.k',
    ]
    await sayRaw(server.port, subjects.flatMap((subject) => headers.map((lines) => hpub(subject, '', lines, 'x'))).join(''))
    await sayRaw(server.port, headers.map((lines) => hpub('kv.put.k', '_INBOX.me', lines, 'after')).join(''))
    await until(() => answers.length === headers.length, 'every write has its answer')
    expect(new Set(answers)).toEqual(new Set(['INVALID']))
    expect(await kv(client, 'kv.get.k')).toMatchObject({ status: 'OK', value: 'before' })
    expect([failures, node.state()]).toEqual([[], 'serving'])
    node.kill()
  }, 30_000)

  test('keeps its connections, whatever bytes a request names for the subject of its answer', async () => {
    const { node, client } = await serve()
    const subjects = ['kv.help', 'kv.map', 'kv.nonsense', 'kv.get.k', 'kv.get.k.%', 'kv.to.n1.batch.v1', 'kv.status', '$SRV.PING']
    const reply = `_INBOX.${'\xff'.repeat(1_500)}`
    await sayRaw(server.port, Buffer.from(subjects.map((subject) => `PUB ${subject} ${reply} 0\r\n\r\n`).join(''), 'latin1'))
    expect(await kv(client, 'kv.get.k')).toMatchObject({ status: 'OK', value: 'before' })
    expect((await kv(client, 'kv.status')).value).toContain('"id":"n1"')
    expect([lost, failures, node.state()]).toEqual([[], [], 'serving'])
    node.kill()
  }, 30_000)

  test('overlooks no condition whose length is what the bytes of the answer\'s subject have lost', async () => {
    const { node, client } = await serve()
    const block = 'NATS/1.0\r\nKv-If-Revision: 9999\r\n\r\n'
    const reply = `_INBOX.${'\xff'.repeat(block.length / 2)}`
    const { revision } = await kv(client, 'kv.put.k', 'first')
    await sayRaw(server.port, Buffer.from(`HPUB kv.put.k ${reply} ${block.length} ${block.length + 5}\r\n${block}after\r\n`, 'latin1'))
    // A shard has its writes in the order in which they came.
    expect(await kv(client, 'kv.put.k', 'last')).toMatchObject({ status: 'OK', revision: revision + 1 })
    expect([block.length % 2, node.state()]).toEqual([0, 'serving'])
    node.kill()
  }, 30_000)
})

describe('a user who may not hear on the inbox', () => {
  let server: NatsServer
  let service: Bus
  let deaf: Bus
  const executed: string[] = []
  beforeAll(async () => {
    const deafUser = 'user: deaf, password: x, permissions: { publish: { allow: ["kv.>"] }, subscribe: { allow: ["_INBOX.deaf.>"] } }'
    server = await startNatsServer((port) =>
      `listen: "127.0.0.1:${port}"\nauthorization: { users: [{ user: node, password: x }, { ${deafUser} }] }\n`)
    service = await connectNats({ servers: [server.url], name: 'node', user: 'node', pass: 'x' })
    service.subscribe('kv.put.*', (message) => {
      executed.push(message.subject)
      service.publish(message.reply, bytesOf('done'))
    })
    await flushed(service)
    deaf = await connectNats({ servers: [server.url], name: 'deaf', user: 'deaf', pass: 'x' })
  })
  afterAll(async () => {
    service.close()
    deaf.close()
    await server.stop()
  })

  test('is not told that nobody received a request which was executed', async () => {
    const answers = await Promise.all(['a', 'b'].map((key) => ask(deaf, `kv.put.${key}`, bytesOf(''))))
    expect(answers.map(({ failure }) => failure)).toEqual(['noInbox', 'noInbox'])
    await until(() => executed.length === 2, 'both were executed all the same')
    expect(await ask(deaf, 'kv.put.c', bytesOf(''))).toEqual({ failure: 'noInbox', answer: null })
  })

  test('is told so of a request which the broker did not let through', async () => {
    const hearing = await connectNats({ servers: [server.url], name: 'deaf', user: 'deaf', pass: 'x', inboxPrefix: '_INBOX.deaf' })
    expect(await ask(hearing, 'kv.put.d', bytesOf(''))).toMatchObject({ failure: null, answer: { text: 'done' } })
    expect(await ask(hearing, 'other.put.a', bytesOf(''))).toEqual({ failure: 'denied', answer: null })
    hearing.close()
  })
})

describe('a broker that is gone', () => {
  test('does not keep a drain from ending: the connection is closed, and nobody goes on dialling', async () => {
    const server = await startNatsServer()
    const bus = await connectNats({ servers: [server.url], name: 'test' })
    const events: BusEvent[] = []
    bus.onEvent((event) => events.push(event))
    bus.subscribe('any', () => {})
    await flushed(bus)
    await server.kill()
    await until(() => events.some(({ type }) => type === 'bus.disconnected'), 'the connection is lost')
    let isDrained = false
    bus.drain(() => { isDrained = true })
    await until(() => isDrained, 'the drain has ended')
    await until(() => events.at(-1)?.type === 'bus.closed', 'the connection is closed for good')
    await server.launch()
    expect(bus.status().connected).toBe(false)
    await server.stop()
  }, 20_000)
})
