/**
 * The SDK on simulated clusters of real nodes, while they are killed, stopped, cut off and lose messages: no call fails, and every counter
 * shows each increment exactly once. One seed decides everything but the interleaving of promises.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { between, createRandom, pick } from '../../actors/kernel/random.ts'
import { createClient } from '../../sdk/client.ts'
import { text } from '../../sdk/codec.ts'
import { createKv } from '../../sdk/kv.ts'
import { createNodeClock } from '../../sim/clock.ts'
import { tellStory } from './story.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Kv } from '../../sdk/kv.ts'
import type { Story } from './story.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const COUNTERS = 3
const CALLERS = 6
const ROUNDS = 3
const STEP_MS = 5
const TIMEOUT_MS = 60_000

const connectTo = async (story: Story, random: Random): Promise<Kv<string>> => {
  const { cluster, timeline } = story.simulation
  const { bus, process } = cluster.connectClient('c2')
  const clock = createNodeClock({ timeline, process, rate: 1, wallStartMs: 1_000_000, wallOffsetMs: () => 0 })
  const client = createClient({
    bus, clock, random, prefix: 'kv', inbox: '_INBOX.sdk', limits: { operationsMax: 1_000, bytesMax: 1e9 },
  })
  await settled(story, client.ready())
  return createKv(client, text, { timeoutMs: TIMEOUT_MS, consistency: 'linearizable' })
}

/** Virtual time, with a turn of the real loop in every step, in which promises go on. */
const pass = async (story: Story, ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    story.run(STEP_MS)
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}

/** Passes until the promise settles, or fails after a minute of virtual time. */
const settled = async <Result>(story: Story, promise: Promise<Result>): Promise<Result> => {
  const waiting = new Set([promise])
  const over = (): void => { waiting.clear() }
  promise.then(over, over)
  const giveUpAt = story.simulation.timeline.now() + TIMEOUT_MS
  while (waiting.size > 0 && story.simulation.timeline.now() < giveUpAt) await pass(story, STEP_MS)
  expect(waiting.size).toBe(0)
  return promise
}

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
