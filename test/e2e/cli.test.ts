/** The command line as its users run it: processes, pipes and a real terminal, against a real cluster whose broker knows its users. */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { isServing, passwordOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { until } from '../support/until.ts'
import type { ChildProcess } from 'node:child_process'
import type { TestCluster } from '../../chaos/ground/cluster.ts'

const TEST_MS_MAX = 120_000
const CLI = fileURLToPath(new URL('../../dist/cli/entry.js', import.meta.url))

let cluster: TestCluster
const children = new Set<ChildProcess>()
beforeAll(async () => {
  cluster = await startTestCluster({ hasPermissions: true })
  await cluster.until('every shard is served', isServing(cluster))
}, TEST_MS_MAX)
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await cluster.stop()
})

interface Outcome {
  readonly code: number | null
  readonly out: Buffer
  readonly err: string
}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env, SHARDKV_SERVERS: cluster.url, SHARDKV_NATS_USER: 'client', SHARDKV_NATS_PASSWORD: passwordOf('client'),
  SHARDKV_HISTORY: '', TERM: 'xterm',
})

const shardkv = (args: readonly string[], input: Uint8Array | string = ''): Promise<Outcome> => new Promise((resolve) => {
  const child = spawn(process.execPath, [CLI, ...args], { env: environment() })
  children.add(child)
  const out: Buffer[] = []
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString() })
  child.once('close', (code) => {
    children.delete(child)
    resolve({ code, out: Buffer.concat(out), err })
  })
  child.stdin.end(input)
})

const text = async (...args: readonly string[]): Promise<string> => (await shardkv(args)).out.toString()

describe('keys', () => {
  test('bytes go in by -x and come out as they were, through pipes', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    expect((await shardkv(['put', 'binary', '-x'], bytes)).code).toBe(0)
    expect((await shardkv(['get', 'binary'])).out.equals(bytes)).toBe(true)
  }, TEST_MS_MAX)

  test('exit codes tell what happened: 0, 1 conflict, 2 usage, 3 not found, 4 unavailable', async () => {
    const codes = await Promise.all([
      ['put', 'code', 'v'], ['put', 'code', 'v', '--if-revision', '999999'], ['get'], ['get', 'nobody'],
      ['get', 'code', '--servers', 'nats://127.0.0.1:1'], ['get', 'code', '--nats-user', 'nobody'],
      ['bench', 'nosuch'], ['bench', 'put', '--inflight', 'many'], ['bench', 'put', '--servers', 'nats://a:b%@h'],
    ].map(async (args) => (await shardkv(args)).code))
    expect(codes).toEqual([0, 1, 2, 3, 4, 4, 2, 2, 2])
    const help = await shardkv(['bench', 'put', '--help'])
    expect([help.code, help.out.toString()]).toEqual([0, expect.stringContaining('$ shardkv bench put')])
  }, TEST_MS_MAX)

  test('every question of the bench has an example in its help', async () => {
    const { out } = await shardkv(['bench', '--', '--help'])
    const questions = [...out.toString().matchAll(/^ {2}(\w+) \[options\]/gm)].map(([, name = '']) => name)
    expect(questions).toEqual(expect.arrayContaining(['put', 'get', 'floor', 'peers', 'latency', 'overload', 'memory', 'soak']))
    for (const name of questions) expect(await text('bench', name, '--help')).toContain(`$ shardkv bench ${name}`)
  }, TEST_MS_MAX)

  test('touch makes a key expire, and takes that back', async () => {
    expect((await shardkv(['put', 'brief', 'v'])).code).toBe(0)
    expect((await shardkv(['touch', 'brief', '--ttl', '1ms'])).code).toBe(0)
    const isGone = async (): Promise<boolean> => (await shardkv(['get', 'brief'])).code === 3
    const deadline = performance.now() + 20_000
    while (!(await isGone())) expect(performance.now()).toBeLessThan(deadline)
    expect((await shardkv(['touch', 'brief', '--ttl', '1h'])).code).toBe(3)
  }, TEST_MS_MAX)

  test('a script of lines runs on one connection', async () => {
    const { code, out, err } = await shardkv(['repl'], 'put line1 "a b"\nget line1\nincr lines 3 -w json\nget nothing\n')
    expect(code).toBe(3)
    expect(out.toString()).toMatch(/^\d+\na b\n\{"key":"lines","revision":\d+,"shard":\d+,"value":"3"\}\n$/)
    expect(err).toContain('error: there is no such key')
  }, TEST_MS_MAX)
})

