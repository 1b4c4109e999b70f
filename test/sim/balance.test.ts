/**
 * Balance by load on a simulated cluster of real nodes, with callers of the SDK: the figures are counted by shards, asked for by the meta
 * group's leader, and leaderships go where that sends them. Times are those of the model (test/actors/topology/balance.test.ts), shorter.
 */

import { expect, test } from '@jest/globals'
import { defaultBalanceLimits } from '../../actors/topology/balance.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { newestState } from '../../sim/mapFaults.ts'
import { shardOf } from '../../topology/hash.ts'
import { nodeOf } from '../../topology/ids.ts'
import { connectTo, pass, settled } from './callers.ts'
import { tellStory } from './story.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Kv } from '../../sdk/kv.ts'
import type { Story } from './story.ts'

const SHARDS = 6
const BEAT_MS = 200
const PATIENCE_MS = 40_000
/** One in so many beats asks something of a shard that is not hot. */
const COLD_BEATS = 10
const limits = {
  ...defaultBalanceLimits, everyMs: 1_000, patienceMs: 2_000, restMs: 3_000, operationsMin: 1, knownMs: 2_000, staleMs: 5_000,
}

const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')

const keys = Array.from({ length: SHARDS }, (_, shard) =>
  must(Array.from({ length: 200 }, (_none, i) => `k${i}`).find((key) => shardOf(key, SHARDS) === shard), 'every shard has a key'))

/** Who serves each shard, as the nodes say of themselves. */
const leadersOf = ({ nodes }: Story): string[] => {
  const leaders = keys.map(() => '')
  for (const { id, node } of nodes) {
    for (const { shard, state } of node?.report().replicas ?? []) if (state === 'leading.serving') leaders[shard] += id
  }
  return leaders
}

/** For so long, ten times as much is asked of the hot shards as of the others. No call may fail. */
const load = async (story: Story, client: Kv<string>, { hot, ms }: { readonly hot: ReadonlySet<number>; readonly ms: number }) => {
  const calls: Promise<unknown>[] = []
  const seen: string[] = []
  for (let beat = 0; beat < ms / BEAT_MS; beat += 1) {
    keys.forEach((key, shard) => {
      if (hot.has(shard) || (beat + shard) % COLD_BEATS === 0) calls.push(client.put(key, String(beat)))
    })
    await pass(story, BEAT_MS)
    seen.push(leadersOf(story).join(' '))
  }
  await settled(story, Promise.all(calls))
  return { calls: calls.length, changes: new Set(seen).size - 1 }
}

test('of two hot shards on one node one goes to another, no call fails, and then leaderships rest', async () => {
  const story = tellStory(971, { shards: SHARDS, balance: limits })
  story.leader()
  story.until('leaderships are where they are preferred', () => {
    const preferred = stateOf(story).shards.map(({ replicas: [first] }) => (first === undefined ? '' : nodeOf(first)))
    return leadersOf(story).join() === preferred.join()
  }, 60_000)
  const client = await connectTo(story, createRandom(971))
  const before = leadersOf(story)
  const hot = new Set(before.flatMap((node, shard) => (node === before[0] ? [shard] : [])))
  expect(hot.size).toBe(2)
  const led = (): Set<string> => new Set(leadersOf(story).filter((_, shard) => hot.has(shard)))

  expect(await load(story, client, { hot, ms: 4_000 })).toMatchObject({ changes: 0 })
  const off = stateOf(story).epoch
  const wish = { kind: 'setBalance', isOn: true, expectedEpoch: off, at: 1, by: 'story', request: '' } as const
  must(story.nodes[0]?.node, 'it runs').propose(wish, () => {})
  for (let passedMs = 0; led().size < 2 && passedMs < PATIENCE_MS; passedMs += 1_000) await load(story, client, { hot, ms: 1_000 })
  expect(led().size).toBe(2)

  const rested = stateOf(story).epoch
  expect(rested).toBe(off + 2)
  expect(await load(story, client, { hot, ms: 9_000 })).toMatchObject({ changes: 0 })
  expect(stateOf(story).epoch).toBe(rested)
  story.end()
}, 300_000)
