/** Nodes come, go and are killed for good under load, as real processes: no call of the SDK fails, and nothing acknowledged is lost. */

import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { startLoad } from '../../chaos/clients/load.ts'
import { sdkOver } from '../../chaos/clients/sdk.ts'
import { leadersOf } from '../../chaos/ground/cluster.ts'
import { askForReports, brief } from '../../chaos/ground/reports.ts'
import { connect, text } from '../../sdk/index.ts'
import { nodeId } from '../../topology/ids.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { judge } from '../support/judge.ts'
import { countBy } from '../topology/placements.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster, TestClusterOptions } from '../../chaos/ground/cluster.ts'
import type { NodeReport } from '../../topology/report.ts'

const STATUS_WITHIN_MS = 20_000
const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const SHARDS = 8
const MOVED_WITHIN_MS = 60_000
/** The patience of the test, what the failure detector takes to give a node up, and six copies of little. */
const REBUILT_WITHIN_MS = 60_000
const LOST_AFTER_MS = 3_000

const cluster = clusterOfTest()

const replicasOf = (reports: readonly NodeReport[], id: string): number =>
  reports.find(({ node }) => node.id === id)?.replicas.length ?? 0

interface Awaited {
  readonly what: string
  /** How many may answer, those that joined among them. */
  readonly nodes: number
  readonly withinMs?: number
}

/** How long it took, in ms. */
const untilReports = async (
  bus: Bus, { what, nodes, withinMs = MOVED_WITHIN_MS }: Awaited, holds: (reports: readonly NodeReport[]) => boolean,
): Promise<number> => {
  const began = performance.now()
  for (let reports = await askForReports(bus, nodes); !holds(reports); reports = await askForReports(bus, nodes)) {
    if (performance.now() > began + withinMs) throw new Error(`${what}: not within ${withinMs} ms\n${JSON.stringify(reports.map(brief))}`)
  }
  return performance.now() - began
}

/** Every shard has so many voters that answer, whose leader serves, and no replica is on its way. */
const isWhole = (copies: number) => (reports: readonly NodeReport[]): boolean => {
  const all = reports.flatMap(({ replicas }) => replicas)
  const serving = new Set(all.filter(({ state }) => state === 'leading.serving').map(({ shard }) => shard))
  const count = (shard: number): number => all.filter((replica) => replica.shard === shard && replica.role !== 'learner').length
  return serving.size === SHARDS && all.length === copies * SHARDS && [...serving].every((shard) => count(shard) === copies)
}

/** And `id` has so many of them. */
const hasReplicas = (id: string, count: number) => (reports: readonly NodeReport[]): boolean =>
  isWhole(3)(reports) && replicasOf(reports, id) === count

interface UnderLoad {
  readonly running: TestCluster
  readonly bus: Bus
  readonly stopAndJudge: () => Promise<void>
}

/** A cluster whose callers of the SDK write all the while. */
const openUnderLoad = async (options: TestClusterOptions): Promise<UnderLoad> => {
  const { running, bus } = await cluster.open({ shards: SHARDS, ...options })
  const rejections: string[] = []
  const kv = await connect({ servers: running.url, codec: text })
  cluster.onEnd(() => kv.close())
  const load = startLoad({ through: [sdkOver(kv, rejections)], clientsPerConnection: 16, seed: SEED, pauseMs: 10 })
  return {
    running, bus,
    stopAndJudge: async () => {
      await load.stop()
      const checked = await judge(bus, load, SHARDS)
      process.stdout.write(`e2e: ${checked} operations checked, ${rejections.length} rejected\n`)
      expect(rejections).toEqual([])
    },
  }
}

/** A quarter of replicas and of leaders on each of four nodes. */
const isEven = (reports: readonly NodeReport[]): boolean => {
  const leads = countBy([...leadersOf(reports).values()])
  return isWhole(3)(reports) && reports.length === 4 && reports.every(({ node, replicas }) =>
    replicas.length === (3 * SHARDS) / 4 && leads.get(node.id) === SHARDS / 4)
}

