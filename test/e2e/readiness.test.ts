/** `/readyz` of a real node: 200 once it has caught up with what was committed while it was away, and what a rolling restart goes by. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { startLoad } from '../../chaos/clients/load.ts'
import { requestOver } from '../../chaos/clients/requests.ts'
import { leadersOf } from '../../chaos/ground/cluster.ts'
import { must } from '../../actors/kernel/assert.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { judge } from '../support/judge.ts'
import type { NodeReport } from '../../topology/report.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const SHARDS = 4
const WITHIN_MS = 180_000

const cluster = clusterOfTest()

const POLL_MS = 25

/** Of each shard, as its leader has it. */
const committedIn = (reports: readonly NodeReport[]): readonly number[] => {
  const led = reports.flatMap(({ replicas }) => replicas).filter(({ role }) => role === 'leader')
  return Array.from({ length: SHARDS }, (_, shard) =>
    Math.max(0, ...led.filter((one) => one.shard === shard).map(({ commitIndex }) => commitIndex)))
}

test('a node that was away under load is ready when it has applied what was committed meanwhile, and not before', async () => {
  const { running, bus } = await cluster.open({ nodes: 3, shards: SHARDS })
  const victim = must(running.members.at(-1), 'a node')
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${portOf(running, victim)}/readyz`).catch(() => null))?.status === 200
  const untilReady = async (): Promise<void> => {
    const deadline = performance.now() + WITHIN_MS
    while (!await isReady()) {
      if (performance.now() > deadline) throw new Error(`${victim} was not ready within ${WITHIN_MS} ms`)
      await pause(POLL_MS)
    }
  }
  await untilReady()
  const load = startLoad({ through: [requestOver(bus)], clientsPerConnection: 16, seed: SEED, pauseMs: 5 })
  await running.kill(victim)
  const reports = await running.until('the others lead everything, and much is written', (seen) => leadersOf(seen).size === SHARDS
    && [...leadersOf(seen).values()].every((leader) => leader !== victim) && committedIn(seen).every((index) => index > 300), WITHIN_MS)
  const committed = committedIn(reports)
  running.start(victim)
  expect(await isReady()).toBe(false)
  await untilReady()
  const now = await running.until('it reports', (seen) => seen.some(({ node }) => node.id === victim), WITHIN_MS)
  const own = must(now.find(({ node }) => node.id === victim), 'its report').replicas
  expect(own.map(({ shard, appliedIndex }) => appliedIndex >= (committed[shard] ?? Number.POSITIVE_INFINITY))).toEqual(own.map(() => true))
  expect(own).toHaveLength(SHARDS)
  await load.stop()
  await judge(bus, load, SHARDS)
}, 300_000)
