/**
 * As on machines of their own: three clustered brokers and three nodes, each in a network namespace and on a disk of its own, cut apart
 * under load and healed. Clients hear every broker all the time. A fourth node joins at the end: whatever it has came over the network.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { connectNats } from '../../bus/nats.ts'
import { serverConfig } from '../../bus/natsConfig.ts'
import { awaitAcknowledgement } from '../../chaos/clients/probes.ts'
import { rememberedRequestOver, requestOver } from '../../chaos/clients/requests.ts'
import { sdkOver } from '../../chaos/clients/sdk.ts'
import { startLoad } from '../../chaos/clients/load.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { openNetwork, whyNoNetwork } from '../../chaos/ground/namespaces.ts'
import { natsServerPath } from '../../chaos/ground/natsServer.ts'
import { askForReports, brief } from '../../chaos/ground/reports.ts'
import { connect, text } from '../../sdk/index.ts'
import { judge } from '../support/judge.ts'
import { until as waitUntil } from '../support/until.ts'
import { must } from '../../actors/kernel/assert.ts'
import type { Bus } from '../../bus/port.ts'
import type { Load } from '../../chaos/clients/load.ts'
import type { Network } from '../../chaos/ground/namespaces.ts'
import type { NodeReport } from '../../topology/report.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const SHARDS = 6
const PORT = 4_222
const ROUTE_PORT = 6_222
const WITHIN_MS = 90_000
const OPERATIONS_IN_A_CUT = 60
const BROKERS = ['b1', 'b2', 'b3']
const NODES = ['n1', 'n2', 'n3']

const problem = whyNoNetwork()
const where = problem === null ? test : test.skip
if (problem !== null) process.stdout.write(`e2e: namespaces NOT TESTED: ${problem}\n`)

const cleanUps: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

interface Site {
  readonly network: Network
  readonly buses: readonly Bus[]
  readonly urls: readonly string[]
  /** One more node, on an empty disk, at this broker. */
  readonly join: (host: string, broker: string) => void
  readonly logs: () => string
}

const openSite = async (): Promise<Site> => {
  const root = mkdtempSync(join(tmpdir(), 'shardkv-site-'))
  const network = openNetwork([...BROKERS, ...NODES, 'n4'])
  cleanUps.push(() => rmSync(root, { recursive: true, force: true }), network.stop)
  const cli = builtFile('cli/entry.js')
  const born = join(root, 'born')
  execFileSync(process.execPath, [cli, 'init', '--dir', born, '--nodes', String(NODES.length), '--shards', String(SHARDS)])
  const logOf = (host: string): string => join(root, `${host}.log`)
  const common = (host: string) => ({ output: openSync(logOf(host), 'a'), disk: join(root, 'disk'), hidden: born })
  const url = (broker: string): string => `nats://${network.address(broker)}:${PORT}`
  for (const broker of BROKERS) {
    const config = join(root, `${broker}.conf`)
    writeFileSync(config, brokerConfig(network, broker))
    network.run(broker, { ...common(broker), program: natsServerPath(), args: ['-c', config] })
  }
  const startNode = (host: string, broker: string, more: { readonly from?: string; readonly args?: readonly string[] }): void => {
    const args = [cli, 'node', ...more.args ?? [], '--id', host, '--dir', join(root, 'disk'), '--servers', url(broker)]
    network.run(host, { ...common(host), program: process.execPath, args, ...(more.from === undefined ? {} : { from: more.from }) })
  }
  NODES.forEach((host, i) => startNode(host, must(BROKERS[i], 'a broker each'), { from: join(born, host) }))
  const buses = await Promise.all(BROKERS.map((broker) =>
    connectNats({ servers: [url(broker)], name: `test/at-${broker}`, waitForServer: true })))
  for (const bus of buses) cleanUps.push(bus.close)
  return {
    network, buses, urls: BROKERS.map(url),
    join: (host, broker) => startNode(host, broker, { args: ['--join'] }),
    logs: () => [...BROKERS, ...NODES].map((host) => `--- ${host}\n${readFileSync(logOf(host), 'utf8').slice(-2_000)}`).join('\n'),
  }
}

/** Clients and nodes are told of no other broker: each stays with its own. */
const brokerConfig = (network: Network, self: string): string => [
  serverConfig({ host: network.address(self), port: PORT, prefix: 'kv', shardCount: SHARDS }),
  `server_name = "${self}"`,
  'cluster {',
  '  name = "site"',
  `  listen = "${network.address(self)}:${ROUTE_PORT}"`,
  '  no_advertise = true',
  `  routes = [${BROKERS.filter((other) => other !== self).map((other) => `"nats://${network.address(other)}:${ROUTE_PORT}"`).join(', ')}]`,
  '}',
  '',
].join('\n')