/** State, leaders and replicas of each node. On busy cores a leader may be lost between a report and this, and goes back by itself. */
const untilStatus = async (running: TestCluster, expected: readonly (readonly string[])[]): Promise<void> => {
  const deadline = performance.now() + STATUS_WITHIN_MS
  for (;;) {
    const rows = (await running.cli('status').ended).out.split('\n').map((line) => line.split(/ {2,}/))
    const shown = rows.filter(([node = '']) => /^n[1-4]$/.test(node)).map(([, ...columns]) => columns.slice(0, 3))
    if (performance.now() > deadline || JSON.stringify(shown) === JSON.stringify(expected)) {
      expect(shown).toEqual(expected)
      return
    }
  }
}

const adminOf = (running: TestCluster): readonly string[] =>
  ['--admin', running.members.map((node) => `http://127.0.0.1:${portOf(running, node)}`).join(',')]

describe('a fourth node', () => {
  test('comes and goes while a client writes: nothing fails, nothing is lost', async () => {
    const { running, bus, stopAndJudge } = await openUnderLoad({ nodes: 3 })
    const fourth = running.cli('node', '--join', '--id', 'n4', '--dir', join(running.root, 'n4'))
    const tookMs = await untilReports(bus, { what: 'n4 has its quarter of replicas and of leaders', nodes: 4 }, isEven)
    process.stdout.write(`e2e: a fourth node has its quarter ${Math.round(tookMs)} ms after it was started\n`)
    await untilStatus(running, Array.from({ length: 4 }, () => ['serving', '2', '6']))
    expect(await running.cli('member', 'drain', 'n4', '--wait', ...adminOf(running)).ended).toMatchObject({ code: 0 })
    expect((await fourth.ended).code).toBe(0)
    await untilReports(bus, { what: 'the three have everything again', nodes: 4 }, hasReplicas('n1', SHARDS))
    await stopAndJudge()
  }, 180_000)

  test('needs neither a name nor a directory, and one that comes before its cluster may be started again', async () => {
    const { running, bus } = await cluster.open({ nodes: 3, shards: SHARDS })
    const folder = join(running.root, 'joined')
    const early = await running.cli('node', '--join', '--dir', folder, '--prefix', 'nobody').ended
    expect([early.code, early.out]).toEqual([1, expect.stringContaining('nobody answers on nobody.status')])

    const fourth = running.cli('node', '--join', '--dir', folder)
    let own = ''
    await untilReports(bus, { what: 'it has its quarter', nodes: 4 }, (reports) => {
      own = reports.map(({ node }) => node.id).find((id) => !running.members.includes(nodeId(id))) ?? ''
      return own !== '' && hasReplicas(own, 6)(reports)
    })
    fourth.child.kill('SIGTERM')
    expect(await fourth.ended).toMatchObject({ code: 0, err: `this is node ${own}, which from now on is its name in ${folder}\n` })

    const again = running.cli('node', '--dir', folder)
    await untilReports(bus, { what: 'it is back under its name', nodes: 4 }, hasReplicas(own, 6))
    again.child.kill('SIGTERM')
    expect(await again.ended).toMatchObject({ code: 0, err: `this is node ${own}, as it is called in ${folder}\n` })
  }, 180_000)
})

describe('a node that is killed for good', () => {
  test('is replaced while a client writes: replication is whole again, nothing is lost, and it comes back to its share', async () => {
    const { running, bus, stopAndJudge } = await openUnderLoad({ nodes: 4, lostAfterMs: LOST_AFTER_MS })
    const n4 = nodeId('n4')
    await running.kill(n4)
    const rebuilt = { what: 'the three have all that it had', nodes: 4, withinMs: REBUILT_WITHIN_MS }
    const tookMs = await untilReports(bus, rebuilt, hasReplicas('n1', SHARDS))
    process.stdout.write(`e2e: whole again ${Math.round(tookMs)} ms after the kill, with a patience of ${LOST_AFTER_MS} ms\n`)
    running.start(n4)
    await untilReports(bus, { what: 'n4 has its quarter again', nodes: 4 }, hasReplicas(n4, 6))
    await stopAndJudge()
  }, 180_000)
})

describe('the number of replicas', () => {
  test('goes from three to five and back while a client writes: nothing fails, nothing is lost', async () => {
    const { running, bus, stopAndJudge } = await openUnderLoad({ nodes: 5 })
    for (const copies of [5, 3]) {
      expect(await running.cli('cluster', 'replicas', String(copies), ...adminOf(running)).ended).toMatchObject({ code: 0 })
      await untilReports(bus, { what: `every shard has ${copies}`, nodes: 5 }, isWhole(copies))
    }
    await stopAndJudge()
  }, 180_000)
})