describe('the cluster', () => {
  test('status and top print for people, for scripts and as JSON', async () => {
    expect((await text('status', '-w', 'raw')).trim().split('\n')).toHaveLength(cluster.shardCount)
    expect(JSON.parse(await text('status', '-w', 'json'))).toMatchObject({ broker: { routing: 'broker' } })
    await Promise.all(Array.from({ length: 4 }, (_, i) => shardkv(['put', `load-${i}`, 'v'])))
    expect(JSON.parse(await text('top', '--once', '-w', 'json', '--interval', '300'))).toMatchObject({
      nodes: cluster.members.map((id) => ({ id, state: 'serving', rssBytes: expect.any(Number), cpuPercent: expect.any(Number) })),
      shards: Array.from({ length: cluster.shardCount }, (_, id) => ({ id, leader: expect.stringMatching(/^n\d$/) })),
    })
    expect(await text('top', '--once', '--interval', '300')).toMatch(/^NODE +STATE +LEADS/m)
  }, TEST_MS_MAX)

  test('a node whose directory is not there refuses to run, and says how one comes to be', async () => {
    const { code, out } = await shardkv(['node', '--id', 'n9', '--dir', `/tmp/shardkv-nothing-${process.pid}/n9`])
    expect([code, out.toString()]).toEqual([78, expect.stringMatching(/n9 is not there: .*shardkv init.*--join for a node that joins/)])
    expect(out.toString()).not.toContain('EACCES')
  }, TEST_MS_MAX)

  test('whoever reads only the first line of an answer gets no stack', async () => {
    const child = spawn('bash', ['-c', `"${process.execPath}" "${CLI}" status | head -n 1`], { env: environment() })
    let out = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { out += chunk.toString() })
    await new Promise((resolve) => { child.once('close', resolve) })
    expect(out).toMatch(/^cluster [^\n]*\n$/)
  }, TEST_MS_MAX)

  interface Finding {
    readonly check: string
    readonly level: string
    readonly found: string
  }

  const findings = async (): Promise<ReadonlyMap<string, Finding>> => {
    const { findings: found } = JSON.parse(await text('doctor', '-w', 'json')) as { findings: readonly Finding[] }
    return new Map(found.map((one) => [one.check, one]))
  }

  test('the doctor finds permissions, routing, leaders and replicas in order, and measures clocks and disks', async () => {
    const found = await findings()
    for (const check of [
      'broker', 'nodes', 'routing', 'access', 'permissions', 'leaders', 'replicas', 'replication', 'clocks', 'disk space',
    ]) {
      expect(found.get(check)).toMatchObject({ level: 'ok' })
    }
    expect(found.get('sync time')?.found).toMatch(/n1 p50 [\d.]+ ms, p99/)
    expect(found.get('event loop')?.found).toMatch(/n1 p99 [\d.]+ ms/)
  }, TEST_MS_MAX)

  test('the doctor misses a node that was killed', async () => {
    const victim = 'n3'
    const [node] = cluster.members.filter((one) => one === victim)
    if (node === undefined) throw new Error('n3 is a member')
    await cluster.kill(node)
    const { code, err } = await shardkv(['doctor'])
    expect([code, err]).toEqual([1, expect.stringMatching(/wrong\n$/)])
    expect((await findings()).get('nodes')).toMatchObject({ level: 'problem', found: 'n3 of 3 does not answer' })
    cluster.start(node)
    await cluster.until('it is back', isServing(cluster))
  }, TEST_MS_MAX)
})

/** util-linux's: gives a process a terminal of its own; what is written to it are keys. */
const terminalCommand = 'script'

const onTerminal = (...args: readonly string[]) => onTerminalWith({}, ...args)

const onTerminalWith = (env: NodeJS.ProcessEnv, ...args: readonly string[]) => {
  const command = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ')
  const child = spawn(terminalCommand, ['-qec', `stty cols 80 rows 24; ${command}`, '/dev/null'], { env: { ...environment(), ...env } })
  children.add(child)
  let screen = ''
  child.stdout.on('data', (chunk: Buffer) => { screen += chunk.toString() })
  const ended = new Promise<number | null>((resolve) => { child.once('close', resolve) })
  return {
    press: (keys: string): void => { child.stdin.write(keys) },
    shows: (wanted: RegExp): Promise<void> => until(() => wanted.test(screen), `the screen shows ${wanted}`, 30_000),
    /** The window is closed: what runs in it gets SIGHUP. */
    hangUp: (): void => { child.kill('SIGKILL') },
    ended,
  }
}

describe('a terminal', () => {
  test('top draws in place and leaves on q', async () => {
    const { press, shows, ended } = onTerminal('top', '--interval', '300')
    await shows(/WRITES\/s/)
    press('s')
    await shows(/s: by number/)
    press('q')
    await shows(/\?1049l/)
    expect(await ended).toBe(0)
  }, TEST_MS_MAX)

  test('shardkv alone is a prompt: keys complete, Ctrl-C clears, Ctrl-D leaves', async () => {
    const { press, shows, ended } = onTerminal()
    await shows(/> /)
    press('put tty-key "a b"\r')
    // Its revision, and the next prompt.
    await shows(/\r\n\d+\r\n.*> /s)
    press('del tty-key\u0003')
    await shows(/\^C/)
    press('get tty\t')
    await shows(/get tty-key /)
    press('\r')
    await shows(/\r\na b\r\n/)
    press('\u0004')
    expect(await ended).toBe(0)
  }, TEST_MS_MAX)

  test('that is closed leaves the lines of its prompt in the history', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-hang-up-'))
    const history = join(folder, 'history')
    const { press, shows, hangUp } = onTerminalWith({ SHARDKV_HISTORY: history })
    await shows(/> /)
    press('put hung-up v\r')
    await shows(/\r\n\d+\r\n.*> /s)
    hangUp()
    await until(() => existsSync(history) && readFileSync(history, 'utf8') === 'put hung-up v\n', 'the line is kept', 30_000)
    rmSync(folder, { recursive: true, force: true })
  }, TEST_MS_MAX)
})
