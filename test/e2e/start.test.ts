/** `npm start` as a user meets it: a real broker, real node processes, a raw NATS client, Ctrl-C, and everything there again. */

import { spawn } from 'node:child_process'
import { appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, headers } from 'nats'
import { freePortRow } from '../../bench/targets/freePorts.ts'
import { mountSmallDisk } from '../../chaos/ground/smallDisk.ts'
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'

const START_MS_MAX = 60_000
const STOP_MS_MAX = 40_000
const TEST_MS_MAX = 180_000
const NODES = 3
const SMALL_DISK_BYTES = 288 * 1_024 * 1_024

let directory = ''
let natsPort = 0
let httpPort = 0
let running: ChildProcess | undefined

const until = async (what: string, ms: number, isSo: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + ms
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((wake) => { setTimeout(wake, 50) })
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

interface Started {
  readonly text: () => string
  readonly process: ChildProcess
  readonly exitCode: () => number | null
  /** By name, from the table. */
  readonly pids: () => Readonly<Record<string, number>>
}

const ownArgs = (home = directory): readonly string[] => ['--dir', home, '--nats-port', String(natsPort), '--http-port', String(httpPort)]

const start = (...args: string[]): Promise<Started> => startedBy(spawn(process.execPath, ['bin/start.mjs', ...ownArgs(), ...args], {
  stdio: ['ignore', 'pipe', 'pipe'],
}))

const startedBy = async (child: ChildProcessByStdio<null, Readable, Readable>): Promise<Started> => {
  running = child
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { text += chunk.toString() })
  await until(`"shardkv is ready" in:\n${text}`, START_MS_MAX, () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${text}`)
    return text.includes('data and logs:')
  })
  return {
    text: () => text,
    process: child,
    exitCode: () => child.exitCode,
    pids: () => Object.fromEntries([...text.matchAll(/^ {2}(nats-server|n\d+) +(\d+) /gm)].map(([, name, pid]) => [name, Number(pid)])),
  }
}

const stop = async (started: Started, signal: NodeJS.Signals): Promise<void> => {
  started.process.kill(signal)
  await until('the launcher to end', STOP_MS_MAX, () => started.exitCode() !== null)
}

const kv = async (subject: string, data = '', options: Record<string, string> = {}): Promise<{ status: string; value: string }> => {
  const connection = await connect({ servers: `nats://127.0.0.1:${natsPort}` })
  try {
    const given = headers()
    for (const [name, value] of Object.entries(options)) given.set(name, value)
    const answer = await connection.request(subject, data, { timeout: 5_000, headers: given })
    return { status: answer.headers?.get('Kv-Status') ?? '', value: answer.string() }
  } finally {
    await connection.close()
  }
}

/** Asked again while nobody answers, or nobody can: leaderships move for seconds after a start. Writes are given an id, and happen once. */
const settledKv = async (subject: string, data = ''): Promise<{ status: string; value: string }> => {
  let answer = { status: '', value: '' }
  await until(`${subject} to be answered`, START_MS_MAX, async () => {
    answer = await kv(subject, data, { 'Kv-Request-Id': subject }).catch(() => answer)
    return answer.status === 'OK' || answer.status === 'NOT_FOUND'
  })
  return answer
}

beforeAll(async () => {
  directory = join(mkdtempSync(join(tmpdir(), 'shardkv-e2e-')), 'data')
  natsPort = await freePortRow(1 + NODES)
  httpPort = natsPort
})
afterEach(async () => {
  if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
  running.kill('SIGTERM')
  await until('the launcher to end', STOP_MS_MAX, () => running?.exitCode !== null || running.signalCode !== null)
})
afterAll(() => { rmSync(join(directory, '..'), { recursive: true, force: true }) })

describe('npm start', () => {
  test('a value written through a raw NATS client is there after Ctrl-C and a second start', async () => {
    const first = await start()
    expect(Object.keys(first.pids())).toEqual(['nats-server', 'n1', 'n2', 'n3'])
    expect(await settledKv('kv.put.user42', 'Ada')).toMatchObject({ status: 'OK' })
    expect(await settledKv('kv.put.user42.email', 'ada@example.org')).toMatchObject({ status: 'OK' })
    const pids = Object.values(first.pids())
    await stop(first, 'SIGINT')
    expect(first.exitCode()).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])

    const second = await start()
    expect(second.text()).toContain('resumed')
    expect(await settledKv('kv.get.user42')).toEqual({ status: 'OK', value: 'Ada' })
    expect(await settledKv('kv.get.user42.email')).toEqual({ status: 'OK', value: 'ada@example.org' })
    expect(await settledKv('kv.get.nobody')).toMatchObject({ status: 'NOT_FOUND' })
  }, TEST_MS_MAX)

  test('one Ctrl-C drains, though the terminal sends it to npm and the launcher, and npm passes it on', async () => {
    const started = await startedBy(spawn('npm', ['start', '--', ...ownArgs()], { stdio: ['ignore', 'pipe', 'pipe'], detached: true }))
    const logOf = (node: string): string => readFileSync(join(directory, 'logs', `${node}.log`), 'utf8')
    const endings = (): readonly number[] => ['n1', 'n2', 'n3'].map((node) => logOf(node).split('"the node has ended"').length - 1)
    const before = endings()
    const pids = Object.values(started.pids())
    // As a terminal does: to the whole foreground.
    process.kill(-(started.process.pid ?? 0), 'SIGINT')
    await until('the launcher to end', STOP_MS_MAX, () => started.exitCode() !== null && !pids.some(isAlive))
    expect(endings()).toEqual(before.map((count) => count + 1))
    expect(started.text()).not.toContain('killing')
    expect(started.exitCode()).toBe(0)
  }, TEST_MS_MAX)

  test('a killed node and a killed broker come back, one line says so each time, and writes go on', async () => {
    const started = await start()
    for (const name of ['n2', 'nats-server']) {
      process.kill(started.pids()[name] ?? 0, 'SIGKILL')
      await until(`${name} to be restarted`, START_MS_MAX, () => started.text().includes(`${name} is back`))
      expect(started.text()).toContain(`${name} ended (SIGKILL`)
    }
    await until('a write to be acknowledged', START_MS_MAX, async () => {
      const answer = await kv('kv.put.after', 'x', { 'Kv-Request-Id': 'after-restart' }).catch(() => ({ status: '' }))
      return answer.status === 'OK'
    })
  }, TEST_MS_MAX)

  test('a second one on the same directory, with other ports, is refused, and leaves the first one\'s broker as it is', async () => {
    const first = await start()
    const before = readFileSync(join(directory, 'nats.conf'), 'utf8')
    const others = String(await freePortRow(1 + NODES))
    const second = spawn(process.execPath, ['bin/start.mjs', ...ownArgs(), '--nats-port', others, '--http-port', others],
      { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    second.stderr.on('data', (chunk: Buffer) => { text += chunk.toString() })
    await until('the second to end', START_MS_MAX, () => second.exitCode !== null)
    expect([second.exitCode, text]).toEqual([1, expect.stringContaining('another "shardkv start" runs in')])
    expect(readFileSync(join(directory, 'nats.conf'), 'utf8')).toBe(before)
    expect(first.exitCode()).toBeNull()
  }, TEST_MS_MAX)

  test('a launcher that is killed with -9 leaves nobody behind, and the next one starts', async () => {
    const first = await start()
    const pids = Object.values(first.pids())
    first.process.kill('SIGKILL')
    await until('every child to end', STOP_MS_MAX, () => !pids.some(isAlive))
    const second = await start()
    expect(await settledKv('kv.get.user42')).toEqual({ status: 'OK', value: 'Ada' })
    await stop(second, 'SIGTERM')
    expect(second.exitCode()).toBe(0)
  }, TEST_MS_MAX)

  test('another number of nodes or shards is refused, and nothing is changed', async () => {
    const before = readFileSync(join(directory, 'cluster.json'), 'utf8')
    for (const args of [['--nodes', '5'], ['--shards', '32']]) {
      await expect(start(...args)).rejects.toThrow(/3 nodes and 16 shards/)
    }
    expect(readFileSync(join(directory, 'cluster.json'), 'utf8')).toBe(before)
    expect(existsSync(join(directory, 'n4'))).toBe(false)
  }, TEST_MS_MAX)
})

const isServing = (node: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${httpPort + node}/readyz`).then(({ status }) => status === 200, () => false)
const allServe = async (): Promise<boolean> => (await Promise.all([1, 2, 3].map(isServing))).every(Boolean)
/** In the end: shards that the killed node led have no leader for a moment. */
const isRead = (): Promise<boolean> => kv('kv.get.user42').then(({ status, value }) => status === 'OK' && value === 'Ada', () => false)
/** From its table. */
const pidIn = (text: string, name: string): number => Number(new RegExp(`^ {2}${name} +(\\d+) `, 'm').exec(text)?.[1])

test('a disk that fills up under the data and under what the launcher says ends no cluster, and keeps none from starting', async () => {
  const home = join(directory, '..', 'small')
  mkdirSync(home)
  const disk = mountSmallDisk(home, SMALL_DISK_BYTES)
  try {
    const log = join(home, 'start.log')
    const descriptor = openSync(log, 'a')
    const args = ['bin/start.mjs', ...ownArgs(join(home, 'data'))]
    const launcher = spawn(process.execPath, args, { stdio: ['ignore', descriptor, descriptor] })
    running = launcher
    closeSync(descriptor)
    await until('the cluster to serve', START_MS_MAX, allServe)
    await until('the table', START_MS_MAX, () => readFileSync(log, 'utf8').includes('data and logs:'))
    expect(await settledKv('kv.put.user42', 'Ada')).toMatchObject({ status: 'OK' })
    disk.fill(0)
    expect(() => appendFileSync(log, 'x'.repeat(8_192))).toThrow('ENOSPC')
    const killed = pidIn(readFileSync(log, 'utf8'), 'n2')
    process.kill(killed, 'SIGKILL')
    await until('n2 to be gone', STOP_MS_MAX, () => !isAlive(killed))
    await until('n2 to be started again', START_MS_MAX, () => isServing(2))
    await until('what was written to be read', START_MS_MAX, isRead)
    expect(launcher.exitCode).toBeNull()
    launcher.kill('SIGTERM')
    await until('the launcher to end', STOP_MS_MAX, () => launcher.exitCode !== null)
    expect(launcher.exitCode).toBe(0)

    const again = await startedBy(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
    await until('what was written to be read again', START_MS_MAX, isRead)
    await stop(again, 'SIGTERM')
    expect(again.exitCode()).toBe(0)
  } finally {
    running?.kill('SIGKILL')
    disk.unmount()
  }
}, TEST_MS_MAX)
