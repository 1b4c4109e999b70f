/** `put`, `get`, `del`, `incr`, `touch` as a person or a script sees them: output, messages, exit codes, and what goes over the wire. */

import { describe, expect, test } from '@jest/globals'
import { parseRequestHeaders } from '../../bus/headers.ts'
import { fakeCluster, fakeStore, fakeTerminal } from './fakes.ts'
import type { Broker } from '../../cli/broker.ts'
import type { FakeAnswer } from './fakes.ts'

const answering = (...answers: FakeAnswer[]) => {
  const cluster = fakeCluster(() => answers.shift() ?? { status: 'INTERNAL', value: 'more requests than expected' })
  return { cluster, terminal: fakeTerminal(cluster) }
}

const ok = (value = '', revision = '7'): FakeAnswer => ({ status: 'OK', value, headers: { 'Kv-Revision': revision, 'Kv-Shard': '3' } })

describe('put', () => {
  test('sends the value to the key\'s subject and prints the revision', async () => {
    const { cluster, terminal } = answering(ok())
    expect(await terminal.run('put', 'user 42', 'Ada')).toEqual({ code: 0, out: '7\n', err: '' })
    expect(cluster.requests[0]?.subject).toBe('kv.put.user%2042')
    expect(Buffer.from(cluster.requests[0]?.data ?? []).toString()).toBe('Ada')
    expect(cluster.requests[0]?.headers.get('Kv-Request-Id')).toMatch(/^[0-9a-f]{16}$/)
    expect(cluster.isClosed).toBe(true)
  })

  test('names the partition in the subject and takes its options as headers', async () => {
    const { cluster, terminal } = answering(ok())
    await terminal.run('put', 'email', 'x', '--partition', 'user42', '--ttl', '500', '--if-revision', '0', '--request-id', 'mine')
    const { subject, headers } = cluster.requests[0] ?? { subject: '', headers: new Map() }
    expect(subject).toBe('kv.put.user42.email')
    expect([headers.get('Kv-Ttl-Ms'), headers.get('Kv-If-Revision'), headers.get('Kv-Request-Id')]).toEqual(['500', '0', 'mine'])
  })

  test('-x takes the value from standard input', async () => {
    const { cluster, terminal } = answering(ok())
    await terminal.run('put', 'k', '-x')
    expect(Buffer.from(cluster.requests[0]?.data ?? []).toString()).toBe('from input')
  })

  test('a conflict is exit code 1 and names the revision', async () => {
    const { terminal } = answering({ status: 'CONFLICT', headers: { 'Kv-Revision': '9', 'Kv-Definite': 'true' } })
    const { code, out, err } = await terminal.run('put', 'k', 'v', '--if-revision', '8')
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('revision 9')
  })
})

describe('get', () => {
  test('prints exactly the bytes of the value when the output is a pipe', async () => {
    const { terminal } = answering(ok('no line end'))
    expect(await terminal.run('get', 'k')).toEqual({ code: 0, out: 'no line end', err: '' })
  })

  test('-w json tells text from bytes', async () => {
    const { terminal } = answering(ok('täxt'), { status: 'OK', value: new Uint8Array([0xff, 0]), headers: { 'Kv-Revision': '2' } })
    expect(JSON.parse((await terminal.run('get', 'k', '-w', 'json')).out)).toEqual({ key: 'k', revision: 7, shard: 3, value: 'täxt' })
    expect(JSON.parse((await terminal.run('get', 'k', '-w', 'json')).out)).toMatchObject({ valueBase64: '/wA=' })
  })

  test('-w table shows what a terminal can show: what is no text is escaped', async () => {
    const { terminal } = answering(ok('two\nlines'), { status: 'OK', value: new Uint8Array([0xff, 0x41]), headers: { 'Kv-Revision': '2' } })
    expect((await terminal.run('get', 'k', '-w', 'table')).out)
      .toBe('KEY  REVISION  SHARD  VALUE\nk    7         3      two\\nlines\n')
    expect((await terminal.run('get', 'k', '-w', 'table')).out).toContain('\\xffA')
  })

  test('ends the value\'s line for a person', async () => {
    expect((await fakeTerminal(fakeCluster(() => ok('v'))).run('get', 'k')).out).toBe('v')
    expect((await fakeTerminal(fakeCluster(() => ok('v')), { endsValues: true }).run('get', 'k')).out).toBe('v\n')
  })

  test('a missing key is exit code 3 and no output', async () => {
    const { terminal } = answering({ status: 'NOT_FOUND', headers: { 'Kv-Definite': 'true' } })
    expect(await terminal.run('get', 'k')).toMatchObject({ code: 3, out: '' })
  })

  test('asks for the consistency it is told', async () => {
    const { cluster, terminal } = answering(ok())
    await terminal.run('get', 'k', '--consistency', 'stale')
    expect(cluster.requests[0]?.headers.get('Kv-Consistency')).toBe('stale')
  })
})

