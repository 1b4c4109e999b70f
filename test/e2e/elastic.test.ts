/** Nodes come, go and are killed for good under load, as real processes: no call of the SDK fails, and nothing acknowledged is lost. */

import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { startLoad } from '../../chaos/clients/load.ts'
import { sdkOver } from '../../chaos/clients/sdk.ts'
import { askForReports, brief } from '../../chaos/ground/reports.ts'
import { connect, text } from '../../sdk/index.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { judge } from '../support/judge.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeReport } from '../../topology/report.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const SHARDS = 8
const NODES_MAX = 4
const MOVED_WITHIN_MS = 60_000

const cluster = clusterOfTest()

const replicasOf = (reports: readonly NodeReport[], id: string): number =>
  reports.find(({ node }) => node.id === id)?.replicas.length ?? 0

/** Also those of nodes that joined. */
const untilReports = async (bus: Bus, what: string, holds: (reports: readonly NodeReport[]) => boolean): Promise<void> => {
  const deadline = performance.now() + MOVED_WITHIN_MS
  for (let reports = await askForReports(bus, NODES_MAX); !holds(reports); reports = await askForReports(bus, NODES_MAX)) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${MOVED_WITHIN_MS} ms\n${JSON.stringify(reports.map(brief))}`)
  }
}

/** Every shard has three replicas, whose leader serves, and `id` has so many of them. */
const hasReplicas = (id: string, count: number) => (reports: readonly NodeReport[]): boolean => {
  const all = reports.flatMap(({ replicas }) => replicas)
  const serving = new Set(all.filter(({ state }) => state === 'leading.serving').map(({ shard }) => shard))
  return serving.size === SHARDS && all.length === 3 * SHARDS && replicasOf(reports, id) === count
}

const adminOf = (running: TestCluster): readonly string[] =>
  ['--admin', running.members.map((node) => `http://127.0.0.1:${portOf(running, node)}`).join(',')]

describe('a fourth node', () => {
  test('comes and goes while a client writes: nothing fails, nothing is lost', async () => {
    const { running, bus } = await cluster.open({ nodes: 3, shards: SHARDS })
    const rejections: string[] = []
    const kv = await connect({ servers: running.url, codec: text })
    cluster.onEnd(() => kv.close())
    const load = startLoad({ through: [sdkOver(kv, rejections)], clientsPerConnection: 16, seed: SEED, pauseMs: 10 })

    const fourth = running.cli('node', '--join', '--id', 'n4', '--dir', join(running.root, 'n4'))
    await untilReports(bus, 'n4 has its quarter', hasReplicas('n4', 6))
    expect(await running.cli('member', 'drain', 'n4', '--wait', ...adminOf(running)).ended).toMatchObject({ code: 0 })
    expect((await fourth.ended).code).toBe(0)
    await untilReports(bus, 'the three have everything again', hasReplicas('n1', SHARDS))

    await load.stop()
    const checked = await judge(bus, load)
    process.stdout.write(`e2e: a node came and went, ${checked} operations checked, ${rejections.length} rejected\n`)
    expect(rejections).toEqual([])
  }, 180_000)
})