type Holds = (reports: readonly NodeReport[]) => boolean

const until = async ({ buses, logs }: Site, what: string, holds: Holds): Promise<void> => {
  const bus = must(buses[0], 'a bus')
  const deadline = performance.now() + WITHIN_MS
  for (;;) {
    const reports = await askForReports(bus, NODES.length + 1)
    if (holds(reports)) return
    if (performance.now() > deadline) throw new Error(`${what}: not in ${WITHIN_MS} ms\n${JSON.stringify(reports.map(brief))}\n${logs()}`)
  }
}

/** By whoever asks at b1. */
const hears = (...nodes: readonly string[]): Holds => (reports) =>
  reports.map(({ node }) => node.id as string).toSorted().join(' ') === nodes.join(' ')

const servingOf = (reports: readonly NodeReport[]): number =>
  new Set(reports.flatMap(({ replicas }) => replicas.filter(({ state }) => state === 'leading.serving').map(({ shard }) => shard))).size

/** Everybody serves, every shard has a leader, and all replicas vote. */
const isWhole = (nodes: readonly string[]): Holds => (reports) => {
  const replicas = reports.flatMap((report) => report.replicas)
  return servingOf(reports) === SHARDS && replicas.length === 3 * SHARDS && replicas.every(({ role }) => role !== 'learner')
    && nodes.every((id) => reports.some(({ node }) => node.id === id && node.state === 'serving'))
}

/** Every shard acknowledges a write that came in by this broker. */
const writes = async ({ buses }: Site, broker: string): Promise<void> => {
  const bus = must(buses[BROKERS.indexOf(broker)], 'a bus')
  await Promise.all(Array.from({ length: SHARDS }, (_, shard) => awaitAcknowledgement(bus, shard, SHARDS, WITHIN_MS)))
}

/** Each with what must come true while it lasts. */
const cuts: readonly (readonly [string, (network: Network) => void, (site: Site) => Promise<void>])[] = [
  ['a route between two brokers', ({ part }) => part('b1', 'b2'), async (site) => {
    await until(site, 'at b1 only n1 and n3 are heard', hears('n1', 'n3'))
    await writes(site, 'b3')
  }],
  ['a broker with its node', ({ part }) => {
    for (const one of ['b1', 'n1']) for (const other of ['b2', 'b3', 'n2', 'n3']) part(one, other)
  }, async (site) => {
    await writes(site, 'b2')
    await until(site, 'at b1 only n1 is heard, and leads nothing', (reports) => hears('n1')(reports) && servingOf(reports) === 0)
  }],
  ['all peers of a broker', ({ unplug }) => {
    for (const other of ['b2', 'b3']) unplug(other)
  }, (site) => until(site, 'at b1 only n1 is heard, and leads nothing', (reports) => hears('n1')(reports) && servingOf(reports) === 0)],
]

const progress = (load: Load, what: string): Promise<void> => {
  const count = (): number => load.recorder.history().operations.length
  const before = count()
  return waitUntil(() => count() >= before + OPERATIONS_IN_A_CUT, what, WITHIN_MS)
}

describe('brokers and nodes in network namespaces of their own', () => {
  where(problem ?? 'are cut apart under load in three ways, and nothing is lost; a node joins with nothing but the network', async () => {
    const site = await openSite()
    await until(site, 'every shard is served', isWhole(NODES))
    const kv = await connect({ servers: site.urls.join(','), codec: text })
    cleanUps.push(() => kv.close())
    const ways = [...site.buses.flatMap((bus) => [requestOver(bus), rememberedRequestOver(bus)]), sdkOver(kv, [])]
    const load = startLoad({ through: ways, clientsPerConnection: 3, seed: SEED, pauseMs: 40, leaseReads: 0.1 })
    for (const [what, cut, holds] of cuts) {
      cut(site.network)
      await holds(site)
      await progress(load, `clients went on while ${what} was cut`)
      site.network.heal()
      await until(site, `after ${what} was cut`, isWhole(NODES))
      for (const broker of BROKERS) await writes(site, broker)
    }
    site.join('n4', 'b3')
    await until(site, 'n4 has its share', (reports) =>
      isWhole([...NODES, 'n4'])(reports) && (reports.find(({ node }) => node.id === 'n4')?.replicas.length ?? 0) > 0)
    await load.stop()
    const checked = await judge(must(site.buses[1], 'a bus'), load, SHARDS)
    process.stdout.write(`e2e: three cuts between namespaces, ${checked} operations checked\n`)
    expect(checked).toBeGreaterThan(500)
  }, 600_000)
})
