/** The bus over a real nats-server: the contract, and what a connection lives through. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connectNats, versionWarning } from '../../bus/nats.ts'
import { createOutbox } from '../../bus/outbox.ts'
import { createPulse } from '../../bus/pulse.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { until } from '../support/until.ts'
import { bytesOf, describeBus, flushed, textOf } from './contract.ts'
import type { Bus, BusEvent } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const open = (server: NatsServer, options: Partial<Parameters<typeof connectNats>[0]> = {}): Promise<Bus> =>
  connectNats({ servers: [server.url], name: 'test', ...options })

describeBus('nats', async () => {
  const server = await startNatsServer()
  return { connect: () => open(server), stop: server.stop }
})

test('a broker that carries no headers is refused at once: the first answer to anybody could not be sent', async () => {
  const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nno_header_support: true\n`)
  try {
    for (const waitForServer of [false, true]) {
      await expect(open(server, { waitForServer })).rejects.toThrow(/no headers.*no_header_support/)
    }
  } finally {
    await server.stop()
  }
})

describe('a NATS connection', () => {
  let server: NatsServer
  beforeAll(async () => {
    server = await startNatsServer()
  })
  afterAll(() => server.stop())

  test('survives a restart of its server: it says so, refuses meanwhile, and hears again', async () => {
    const a = await open(server)
    const b = await open(server)
    const events: string[] = []
    const heard: string[] = []
    a.onEvent(({ type }) => events.push(type))
    b.subscribe('after.restart', ({ data }) => heard.push(textOf(data)))
    await flushed(b)
    const before = a.status().server
    const restarted = server.restart()
    await until(() => events.includes('bus.disconnected'), 'the connection is lost')
    expect(a.publish('after.restart', bytesOf('lost'))).toBe('disconnected')
    expect(await flushed(a)).toBeInstanceOf(Error)
    expect(a.status()).toMatchObject({ connected: false, outstandingBytes: 0, server: before, maxPayloadBytes: 1_048_576 })
    await restarted
    await until(() => a.status().connected && b.status().connected, 'both are connected again')
    await until(() => {
      if (heard.length === 0) a.publish('after.restart', bytesOf('back'))
      return heard.length > 0
    }, 'a message arrives after the restart')
    expect(heard[0]).toBe('back')
    expect(events).toEqual(['bus.disconnected', 'bus.connected'])
    a.close()
    b.close()
  }, 20_000)

  test('fails a flush when the server is gone, and gives up on a server that stops answering', async () => {
    const bus = await open(server, { pulse: createPulse(50) })
    const events: string[] = []
    bus.onEvent(({ type }) => events.push(type))
    server.signal('SIGSTOP')
    // A signal takes a moment: the first flushes may still be answered.
    const outcomes: (Error | null)[] = []
    let asked = 0
    await until(() => {
      asked += 1
      bus.flush((outcome) => outcomes.push(outcome))
      return events.includes('bus.disconnected')
    }, 'two pings went unanswered')
    server.signal('SIGCONT')
    await until(() => outcomes.length === asked, 'every flush has its outcome')
    expect(outcomes.at(-2)).toBeInstanceOf(Error)
    await until(() => bus.status().connected, 'it is connected again')
    bus.close()
  }, 20_000)

  test('gives up on a server that does not read, too, while the socket still holds what it was given', async () => {
    const bus = await open(server, { pulse: createPulse(50) })
    const events: BusEvent[] = []
    bus.onEvent((event) => events.push(event))
    server.signal('SIGSTOP')
    const value = new Uint8Array(500_000)
    while (bus.publish('flood', value) === 'sent') ;
    await until(() => events.length > 0, 'two pings went unanswered')
    expect(events[0]).toEqual({ type: 'bus.disconnected', reason: 'the broker does not answer pings' })
    server.signal('SIGCONT')
    await until(() => bus.status().connected, 'it is connected again')
    bus.close()
  }, 20_000)

  test('bears as many unanswered pings as it is told to: their answers may stand behind a flood', async () => {
    const hasty = await open(server, { pulse: createPulse(50) })
    const patient = await open(server, { pulse: createPulse(50), pingsOutMax: 400 })
    const events: string[] = []
    patient.onEvent(({ type }) => events.push(type))
    server.signal('SIGSTOP')
    await until(() => !hasty.status().connected, 'two pings went unanswered')
    expect(patient.status().connected).toBe(true)
    server.signal('SIGCONT')
    await until(() => hasty.status().connected, 'it is connected again')
    expect(events).toEqual([])
    hasty.close()
    patient.close()
  }, 20_000)

  test('ends a drain when its server stops answering', async () => {
    const bus = await open(server, { pulse: createPulse(50) })
    bus.subscribe('drained', () => {})
    await flushed(bus)
    let isDrained = false
    server.signal('SIGSTOP')
    bus.drain(() => { isDrained = true })
    await until(() => isDrained, 'two pings went unanswered')
    server.signal('SIGCONT')
    expect(bus.status().connected).toBe(false)
  }, 20_000)

  test('bounds what the server has not read: above the limit a publish is refused, not buffered', async () => {
    const bus = await open(server, { outboxBytesMax: 300_000, pulse: createPulse(5_000) })
    expect(await flushed(bus)).toBeNull()
    server.signal('SIGSTOP')
    const outcomes = Array.from({ length: 40 }, () => bus.publish('flood', new Uint8Array(10_000)))
    expect(outcomes.filter((outcome) => outcome === 'sent')).toHaveLength(28)
    expect(outcomes.at(-1)).toBe('full')
    expect(bus.status().outstandingBytes).toBeGreaterThan(280_000)
    server.signal('SIGCONT')
    await until(() => bus.status().outstandingBytes === 0, 'the server has read everything')
    expect(bus.publish('flood', new Uint8Array(10_000))).toBe('sent')
    bus.close()
  }, 20_000)

  test('hands what a handler throws to its owner: the library would print and forget it', async () => {
    const thrown: unknown[] = []
    const bus = await open(server, { onHandlerError: (error) => thrown.push(error) })
    const other = await open(server)
    bus.subscribe('throws', () => {
      throw new Error('from the handler')
    })
    await flushed(bus)
    other.publish('throws', bytesOf(''))
    await until(() => thrown.length === 1, 'the handler has thrown')
    bus.flush(() => {
      throw new Error('from the callback')
    })
    await until(() => thrown.length === 2, 'the callback has thrown')
    expect(thrown.map((error) => (error as Error).message)).toEqual(['from the handler', 'from the callback'])
    bus.close()
    other.close()
  })

  test('is told when the server is about to leave', async () => {
    const leaving = await startNatsServer((port) =>
      `listen: "127.0.0.1:${port}"\nlame_duck_duration: "30s"\nlame_duck_grace_period: "1s"\n`)
    const bus = await open(leaving)
    const events: string[] = []
    bus.onEvent(({ type }) => events.push(type))
    leaving.signal('SIGUSR2')
    await until(() => events.includes('bus.lameDuck'), 'the notice has come')
    bus.close()
    await leaving.stop()
  })

  test('fails when nobody listens, unless it is told to wait', async () => {
    const gone = await startNatsServer()
    await gone.stop()
    await expect(open(gone)).rejects.toThrow()
    const late = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\n`)
    const waiting = open(late, { waitForServer: true })
    const bus = await waiting
    expect(bus.status().connected).toBe(true)
    bus.close()
    await late.stop()
  })
})

describe('credentials', () => {
  test.each([
    ['a user', 'user: "ann", password: "secret"', { user: 'ann', pass: 'secret' }, { user: 'ann', pass: 'wrong' }],
    ['a token', 'token: "secret"', { token: 'secret' }, { token: 'wrong' }],
  ])('of %s let in who has them', async (_name, block, good, bad) => {
    const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nauthorization: { ${block} }\n`)
    const bus = await open(server, good)
    expect(bus.status().connected).toBe(true)
    bus.close()
    await expect(open(server, bad)).rejects.toThrow(/authorization/i)
    await server.stop()
  })

  // Where the machine is busy the first signature takes longer than the 2 s that a server waits by default.
  test('can be an nkey', async () => {
    const { nkeys } = await import('nats').then(({ nkeys: library }) => ({ nkeys: library }))
    const pair = nkeys.createUser()
    const server = await startNatsServer((port) =>
      `listen: "127.0.0.1:${port}"\nauthorization: { timeout: 20, users: [{ nkey: "${pair.getPublicKey()}" }] }\n`)
    const bus = await open(server, { nkeySeed: Buffer.from(pair.getSeed()).toString() })
    expect(bus.status().connected).toBe(true)
    bus.close()
    await server.stop()
  })

  test('that are taken away while connected end the connection for good', async () => {
    let accepted = 'ann'
    const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nauthorization: { user: "${accepted}", password: "x" }\n`)
    const bus = await open(server, { user: 'ann', pass: 'x' })
    const events: BusEvent[] = []
    bus.onEvent((event) => events.push(event))
    accepted = 'ben'
    await server.reconfigure((port) => `listen: "127.0.0.1:${port}"\nauthorization: { user: "${accepted}", password: "x" }\n`)
    await until(() => events.some(({ type }) => type === 'bus.closed'), 'the connection has given up')
    expect(events.at(-1)).toMatchObject({ type: 'bus.closed', reason: expect.stringMatching(/authorization/i) })
    await server.stop()
  }, 20_000)
})

describe('the outbox', () => {
  test('counts what no pong has covered, and forgets it when the connection is lost', async () => {
    const pings: { resolve: () => void; reject: (error: Error) => void }[] = []
    const outbox = createOutbox(() => new Promise((resolve, reject) => pings.push({ resolve, reject })), 1_000_000)
    outbox.published(200_000)
    expect(pings).toHaveLength(1)
    outbox.published(150_000)
    expect(outbox.outstandingBytes()).toBe(350_000)
    expect(outbox.hasRoom(618_750)).toBe(true)
    expect(outbox.hasRoom(618_751)).toBe(false)
    pings[0]?.resolve()
    await until(() => outbox.outstandingBytes() === 150_000, 'the first pong has been counted')
    await until(() => pings.length === 2, 'the rest is asked for')
    outbox.reset()
    expect(outbox.outstandingBytes()).toBe(0)
    pings[1]?.reject(new Error('gone'))
    outbox.published(10)
    expect(outbox.outstandingBytes()).toBe(10)
  })

  test('takes no pong of an earlier connection for its own', async () => {
    const pings: (() => void)[] = []
    const outbox = createOutbox(() => new Promise((resolve) => pings.push(resolve)))
    outbox.published(200_000)
    outbox.reset()
    outbox.published(50)
    pings[0]?.()
    await until(() => outbox.roundTripMs() !== undefined, 'the late pong has come')
    expect(outbox.outstandingBytes()).toBe(50)
  })
})

describe('a broker version', () => {
  test.each([
    ['2.9.10', true], ['2.10.29', true], ['2.11.15', true], ['2.11.16', false], ['2.12.0', true], ['2.12.6', true], ['2.12.7', false],
    ['2.13.0', false], ['2.15.2', false], ['v2.12.8', false], ['2.12.7-RC.1', false], ['3.0.0', false],
    ['1.4.1', true], ['', true], ['newest', true],
  ])('%s earns a warning: %s', (version, warned) => {
    expect(versionWarning(version) !== null).toBe(warned)
  })
})
