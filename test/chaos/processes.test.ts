/**
 * Real processes, real files, a real broker, and signals. What clients saw is judged by the simulator's own checkers. Times are
 * printed always and gate at three times their bar, because such machines are shared.
 */

import { afterEach, describe, expect, test } from '@jest/globals'
import { setTimeout as pause } from 'node:timers/promises'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom, pick } from '../../actors/kernel/random.ts'
import { isServing, leadersOf, startTestCluster } from '../support/cluster.ts'
import { judge } from '../support/judge.ts'
import { awaitAcknowledgement, requestOver, startLoad } from '../support/load.ts'
import { until } from '../support/until.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster } from '../support/cluster.ts'
import type { Load } from '../support/load.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const KILLS = 20
const NEXT_ACK_MS_BAR = 2_000
const SLACK = 3
/** Beacons are heard for so long before a node is handed anything. */
const STEADY_MS = 4_500
/** Why a leadership ends, or begins, without a plan (actors/raft/machine.ts). */
const UNPLANNED = /no quorum answered|nothing commits|a quorum would vote for it/

let cluster: TestCluster | null = null
let clients: Bus[] = []

afterEach(async () => {
  for (const client of clients) client.close()
  clients = []
  await cluster?.stop()
  cluster = null
})

const open = async (): Promise<{ running: TestCluster; load: Load }> => {
  const running = await startTestCluster()
  cluster = running
  await running.until('every shard is served', isServing(running))
  clients = await Promise.all([1, 2].map((i) => running.connect(`test/client${i}`)))
  const load = startLoad({ through: clients.map(requestOver), clientsPerConnection: 12, seed: SEED, pauseMs: 8 })
  return { running, load }
}

const client = (): Bus => must(clients[0], 'a client is connected')

const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

/** The slowest of these shards decides: ms until each acknowledges a write again. */
const awaitAll = (running: TestCluster, shards: readonly number[]): Promise<number[]> => {
  return Promise.all(shards.map((shard) => awaitAcknowledgement(client(), shard, running.shardCount)))
}

describe('with a real broker and real processes', () => {
  test('a leader killed under load, twenty times, loses nothing and is replaced within two seconds', async () => {
    const { running, load } = await open()
    const random = createRandom(SEED)
    const times: number[] = []
    for (let i = 0; i < KILLS; i += 1) {
      const leaders = leadersOf(await running.until('every shard is served', isServing(running)))
      const victim = must(pick(random, [...new Set(leaders.values())]), 'somebody leads')
      const affected = [...leaders].filter(([, node]) => node === victim).map(([shard]) => shard)
      await running.kill(victim)
      times.push(...await awaitAll(running, affected))
      running.start(victim)
    }
    await running.until('every shard is served', isServing(running))
    await load.stop()
    const operations = await judge(client(), load)
    const p95 = percentile(times, 0.95)
    process.stdout.write(`chaos: ${KILLS} kills, ${operations} operations checked; next acknowledgement after ms: median `
      + `${percentile(times, 0.5).toFixed(0)}, p95 ${p95.toFixed(0)} (bar ${NEXT_ACK_MS_BAR}), max ${Math.max(...times).toFixed(0)}\n`)
    expect(p95).toBeLessThan(NEXT_ACK_MS_BAR * SLACK)
  }, 300_000)

  test('all nodes killed at once come back with every acknowledged write', async () => {
    const { running, load } = await open()
    for (let i = 0; i < 3; i += 1) {
      await pause(1_000)
      await Promise.all(running.members.map(running.kill))
      for (const node of running.members) running.start(node)
      await running.until('every shard is served', isServing(running))
    }
    await load.stop()
    process.stdout.write(`chaos: all killed three times, ${await judge(client(), load)} operations checked\n`)
  }, 180_000)

  test('a stopped leader that wakes up answers no stale read and executes none of its backlog', async () => {
    const { running, load } = await open()
    for (const stoppedMs of [300, 1_500, 4_000, 8_000]) {
      const leaders = leadersOf(await running.until('every shard is served', isServing(running)))
      const victim = must([...leaders.values()][0], 'somebody leads')
      running.signal(victim, 'SIGSTOP')
      await pause(stoppedMs)
      running.signal(victim, 'SIGCONT')
      await pause(1_000)
    }
    await running.until('every shard is served', isServing(running))
    await load.stop()
    process.stdout.write(`chaos: four pauses, ${await judge(client(), load)} operations checked\n`)
  }, 180_000)

  test('nodes that drain under load, one after the other, leave no plain request without an answer', async () => {
    const { running, load } = await open()
    const unplanned = (): number => running.members.map(running.log).join('').split(UNPLANNED).length - 1
    const before = unplanned()
    for (const node of running.members) {
      await running.until('every shard is served', isServing(running))
      await pause(STEADY_MS)
      running.signal(node, 'SIGTERM')
      await until(() => running.exitCode(node) !== null, 'it has ended')
      expect(running.exitCode(node)).toBe(0)
      await running.until('the others serve every shard', isServing(running, running.members.filter((other) => other !== node)))
      running.start(node)
    }
    await running.until('every shard is served', isServing(running))
    await load.stop()
    const unanswered = load.history().filter(({ outcome }) => outcome.kind === 'unknown').length
    const elections = unplanned() - before
    process.stdout.write(`chaos: three drains, ${await judge(client(), load)} operations checked; ${unanswered} without an answer, `
      + `${elections} leaders lost by other means\n`)
    // A leader that loses its quorum because the machine has no core to spare owes silence, and says so in its log.
    if (elections === 0) expect(unanswered).toBe(0)
  }, 180_000)

  test('a broker restarted under load costs availability only', async () => {
    const { running, load } = await open()
    const waits: number[] = []
    for (let i = 0; i < 3; i += 1) {
      await running.until('every shard is served', isServing(running))
      await running.broker.restart()
      waits.push(Math.max(...await awaitAll(running, Array.from({ length: running.shardCount }, (_, shard) => shard))))
    }
    await load.stop()
    process.stdout.write(`chaos: three broker restarts, ${await judge(client(), load)} operations checked; all shards acknowledge after ms `
      + `${waits.map((ms) => ms.toFixed(0)).join(', ')}\n`)
  }, 180_000)
})
