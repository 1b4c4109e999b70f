/** When what waits for a node leaves (sdk/pacing.ts), against real batch doors in virtual time (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { PACE_MS_MAX } from '../../sdk/limits.ts'
import { key, keys, openWorld } from './world.ts'
import type { World } from './world.ts'

const batches = ({ client }: World): number => client.stats().batches

/** Lets the turn end, and what it published arrive. */
const oneTurn = async ({ pass }: World): Promise<void> => {
  await new Promise((resolve) => { setImmediate(resolve) })
  pass(0)
}

describe('calls to a node', () => {
  test('that are fewer than those in flight wait for an answer, and leave together with what comes meanwhile', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    await settled(kv.get(key))
    const before = batches(world)
    const first = Array.from({ length: 4 }, () => kv.get(key))
    await oneTurn(world)
    expect(batches(world)).toBe(before + 1)
    const second = [kv.get(key)]
    await oneTurn(world)
    second.push(kv.get(key))
    await oneTurn(world)
    expect(batches(world)).toBe(before + 1)
    await settled(Promise.all([...first, ...second]))
    expect(batches(world)).toBe(before + 2)
  })

  test('are not held back when as many wait as are in flight: one alone never, nor a second', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    await settled(kv.get(key))
    const before = batches(world)
    const pending = [kv.get(key)]
    await oneTurn(world)
    pending.push(kv.get(key))
    await oneTurn(world)
    expect(batches(world)).toBe(before + 2)
    await settled(Promise.all(pending))
  })

  test('do not wait for those to another node', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    await settled(kv.mget(keys))
    const before = batches(world)
    const pending = Array.from({ length: 4 }, () => kv.get(key))
    await oneTurn(world)
    pending.push(kv.get(keys[1] ?? ''))
    await oneTurn(world)
    expect(batches(world)).toBe(before + 2)
    await settled(Promise.all(pending))
  })

  test('do not wait for a shard that answers nothing: what is older than the limit holds nobody back', async () => {
    const world = await openWorld()
    const { kv, settled, clock, behave } = world
    await settled(kv.mget(keys))
    behave(({ shard }) => (shard === 0 ? 'lose' : 'serve'))
    const lost = Array.from({ length: 8 }, () => kv.get(key, { timeoutMs: 1_000 }).catch(() => 'timeout'))
    await oneTurn(world)
    // Shard 3 is led by the node of shard 0.
    const startedAt = clock.now()
    await settled(kv.get(keys[3] ?? ''))
    const waited = clock.now() - startedAt
    expect(waited).toBeLessThanOrEqual(2 * PACE_MS_MAX)
    await settled(kv.get(keys[3] ?? ''))
    expect(clock.now() - startedAt - waited).toBeLessThan(PACE_MS_MAX)
    expect(await settled(Promise.all(lost))).toEqual(lost.map(() => 'timeout'))
  })
})
