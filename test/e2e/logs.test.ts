/** The log of real node processes: its last line, whatever ends them; its levels, while they run; and what it never says. */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { repeatedKeys } from '../support/jsonKeys.ts'
import { settledKv } from '../support/kv.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeId } from '../../topology/ids.ts'

const TEST_MS_MAX = 300_000
const ENDS_WITHIN_MS = 60_000
/** A group without work has a heartbeat for each of its peers ten times a second. */
const SILENCE_MS = 1_500
const cluster = clusterOfTest()

type Line = Readonly<Record<string, unknown>>
/** Each has a field once: `JSON.parse` would not tell. */
const textLinesOf = (running: TestCluster, node: NodeId): readonly string[] =>
  running.log(node).split('\n').filter((line) => line.startsWith('{'))
const linesOf = (running: TestCluster, node: NodeId): readonly Line[] =>
  textLinesOf(running, node).map((line) => JSON.parse(line) as Line)

const until = async (what: string, holds: () => boolean): Promise<void> => {
  const deadline = performance.now() + ENDS_WITHIN_MS
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not ${what}`)
    await pause(50)
  }
}

test('the last line says how a node ended: told to, and by a disk that failed', async () => {
  const { running, bus } = await cluster.open({ isHaunted: true, shards: 2 })
  const [told, failing] = running.members as [NodeId, NodeId]
  running.signal(told, 'SIGTERM')
  expect(await running.ended(told, ENDS_WITHIN_MS)).toBe(0)
  const ended = { actor: 'node', msg: 'the node has ended' }
  expect(linesOf(running, told).slice(-2)).toContainEqual(expect.objectContaining({ ...ended, code: 0, node: told }))

  running.start(told)
  await running.until('it serves again', (reports) => reports.filter(({ node }) => node.state === 'serving').length === 3, ENDS_WITHIN_MS)
  running.order(failing, { order: 'failSyncs', count: 1_000 })
  for (let i = 0; i < 8; i += 1) await settledKv(bus, `kv.put.key-${i}`, 'x', { 'Kv-Request-Id': `r-${i}` })
  expect(await running.ended(failing, ENDS_WITHIN_MS)).toBe(1)
  expect(linesOf(running, failing).slice(-2)).toContainEqual(expect.objectContaining({ ...ended, code: 1, level: 50 }))
}, TEST_MS_MAX)

test('a node whose broker is not there says that it waits for it, and where; and ends when it is told to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shardkv-waits-'))
  const flags = ['--join', '--id', 'n4', '--dir', join(folder, 'n4'), '--servers', 'nats://n4:geheim@127.0.0.1:1']
  const child = spawn(process.execPath, [builtFile('cli/entry.js'), 'node', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  cluster.onEnd(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => { text += chunk.toString() })
  await until('a line', () => text.endsWith('\n'))
  expect(JSON.parse(text)).toMatchObject({ actor: 'bus', servers: 'nats://127.0.0.1:1', msg: expect.stringContaining('connecting') })
  child.kill('SIGTERM')
  await until('an end', () => child.exitCode !== null)
  expect([child.exitCode, text.includes('geheim')]).toEqual([0, false])
}, TEST_MS_MAX)

test('a level is changed while the node runs, messages of Raft included, and back', async () => {
  const { running } = await cluster.open({ shards: 2 })
  const node = must(running.members[0], 'a node')
  const port = Number(linesOf(running, node).find(({ msg }) => msg === 'HTTP is served')?.['port'])
  const messages = (): number => linesOf(running, node).filter(({ actor, level }) => actor === 'raft' && level === 10).length
  expect(messages()).toBe(0)
  const { code } = await running.cli('log', 'level', 'raft', 'trace', '--admin', `http://127.0.0.1:${port}`).ended
  expect(code).toBe(0)
  await until('a message of Raft in the log', () => messages() > 10)
  await running.cli('log', 'level', 'all', 'info', '--admin', `http://127.0.0.1:${port}`).ended
  let [count, since] = [messages(), performance.now()]
  await until('silence, though Raft goes on', () => {
    const now = messages()
    if (now !== count) [count, since] = [now, performance.now()]
    return performance.now() - since > SILENCE_MS
  })
}, TEST_MS_MAX)

test('neither the password of the broker nor a value is ever in it, at the most talkative level', async () => {
  const { running, bus } = await cluster.open({ hasPermissions: true, shards: 2 })
  const node = must(running.members[0], 'a node')
  const port = Number(linesOf(running, node).find(({ msg }) => msg === 'HTTP is served')?.['port'])
  await running.cli('log', 'level', 'all', 'trace', '--admin', `http://127.0.0.1:${port}`).ended
  for (let i = 0; i < 20; i += 1) await settledKv(bus, `kv.put.key-${i}`, 'a-private-value', { 'Kv-Request-Id': `r-${i}` })
  await until('talk', () => linesOf(running, node).some(({ level }) => level === 10))
  for (const each of running.members) {
    expect(running.log(each)).not.toContain('secret-of-')
    expect(running.log(each)).not.toContain('a-private-value')
    expect(textLinesOf(running, each).filter((line) => repeatedKeys(line).length > 0)).toEqual([])
  }
}, TEST_MS_MAX)
