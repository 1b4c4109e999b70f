/**
 * Failover under the SDK, with real processes and SIGKILL: what its callers see is no error at all with the default timeout, every
 * increment once, and a linearizable history (checked by the simulator's checkers).
 */

import { afterEach, describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { ConflictError, ShardKvError, connect, text } from '../../sdk/index.ts'
import { isServing, leadersOf, startTestCluster } from '../support/cluster.ts'
import { judge } from '../support/judge.ts'
import { awaitAcknowledgement, startLoad, watchShards } from '../support/load.ts'
import type { Bus } from '../../bus/port.ts'
import type { Call, Outcome } from '../../sim/history.ts'
import type { Kv } from '../../sdk/index.ts'
import type { TestCluster } from '../support/cluster.ts'
import type { Perform } from '../support/load.ts'
import type { NodeId } from '../../topology/ids.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const KILLS = 10
const CONNECTIONS = 2
const SERVED_WITHIN_MS = 120_000
/** With a shard away for no longer, no call may fail: the default timeout is 5 s. */
const GAP_MS_BAR = 4_000
const CLIENTS_PER_CONNECTION = 12

let cluster: TestCluster | null = null
let prober: Bus | null = null
let connections: Kv<string>[] = []

afterEach(async () => {
  await Promise.all(connections.map((kv) => kv.close()))
  connections = []
  prober?.close()
  await cluster?.stop()
  cluster = null
  prober = null
})

const perform = (kv: Kv<string>, rejections: string[]): Perform => async (key, call) => {
  try {
    return await outcomeOf(kv, key, call)
  } catch (error) {
    if (error instanceof ConflictError) return { kind: 'answered', status: 'CONFLICT', revision: error.revision }
    rejections.push(String(error))
    return error instanceof ShardKvError && error.definite ? { kind: 'failed', status: error.code } : { kind: 'unknown' }
  }
}

const notFound: Outcome = { kind: 'answered', status: 'NOT_FOUND', revision: 0 }

const outcomeOf = async (kv: Kv<string>, key: string, call: Call): Promise<Outcome> => {
  switch (call.kind) {
    case 'get': {
      const entry = await kv.get(key)
      return entry === null ? notFound : { kind: 'answered', status: 'OK', revision: entry.revision, value: entry.value }
    }
    case 'put': return { kind: 'answered', status: 'OK', ...await kv.put(key, call.value) }
    case 'cas': return { kind: 'answered', status: 'OK', ...await kv.cas(key, call.ifRevision, call.value) }
    case 'del': {
      const written = await kv.del(key)
      return written === null ? notFound : { kind: 'answered', status: 'OK', ...written }
    }
    case 'touch': {
      const written = await kv.touch(key, call.ttlMs)
      return written === null ? notFound : { kind: 'answered', status: 'OK', ...written }
    }
    case 'incr': {
      const { value, revision } = await kv.incr(key, call.amount)
      return { kind: 'answered', status: 'OK', revision, value: String(value) }
    }
  }
  call satisfies never
  throw new Error('no such call')
}

/** The node that leads most shards, and those shards. */
const busiest = (leaders: ReadonlyMap<number, NodeId>): { readonly node: NodeId; readonly shards: readonly number[] } => {
  const led = new Map<NodeId, number[]>()
  for (const [shard, node] of leaders) led.set(node, [...led.get(node) ?? [], shard])
  const [node, shards] = must([...led].sort((a, b) => b[1].length - a[1].length)[0], 'somebody leads')
  return { node, shards }
}

describe('callers of the SDK', () => {
  test('see no error while the leader of most shards is killed ten times under load', async () => {
    const running = await startTestCluster()
    cluster = running
    await running.until('every shard is served', isServing(running))
    const bus = await running.connect('test/prober')
    prober = bus
    connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect({ servers: running.url, codec: text })))
    const rejections: string[] = []
    const load = startLoad({
      through: connections.map((kv) => perform(kv, rejections)), clientsPerConnection: CLIENTS_PER_CONNECTION, seed: SEED, pauseMs: 8,
    })
    const watch = watchShards(bus, running.shardCount)
    for (let i = 0; i < KILLS; i += 1) {
      const { node, shards } = busiest(leadersOf(await running.until('every shard is served', isServing(running), SERVED_WITHIN_MS)))
      await running.kill(node)
      await Promise.all(shards.map((shard) => awaitAcknowledgement(bus, shard, running.shardCount)))
      running.start(node)
    }
    await running.until('every shard is served', isServing(running), SERVED_WITHIN_MS)
    const longestGapMs = await watch.stop()
    await load.stop()
    const operations = await judge(bus, load)
    const slowest = Math.max(...load.history().map(({ invokedAt, completedAt }) => completedAt - invokedAt))
    const retries = connections.reduce((sum, kv) => sum + kv.stats().retries, 0)
    process.stdout.write(`chaos: sdk, ${KILLS} kills, ${operations} operations checked, ${rejections.length} rejected, ${retries} retries; `
      + `slowest call ${slowest.toFixed(0)} ms, longest that a shard acknowledged nothing ${longestGapMs.toFixed(0)} ms\n`)
    expect(retries).toBeGreaterThan(0)
    // Where the machine is so starved that the cluster itself is away for as long as a call lasts, callers must be told so.
    if (longestGapMs < GAP_MS_BAR) expect(rejections).toEqual([])
    else for (const rejection of rejections) expect(rejection).toMatch(/^(?:Timeout|Overloaded)Error: /)
  }, 600_000)
})
