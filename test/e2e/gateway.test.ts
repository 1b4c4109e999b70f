/** A broker without the mapping, with it, with another cluster's, and without headers: what requests meet, and what nodes say about it. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { versionWarning } from '../../bus/brokerVersion.ts'
import { shardOf } from '../../topology/hash.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { isServing } from '../../chaos/ground/cluster.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { kv, settledKv } from '../support/kv.ts'
import type { Bus } from '../../bus/port.ts'
import type { KvReply } from '../support/kv.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeReport } from '../../topology/report.ts'

const TEST_MS_MAX = 120_000
/** The queue group picks a node by chance: that one of five nodes takes part in none of so many requests has a chance of 1e-38. */
const REQUESTS = 400
const IN_FLIGHT = 32

const { open } = clusterOfTest()

const routingOf = async (running: TestCluster): Promise<unknown> => {
  const { code, out } = await running.cli('status', '-w', 'json').ended
  expect(code).toBe(0)
  return (JSON.parse(out) as { readonly broker: { readonly routing: unknown } }).broker.routing
}

const inParallel = async (count: number, work: (i: number) => Promise<void>): Promise<void> => {
  let next = 0
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (next < count) {
      const i = next
      next += 1
      await work(i)
    }
  }))
}

/** Where nobody is meant to answer, asking again is pointless. */
const put = (bus: Bus, key: string, isHeard: boolean): Promise<KvReply> =>
  (isHeard ? settledKv : kv)(bus, `kv.put.${key}`, 'x', { 'Kv-Request-Id': key })

/** Every operation on one key, in the plain form or, for odd numbers, in a partition. Every write has a request id. */
const exercise = async (bus: Bus, i: number): Promise<void> => {
  const token = i % 2 === 0 ? `key-${i}` : `part-${i}.key-${i}`
  const shard = shardOf(i % 2 === 0 ? token : `part-${i}`, 16)
  let writes = 0
  const write = (op: string, subject: string, value: string, headers: Readonly<Record<string, string>> = {}): Promise<KvReply> => {
    writes += 1
    return settledKv(bus, `kv.${op}.${subject}`, value, { 'Kv-Request-Id': `${i}-${writes}`, ...headers })
  }
  const created = await write('put', token, `a${i}`, { 'Kv-If-Revision': '0' })
  expect(created).toMatchObject({ status: 'OK', shard })
  expect(await write('put', token, 'x', { 'Kv-If-Revision': '0' })).toMatchObject({ status: 'CONFLICT', revision: created.revision })
  const changed = await write('put', token, `b${i}`, { 'Kv-If-Revision': String(created.revision) })
  expect(changed).toMatchObject({ status: 'OK', shard })
  expect(await settledKv(bus, `kv.get.${token}`)).toMatchObject({ status: 'OK', value: `b${i}`, revision: changed.revision })
  expect(await write('incr', `${token}-n`, '5')).toMatchObject({ status: 'OK', value: '5' })
  expect(await write('incr', `${token}-n`, '-2')).toMatchObject({ status: 'OK', value: '3' })
  expect(await write('del', token, '')).toMatchObject({ status: 'OK' })
  expect(await settledKv(bus, `kv.get.${token}`)).toMatchObject({ status: 'NOT_FOUND' })
}

describe('how requests reach leaders', () => {
  test('without a mapping every node forwards, also after one of five is gone', async () => {
    const { running, bus } = await open({ isMapped: false, nodes: 5 })
    expect(await routingOf(running)).toBe('gateway')
    await inParallel(REQUESTS / 8, (i) => exercise(bus, i))
    const victim = must(running.members[4], 'a fifth node')
    await running.kill(victim)
    await running.until('the others serve', isServing(running, running.members.slice(0, 4)))
    await inParallel(REQUESTS / 8, (i) => exercise(bus, REQUESTS + i))
    expect(await routingOf(running)).toBe('gateway')
  }, TEST_MS_MAX)

  test('a broker that is not known to be safe is named in every node\'s log, a safe one is not', async () => {
    const { running } = await open({ shards: 1 })
    const [report] = await running.reports()
    const version = must(report, 'a node answers').broker.version
    expect(version).toBe(process.env.SHARDKV_TEST_NATS_VERSION ?? version)
    const warning = versionWarning(version)
    if (version.startsWith('2.9.')) expect(warning).toContain('known ways around authentication')
    for (const node of running.members) {
      if (warning === null) expect(running.log(node)).not.toContain('ways around authentication')
      else expect(running.log(node)).toContain(warning)
    }
  }, TEST_MS_MAX)

  test('with the mapping the broker routes, and nodes and status say so', async () => {
    const { running, bus } = await open({})
    expect(await routingOf(running)).toBe('broker')
    await inParallel(REQUESTS / 8, (i) => exercise(bus, i))
    for (const node of running.members) expect(running.log(node)).toContain('"routing":"broker"')
  }, TEST_MS_MAX)

  test('a mapping for another shard count is found at the start, and what it sends astray is refused and never stored', async () => {
    const mapped = 24
    const { running, bus } = await open({ mappedShards: mapped })
    expect(await routingOf(running)).toBe('mismatch')
    for (const node of running.members) {
      expect(running.log(node)).toContain('the broker does not route as this cluster needs')
      expect(running.log(node)).toContain(`it must use partition(${running.shardCount},2)`)
    }
    let astray = 0
    for (let i = 0; i < 48; i += 1) {
      const [own, sent] = [shardOf(`key-${i}`, running.shardCount), shardOf(`key-${i}`, mapped)]
      const answer = await put(bus, `key-${i}`, sent < running.shardCount)
      if (sent === own) expect(answer).toMatchObject({ status: 'OK', shard: own })
      else if (sent >= running.shardCount) expect(answer.status).toBe('noResponders')
      else {
        expect(answer.status).toBe('INVALID')
        expect(answer.headers.get('Kv-Definite')).toBe('true')
        expect(answer.value).toContain('the broker\'s mapping is for another shard count')
      }
      if (sent !== own) astray += 1
    }
    expect(astray).toBeGreaterThan(16)
    const keysOf = ({ replicas }: NodeReport): number => replicas.reduce((sum, { keys }) => sum + keys, 0)
    await running.until('every replica has what was acknowledged and no more', (reports) =>
      reports.length === running.members.length && reports.every((report) => keysOf(report) === 48 - astray))
  }, TEST_MS_MAX)
})

test('on a broker that carries no headers a node refuses to start, and says what to do', async () => {
  const server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"\nno_header_support: true\n`)
  const folder = mkdtempSync(join(tmpdir(), 'shardkv-headers-'))
  const { status, stdout } = spawnSync(process.execPath, [
    builtFile('cli/entry.js'), 'node', '--id', 'n1', '--dir', join(folder, 'n1'), '--join', '--servers', server.url,
  ], { encoding: 'utf8', timeout: 30_000 })
  await server.stop()
  rmSync(folder, { recursive: true })
  expect([status, stdout]).toEqual([EXIT_REFUSED, expect.stringMatching(/no_header_support.*refuses to start/)])
}, TEST_MS_MAX)
