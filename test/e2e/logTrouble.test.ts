/**
 * Real node processes whose log can not be written (a disk that is full from the first byte: /dev/full), or that end in ways nobody
 * planned: they serve all the same, end in time with the right code, and the last line says why.
 */

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, readSync, symlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { isServing } from '../../chaos/ground/cluster.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { settledKv } from '../support/kv.ts'
import { until } from '../support/until.ts'
import type { ChildProcess } from 'node:child_process'
import type { OpenCluster } from '../support/clusterOfTest.ts'

const TEST_MS_MAX = 300_000
const SERVES_WITHIN_MS = 90_000
/** A drain of a node that is alone, the log's own two seconds, and a machine that others use, too. */
const ENDS_WITHIN_MS = 30_000
/** What a pipe holds, and the room that is left in it when the node starts. */
const PIPE_BYTES = 65_536
const PAGE_BYTES = 4_096
const cluster = clusterOfTest()

/** A crash, and a promise that nobody looks at, when somebody says so. */
const planted = 'data:text/javascript,process.on("SIGUSR2",()=>{throw new Error("a planted crash")})'
  + ';process.on("SIGWINCH",()=>{Promise.reject(new Error("a planted rejection"))})'

type Output = '/dev/full' | 'a file' | 'a pipe that nobody reads'

interface Started {
  readonly child: ChildProcess
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>
  /** Bytes that nobody has read. */
  readonly inPipe: () => number
  readonly lines: () => readonly Readonly<Record<string, unknown>>[]
  readonly text: () => string
}

/** The only node of its cluster once more, with its output where `output` says. */
const startAgain = async ({ running }: OpenCluster, output: Output, ...flags: readonly string[]): Promise<Started> => {
  const node = must(running.members[0], 'a node')
  running.signal(node, 'SIGTERM')
  expect(await running.ended(node, ENDS_WITHIN_MS)).toBe(0)
  const path = output === '/dev/full' ? output : join(running.root, 'again.log')
  if (output === 'a pipe that nobody reads') expect(spawnSync('mkfifo', [path]).status).toBe(0)
  const descriptor = openSync(path, output === 'a pipe that nobody reads' ? 'r+' : 'a')
  if (output === 'a pipe that nobody reads') writeSync(descriptor, Buffer.alloc(PIPE_BYTES - PAGE_BYTES))
  const child = spawn(process.execPath, [
    '--import', planted, builtFile('cli/entry.js'), 'node', '--id', node, '--dir', running.directory(node), '--servers', running.url,
    ...flags,
  ], { stdio: ['ignore', descriptor, descriptor] })
  cluster.onEnd(() => {
    child.kill('SIGKILL')
    closeSync(descriptor)
  })
  await running.until('it serves', isServing(running), SERVES_WITHIN_MS)
  const text = (): string => readFileSync(path, 'utf8')
  return {
    child,
    end: async (signal) => {
      child.kill(signal)
      await until(() => child.exitCode !== null || child.signalCode !== null, `it has ended by ${signal}`, ENDS_WITHIN_MS)
      return child.exitCode
    },
    inPipe: () => readSync(descriptor, Buffer.alloc(PIPE_BYTES)),
    text,
    lines: () => text().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

test('a node whose standard output is on a full disk serves, and ends with code 0 when it is told to', async () => {
  const opened = await cluster.open({ nodes: 1, shards: 2 })
  const { end } = await startAgain(opened, '/dev/full', '--log-level', 'trace')
  for (let i = 0; i < 50; i += 1) await settledKv(opened.bus, `kv.put.key-${i}`, 'x', { 'Kv-Request-Id': `r-${i}` })
  expect(await end('SIGTERM')).toBe(0)
}, TEST_MS_MAX)

test('one whose output is a pipe that nobody reads serves, and ends with code 0 when it is told to', async () => {
  const opened = await cluster.open({ nodes: 1, shards: 2 })
  const { end, inPipe } = await startAgain(opened, 'a pipe that nobody reads', '--log-level', 'trace')
  for (let i = 0; i < 100; i += 1) await settledKv(opened.bus, `kv.put.key-${i}`, 'x', { 'Kv-Request-Id': `r-${i}` })
  expect(await end('SIGTERM')).toBe(0)
  expect(inPipe()).toBeGreaterThan(PIPE_BYTES - PAGE_BYTES)
}, TEST_MS_MAX)

test('one that crashes while its log can not be written ends all the same, with code 1', async () => {
  const { end } = await startAgain(await cluster.open({ nodes: 1, shards: 2 }), '/dev/full')
  expect(await end('SIGUSR2')).toBe(1)
}, TEST_MS_MAX)

test('one whose log file is on a full disk says so on standard error, serves, counts what it loses, and ends', async () => {
  const opened = await cluster.open({ nodes: 1, shards: 2 })
  const folder = join(opened.running.root, 'logs')
  mkdirSync(folder)
  symlinkSync('/dev/full', join(folder, 'n1.1.log'))
  const { end, text } = await startAgain(opened, 'a file', '--log-to', `roll:${folder}/n1.log?size=1k`, '--log-level', 'trace')
  await settledKv(opened.bus, 'kv.put.key', 'x', { 'Kv-Request-Id': 'r' })
  const said = 'the log target roll: it can not be written, the node goes on without it: ENOSPC'
  await until(() => text().includes(said), 'it is said', ENDS_WITHIN_MS)
  expect(await end('SIGTERM')).toBe(0)
  expect(text().match(/can not be written/g)).toHaveLength(1)
  expect(text()).toMatch(/the log target roll: the process ends, [1-9]\d* lines were lost/)
}, TEST_MS_MAX)

test.each([
  ['SIGUSR2', 'uncaughtException', 'a planted crash'], ['SIGWINCH', 'unhandledRejection', 'a planted rejection'],
] as const)('%s: an %s is a line of the log, with its stack', async (signal, origin, message) => {
  const { end, lines } = await startAgain(await cluster.open({ nodes: 1, shards: 2 }), 'a file')
  expect(await end(signal)).toBe(1)
  expect(lines().filter(({ level }) => level === 60)).toEqual([expect.objectContaining({
    actor: 'node', node: 'n1', origin, msg: 'what nobody caught ends the process',
    err: expect.objectContaining({ type: 'Error', message, stack: expect.stringContaining('data:text/javascript') }),
  })])
}, TEST_MS_MAX)

test('a terminal that is closed (SIGHUP) ends a node like SIGTERM, in order and with a line', async () => {
  const { end, lines } = await startAgain(await cluster.open({ nodes: 1, shards: 2 }), 'a file')
  expect(await end('SIGHUP')).toBe(0)
  expect(lines()).toContainEqual(expect.objectContaining({ reason: 'SIGHUP', msg: 'the node is told to stop' }))
  expect(lines().slice(-2)).toContainEqual(expect.objectContaining({ msg: 'the node has ended', code: 0 }))
}, TEST_MS_MAX)