test('del and incr print the revision and the sum', async () => {
  const { cluster, terminal } = answering(ok(), ok('42'))
  expect((await terminal.run('del', 'k')).out).toBe('7\n')
  expect((await terminal.run('incr', 'k', '-3')).out).toBe('42\n')
  expect(Buffer.from(cluster.requests[1]?.data ?? []).toString()).toBe('-3')
})

describe('retries', () => {
  test('a write is repeated under the same request id until it is answered, and takes effect once', async () => {
    const store = fakeStore()
    const losses: FakeAnswer[] = ['timeout', 'noResponders', { status: 'OVERLOADED', headers: { 'Kv-Retry-After-Ms': '1' } }]
    const cluster = fakeCluster((request) => {
      const loss = losses.shift()
      // A lost answer: the write happened all the same.
      if (loss === 'timeout') store.answer(request)
      return loss ?? store.answer(request)
    })
    expect(await fakeTerminal(cluster).run('put', 'k', 'v')).toMatchObject({ code: 0, out: '1\n' })
    expect(new Set(cluster.requests.map(({ headers }) => headers.get('Kv-Request-Id'))).size).toBe(1)
    expect(store.writes).toEqual(['k'])
  })

  test('nobody there is exit code 4, and certainly nothing happened', async () => {
    const cluster = fakeCluster(() => 'noResponders')
    const { code, err } = await fakeTerminal(cluster).run('put', 'k', 'v', '--timeout', '60')
    expect(code).toBe(4)
    expect(err).toContain('nothing was changed')
  })

  test('a lost answer is exit code 4, and says that it may have happened', async () => {
    const cluster = fakeCluster(() => 'timeout')
    const { code, err } = await fakeTerminal(cluster).run('put', 'k', 'v', '--timeout', '60')
    expect(code).toBe(4)
    expect(err).toContain('may or may not have happened')
    expect(err).toContain(`repeat it with --request-id ${cluster.requests[0]?.headers.get('Kv-Request-Id')}\n`)
  })

  test('what the broker denies is told at once, with the subject, and whether something happened', async () => {
    const cluster = fakeCluster(() => 'denied')
    const { code, err } = await fakeTerminal(cluster).run('put', 'k', 'v')
    expect([code, cluster.requests.length]).toEqual([4, 1])
    expect(err).toContain('does not let this user publish kv.put.k; nothing was changed')
    const several = fakeCluster(() => 'deniedAmong')
    expect((await fakeTerminal(several).run('put', 'k', 'v')).err).toContain('publish kv.put.k; it may or may not have happened')
    expect(several.requests.length).toBe(1)
  })

  test('a request leaves no listener on the connection, which the prompt uses for a million of them', async () => {
    const cluster = fakeCluster(() => ok())
    let listeners = 0
    const bus = { ...cluster.bus, onEvent: () => { listeners += 1 } }
    expect(await fakeTerminal(cluster, { connect: async () => bus }).run('get', 'k')).toMatchObject({ code: 0 })
    expect(listeners).toBe(0)
  })

  test('a user who may not hear answers is told so at once, and not that nothing happened', async () => {
    const cluster = fakeCluster(() => 'noInbox')
    const { code, err } = await fakeTerminal(cluster).run('put', 'k', 'v')
    expect([code, cluster.requests.length]).toEqual([4, 1])
    expect(err).toContain('--inbox-prefix')
    expect(err).toContain('may or may not have happened')
  })

  test.each<[string, FakeAnswer]>([
    ['a definite refusal', { status: 'TOO_LARGE', value: 'too much', headers: { 'Kv-Definite': 'true' } }],
    ['a lost session', { status: 'SESSION_EXPIRED', headers: { 'Kv-Definite': 'true' } }],
  ])('%s after an attempt without an answer speaks of itself alone: the first may have happened', async (_name, refusal) => {
    const { cluster, terminal } = answering('timeout', refusal)
    const { code, err } = await terminal.run('put', 'k', 'v')
    expect([code, cluster.requests.length]).toEqual([1, 2])
    expect(err).toContain('It may have happened. Read the key before you repeat it, or repeat it with --request-id ')
  })

  test('an answer to what was repeated under one id is the answer to all of it', async () => {
    const conflict: FakeAnswer = { status: 'CONFLICT', headers: { 'Kv-Revision': '9', 'Kv-Definite': 'true' } }
    expect((await answering('timeout', ok()).terminal.run('put', 'k', 'v')).code).toBe(0)
    const { err } = await answering('timeout', conflict).terminal.run('put', 'k', 'v', '--if-revision', '1')
    expect(err).toBe('shardkv: CONFLICT: the key is at revision 9; read it and try again\n')
    expect((await answering('timeout', { status: 'NOT_FOUND' }).terminal.run('del', 'k')).code).toBe(3)
  })

  test('that the id is another write\'s is said of all attempts: repeated under it, it would be refused again', async () => {
    const reused: FakeAnswer = { status: 'REQUEST_ID_REUSED', value: 'nothing was done', headers: { 'Kv-Definite': 'true' } }
    const { code, err } = await answering('timeout', reused).terminal.run('put', 'k', 'v', '--request-id', 'order-7')
    expect([code, err]).toEqual([1, 'shardkv: REQUEST_ID_REUSED: nothing was done\n'])
  })

  test('a read that is refused after an attempt without an answer may have done nothing', async () => {
    const { terminal } = answering('timeout', { status: 'UNAUTHORIZED', headers: { 'Kv-Definite': 'true' } })
    expect((await terminal.run('get', 'k')).err).toBe('shardkv: UNAUTHORIZED\n')
    expect((await answering({ status: 'INTERNAL' }).terminal.run('get', 'k')).err).toBe('shardkv: INTERNAL\n')
  })

  test('what a stranger answers is shown without the characters that a terminal obeys', async () => {
    const { terminal } = answering({ status: 'INVALID', value: 'no\x1b]0;mine\x07\r\nway', headers: { 'Kv-Definite': 'true' } })
    expect((await terminal.run('get', 'k')).err).toBe('shardkv: INVALID: no ]0;mine   way\n')
    const unknown = answering({ status: 'toString', headers: { 'Kv-Definite': 'true' } })
    expect((await unknown.terminal.run('get', 'k')).err).toBe('shardkv: INTERNAL\n')
  })

  test('what the cluster refuses for good is not repeated', async () => {
    const { cluster, terminal } = answering({ status: 'TOO_LARGE', value: 'a value has at most 524288 bytes',
      headers: { 'Kv-Definite': 'true' } })
    const { code, err } = await terminal.run('put', 'k', 'v')
    expect([code, cluster.requests.length]).toEqual([1, 1])
    expect(err).toBe('shardkv: TOO_LARGE: a value has at most 524288 bytes\n')
  })
})

