/** Connecting, over a real broker: what is found there, what is missing, and what is said about it. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { connectNats } from '../../bus/nats.ts'
import { connect, json } from '../../sdk/index.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { until } from '../support/until.ts'
import type { Bus } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const map = { cluster: '00000000c0ffee00', epoch: 3, shardCount: 2, nodes: [], leaders: [null, null], replicas: [[], []] }

/** Of the whole process, which has run other suites before. */
const activeHandles = (): readonly { readonly remotePort?: number }[] =>
  (process as unknown as { readonly _getActiveHandles: () => readonly { readonly remotePort?: number }[] })._getActiveHandles()

describe('connect', () => {
  let server: NatsServer
  let cluster: Bus

  beforeAll(async () => {
    server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nauthorization: { user: ann, password: secret }\n`)
    cluster = await connectNats({ servers: [server.url], name: 'cluster', user: 'ann', pass: 'secret' })
    cluster.subscribe('kv.map', ({ reply }) => { cluster.publish(reply, new TextEncoder().encode(JSON.stringify(map))) })
    await new Promise<void>((resolve) => { cluster.flush(() => { resolve() }) })
  })

  afterAll(async () => {
    cluster.close()
    await server.stop()
  })

  const ann = { user: 'ann', password: 'secret' } as const

  test('finds the cluster by its map', async () => {
    const kv = await connect({ servers: ` ${server.url} , nats://127.0.0.1:1`, ...ann, codec: json<{ n: number }>() })
    expect(kv.stats()).toMatchObject({ mapEpoch: 3, mapFetches: 1, inFlightOperations: 0 })
    await expect(kv.put('', { n: 1 })).rejects.toMatchObject({ code: 'INVALID', definite: true })
    await expect(kv.put('k', { n: 1 }, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT', definite: true })
    await kv.close()
    await expect(kv.get('k')).rejects.toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/close was called/) })
  })

  test('says when no cluster answers on the prefix', async () => {
    await expect(connect({ servers: server.url, ...ann, prefix: 'nobody', timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'UNAVAILABLE', definite: true,
      message: expect.stringMatching(/No ShardKV cluster answers on prefix "nobody" at nats:.*Last: no node of a ShardKV cluster answers/),
    })
  })

  test('names the addresses that it tried, whatever becomes of the list that it was given', async () => {
    const servers = [server.url]
    const refusal = connect({ servers, ...ann, prefix: 'nobody', timeoutMs: 2_000 })
    servers[0] = 'nats://127.0.0.1:1'
    await expect(refusal).rejects.toMatchObject({ message: expect.stringContaining(` at ${server.url}. `) })
  })

  test('says when there is no broker', async () => {
    await expect(connect({ servers: 'nats://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'UNAVAILABLE', message: expect.stringMatching(/No broker at nats:\/\/127\.0\.0\.1:1 accepts.*Is nats-server running/),
    })
  })

  test.each([
    ['a wrong password', { user: 'ann', password: 'wrong' }],
    ['a token where a user is wanted', { token: 'none' }],
  ])('names %s as what it is', async (_what, credentials) => {
    await expect(connect({ servers: [server.url], ...credentials })).rejects.toMatchObject({
      code: 'UNAUTHORIZED', message: expect.stringMatching(/Check user, password, token or creds/),
    })
  })

  test('takes a login from an address, and repeats it nowhere', async () => {
    const withLogin = (login: string): string => server.url.replace('//', `//${login}@`)
    const kv = await connect({ servers: withLogin('ann:s%65cret'), codec: json<{ n: number }>() })
    await kv.close()
    const failures = [
      connect({ servers: withLogin('ann:wr0ng') }), connect({ servers: 'nats://ann:wr0ng@127.0.0.1:1' }),
      connect({ servers: withLogin('ann:secret'), prefix: 'nobody', timeoutMs: 2_000 }),
    ].map((attempt) => attempt.then(() => 'connected', ({ code, message }: { code: string; message: string }) => `${code} ${message}`))
    const told = await Promise.all(failures)
    expect(told.map((text) => text.split(' ')[0])).toEqual(['UNAUTHORIZED', 'UNAVAILABLE', 'UNAVAILABLE'])
    expect(told.join()).not.toMatch(/wr0ng|secret|ann/)
  })

  test.each([
    ['a login in an address and one beside it', { servers: 'nats://ann:geheim@127.0.0.1:1', user: 'ann', password: 'geheim' }],
    ['a login in an address and a token', { servers: 'nats://ann:geheim@127.0.0.1:1', token: 'geheim' }],
    ['a login that can not be read', { servers: ['nats://ann:geheim%@127.0.0.1:1'] }],
    ['no address', { servers: ' , ' }],
  ])('refuses %s, and repeats no secret', async (_what, options) => {
    const refusal = await connect(options).catch((error: unknown) => error) as { code: string; message: string }
    expect(refusal.code).toBe('INVALID')
    expect(refusal.message).toMatch(/address/)
    expect(refusal.message).not.toContain('geheim')
  })

  test('takes no credentials that are none', async () => {
    await expect(connect({ servers: server.url, creds: 'no credentials' })).rejects.toMatchObject({ definite: true })
  })

  test('ends when its signal says so, before and during', async () => {
    await expect(connect({ servers: server.url, ...ann, signal: AbortSignal.abort('enough') })).rejects.toMatchObject({
      name: 'AbortError', code: 'ABORTED', definite: true, cause: 'enough',
    })
    const controller = new AbortController()
    const pending = connect({ servers: server.url, ...ann, prefix: 'nobody', signal: controller.signal })
    controller.abort()
    await expect(pending).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('leaves no connection behind when its signal throws', async () => {
    const port = Number(new URL(server.url).port)
    const sockets = (): number => activeHandles().filter(({ remotePort }) => remotePort === port).length
    // Only the cluster's, when those of other tests are gone.
    const isQuiet = (): boolean => sockets() === 1
    await until(isQuiet, 'the connections of other tests are closed')
    const signal = Object.assign(new AbortController().signal, { addEventListener: () => { throw new Error('planted') } })
    await expect(connect({ servers: server.url, ...ann, signal })).rejects.toThrow('planted')
    // One that began to connect later is through: the first one's socket is there, or gone already.
    await (await connect({ servers: server.url, ...ann })).close()
    await until(isQuiet, 'there are as many sockets as before')
  })

  test.each([
    ['a prefix that is none', { prefix: 'A' }],
    ['a timeout of nothing', { timeoutMs: 0 }],
    ['a timeout of an hour', { timeoutMs: 3_600_000 }],
  ])('refuses %s', async (_what, options) => {
    await expect(connect({ servers: server.url, ...ann, ...options })).rejects.toMatchObject({ code: 'INVALID' })
  })
})

describe('a user without a permission', () => {
  let server: NatsServer

  beforeAll(async () => {
    server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"
      authorization: { users: [
        { user: mute, password: secret, permissions: { publish: ["kv.get.>"], subscribe: ["_INBOX.>"] } }
        { user: deaf, password: secret, permissions: { publish: ["kv.>"], subscribe: ["_INBOX.deaf.>"] } }
      ] }`)
  })
  afterAll(() => server.stop())

  // Longer than a test may take: whoever waits for its timeout fails here.
  const patient = { password: 'secret', timeoutMs: 60_000 } as const

  test('for the map is told which at once', async () => {
    await expect(connect({ servers: server.url, user: 'mute', ...patient })).rejects.toMatchObject({
      code: 'UNAUTHORIZED', definite: true, message: expect.stringMatching(/does not let this user publish kv\.map, .*nats-config/),
    })
  })

  test('to hear answers is told so at once, and where to say its own inbox', async () => {
    await expect(connect({ servers: server.url, user: 'deaf', ...patient })).rejects.toMatchObject({
      code: 'UNAUTHORIZED', definite: true, message: expect.stringMatching(/does not let this user subscribe _INBOX\..*inboxPrefix/),
    })
    const heard = connect({ servers: server.url, user: 'deaf', password: 'secret', inboxPrefix: '_INBOX.deaf', timeoutMs: 2_000 })
    await expect(heard).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

test('TLS that the broker does not offer is named, and the option that asks for it', async () => {
  // One of its own: the client library leaves the sockets of such a try open.
  const server = await startNatsServer()
  const message: unknown = expect.stringMatching(/No TLS with .* \(the broker offers none\)\. Check the option tls: ca /)
  for (const tls of [{}, { caFile: '/none.pem' }]) {
    await expect(connect({ servers: server.url, tls })).rejects.toMatchObject({ code: 'UNAVAILABLE', definite: true, message })
  }
  await server.stop()
})

test('a broker that carries no headers is named, and what to do about it', async () => {
  const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nno_header_support: true\n`)
  const message: unknown = expect.stringMatching(/No connection to nats:.*: the broker carries no headers.*no_header_support/)
  await expect(connect({ servers: server.url })).rejects.toMatchObject({ code: 'UNAVAILABLE', definite: true, message })
  await server.stop()
})
