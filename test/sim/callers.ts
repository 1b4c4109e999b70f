/** Callers of the SDK on a simulated cluster: virtual time that lets promises go on. */

import { expect } from '@jest/globals'
import { createClient } from '../../sdk/client.ts'
import { text } from '../../sdk/codec.ts'
import { createKv } from '../../sdk/kv.ts'
import { createNodeClock } from '../../sim/clock.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Kv } from '../../sdk/kv.ts'
import type { Story } from './story.ts'

const STEP_MS = 5
const TIMEOUT_MS = 60_000

export const connectTo = async (story: Story, random: Random): Promise<Kv<string>> => {
  const { cluster, timeline } = story.simulation
  const { bus, process } = cluster.connectClient('c2')
  const clock = createNodeClock({ timeline, process, rate: 1, wallStartMs: 1_000_000, wallOffsetMs: () => 0 })
  const client = createClient({
    bus, clock, random, prefix: 'kv', inbox: '_INBOX.sdk', newToken: () => 't', limits: { operationsMax: 1_000, bytesMax: 1e9 },
  })
  await settled(story, client.ready())
  return createKv(client, text, { timeoutMs: TIMEOUT_MS, consistency: 'linearizable' })
}

/** Virtual time, with a turn of the real loop in every step, in which promises go on. */
export const pass = async (story: Story, ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    story.run(STEP_MS)
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}

/** Passes until the promise settles, or fails after a minute of virtual time. */
export const settled = async <Result>(story: Story, promise: Promise<Result>): Promise<Result> => {
  const waiting = new Set([promise])
  const over = (): void => { waiting.clear() }
  promise.then(over, over)
  const giveUpAt = story.simulation.timeline.now() + TIMEOUT_MS
  while (waiting.size > 0 && story.simulation.timeline.now() < giveUpAt) await pass(story, STEP_MS)
  expect(waiting.size).toBe(0)
  return promise
}
