/** How a command enters a real broker: nkeys, credentials, certificates, by flags or the environment; and what is said when it can not. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connectNats } from '../../bus/nats.ts'
import { mappingsBlock } from '../../bus/natsConfig.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { certify } from '../support/certificates.ts'
import { createChain, createNkey } from '../support/natsIdentities.ts'
import { fakeTerminal } from './fakes.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'
import type { NatsOptions } from '../../bus/nats.ts'
import type { Bus } from '../../bus/port.ts'
import type { Broker } from '../../cli/broker.ts'
import type { CliRun } from './fakes.ts'

let folder = ''
/** Of one test, which may open several. */
const servers: NatsServer[] = []
const nodes: Bus[] = []
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-login-')) })
afterEach(async () => {
  for (const node of nodes.splice(0)) node.close()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fileOf = (name: string, content: string): string => {
  const path = join(folder, name)
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

/** A broker like that, and behind it a node that has the key `k`. */
const open = async (config: string, login: Partial<NatsOptions>): Promise<string> => {
  const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\n${config}`)
  servers.push(server)
  const bus = await connectNats({ servers: [server.url], name: 'n1', ...login })
  nodes.push(bus)
  bus.subscribe('kv.get.k', ({ reply }) => {
    bus.publish(reply, new TextEncoder().encode('Ada'), { headers: new Map([['Kv-Status', 'OK'], ['Kv-Revision', '7']]) })
  })
  await new Promise<void>((resolve) => { bus.flush(() => resolve()) })
  return server.url
}

const getK = async (url: string, flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliRun> => {
  const terminal = fakeTerminal(null, { env, connect: (broker) => connectNats({ ...broker, name: 'cli' }) })
  return terminal.run('get', 'k', ...(url === '' ? [] : ['--servers', url]), ...flags)
}

const found: CliRun = { code: 0, out: 'Ada', err: '' }

test('an nkey is read from its file, whatever else is written there', async () => {
  const { publicKey, seed } = createNkey()
  // The first signature of a process may take longer than the broker's usual two seconds on a busy machine.
  const url = await open(`authorization: { timeout: 20, users: [ { nkey: ${publicKey} } ] }`, { nkeySeed: seed })
  expect(await getK(url, ['--nkey', fileOf('user.nk', `# of ann\n${seed}\n`)])).toEqual(found)
  const stranger = createNkey().seed
  const refused = await getK(url, ['--nkey', fileOf('stranger.nk', stranger)])
  expect(refused).toMatchObject({ code: 4, err: expect.stringMatching(/refuses this user; .*--creds FILE or --nkey FILE/) })
  expect(refused.err).not.toContain(stranger)
})

test('a credentials file opens a broker of operators and accounts', async () => {
  const { config, creds } = createChain()
  const url = await open(config, { creds })
  expect(await getK(url, ['--creds', fileOf('user.creds', creds)])).toEqual(found)
  expect(await getK('', [], { NATS_URL: url, NATS_CREDS: fileOf('env.creds', creds) })).toEqual(found)
  expect(await getK(url, ['--creds', fileOf('other.creds', createChain().creds)])).toMatchObject({ code: 4 })
})

test('a request that the broker does not permit says at once which permission is missing', async () => {
  const url = await open(`authorization: { users: [
    { user: n1, password: secret }
    { user: reader, password: secret, permissions: { publish: ["kv.get.>"], subscribe: ["_INBOX.>"] } }
  ] }`, { user: 'n1', pass: 'secret' })
  // Longer than a test may take: whoever tries until it is over fails here.
  const reader = ['--servers', url, '--nats-user', 'reader', '--nats-password', 'secret', '--timeout', '60s']
  const terminal = fakeTerminal(null, { connect: (broker) => connectNats({ ...broker, name: 'cli' }) })
  expect(await terminal.run('get', 'k', ...reader)).toEqual(found)
  const { code, err } = await terminal.run('put', 'k', 'v', ...reader)
  expect([code, err]).toEqual([4, expect.stringMatching(/not let this user publish kv\.put\.k; nothing was changed\. .*nats-config/)])
})

test('so it does where the broker maps requests to shards, and names what it made of them', async () => {
  const url = await open(`${mappingsBlock({ prefix: 'kv', shardCount: 4 })}authorization: { users: [
    { user: n1, password: secret }
    { user: guest, password: secret, permissions: { publish: ["kv.help"], subscribe: ["_INBOX.>"] } }
  ] }`, { user: 'n1', pass: 'secret' })
  const guest = ['--servers', url, '--nats-user', 'guest', '--nats-password', 'secret', '--timeout', '60s']
  const terminal = fakeTerminal(null, { connect: (broker) => connectNats({ ...broker, name: 'cli' }) })
  const { code, err } = await terminal.run('put', 'k', 'v', ...guest)
  expect([code, err]).toEqual([4, expect.stringMatching(/not let this user publish kv\.put\.k; nothing was changed\. .*nats-config/)])
})

test('a broker that carries no headers is named, and what to do about it', async () => {
  const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nno_header_support: true\n`)
  servers.push(server)
  const { code, err } = await getK(server.url, [])
  expect([code, err]).toEqual([4, expect.stringMatching(/no connection to nats:.*: the broker carries no headers.*no_header_support/)])
})

describe('TLS', () => {
  const authority = certify('authority')
  const [broker, client] = [certify('broker', authority), certify('client', authority)]
  const files = (): Readonly<Record<'ca' | 'cert' | 'key' | 'brokerCert' | 'brokerKey', string>> => ({
    ca: fileOf('ca.pem', authority.certificate), cert: fileOf('client.pem', client.certificate), key: fileOf('client.key', client.key),
    brokerCert: fileOf('broker.pem', broker.certificate), brokerKey: fileOf('broker.key', broker.key),
  })
  const secured = (more = ''): Promise<string> => {
    const { ca, cert, key, brokerCert, brokerKey } = files()
    return open(`tls: { cert_file: "${brokerCert}", key_file: "${brokerKey}", ca_file: "${ca}", verify: true ${more} }`,
      { tls: { caFile: ca, certFile: cert, keyFile: key, ...(more === '' ? {} : { handshakeFirst: true }) } })
  }

  test('with a certificate on both sides, by flags and by the environment of other NATS programs', async () => {
    const url = await secured()
    const { ca, cert, key } = files()
    expect(await getK(url, ['--tlsca', ca, '--tlscert', cert, '--tlskey', key])).toEqual(found)
    expect(await getK('', [], { NATS_URL: url, NATS_CA: ca, NATS_CERT: cert, NATS_KEY: key })).toEqual(found)
  })

  test('before the greeting, where the broker waits for it', async () => {
    // It greets after a while all the same, or nobody could tell that it is there.
    const url = await secured(', handshake_first: "1s"')
    const { ca, cert, key } = files()
    expect(await getK(url, ['--tlsca', ca, '--tlscert', cert, '--tlskey', key, '--tlsfirst'])).toEqual(found)
  })

  test('that can not be says what to name', async () => {
    const url = await secured()
    const { ca, cert } = files()
    const said = /no TLS with the broker at .*--tlsca names who vouches/
    expect(await getK(url, [])).toMatchObject({ code: 4, err: expect.stringMatching(said) })
    expect(await getK(url, ['--tlsca', join(folder, 'none.pem')])).toMatchObject({ code: 4, err: expect.stringMatching(/none\.pem/) })
    const plain = await getK(await open('', {}), ['--tlsca', ca])
    expect(plain).toMatchObject({ code: 4, err: expect.stringMatching(/no TLS with the broker at .* \(the broker offers none\); --tlsca/) })
    expect(await getK(url, ['--tlsca', ca, '--tlscert', cert])).toMatchObject({ code: 2, err: expect.stringMatching(/belong together/) })
  })
})

describe('what is wrong with a login is exit code 2 before anything is asked:', () => {
  const seed = createNkey().seed
  test.each<readonly [string, () => readonly string[], RegExp]>([
    ['a credentials file that is not there', () => ['--creds', join(folder, 'none')], /none, named by --creds, is not there/],
    ['one that can not be read', () => ['--creds', folder], /named by --creds, can not be read \(EISDIR\)/],
    ['one without a seed', () => ['--creds', fileOf('half.creds', 'BEGIN NATS USER JWT')], /holds no JWT and seed/],
    ['an nkey that is none', () => ['--nkey', fileOf('none.nk', 'secret')], /holds no seed of a user, which begins with SU/],
    ['two logins', () => ['--nkey', fileOf('two.nk', seed), '--nats-user', 'ann'], /given twice, by --nats-user and .* and --nkey/],
    ['a login in an address and a token', () => ['--servers', 'nats://ann:secret@h', '--nats-token', 'secret'],
      /given twice, in an address/],
  ])('%s', async (_what, flags, said) => {
    const terminal = fakeTerminal(null, { connect: async () => { throw new Error('it connects') } })
    const { code, err } = await terminal.run('get', 'k', ...flags())
    expect([code, err]).toEqual([2, expect.stringMatching(said)])
    expect(err).not.toMatch(/secret/)
  })
})

describe('a node, which waits for its broker for as long as it takes,', () => {
  const { certificate, key } = certify('n1')
  const start = async (...tls: readonly string[]): Promise<CliRun & { readonly broker: Broker | undefined }> => {
    let broker: Broker | undefined
    const terminal = fakeTerminal(null, { runNode: async (options) => { broker = options.broker; return 0 } })
    return { ...await terminal.run('node', '--id', 'n1', '--dir', 'd', ...tls), broker }
  }
  const cert = (): string => fileOf('n1.pem', certificate)
  const own = (): string => fileOf('n1.key', key)
  const none = (): string => join(folder, 'none.pem')

  test.each<readonly [string, () => readonly string[], RegExp]>([
    ['an authority that is not there', () => ['--tlsca', none()], /none\.pem, named by --tlsca, is not there/],
    ['one that can not be read', () => ['--tlsca', folder], /named by --tlsca, can not be read \(EISDIR\)/],
    ['one that is no certificate', () => ['--tlsca', own()], /n1\.key, named by --tlsca, holds no certificate/],
    ['a certificate that is not there', () => ['--tlscert', none(), '--tlskey', own()], /named by --tlscert, is not there/],
    ['a key that is not there', () => ['--tlscert', cert(), '--tlskey', none()], /named by --tlskey, is not there/],
    ['a key in place of the certificate', () => ['--tlscert', own(), '--tlskey', own()], /named by --tlscert, holds no certificate/],
    ['a certificate in place of the key', () => ['--tlscert', cert(), '--tlskey', cert()], /named by --tlskey, holds no private key/],
  ])('is refused with %s', async (_what, tls, said) => {
    expect(await start(...tls())).toMatchObject({ code: 2, err: expect.stringMatching(said), broker: undefined })
  })

  test('starts where the files are what they should be', async () => {
    const [caFile, certFile, keyFile] = [cert(), cert(), own()]
    expect(await start('--tlsca', caFile, '--tlscert', certFile, '--tlskey', keyFile))
      .toMatchObject({ code: 0, broker: { tls: { caFile, certFile, keyFile } } })
  })
})

describe('the environment of other NATS programs', () => {
  const asked = async (env: Readonly<Record<string, string>>, ...flags: readonly string[]): Promise<Broker | undefined> => {
    const seen: Broker[] = []
    const connect = async (broker: Broker): Promise<never> => {
      seen.push(broker)
      throw new Error('CONNECTION_REFUSED')
    }
    await fakeTerminal(null, { env, connect }).run('get', 'k', ...flags)
    return seen[0]
  }
  const ann = { NATS_USER: 'ann', NATS_PASSWORD: 'secret' }

  test('is heeded with NATS_URL, or with nothing', async () => {
    expect(await asked({ ...ann, NATS_URL: 'nats://h' })).toMatchObject({ servers: ['nats://h'], user: 'ann', pass: 'secret' })
    expect(await asked(ann)).toMatchObject({ user: 'ann', pass: 'secret' })
    expect(await asked({ ...ann, NATS_URL: '' })).toMatchObject({ servers: ['nats://127.0.0.1:4222'], user: 'ann', pass: 'secret' })
    expect(await asked({ NATS_USER: 'token' })).toMatchObject({ token: 'token' })
  })

  test('is of another broker where --servers says which is meant', async () => {
    const other = { ...ann, NATS_CA: '/none', NATS_CREDS: '/none' }
    expect(await asked(other, '--servers', 'nats://b')).toEqual({ servers: ['nats://b'], inboxPrefix: '_INBOX' })
  })

  test('has contexts of the nats command, by their name', async () => {
    mkdirSync(join(folder, 'nats/context'), { recursive: true })
    const context = (name: string, fields: object): string => {
      writeFileSync(join(folder, `nats/context/${name}.json`), JSON.stringify({ description: 'of a test', ...fields }))
      return name
    }
    const env = { XDG_CONFIG_HOME: folder, HOME: '/home/ann', NATS_URL: 'nats://other', NATS_USER: 'other' }
    const full = context('full',
      { url: 'nats://h:1,nats://h:2', user: 'ann', password: 'secret', ca: '~/ca.pem', inbox_prefix: '_INBOX.ann' })
    expect(await asked(env, '--context', full)).toEqual({
      servers: ['nats://h:1', 'nats://h:2'], user: 'ann', pass: 'secret', tls: { caFile: '/home/ann/ca.pem' }, inboxPrefix: '_INBOX.ann',
    })
    const { token, user, servers } = await asked(env, '--context', full, '--nats-token', 'mine') ?? {}
    expect({ token, user, servers }).toEqual({ token: 'mine', user: undefined, servers: ['nats://h:1', 'nats://h:2'] })
    expect(await asked(env, '--context', context('bare', {}), '--inbox-prefix', '_INBOX.b'))
      .toEqual({ servers: ['nats://other'], inboxPrefix: '_INBOX.b' })
    mkdirSync(join(folder, '.config/nats/context'), { recursive: true })
    writeFileSync(join(folder, '.config/nats/context/usual.json'), JSON.stringify({ url: 'nats://usual' }))
    expect(await asked({ XDG_CONFIG_HOME: '', HOME: folder }, '--context', 'usual')).toMatchObject({ servers: ['nats://usual'] })
    const wrong: Readonly<Record<string, RegExp>> = {
      none: /there is no context none .*nats context ls/, '../x': /no name of a context/,
      [context('proxied', { socks_proxy: 'x' })]: /does not know/, [context('inbox', { inbox_prefix: 'ann' })]: /_INBOX alone/,
      [`${full} --servers nats://b`]: /given twice, by --servers and by --context/,
    }
    for (const [words, said] of Object.entries(wrong)) {
      const { code, err } = await fakeTerminal(null, { env }).run('get', 'k', '--context', ...words.split(' '))
      expect([words, code, err]).toEqual([words, 2, expect.stringMatching(said)])
    }
  })

  const set = async (own: Readonly<Record<string, string>>, env: Readonly<Record<string, string>>): Promise<Broker | undefined> => {
    Object.assign(process.env, own)
    try {
      return await asked(env)
    } finally {
      for (const name of Object.keys(own)) Reflect.deleteProperty(process.env, name)
    }
  }

  test('is not kept out by variables that are set to nothing', async () => {
    const names = ['CONTEXT', 'NATS_USER', 'NATS_PASSWORD', 'NATS_TOKEN', 'CREDS', 'NKEY', 'TLSCA', 'TLSCERT', 'TLSKEY']
    const nothing = Object.fromEntries(names.map((name) => [`SHARDKV_${name}`, '']))
    expect(await set(nothing, { ...ann, NATS_CA: '/ca.pem' })).toMatchObject({ user: 'ann', pass: 'secret', tls: { caFile: '/ca.pem' } })
    expect(await set({ SHARDKV_NATS_USER: '' }, { NATS_CREDS: join(folder, 'none') })).toBeUndefined()
    const { token, pass } = await set({ SHARDKV_NATS_PASSWORD: '', SHARDKV_NATS_TOKEN: 'mine' }, ann) ?? {}
    expect([token, pass]).toEqual(['mine', undefined])
    expect(await set({ SHARDKV_NATS_USER: 'ben', SHARDKV_NATS_PASSWORD: '' }, ann)).toMatchObject({ user: 'ben', pass: '' })
  })

  test('gives way to a login by flags or in the address', async () => {
    const { user, token } = await asked(ann, '--nats-token', 'mine') ?? {}
    expect([user, token]).toEqual([undefined, 'mine'])
    expect(await asked({ ...ann, NATS_URL: 'nats://ben:geheim@h' })).toMatchObject({ user: 'ben', pass: 'geheim' })
  })
})
