/** What a log line has and never has, who is heard at which level, what is held back, and where lines go. */

import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { openProcessLog } from '../../observe/log.ts'
import { createLogLevels } from '../../observe/logLevels.ts'
import { LogTargetError, openLogTarget, parseLogTarget } from '../../observe/logTargets.ts'
import { createLogWriter } from '../../observe/logWriter.ts'
import { createRedaction } from '../../observe/redaction.ts'
import { ROWS_MAX, createRepeats } from '../../observe/repeats.ts'
import { loggingSlow } from '../../observe/slowLog.ts'
import { createInstruments } from '../../observe/instruments.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import type { LogOptions, ProcessLog } from '../../observe/log.ts'
import type { LogOutlet } from '../../observe/logWriter.ts'

const opened: ProcessLog[] = []
afterEach(async () => {
  jest.useRealTimers()
  for (const log of opened.splice(0)) await log.close()
})

const open = async (over: Partial<LogOptions> = {}) => {
  const written: string[] = []
  const levels = createLogLevels('info')
  const stdout = { write: (line: string) => { written.push(line) } }
  const made = await openProcessLog({ node: 'n1', levels, stdout, ...over })
  opened.push(made)
  const lines = () => written.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { ...made, levels, text: () => written.join(''), lines }
}

describe('a line', () => {
  test('has its time, level and node, and what its actor says of itself', async () => {
    const { log, lines } = await open()
    log.child({ actor: 'raft', shard: 3 }).info({ term: 7 }, 'raft role changed')
    expect(lines()).toEqual([{
      level: 30, time: expect.any(Number), pid: process.pid, node: 'n1', actor: 'raft', shard: 3, term: 7, msg: 'raft role changed',
    }])
  })

  test('never has a secret of the configuration, a seed, a password in a URL, or a value', async () => {
    const secrets = ['the-admin-token-1', 'pa"ss word\\1', 'SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY']
    const { log, text } = await open({ secrets })
    const [token = '', password = '', seed = ''] = secrets
    log.error({ err: new Error(`refused: ${token}, ${password}, ${seed}`) }, `can not connect with ${password}`)
    const broker = { url: 'nats://ada:pa55@h:1' }
    log.info({ token, headers: { authorization: `Bearer ${token}` }, value: 'a private value', broker }, 'x')
    log.info({ note: 'SAAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY' }, 'another seed')
    const never = [token, JSON.stringify(password).slice(1, -1), seed, 'private', 'ada:pa', 'SAAKY']
    for (const secret of never) expect(text()).not.toContain(secret)
    expect(text()).toContain('nats://[redacted]@h:1')
    expect(text().match(/redacted/g)?.length).toBeGreaterThan(6)
  })
})

/** What is written of it; nobody knows these passwords beforehand. */
const urls: readonly (readonly [string, string, string])[] = [
  ['a password', 'nats://ada:pa55@h:1/x', 'nats://[redacted]@h:1/x'],
  ['with an @', 'nats://ada:p@55@h:1', 'nats://[redacted]@h:1'],
  ['with a slash, a question mark and a hash', 'nats://ada:p/5?5#5@h:1', 'nats://[redacted]@h:1'],
  ['percent-encoded', 'https://ada:p%40%2F55@h:1/x?y=z', 'https://[redacted]@h:1/x?y=z'],
  ['a token alone', 'tls://t0ken@h:1', 'tls://[redacted]@h:1'],
  ['a list', 'nats://ada:pa55@a:1,nats://bob:w0rd@b:2,nats://c:3', 'nats://[redacted]@a:1,nats://[redacted]@b:2,nats://c:3'],
  ['a list with one scheme', 'nats://ada:pa55@a:1,bob:w0rd@b:2,c:3', 'nats://[redacted]@b:2,c:3'],
  ['with a comma', 'nats://ada:p,55@h:1', 'nats://[redacted]@h:1'],
  ['a list whose first has none', 'nats://a:1,nats://bob:w0rd@b:2', 'nats://a:1,nats://[redacted]@b:2'],
  ['in quotes, with more behind', 'at "nats://ada:pa55@h:1", said bob@h', 'at "nats://[redacted]@h:1", said bob@h'],
  ['none', 'nats://h:4222/a and ada@example.org, http://h/?a=1', 'nats://h:4222/a and ada@example.org, http://h/?a=1'],
]
test.each(urls)('a URL, %s: the password is struck out, and what is no password stays', (_, given, written) => {
  expect(createRedaction([])(given)).toBe(written)
})

