/** The lane between nats.js and its socket: a broker that says what none says, another version, and what stands before a ping. */

import { createServer } from 'node:net'
import { NodeTransport } from 'nats/lib/src/node_transport.js'
import { afterEach, expect, test } from '@jest/globals'
import { connectNats } from '../../bus/nats.ts'
import { CLIENT_VERSION, ClientLibraryError, dialNats } from '../../bus/natsDial.ts'
import { openLane } from '../../bus/natsLane.ts'
import { createPulse } from '../../bus/pulse.ts'
import { createSendBuffer } from '../../bus/sendBuffer.ts'
import { until } from '../support/until.ts'
import { bytesOf, flushed, textOf } from './contract.ts'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../../bus/nats.ts'
import type { BusEvent } from '../../bus/port.ts'

const info = (changes: object = {}): string =>
  `INFO ${JSON.stringify({ server_id: 's', version: '2.12.0', proto: 1, headers: true, max_payload: 1_048_576, ...changes })}\r\n`

interface Script {
  /** What the connection with this number is greeted with, from 0; nothing when it is empty. */
  readonly greeting?: (connection: number) => string
  readonly pong?: string
}

interface ScriptedBroker {
  readonly url: string
  /** One for each connection, in order. */
  readonly sockets: readonly Socket[]
  /** What each of them has said. */
  readonly heard: readonly string[]
}