test('touch sends the time to live, in any unit, and 0 for never', async () => {
  const { cluster, terminal } = answering(ok(), ok(), ok())
  for (const ttl of ['1500', '30s', '0']) expect((await terminal.run('touch', 'k', '--ttl', ttl)).out).toBe('7\n')
  expect(cluster.requests.map(({ subject, headers }) => [subject, headers.get('Kv-Ttl-Ms')]))
    .toEqual([['kv.touch.k', '1500'], ['kv.touch.k', '30000'], ['kv.touch.k', '0']])
})

test('-x takes bytes as they are, and for incr a number with its line end', async () => {
  const { cluster } = answering(ok(), ok('5'))
  const bytes = new Uint8Array([0, 0xff, 0x0a])
  const inputs = [bytes, new TextEncoder().encode('5\n')]
  const terminal = fakeTerminal(cluster, { readInput: async () => inputs.shift() ?? bytes })
  expect((await terminal.run('put', 'k', '-x')).code).toBe(0)
  expect((await terminal.run('incr', 'k', '-x')).out).toBe('5\n')
  expect(cluster.requests.map(({ data }) => [...data])).toEqual([[...bytes], [0x35]])
})

describe('usage', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['no key', ['get']],
    ['no value', ['put', 'k']],
    ['a value and -x', ['put', 'k', 'v', '-x']],
    ['a ttl that is no number', ['put', 'k', 'v', '--ttl', 'soon']],
    ['an unknown command', ['fetch', 'k']],
    ['an unknown flag', ['get', 'k', '--fast']],
    ['an unknown consistency', ['get', 'k', '--consistency', 'eventual']],
    ['a key that looks like a partition', ['get', '{a}b']],
    ['a partition with a brace', ['get', 'b', '--partition', 'a}']],
    ['an empty key', ['get', '']],
    ['an amount that is no number', ['incr', 'k', 'many']],
    ['a touch without a time', ['touch', 'k']],
    ['a time in no unit there is', ['put', 'k', 'v', '--ttl', '3y']],
    ['a time above ten years', ['put', 'k', 'v', '--ttl', '3651d']],
    ['a touch for more than ten years', ['touch', 'k', '--ttl', '315360000001']],
    ['a revision of 16 digits', ['put', 'k', 'v', '--if-revision', '1000000000000000']],
    ['an amount with a plus', ['incr', 'k', '+4']],
    ['an amount with a leading zero', ['incr', 'k', '04']],
    ['an amount of more than 64 bits', ['incr', 'k', '9223372036854775808']],
    ['a request id with a blank', ['put', 'k', 'v', '--request-id', 'a b']],
    ['a request id of 65 characters', ['del', 'k', '--request-id', 'a'.repeat(65)]],
    ['a request id that is half a session\'s', ['incr', 'k', '--request-id', 'a:1']],
  ]
  for (const [name, args] of cases) {
    test(`${name} is exit code 2, with nothing on standard output and nothing sent`, async () => {
      const { cluster, terminal } = answering()
      const { code, out, err } = await terminal.run(...args)
      expect([code, out, cluster.requests.length]).toEqual([2, '', 0])
      expect(err).not.toBe('')
    })
  }

  test('the largest that the cluster takes is sent', async () => {
    const { cluster, terminal } = answering(ok(), ok(), ok('1'), ok('1'))
    const session = '0123456789abcdef:2:1'
    const most = [
      ['put', 'k', 'v', '--ttl', '3650d', '--if-revision', '999999999999999', '--request-id', 'a'.repeat(64)],
      ['touch', 'k', '--ttl', '315360000000', '--request-id', session], ['incr', 'k', '9223372036854775807'],
      ['incr', 'k', '-9223372036854775808'],
    ]
    for (const args of most) expect(await terminal.run(...args)).toMatchObject({ code: 0, err: '' })
    for (const { headers } of cluster.requests) expect(parseRequestHeaders(headers)).toMatchObject({ ok: true })
    expect(cluster.requests[1]?.headers.get('Kv-Request-Id')).toBe(session)
  })

  test('what is wrong with a flag is told of the flag, not of the header that it becomes', async () => {
    const { err } = await answering().terminal.run('put', 'k', 'v', '--request-id', 'a b')
    expect(err).toMatch(/'--request-id <id>' argument 'a b' is invalid\. An id is 1 to 64 printable ASCII characters without blanks/)
    expect(err).not.toContain('header')
  })

  test('a broker that is not there is exit code 4 and says how to start one', async () => {
    const { code, err } = await fakeTerminal(null).run('get', 'k')
    expect(code).toBe(4)
    expect(err).toContain('shardkv start')
  })

  test('NATS_URL names the broker unless a flag does', async () => {
    const asked: (readonly string[])[] = []
    const { cluster } = answering(ok(), ok())
    const terminal = fakeTerminal(cluster, {
      env: { NATS_URL: 'nats://a:1, nats://b:2' },
      connect: async ({ servers }) => {
        asked.push(servers)
        return cluster.bus
      },
    })
    await terminal.run('get', 'k')
    await terminal.run('get', 'k', '--servers', 'nats://c:3')
    expect(asked).toEqual([['nats://a:1', 'nats://b:2'], ['nats://c:3']])
  })

  test('user and password of the broker are handed to the connection only when they are given', async () => {
    const asked: Broker[] = []
    const { cluster } = answering(ok(), ok())
    const terminal = fakeTerminal(cluster, {
      connect: async (broker) => {
        asked.push(broker)
        return cluster.bus
      },
    })
    await terminal.run('get', 'k')
    await terminal.run('get', 'k', '--nats-user', 'app', '--nats-password', 'geheim')
    const servers = ['nats://127.0.0.1:4222']
    expect(asked).toEqual([{ servers, inboxPrefix: '_INBOX' }, { servers, inboxPrefix: '_INBOX', user: 'app', pass: 'geheim' }])
  })

  test('a login in an address of the broker goes to the connection, and stays out of what is printed', async () => {
    const asked: Broker[] = []
    const env = { NATS_URL: 'nats://app:ge%40heim@127.0.0.1:1, nats://127.0.0.1:2' }
    const terminal = fakeTerminal(null, {
      env,
      connect: async (broker) => {
        asked.push(broker)
        throw new Error('CONNECTION_REFUSED')
      },
    })
    const { code, err } = await terminal.run('get', 'k')
    expect(asked).toMatchObject([{ servers: ['nats://127.0.0.1:1', 'nats://127.0.0.1:2'], user: 'app', pass: 'ge@heim' }])
    expect(code).toBe(4)
    expect(err).toContain('no broker answers at nats://127.0.0.1:1, nats://127.0.0.1:2')
    expect(err).not.toMatch(/heim/)
    const help = await terminal.run('get', '--help')
    expect(help.out).toContain('nats://127.0.0.1:1')
    expect(help.out).not.toMatch(/heim/)
  })

  test.each([
    ['a login in an address and a user', ['--servers', 'nats://app:geheim@b', '--nats-user', 'app']],
    ['a token in an address and a password', ['--servers', 'nats://geheim@b', '--nats-password', 'x']],
    ['a login that can not be read', ['--servers', 'nats://app:geheim%@b']],
    ['two logins', ['--servers', 'nats://app:geheim@b,nats://ben:geheim@c']],
    ['no address at all', ['--servers', ' , ']],
  ])('%s is exit code 2, and repeats no secret', async (_name, flags) => {
    const { cluster, terminal } = answering()
    const { code, err } = await terminal.run('get', 'k', ...flags)
    expect([code, cluster.requests.length]).toEqual([2, 0])
    expect(err).toMatch(/address/)
    expect(err).not.toMatch(/geheim/)
  })

  test('a NATS_URL that can not be read does not keep commands from working that need no broker', async () => {
    const terminal = fakeTerminal(null, { env: { NATS_URL: 'nats://app:geheim%@b' } })
    expect(await terminal.run('version')).toMatchObject({ code: 0 })
    const { out } = await terminal.run('get', '--help')
    expect(out).not.toContain('geheim')
    expect(await terminal.run('get', 'k')).toMatchObject({ code: 2, err: expect.not.stringContaining('geheim') })
  })

  test('--inbox-prefix says where this user may hear, and must be where nodes answer', async () => {
    const asked: Broker[] = []
    const { cluster } = answering(ok(), ok())
    const connect = async (broker: Broker) => {
      asked.push(broker)
      return cluster.bus
    }
    await fakeTerminal(cluster, { connect }).run('get', 'k', '--inbox-prefix', '_INBOX.ann')
    process.env['SHARDKV_INBOX_PREFIX'] = '_INBOX.ben'
    await fakeTerminal(cluster, { connect }).run('get', 'k')
    delete process.env['SHARDKV_INBOX_PREFIX']
    expect(asked.map(({ inboxPrefix }) => inboxPrefix)).toEqual(['_INBOX.ann', '_INBOX.ben'])
    for (const bad of ['inbox', '_INBOX.', '_INBOX.*', '_INBOX.a b', '_INBOXX', '_INBOX..a', '']) {
      expect(await fakeTerminal(cluster, { connect }).run('get', 'k', '--inbox-prefix', bad)).toMatchObject({ code: 2 })
    }
    expect(asked).toHaveLength(2)
  })

  test('a broker that refuses the user is told from one that is not there, and the password is not repeated', async () => {
    const refusal = Object.assign(new Error("'Authorization Violation'"), { code: 'AUTHORIZATION_VIOLATION' })
    const terminal = fakeTerminal(null, { connect: async () => { throw refusal } })
    const { code, err } = await terminal.run('get', 'k', '--nats-user', 'app', '--nats-password', 'geheim')
    expect(code).toBe(4)
    expect(err).toContain('refuses this user; set SHARDKV_NATS_USER')
    expect(err).not.toContain('geheim')
  })
})