test('redaction is quick on a line that is made to be slow', () => {
  const line = `${'a.'.repeat(100_000)}${'nats://a,'.repeat(10_000)}${':'.repeat(100_000)}`
  expect(createRedaction([])(line)).toBe(line)
})

describe('levels', () => {
  test('are an actor\'s own where somebody set one, at once and until all are set', async () => {
    const { log, levels, lines } = await open()
    const raft = log.child({ actor: 'raft' }).child({ shard: 1 })
    raft.debug({}, 'not yet')
    levels.set('raft', 'debug')
    raft.debug({}, 'heard')
    log.debug({ actor: 'raft' }, 'named in the line')
    log.child({ actor: 'wal' }).debug({}, 'of another')
    levels.set(null, 'error')
    raft.warn({}, 'too late')
    expect(lines().map(({ msg }) => msg)).toEqual(['heard', 'named in the line'])
  })
})

describe('repetition', () => {
  test('is held back after twenty lines a second, and told with a count; errors are not', async () => {
    const { log, flush, lines, held } = await open()
    const gateway = log.child({ actor: 'gateway' })
    for (let i = 0; i < 100; i += 1) gateway.warn({ i }, 'slow')
    for (let i = 0; i < 30; i += 1) gateway.error({}, 'bad')
    flush()
    const slow = lines().filter(({ msg }) => msg === 'slow')
    expect([slow.length, slow.at(-1)?.['repeated'], held()]).toEqual([21, 80, 80])
    expect(lines().filter(({ msg }) => msg === 'bad').length).toBe(30)
  })

  test('of one shard or connection hides the lines of no other', async () => {
    const { log, flush, lines } = await open()
    const of = (shard: number) => log.child({ actor: 'shard', shard })
    for (let i = 0; i < 100; i += 1) of(1).warn({}, 'slow')
    of(2).warn({}, 'slow')
    for (let i = 0; i < 100; i += 1) log.warn({ actor: 'shard', shard: 3, i }, 'slow')
    const connection = (id: string) => log.child({ actor: 'connection', conn_id: id })
    for (let i = 0; i < 100; i += 1) connection('aa').info({}, 'busy')
    connection('bb').info({}, 'busy')
    flush()
    const heard = (field: string, value: unknown) => lines().filter((line) => line[field] === value)
    expect([1, 2, 3].map((shard) => heard('shard', shard).length)).toEqual([21, 1, 21])
    expect(heard('shard', 1).at(-1)).toMatchObject({ level: 40, actor: 'shard', msg: 'slow', repeated: 80 })
    expect(['aa', 'bb'].map((id) => heard('conn_id', id).length)).toEqual([21, 1])
    expect(heard('conn_id', 'aa').at(-1)).toMatchObject({ actor: 'connection', repeated: 80 })
  })

  test('is counted together where too many shards speak at once, and apart again after the window', () => {
    let now = 0
    const told: [number, boolean][] = []
    const repeats = createRepeats(() => now)
    const passes = (own: number, times = 1): number => Array.from({ length: times }, () =>
      repeats.passes(`slow ${own}`, 'slow', (held, isOwn) => told.push([held, isOwn]))).filter(Boolean).length
    for (let i = 0; i < ROWS_MAX; i += 1) expect(passes(i)).toBe(1)
    expect([passes(0, 25), passes(ROWS_MAX, 15), passes(ROWS_MAX + 1, 15)]).toEqual([19, 15, 5])
    now = 1_000
    expect([passes(ROWS_MAX, 25), told.toSorted(([a], [b]) => a - b)]).toEqual([20, [[6, true], [10, false]]])
  })

  test('begins anew with each window, and of each line apart', () => {
    let now = 0
    const told: number[] = []
    const repeats = createRepeats(() => now)
    const passed = (key: string): number =>
      Array.from({ length: 25 }, () => repeats.passes(key, key, (count) => told.push(count))).filter(Boolean).length
    expect([passed('a'), passed('b')]).toEqual([20, 20])
    now = 999
    repeats.settle(false)
    expect([passed('a'), told]).toEqual([0, []])
    now = 1_000
    expect([passed('a'), told]).toEqual([20, [30]])
    repeats.settle(true)
    expect(told).toEqual([30, 5, 5])
  })
})