interface FakeTransport {
  isSetUp: boolean
  setupHandlers: () => void
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** It accepts everybody, answers pings, and says nothing else of its own. */
const startScriptedBroker = async ({ greeting = () => info(), pong = 'PONG\r\n' }: Script = {}): Promise<ScriptedBroker> => {
  const sockets: Socket[] = []
  const heard: string[] = []
  const server = createServer((socket) => {
    const at = sockets.push(socket) - 1
    heard[at] = ''
    socket.on('error', () => {}).on('data', (bytes) => {
      const text = bytes.toString()
      heard[at] += text
      for (const _ of text.matchAll(/PING\r\n/g)) socket.write(pong)
    })
    socket.write(greeting(at))
  })
  servers.push(server)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return { url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, heard }
}

/** What the broker says can not be read; behind it stands a message. */
const expectNewConnection = async (said: string): Promise<void> => {
  const broker = await startScriptedBroker()
  // Unanswered pings would end the connection, too, but only after a while.
  const bus = await connectNats({ servers: [broker.url], name: 'test', pulse: createPulse(60_000) })
  const events: BusEvent[] = []
  const heard: string[] = []
  bus.onEvent((event) => events.push(event))
  bus.subscribe('a', ({ data }) => heard.push(textOf(data)))
  await flushed(bus)
  broker.sockets[0]?.write(`${said}MSG a 1 5\r\nwrong\r\n`)
  await until(() => events.length === 2, 'it is connected again')
  broker.sockets[1]?.write('MSG a 1 5\r\nsound\r\n')
  await until(() => heard.length > 0, 'a message arrives')
  expect(heard).toEqual(['sound'])
  expect(events).toEqual([
    { type: 'bus.disconnected', reason: expect.stringMatching(/what the broker says can not be read: ./) }, { type: 'bus.connected' },
  ])
  bus.close()
}

test('a message that can not be read ends the connection, nothing behind it is heard, and the next one is sound', () =>
  expectNewConnection('MSG a one 5\r\nhello\r\n'))

test('a line that the library can not read ends the connection, too', () => expectNewConnection('WHAT\r\n'))

test('a ping stands behind what was published before it, and before what was published after', async () => {
  const broker = await startScriptedBroker()
  const bus = await connectNats({ servers: [broker.url], name: 'test' })
  bus.publish('before', bytesOf('1'), { reply: 'answers', headers: new Map([['A', 'b']]) })
  const confirmed = flushed(bus)
  bus.publish('after', bytesOf('2'))
  await confirmed
  await flushed(bus)
  expect(broker.heard[0]).toMatch(/HPUB before answers 18 19\r\nNATS\/1.0\r\nA: b\r\n\r\n1\r\nPING\r\nPUB after 1\r\n2\r\nPING\r\n$/)
  bus.close()
})

test('after it is closed, what the broker still says is heard by nobody, and nothing is sent', async () => {
  const broker = await startScriptedBroker()
  const bus = await connectNats({ servers: [broker.url], name: 'test' })
  const heard: string[] = []
  bus.subscribe('a', ({ data }) => {
    heard.push(textOf(data))
    bus.close()
  })
  await flushed(bus)
  broker.sockets[0]?.write('MSG a 1 5\r\nfirst\r\nMSG a 1 6\r\nsecond\r\n')
  await until(() => heard.length > 0, 'a message arrives')
  expect(bus.publish('b', bytesOf(''))).toBe('disconnected')
  expect(heard).toEqual(['first'])
})

test('a line that the library has begun to read is read to its end, whatever the rest begins with', async () => {
  const [begun = '', rest = ''] = info({ server_id: 'AMSG', max_payload: 2_097_152 }).split('A')
  const broker = await startScriptedBroker({ pong: `PONG\r\n${begun}A` })
  const bus = await connectNats({ servers: [broker.url], name: 'test' })
  broker.sockets[0]?.write(rest)
  await until(() => bus.status().maxPayloadBytes === 2_097_152, 'the line is read')
  bus.close()
})

test('an attempt to connect that took too long ends with the next: woken later it would be a second connection', async () => {
  const broker = await startScriptedBroker({ greeting: (connection) => (connection === 1 ? '' : info()) })
  const bus = await connectNats({ servers: [broker.url], name: 'test', connectTimeoutMs: 100 })
  const ended = new Set<number>()
  broker.sockets[0]?.destroy()
  await until(() => broker.sockets.length === 2, 'it tries again')
  broker.sockets[1]?.on('close', () => ended.add(1))
  await until(() => broker.sockets.length === 3 && bus.status().connected, 'it tries once more, and is connected')
  await until(() => ended.has(1), 'the attempt that nobody answered is over')
  bus.close()
})

const expectNoAttemptLeft = async (waitForServer: boolean, attempts: number, tls?: NatsOptions['tls']): Promise<void> => {
  const broker = await startScriptedBroker({ greeting: (connection) => (connection === 0 ? '' : info()) })
  const options = { servers: [broker.url], name: 'test', connectTimeoutMs: 100, waitForServer, ...(tls === undefined ? {} : { tls }) }
  const connecting = connectNats(options).catch(() => null)
  await until(() => broker.sockets.length > 0, 'it tries')
  let isOver = false
  broker.sockets[0]?.on('close', () => { isOver = true })
  const bus = await connecting
  await until(() => isOver, 'the attempt that nobody answered is over')
  expect([bus?.status().connected ?? false, broker.sockets.length]).toEqual([waitForServer, attempts])
  bus?.close()
}

test('a first connection that waits for a server leaves no attempt behind', () => expectNoAttemptLeft(true, 2))

test('a first connection that fails leaves no attempt behind', () => expectNoAttemptLeft(false, 1))

test('nor does one that fails in its first handshake', () => expectNoAttemptLeft(false, 1, { handshakeFirst: true }))

test('a connection that is closed while it is made anew leaves no attempt behind', async () => {
  const broker = await startScriptedBroker({ greeting: (connection) => (connection === 0 ? info() : '') })
  const bus = await connectNats({ servers: [broker.url], name: 'test' })
  broker.sockets[0]?.destroy()
  await until(() => broker.sockets.length === 2, 'it tries again')
  let isOver = false
  broker.sockets[1]?.on('close', () => { isOver = true })
  bus.close()
  await until(() => isOver, 'the attempt that nobody answered is over')
})

test('an attempt that another one has followed does not become the connection', () => {
  const transports: FakeTransport[] = []
  const newTransport = (): FakeTransport => {
    const transport = {
      isClosed: false, isSetUp: false, setupHandlers: () => {}, send: () => {},
    }
    transport.setupHandlers = () => { transport.isSetUp = true }
    transports.push(transport)
    return transport
  }
  const protocol = {
    transport: newTransport(), parser: { state: 0, parse: () => {} }, outbound: createSendBuffer(),
    prepare: () => { protocol.transport = newTransport() },
  }
  openLane({ protocol } as unknown as NatsConnection, () => {})
  protocol.prepare()
  protocol.prepare()
  const [, late, current] = transports
  expect(() => late?.setupHandlers()).toThrow(/another attempt to connect has begun/)
  current?.setupHandlers()
  expect([late?.isSetUp, current?.isSetUp]).toEqual([false, true])
})

test('a broker that carries no headers, met by a reconnect, is refused for good: answers could not be sent', async () => {
  const broker = await startScriptedBroker({ greeting: (connection) => info({ headers: connection === 0 }) })
  const bus = await connectNats({ servers: [broker.url], name: 'test' })
  const events: BusEvent[] = []
  bus.onEvent((event) => events.push(event))
  broker.sockets[0]?.destroy()
  await until(() => events.length === 2, 'it is over')
  expect(events).toEqual([{ type: 'bus.disconnected' }, { type: 'bus.closed', reason: expect.stringMatching(/no headers/) }])
})

test('another version of the library is refused by name: its parts may be others', async () => {
  const broker = await startScriptedBroker()
  const another = Object.assign(new NodeTransport(), { version: '2.30.0' })
  const dialled = dialNats({ servers: [broker.url] }, another)
  await expect(dialled).rejects.toThrow(ClientLibraryError)
  await expect(dialled).rejects.toThrow(`not ${CLIENT_VERSION}, the version that ShardKV is made for (it is 2.30.0)`)
  expect(broker.sockets).toEqual([])
})
