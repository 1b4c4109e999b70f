/**
 * A disk that decays, with real processes: bits turn over in a follower's log while it is down. It comes up quarantined, is replaced on its
 * own node under new ids, and full redundancy returns, while a client writes.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { startLoad } from '../../chaos/clients/load.ts'
import { sdkOver } from '../../chaos/clients/sdk.ts'
import { leadersOf } from '../../chaos/ground/cluster.ts'
import { connect, text } from '../../sdk/index.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { flipBit } from '../support/flipBit.ts'
import { judge } from '../support/judge.ts'
import type { NodeReport, ReplicaReport } from '../../topology/report.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const SHARDS = 4
const WITHIN_MS = 180_000

const cluster = clusterOfTest()

const replicasOf = (reports: readonly NodeReport[], id: string): readonly ReplicaReport[] =>
  reports.find(({ node }) => node.id === id)?.replicas ?? []

test('a node whose log has decayed is given new replicas while a client writes: nothing fails, nothing is lost', async () => {
  const { running, bus } = await cluster.open({ nodes: 3, shards: SHARDS })
  const rejections: string[] = []
  const kv = await connect({ servers: running.url, codec: text })
  cluster.onEnd(() => kv.close())
  const load = startLoad({ through: [sdkOver(kv, rejections)], clientsPerConnection: 4, seed: SEED, pauseMs: 20 })
  await running.until('something is written', (reports) => reports.length === 3 && reports.every(({ replicas }) =>
    replicas.every(({ commitIndex }) => commitIndex > 20)), WITHIN_MS)

  const victim = must(running.members.at(-1), 'a node')
  await running.kill(victim)
  flipBit(running.directory(victim))
  const before = running.log(victim)
  running.start(victim)
  const found = await running.until('it says that it is quarantined', (reports) =>
    replicasOf(reports, victim).some(({ health }) => health === 'quarantined' || health === 'repairing'), WITHIN_MS)
  // The chaos lane judges an end by what its own process said.
  const ofLife = running.logOfLife(victim)
  const log = running.log(victim)
  expect([before.length > 0, ofLife.length > 0, log.startsWith(before), log.slice(before.length).startsWith(ofLife)])
    .toEqual([true, true, true, true])
  const epoch = Math.max(...found.map((report) => report.epoch))

  const whole = await running.until('every replica there is well, and keeps up', (reports) => {
    const own = replicasOf(reports, victim)
    const rest = reports.filter(({ node }) => node.id !== victim).flatMap(({ replicas }) => replicas)
    return reports.length === 3 && reports.every(({ metaHealth }) => metaHealth === undefined) && own.length === SHARDS
      && own.every(({ shard, health, role, commitIndex }) => health === undefined && role !== 'learner'
        && rest.some((other) => other.shard === shard && other.commitIndex - commitIndex < 1_000))
  }, WITHIN_MS)
  // Each shard, and the meta group: a move that begins, is promoted and ends.
  expect(Math.max(...whole.map((report) => report.epoch))).toBeGreaterThanOrEqual(epoch + SHARDS)

  // Its new replicas count: without one of the others there is a majority in every shard.
  const other = must(running.members[0], 'another node')
  await running.kill(other)
  await running.until('the two that are left lead everything', (reports) => leadersOf(reports).size === SHARDS
    && [...leadersOf(reports).values()].every((leader) => leader !== other), WITHIN_MS)
  running.start(other)
  await load.stop()
  const checked = await judge(bus, load, SHARDS)
  process.stdout.write(`e2e: a decayed log was replaced, ${checked} operations checked, ${rejections.length} rejected\n`)
  expect(rejections).toEqual([])
}, 600_000)