describe('a slow request', () => {
  test('is one line with its phases, at its door and at its shard; a fast one is none', async () => {
    const { log, lines } = await open()
    const ports = loggingSlow(createInstruments(() => 0).ports, log, 100)
    const batch = {
      to: { node: nodeId('n2'), address: 'connection/raw' as const }, operations: [{ code: OpCode.put, key: 'secret-key' }],
      results: [{ status: 'CONFLICT' as const, revision: 4 }], arrivedAt: 1_000, handedAt: 1_010,
    }
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
    ports.groupWritten({ records: 1, tookMs: 90, syncMs: 80.5 })
    ports.shard.answered(batch, 1_099, shardId(3))
    ports.natsDoor.took(OpCode.put, 99, 1)
    expect(lines()).toEqual([])
    ports.shard.answered(batch, 1_150, shardId(3), trace)
    ports.natsDoor.took(OpCode.put, 151, 1, 'CONFLICT', { ...trace, spanId: 'c'.repeat(16) })
    ports.batchDoor.took(OpCode.get, 100, 3, 'OK')
    expect(lines()).toEqual([
      expect.objectContaining({
        level: 40, actor: 'shard', shard: 3, cmd: 'put', operations: 1, status: 'CONFLICT', from: 'n2', conn_id: 'raw', latency_us: 150_000,
        gather_us: 10_000, raft_us: 140_000, wal_sync_us: 80_500, trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16),
      }),
      expect.objectContaining({
        actor: 'gateway', cmd: 'put', status: 'CONFLICT', latency_us: 151_000, trace_id: 'a'.repeat(32), span_id: 'c'.repeat(16),
      }),
      expect.objectContaining({ actor: 'batch', cmd: 'get', operations: 3, status: 'OK', latency_us: 100_000 }),
    ])
    expect(lines()[2]).not.toHaveProperty('trace_id')
    expect(JSON.stringify(lines())).not.toContain('secret-key')
  })
})

test('at the end, lines that a reader who stands still has not taken in time are counted and told', async () => {
  jest.useFakeTimers()
  const told: string[] = []
  const outlet: LogOutlet = { write: () => {}, writeSync: () => 0, end: (done) => done() }
  const stdout = createLogWriter({ target: 'stdout', outlet, tell: (text) => told.push(text), onRecovered: () => {} })
  const { log, close, lost } = await open({ stdout })
  log.info({ actor: 'node' }, 'the node has ended')
  const closed = close()
  jest.advanceTimersByTime(2_000)
  await closed
  expect([lost(), told]).toEqual([1, ['the log target stdout: the process ends, 1 lines were lost']])
})

describe('a log without lines', () => {
  test('wakes nobody, and a line is flushed a quarter of a second after it', async () => {
    jest.useFakeTimers()
    const flushes: number[] = []
    const { log } = await open({ stdout: { write: () => {}, flush: () => { flushes.push(performance.now()) } } })
    expect(jest.getTimerCount()).toBe(0)
    const since = performance.now()
    log.error({ actor: 'node' }, 'first')
    jest.advanceTimersByTime(100)
    log.error({ actor: 'node' }, 'second')
    jest.advanceTimersByTime(150)
    expect([flushes, jest.getTimerCount()]).toEqual([[since + 250], 0])
    log.error({ actor: 'node' }, 'third')
    jest.advanceTimersByTime(250)
    expect([flushes, jest.getTimerCount()]).toEqual([[since + 250, since + 500], 0])
  })

  test('still tells, a second later, how many lines were held back', async () => {
    jest.useFakeTimers()
    const { log, lines } = await open()
    for (let i = 0; i < 25; i += 1) log.warn({ actor: 'gateway' }, 'slow')
    jest.advanceTimersByTime(750)
    expect(lines()).toHaveLength(20)
    jest.advanceTimersByTime(250)
    expect([lines().length, lines().at(-1)?.['repeated'], jest.getTimerCount()]).toEqual([21, 5, 0])
  })
})

