/**
 * What three real nodes expose, against what somebody else knows: clients what they were told, the nodes' reports, the kernel, the files.
 * That every metric is documented is in test/observe/observability.test.ts, what single counters count in test/observe/metrics.test.ts.
 */

import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { isServing, leadersOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { connect } from '../../sdk/index.ts'
import { portOf } from '../support/adminPort.ts'
import { parseExposition } from '../support/exposition.ts'
import { kv, settledKv } from '../support/kv.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { Bus } from '../../bus/port.ts'
import type { Kv } from '../../sdk/index.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Scrape } from '../support/exposition.ts'

const TEST_MS_MAX = 240_000
const WAIT_MS_MAX = 90_000
const SHARDS = 2
/** A shard without a snapshot for 4 MiB of its log writes one (actors/shard/limits.ts). */
const LARGE = 'x'.repeat(400_000)
const LARGE_PUTS = 16
const SLOW_SYNCS_MS = 1_000

type Labels = Readonly<Record<string, string>>
type Scrapes = ReadonlyMap<NodeId, Scrape>

let cluster: TestCluster
let bus: Bus
beforeAll(async () => {
  cluster = await startTestCluster({ shards: SHARDS, isHaunted: true })
  await cluster.until('every shard is served', isServing(cluster), WAIT_MS_MAX)
  bus = await cluster.connect('test/client')
}, TEST_MS_MAX)
afterAll(async () => {
  bus.close()
  await cluster.stop()
}, TEST_MS_MAX)

const scrapeOf = async (node: NodeId): Promise<Scrape> =>
  parseExposition(await (await fetch(`http://127.0.0.1:${portOf(cluster, node)}/metrics`)).text())
const scrape = async (): Promise<Scrapes> =>
  new Map(await Promise.all(cluster.members.filter(cluster.isRunning).map(async (node) => [node, await scrapeOf(node)] as const)))
/** Of all nodes together. */
const total = (scrapes: Scrapes, name: string, labels: Labels = {}): number =>
  [...scrapes.values()].reduce((sum, { value }) => sum + (value(name, labels) ?? 0), 0)
const until = async (what: string, holds: (scrapes: Scrapes) => boolean | Promise<boolean>): Promise<Scrapes> => {
  const deadline = performance.now() + WAIT_MS_MAX
  for (;;) {
    const found = await scrape()
    if (await holds(found)) return found
    if (performance.now() > deadline) throw new Error(`not ${what}`)
    await pause(100)
  }
}

describe('what clients asked', () => {
  test('is counted as they were told: by operation, status, hits and misses; each is timed once at its door and in its shard', async () => {
    await settledKv(bus, 'kv.put.text', 'no number', { 'Kv-Request-Id': 'text' })
    /** One attempt for each; where a leader changes meanwhile, somebody is told nothing, and it is begun again. */
    for (let attempt = 1; ; attempt += 1) {
      const before = await scrape()
      const told = new Map<string, number>()
      const ask = async (op: string, key: string, value = ''): Promise<void> => {
        const { status } = await kv(bus, `kv.${op}.${key}`, value)
        told.set(`${op} ${status}`, (told.get(`${op} ${status}`) ?? 0) + 1)
      }
      for (let i = 0; i < 20; i += 1) await ask('put', `key-${i}`, 'x')
      for (let i = 0; i < 10; i += 1) await ask('get', `key-${i}`)
      for (let i = 0; i < 5; i += 1) await ask('get', `absent-${i}`)
      for (let i = 0; i < 3; i += 1) await ask('incr', 'text', '1')
      const isQuiet = [...told.keys()].every((each) => ['put OK', 'get OK', 'get NOT_FOUND', 'incr INVALID'].includes(each))
      if (!isQuiet && attempt < 5) continue
      const now = await scrape()
      const grown = (name: string, labels: Labels): number => total(now, name, labels) - total(before, name, labels)
      const asRequested = [...told].map(([each]) => {
        const [op = '', status = ''] = each.split(' ')
        return [each, grown('shardkv_requests_total', { door: 'nats', op, status }), grown('shardkv_operations_total', { op, status })]
      })
      expect(asRequested).toEqual([
        ['put OK', 20, 20], ['get OK', 10, 10], ['get NOT_FOUND', 5, 5], ['incr INVALID', 3, 3],
      ])
      expect([grown('shardkv_reads_total', { result: 'hit' }), grown('shardkv_reads_total', { result: 'miss' })]).toEqual([10, 5])
      for (const [op, count] of [['put', 20], ['get', 15], ['incr', 3]] as const) {
        expect([op, grown('shardkv_request_duration_seconds_count', { door: 'nats', op })]).toEqual([op, count])
        expect([op, grown('shardkv_request_duration_seconds_bucket', { door: 'nats', op, le: '+Inf' })]).toEqual([op, count])
        for (const phase of ['gather', 'raft', 'shard']) {
          expect([op, phase, grown('shardkv_phase_duration_seconds_count', { op, phase })]).toEqual([op, phase, count])
        }
      }
      return
    }
  }, TEST_MS_MAX)

  test('by sessions is counted with them: open ones, those that were opened and closed, their batches', async () => {
    /** One attempt for each; where a node was silent for so long that a client asked again, it is begun again. */
    const perform = async () => {
      const before = await scrape()
      const clients = [await connect({ servers: cluster.url }), await connect({ servers: cluster.url })]
      for (const client of clients) for (let i = 0; i < 8; i += 1) await client.put(`session-${i}`, new Uint8Array(8))
      return { before, clients, open: await scrape() }
    }
    const close = async (clients: readonly Kv<Uint8Array>[]): Promise<void> => { for (const client of clients) await client.close() }
    let done = await perform()
    for (let attempt = 1; attempt < 5 && done.clients.some((client) => client.stats().retries > 0); attempt += 1) {
      await close(done.clients)
      done = await perform()
    }
    const { before, clients, open } = done
    const [opened, closed] = ['opened', 'closed'].map((how) => total(open, `shardkv_connections_${how}_total`))
    expect(total(open, 'shardkv_connections')).toBeGreaterThanOrEqual(2)
    expect(total(open, 'shardkv_connections')).toBe((opened ?? 0) - (closed ?? 0))
    expect(total(open, 'shardkv_batches_total') - total(before, 'shardkv_batches_total')).toBeGreaterThanOrEqual(16)
    const puts = { door: 'batch', op: 'put', status: 'OK' }
    expect(total(open, 'shardkv_requests_total', puts) - total(before, 'shardkv_requests_total', puts)).toBe(16)
    await close(clients)
    await until('every session is closed', (found) => total(found, 'shardkv_connections') === 0)
  }, TEST_MS_MAX)
})

test('queues and requests in flight are seen while disks are slow, and are empty afterwards', async () => {
  const depths = [
    ['shardkv_in_flight_requests', { door: 'nats' }], ['shardkv_shard_waiting_operations', {}], ['shardkv_shard_waiting_bytes', {}],
    ['shardkv_wal_backlog_bytes', {}], ['shardkv_raft_uncommitted_entries', {}],
  ] as const
  for (const node of cluster.members) cluster.order(node, { order: 'slowSyncs', ms: SLOW_SYNCS_MS })
  let [asked, waiting] = [0, 0]
  const ask = (): void => {
    for (let i = 0; i < 40; i += 1) {
      asked += 1
      waiting += 1
      void settledKv(bus, `kv.put.slow-${i}`, 'x'.repeat(1_000), { 'Kv-Request-Id': `slow-${asked}` }).finally(() => { waiting -= 1 })
    }
  }
  const deepest = new Map<string, number>()
  await until('all of them are seen', (found) => {
    // A look that comes late, when all are answered, sees none of them: they are asked again, never more at once.
    if (waiting === 0) ask()
    for (const [name, labels] of depths) deepest.set(name, Math.max(deepest.get(name) ?? 0, total(found, name, labels)))
    return depths.every(([name]) => (deepest.get(name) ?? 0) > 0)
  })
  for (const node of cluster.members) cluster.order(node, { order: 'slowSyncs', ms: 0 })
  await until('all are answered', () => waiting === 0)
  expect(deepest.get('shardkv_in_flight_requests')).toBeLessThanOrEqual(40)
  await until('all of them are empty', (found) => depths.every(([name, labels]) => total(found, name, labels) === 0))
}, TEST_MS_MAX)

describe('replicas', () => {
  test('are as their nodes report them: term, leader, commit index, keys; nothing is behind', async () => {
    await until('metrics are the reports\'', async (found) => {
      const reports = await cluster.reports()
      return reports.length === 3 && reports.every(({ node, replicas }) => replicas.every((replica) => {
        const { value } = must(found.get(node.id), `what ${node.id} exposes`)
        const labels = { shard: String(replica.shard) }
        return value('shardkv_raft_term', labels) === replica.term && value('shardkv_raft_commit_index', labels) === replica.commitIndex
          && value('shardkv_raft_is_leader', labels) === Number(replica.role === 'leader')
          && value('shardkv_raft_has_leader', labels) === 1 && value('shardkv_shard_keys', labels) === replica.keys
          && value('shardkv_shard_revision', labels) === replica.revision && replica.commitIndex > 0
      })) && ['follower_lag', 'uncommitted', 'unapplied'].every((lag) => total(found, `shardkv_raft_${lag}_entries`) === 0)
    })
  }, TEST_MS_MAX)

  test('tell that a leader has died: a new term, a change of leaders, and how far behind its node is', async () => {
    const leaders = leadersOf(await cluster.until('every shard is served', isServing(cluster), WAIT_MS_MAX))
    const dead = must(leaders.get(0), 'a leader')
    const watching = must(cluster.members.find((node) => node !== dead), 'another node')
    const before = await scrapeOf(watching)
    await cluster.kill(dead)
    for (let i = 0; i < 30; i += 1) await settledKv(bus, `kv.put.behind-${i}`, 'x', { 'Kv-Request-Id': `behind-${i}` })
    const of = (name: string, { value }: Scrape): number => value(name, { shard: '0' }) ?? 0
    const behind = await until('it is seen', (found) => total(found, 'shardkv_raft_follower_lag_entries', { peer: dead }) >= 10
      && total(found, 'shardkv_gossip_peers', { state: 'alive' }) === 2)
    const now = must(behind.get(watching), 'what is exposed')
    expect(of('shardkv_raft_term', now)).toBeGreaterThan(of('shardkv_raft_term', before))
    expect(of('shardkv_raft_leader_changes_total', now)).toBeGreaterThan(of('shardkv_raft_leader_changes_total', before))
    cluster.start(dead)
    await cluster.until('all serve', isServing(cluster), WAIT_MS_MAX)
    await until('it has caught up, and everybody is alive', (found) => found.size === 3
      && total(found, 'shardkv_raft_follower_lag_entries') === 0 && total(found, 'shardkv_gossip_peers', { state: 'alive' }) === 6)
  }, TEST_MS_MAX)
})

const bytesIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

test('the log and snapshots are what the files say: sizes, groups, a sync for each', async () => {
  for (let i = 0; i < LARGE_PUTS; i += 1) await settledKv(bus, 'kv.put.large', LARGE, { 'Kv-Request-Id': `large-${i}` })
  /** The file is counted when it is there; its index when it is the newest, older files having been removed. */
  const isWritten = (node: NodeId, { value }: Scrape): boolean =>
    (value('shardkv_snapshot_bytes_count') ?? 0) > 0 && (value('shardkv_shard_snapshot_index') ?? 0) > 0
      && value('shardkv_wal_bytes') === bytesIn(join(cluster.directory(node), 'wal'))
  const found = await until('a snapshot on each node', (scrapes) => [...scrapes].every(([node, one]) => isWritten(node, one)))
  for (const [node, { value }] of found) {
    const groups = value('shardkv_wal_group_records_count') ?? 0
    expect([node, value('shardkv_wal_sync_duration_seconds_count'), value('shardkv_wal_group_duration_seconds_count')])
      .toEqual([node, groups, groups])
    expect(value('shardkv_wal_group_records_sum') ?? 0).toBeGreaterThan(0)
    expect(value('shardkv_wal_sync_duration_seconds_sum') ?? 0).toBeGreaterThan(0)
    expect(value('shardkv_wal_group_duration_seconds_sum') ?? 0)
      .toBeGreaterThanOrEqual((value('shardkv_wal_sync_duration_seconds_sum') ?? 0) * 0.99)
    const written = value('shardkv_snapshot_bytes_count') ?? 0
    expect([node, value('shardkv_snapshot_duration_seconds_count'), value('shardkv_snapshots_failed_total')]).toEqual([node, written, 0])
    expect((value('shardkv_snapshot_bytes_sum') ?? 0) / written).toBeGreaterThan(LARGE.length)
    expect((value('shardkv_disk_free_bytes') ?? 0) <= (value('shardkv_disk_total_bytes') ?? 0)).toBe(true)
  }
  expect(total(found, 'shardkv_raft_append_entries_sum')).toBeGreaterThanOrEqual(LARGE_PUTS)
  expect(total(found, 'shardkv_apply_entries_sum')).toBeGreaterThanOrEqual(LARGE_PUTS)
}, TEST_MS_MAX)

test('the process is what the kernel says: memory, CPU time, since when, and how late its loop was made', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const node = must(cluster.members[0], 'a node')
  const reports = await cluster.until('every node reports', ({ length }) => length === cluster.members.length, WAIT_MS_MAX)
  const pid = must(reports.find((report) => report.node.id === node), 'its report').node.pid
  const before = await scrapeOf(node)
  cluster.order(node, { order: 'block', ms: 1_000 })
  const late = ({ value }: Scrape): number => (value('shardkv_event_loop_delay_seconds_count') ?? 0)
    - (value('shardkv_event_loop_delay_seconds_bucket', { le: '0.524288' }) ?? 0)
  await until('the block is seen', async () => late(await scrapeOf(node)) > late(before))
  const { value } = await scrapeOf(node)
  expect(value('shardkv_build_info', { version })).toBe(1)
  const [, residentKb] = must(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')), 'what it has in RAM')
  const share = (value('process_resident_memory_bytes') ?? 0) / (Number(residentKb) * 1_024)
  expect([share > 0.7, share < 1.4]).toEqual([true, true])
  const [heap, external] = [value('nodejs_heap_size_used_bytes') ?? 0, value('nodejs_external_memory_bytes') ?? 0]
  expect([heap > 1_000_000, external > 100_000]).toEqual([true, true])
  expect((value('process_cpu_seconds_total') ?? 0) >= (before.value('process_cpu_seconds_total') ?? 0)).toBe(true)
  expect((value('process_start_time_seconds') ?? 0) * 1_000).toBeGreaterThan(Date.now() - 2 * TEST_MS_MAX)
}, TEST_MS_MAX)
