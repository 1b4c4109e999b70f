/**
 * The alerts of observe/prometheus/alerts.yml, each fired once by the fault it is for, on real clusters that are scraped as Prometheus
 * would.
 *
 * What is evaluated is the rule's own expression (test/support/promql.ts). That Prometheus agrees is checked where promtool is installed:
 * the same scrapes become its input, and the alert has to be firing there, and not before.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { must } from '../../actors/kernel/assert.ts'
import { nodeSubject } from '../../bus/subjects.ts'
import { CLUSTER, isServing, leadersOf } from '../../chaos/ground/cluster.ts'
import { mountSmallDisk } from '../../chaos/ground/smallDisk.ts'
import { portOf } from '../support/adminPort.ts'
import { floodBatchDoor } from '../support/batchFlood.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { parseExposition } from '../support/exposition.ts'
import { flipBit } from '../support/flipBit.ts'
import { settledKv } from '../support/kv.ts'
import { evaluate } from '../support/promql.ts'
import { seriesOf } from '../support/scrapedSeries.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Scrape } from '../support/exposition.ts'
import type { Scrapes } from '../support/scrapedSeries.ts'

const RULES = 'observe/prometheus/alerts.yml'
const TEST_MS_MAX = 600_000
const FAULT_MS_MAX = 120_000
/** More of a log than a shard goes without a snapshot (actors/shard/limits.ts): 4 MiB. */
const LARGE = 400_000
const SNAPSHOT_PUTS = 16

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
}
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules)
/** Between the two. */
const SECONDS = 60

const isFired = (alert: string, now: Scrapes, before: Scrapes): boolean => {
  const { expr } = must(rules.find((rule) => rule.alert === alert), alert)
  return evaluate(expr, seriesOf([{ atSeconds: 0, scrapes: before }, { atSeconds: SECONDS, scrapes: now }]), SECONDS).length > 0
}

