/**
 * The SDK on simulated clusters of real nodes, while they are killed, stopped, cut off and lose messages: no call fails, and every counter
 * shows each increment exactly once. One seed decides everything but the interleaving of promises.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { between, createRandom, pick } from '../../actors/kernel/random.ts'
import { connectTo, pass, settled } from './callers.ts'
import { tellStory } from './story.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Story } from './story.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const COUNTERS = 3
const CALLERS = 6
const ROUNDS = 3

const strike = async (story: Story, random: Random): Promise<void> => {
  const { cluster } = story.simulation
  const victim = must(pick(random, story.nodes), 'there are nodes')
  const ms = between(random, 500, 3_000)
  switch (between(random, 0, 2)) {
    case 0:
      cluster.kill(victim)
      await pass(story, ms)
      cluster.start(victim)
      break
    case 1:
      cluster.pause(victim)
      await pass(story, ms)
      cluster.resume(victim)
      break
    case 2:
      story.isolate(victim)
      await pass(story, ms)
      story.heal()
      break
  }
  await pass(story, between(random, 0, 1_500))
}

test.each([SEED])('seed %d: callers see no error, and counters count once', async (seed) => {
  const random = createRandom(seed)
  const story = tellStory(seed, { shards: 4, network: { loss: 0.002, duplication: 0.002, delayMsMean: 1, reorderMsMax: 0 } })
  story.leader()
  const client = await connectTo(story, random)
  const counted = Array.from({ length: COUNTERS }, (): bigint[] => [])
  const storm = new AbortController()
  const callers = Array.from({ length: CALLERS }, async (_, i) => {
    const counter = must(counted[i % COUNTERS], 'every caller has a counter')
    while (!storm.signal.aborted) counter.push((await client.incr(`counter-${i % COUNTERS}`)).value)
  })
  for (let i = 0; i < ROUNDS; i += 1) await strike(story, random)
  storm.abort()
  await settled(story, Promise.all(callers))
  for (const values of counted) {
    expect(values.length).toBeGreaterThan(10)
    expect(values.toSorted((a, b) => Number(a - b))).toEqual(values.map((_, i) => BigInt(i + 1)))
  }
  expect(client.stats().retries).toBeGreaterThan(0)
  story.end()
}, 300_000)