describe('targets', () => {
  test('are read with the options of their package', () => {
    expect(parseLogTarget('roll:/var/log/n1.log?size=10m&limit.count=3&symlink=true'))
      .toEqual({ kind: 'roll', where: '/var/log/n1.log', options: { size: '10m', limit: { count: 3 }, symlink: true } })
    expect(parseLogTarget('loki:http://h:3100')).toEqual({ kind: 'loki', where: 'http://h:3100', options: {} })
    expect(() => parseLogTarget('carrier-pigeon:home')).toThrow(LogTargetError)
    expect(() => parseLogTarget('elasticsearch:https://u:hunter2@h')).toThrow(/^"elasticsearch:\.\.\." is no log target: /)
    expect(() => parseLogTarget('roll')).toThrow('says where to')
    expect(parseLogTarget('elastic:http://h?auth.password=0123456&auth.pin=9007199254740993').options)
      .toEqual({ auth: { password: '0123456', pin: '9007199254740993' } })
  })

  test('are refused where an option is none, and reach no object but their own', () => {
    for (const options of ['__proto__.polluted=1', 'constructor.prototype.polluted=1', 'toString=1', '=1', 'a..b=1', 'a.__proto__=1']) {
      expect(() => parseLogTarget(`roll:/x?${options}`)).toThrow(/is no option of a log target/)
    }
    expect(() => parseLogTarget('roll:/x?size=50m&size.x=1')).toThrow('the option size.x is below "size", which has a value')
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test.each(['10.0.0.9:514', 'host:514', 'udp:', 'http://h'])('are refused where "%s" is no address of syslog', async (where) => {
    const ports = { load: async () => ({}), onRecovered: () => {} }
    await expect(openLogTarget(parseLogTarget(`syslog:${where}`), ports)).rejects.toThrow(LogTargetError)
  })

  test.each([
    ['loki:http://h:1', 'pino-loki'], ['otlp:http://h:1', 'pino-opentelemetry-transport'], ['elastic:http://h:1', 'pino-elasticsearch'],
  ])(
    '%s says which package it needs where that is not installed', async (target, name) => {
      const load = () => Promise.reject(Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' }))
      await expect(openProcessLog({ node: 'n1', levels: createLogLevels('info'), targets: [target], load }))
        .rejects.toThrow(`needs the package ${name}, which is not installed: npm install ${name}`)
    })

  test('load nothing that is not named', async () => {
    const loaded: string[] = []
    await open({ load: (name) => { loaded.push(name); return Promise.reject(new Error('no')) } })
    expect(loaded).toEqual([])
  })

  test('that are files are written out before a thread is waited for, which stops everything else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-log-'))
    let written = ''
    const stdout = {
      write: () => {},
      end: (done: () => void) => {
        written = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8')).join('')
        done()
      },
    }
    const { log, close } = await open({ targets: ['stdout', `roll:${folder}/n1.log`], stdout })
    for (let i = 0; i < 200; i += 1) log.error({ actor: 'node', i }, 'a line')
    await close()
    rmSync(folder, { recursive: true })
    expect(written.split('\n').filter(Boolean)).toHaveLength(200)
  })

  test('that roll begin another file at their size, and nothing is lost between two', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-log-'))
    const { log, close } = await open({ targets: [`roll:${folder}/n1.log?size=1k`, 'stdout'] })
    for (let i = 0; i < 40; i += 1) log.error({ actor: 'node', i }, 'a line of about a hundred characters')
    await close()
    const files = readdirSync(folder)
    const numbers = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean))
      .map((line) => (JSON.parse(line) as { i: number }).i)
    rmSync(folder, { recursive: true })
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i))
  })
})