const scrape = async (running: TestCluster): Promise<Scrapes> => new Map(await Promise.all(running.members.map(
  async (node): Promise<[NodeId, Scrape | null]> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${portOf(running, node)}/metrics`)
      return [node, running.isRunning(node) ? parseExposition(await answer.text()) : null]
    } catch {
      return [node, null]
    }
  },
)))

const seen = new Map<string, { readonly before: Scrapes; readonly now: Scrapes }>()

/** Waits until the alert's condition holds, and not because it always did. */
const expectFired = async (running: TestCluster, before: Scrapes, ...alerts: readonly string[]): Promise<void> => {
  const deadline = performance.now() + FAULT_MS_MAX
  for (const alert of alerts) {
    expect([alert, isFired(alert, before, before)]).toEqual([alert, false])
    for (;;) {
      const now = await scrape(running)
      if (isFired(alert, now, before)) {
        seen.set(alert, { before, now })
        break
      }
      if (performance.now() > deadline) throw new Error(`${alert} does not fire`)
      await pause(250)
    }
  }
}

/** What is exposed once none of these holds by itself, as while a leadership moves: then nobody serves that shard. */
const calm = async (running: TestCluster, ...alerts: readonly string[]): Promise<Scrapes> => {
  const deadline = performance.now() + FAULT_MS_MAX
  for (;;) {
    const found = await scrape(running)
    if (performance.now() > deadline || !alerts.some((alert) => isFired(alert, found, found))) return found
    await pause(250)
  }
}

const cluster = clusterOfTest()
const [n1, n2, n3] = ['n1', 'n2', 'n3'] as NodeId[] as [NodeId, NodeId, NodeId]

const puts = async (bus: Bus, count: number): Promise<void> => {
  for (let i = 0; i < count; i += 1) await settledKv(bus, 'kv.put.key', String(i), { 'Kv-Request-Id': `put-${count}-${i}` })
}

describe('an alert fires by its fault', () => {
  test('of disks, event loops and leaders', async () => {
    const { running, bus } = await cluster.open({ isHaunted: true, shards: 2 })
    await puts(bus, 20)
    const before = await scrape(running)

    for (const node of running.members) running.order(node, { order: 'slowSyncs', ms: 600 })
    await puts(bus, 4)
    for (const node of running.members) running.order(node, { order: 'slowSyncs', ms: 0 })
    await expectFired(running, before, 'ShardkvSyncSlow')

    // The door lets in no more operations than wait for the disk, and each of them waits for this one. What comes meanwhile is refused.
    for (const node of running.members) running.order(node, { order: 'slowSyncs', ms: 600 })
    const deadline = performance.now() + FAULT_MS_MAX
    while (!isFired('ShardkvOverloaded', await scrape(running), before) && performance.now() < deadline) {
      const node = leadersOf(await running.until('every shard is served', isServing(running), FAULT_MS_MAX)).get(0)
      await floodBatchDoor(bus, { node: must(node, 'a leader'), shardCount: 2, batches: 1_000, operations: 64 })
    }
    for (const node of running.members) running.order(node, { order: 'slowSyncs', ms: 0 })
    await expectFired(running, before, 'ShardkvOverloaded')
    await puts(bus, 5)

    running.order(n2, { order: 'failWrites', code: 'ENOSPC' })
    await puts(bus, 4)
    await expectFired(running, before, 'ShardkvDiskFull')
    running.order(n2, { order: 'failWrites', code: null })

    for (let round = 0; round < 8 && !isFired('ShardkvLeaderChurn', await scrape(running), before); round += 1) {
      const leader = must(leadersOf(await running.until('there is a leader', isServing(running)))?.get(0), 'a leader')
      running.order(leader, { order: 'block', ms: 3_000 })
      await running.until('another leads', (reports) =>
        (leadersOf(reports.filter((each) => each.node.id !== leader)).get(0) ?? leader) !== leader)
    }
    await expectFired(running, before, 'ShardkvLeaderChurn')

    // Judged from here on: how many ticks were on time before says how slow the machine is, and would have to be outnumbered.
    const steady = await scrape(running)
    for (let block = 0; block < 4; block += 1) {
      running.order(n2, { order: 'block', ms: 1_000 })
      // A node that answers a scrape has left the block behind, and the tick that waited for its end comes next.
      await scrape(running)
    }
    await expectFired(running, steady, 'ShardkvEventLoopLate')
  }, TEST_MS_MAX)

  test('of nodes, replicas, moves and the broker', async () => {
    const { running, bus } = await cluster.open({ shards: 2 })
    await puts(bus, 50)
    const before = await calm(running, 'ShardkvFollowerBehind', 'ShardkvPeerDead', 'ShardkvShardNotServed')

    await fetch(`http://127.0.0.1:${portOf(running, n1)}/v1/plan/pause`, { method: 'POST' })
    await expectFired(running, before, 'ShardkvMovesPaused')

    await running.kill(n3)
    await puts(bus, 1_100)
    await expectFired(running, before, 'ShardkvNodeDown', 'ShardkvFollowerBehind', 'ShardkvPeerDead')
    running.start(n3)
    await running.until('all serve', isServing(running), FAULT_MS_MAX)

    // While moves are paused nobody replaces the damaged replica.
    await running.kill(n3)
    flipBit(running.directory(n3))
    running.start(n3)
    await expectFired(running, before, 'ShardkvReplicaQuarantined')

    await running.kill(n2)
    await running.kill(n3)
    await expectFired(running, before, 'ShardkvShardNotServed')

    await running.broker.stop()
    await expectFired(running, before, 'ShardkvBrokerConnectionLost', 'ShardkvMessagesDropped')
  }, TEST_MS_MAX)

  test('of snapshots, spans and what can not be read', async () => {
    const { running, bus } = await cluster.open({ shards: 2, environment: () => ({
      // Nobody listens there.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER_ARG: '1',
    }) })
    const before = await scrape(running)
    bus.publish(nodeSubject(CLUSTER, n2, n1), new TextEncoder().encode('no frame'))
    await expectFired(running, before, 'ShardkvUndecodable')

    // Where a snapshot's folder would be made there is a file.
    for (const node of running.members) {
      const folder = join(running.directory(node), 'snapshots')
      rmSync(folder, { recursive: true, force: true })
      writeFileSync(folder, '')
    }
    for (let i = 0; i < SNAPSHOT_PUTS; i += 1) await settledKv(bus, 'kv.put.large', 'x'.repeat(LARGE), { 'Kv-Request-Id': `large-${i}` })
    await expectFired(running, before, 'ShardkvSnapshotsFail', 'ShardkvSpansLost')
  }, TEST_MS_MAX)

  test('of a log that can not be written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-full-'))
    cluster.onEnd(() => { rmSync(folder, { recursive: true }) })
    // A rolled log by the name that it begins with, full from the first byte. Many groups, and each message of theirs a line.
    symlinkSync('/dev/full', join(folder, 'n1.1.log'))
    const full = { SHARDKV_LOG_TO: `stdout,roll:${folder}/n1.log?size=1k` }
    const { running, bus } = await cluster.open({ shards: 64, environment: (user): Record<string, string> => (user === n1 ? full : {}) })
    await running.cli('log', 'level', 'all', 'trace', '--admin', `http://127.0.0.1:${portOf(running, n1)}`).ended
    const before = await scrape(running)
    const deadline = performance.now() + FAULT_MS_MAX
    for (let round = 0; !isFired('ShardkvLogLinesLost', await scrape(running), before) && performance.now() < deadline; round += 1) {
      await Promise.all(Array.from({ length: 256 }, (_, i) => settledKv(bus, `kv.put.key-${i}`, 'x', { 'Kv-Request-Id': `${round}-${i}` })))
    }
    await expectFired(running, before, 'ShardkvLogLinesLost')
  }, TEST_MS_MAX)

  test('of a disk that fills', async () => {
    const disks: ReturnType<typeof mountSmallDisk>[] = []
    const { running } = await cluster.open({
      shards: 2, prepareDirectory: (node, directory) => { if (node === n1) disks.push(mountSmallDisk(directory, 256 * 1_024 * 1_024)) },
    })
    cluster.onEnd(() => { for (const disk of disks) disk.unmount() })
    const before = await scrape(running)
    must(disks[0], 'a disk').fill(8 * 1_024 * 1_024)
    await expectFired(running, before, 'ShardkvDiskAlmostFull')
  }, TEST_MS_MAX)

  test('of memory that fills', async () => {
    const options = `--import=data:text/javascript,process.constrainedMemory=()=>${300 * 1_024 * 1_024}`
    const { running, bus } = await cluster.open({ nodes: 1, shards: 2, environment: () => ({ NODE_OPTIONS: options }) })
    const before = await scrape(running)
    const large = 'x'.repeat(LARGE)
    for (let i = 0; i < 2_000; i += 1) {
      if ((await settledKv(bus, `kv.put.key-${i}`, large, { 'Kv-Request-Id': `fill-${i}` })).status === 'NO_SPACE') break
    }
    await expectFired(running, before, 'ShardkvMemoryShort', 'ShardkvMemoryAlmostShort')
  }, TEST_MS_MAX)
})

test('every alert of the file was fired above', () => {
  expect([...seen.keys()].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
})

const promtool = process.env['SHARDKV_PROMTOOL'] ?? 'promtool'
const hasPromtool = spawnSync(promtool, ['--version']).status === 0
const folder = mkdtempSync(join(tmpdir(), 'shardkv-alerts-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Five minutes as it was before, then as it is under the fault, a sample a minute. */
const inputOf = ({ before, now }: { readonly before: Scrapes; readonly now: Scrapes }, minutes: number) => {
  const values = new Map<string, { was?: number; is?: number }>()
  const note = (scrapes: Scrapes, at: 'was' | 'is'): void => {
    for (const [node, found] of scrapes) {
      const up = `up{job="shardkv",instance="${node}"}`
      values.set(up, { ...values.get(up), [at]: Number(found !== null) })
      for (const { name, labels, value } of found?.samples ?? []) {
        const text = Object.entries({ ...labels, job: 'shardkv', instance: node }).map(([label, each]) => `${label}="${each}"`).join(',')
        const key = `${name}{${text}}`
        values.set(key, { ...values.get(key), [at]: value })
      }
    }
  }
  note(before, 'was')
  note(now, 'is')
  const part = (value: number | undefined, count: number, otherwise: string): string =>
    (value === undefined ? [otherwise, ...Array.from({ length: count - 1 }, () => '_')].join(' ') : `${value}+0x${count - 1}`)
  return [...values].map(([series, { was, is }]) => {
    // A counter that is nowhere to be seen is at 0. What was seen and is no more, Prometheus marks as stale.
    const first = was ?? (/_(?:total|count|bucket)\{/.test(series) ? 0 : undefined)
    return { series, values: `${part(first, 6, '_')} ${part(is, minutes, 'stale')}` }
  })
}

const FOR_MINUTES: Readonly<Record<string, number>> = { '10s': 0, '30s': 1, '1m': 1, '1h': 60 }
;(hasPromtool ? test : test.skip)('and Prometheus says the same of the same scrapes (skipped where promtool is not installed)', () => {
  const tests = rules.flatMap(({ alert, ...rule }) => {
    const waits = FOR_MINUTES[rule.for ?? '10s'] ?? 0
    const expr = `count(ALERTS{alertname="${alert}",alertstate="firing"})`
    return [{
      interval: '1m', input_series: inputOf(must(seen.get(alert), alert), waits + 5),
      promql_expr_test: [
        { expr: `count(ALERTS{alertname="${alert}"})`, eval_time: '4m', exp_samples: [] },
        { expr: `${expr} > bool 0`, eval_time: `${waits + 7}m`, exp_samples: [{ labels: '{}', value: 1 }] },
      ],
    }]
  })
  writeFileSync(join(folder, 'tests.yml'), JSON.stringify({ rule_files: [resolve(RULES)], evaluation_interval: '1m', tests }))
  const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', join(folder, 'tests.yml')], { encoding: 'utf8' })
  expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')])
}, TEST_MS_MAX)
