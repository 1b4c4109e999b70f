/** Large values, against real batch doors behind slow wires in virtual time (world.ts): what waits is not lost, nor sent behind itself. */

import { describe, expect, test } from '@jest/globals'
import { LINK_BYTES_MAX } from '../../sdk/limits.ts'
import { resultsOf } from '../../sdk/outcome.ts'
import { first, isMutation, key, keys, openWorld } from './world.ts'
import type { World, WorldOptions } from './world.ts'

const VALUE_BYTES = 400 * 1_024
const value = 'v'.repeat(VALUE_BYTES)
const FRAME_BYTES_MAX = 1_024 * 1_024
/** Doors and state machines look at every byte, which takes a while where coverage is measured. */
const TEST_MS_MAX = 120_000

/** A world whose nodes each hear so many bytes a millisecond, one message after the other. */
const openSlowWorld = async (bytesPerMs: number, options: WorldOptions = {}): Promise<World & { readonly mostQueued: () => number }> => {
  const busyUntil = new Map<string, number>()
  let now = (): number => 0
  let mostQueued = 0
  const world = await openWorld({
    ...options,
    fate: ({ to, bytes }) => {
      if (to === 'sdk') return [0]
      const until = Math.max(now(), busyUntil.get(to) ?? 0) + bytes / bytesPerMs
      busyUntil.set(to, until)
      mostQueued = Math.max(mostQueued, (until - now()) * bytesPerMs)
      return [until - now()]
    },
  })
  now = world.clock.now
  return { ...world, mostQueued: () => mostQueued }
}

const outcomesOf = async <Result>(calls: readonly Promise<Result>[]): Promise<readonly string[]> =>
  (await Promise.allSettled(calls)).map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as { readonly code: string }).code))

const countOf = (outcomes: readonly string[], what: string): number => outcomes.filter((one) => one === what).length

describe('large values', () => {
  test('all at once are written, none is sent twice, and a node has a window of them at most', async () => {
    // 150 of 400 KiB over three nodes at 5 MB a second each: some four seconds.
    const world = await openSlowWorld(5_000, { limits: { bytesMax: 64 * 1_024 * 1_024 } })
    const calls = Array.from({ length: 150 }, (_, n) => world.kv.put(`big${n}`, value, { timeoutMs: 8_000 }))
    const outcomes = await world.settled(outcomesOf(calls))
    expect(countOf(outcomes, 'ok')).toBe(150)
    expect(world.client.stats().retries).toBe(0)
    expect(world.mostQueued()).toBeLessThan(LINK_BYTES_MAX + FRAME_BYTES_MAX)
  }, TEST_MS_MAX)

  test('that are more than a node takes in their time fail as late as they must, and the others do not', async () => {
    const world = await openSlowWorld(1_000, { nodes: ['n1'] })
    const calls = Array.from({ length: 40 }, (_, n) => world.kv.put(`big${n}`, value))
    const outcomes = await world.settled(outcomesOf(calls))
    // 5 s at 1 MB a second are twelve; what is on its way when the time is over is lost.
    expect(countOf(outcomes, 'ok')).toBeGreaterThanOrEqual(9)
    expect(countOf(outcomes, 'ok') + countOf(outcomes, 'TIMEOUT')).toBe(40)
    expect(world.asked.filter(isMutation).flatMap(({ operations }) => operations).length).toBeLessThanOrEqual(18)
  })

  test('do not keep a small call to the same node waiting for all of them', async () => {
    const world = await openSlowWorld(1_000, { nodes: ['n1'] })
    await world.settled(world.kv.mget(['a', 'b', 'c', 'd']))
    const large = outcomesOf(Array.from({ length: 40 }, () => world.kv.put(key, value)))
    await world.until('the first have left', () => world.client.stats().operations > 6)
    const began = world.clock.now()
    await world.settled(world.kv.get('k-of-another-shard', { timeoutMs: 20_000 }))
    expect(world.clock.now() - began).toBeLessThan(4_000)
    await world.settled(large)
  })

  test('of one shard that answers nothing leave room for the others of its node', async () => {
    const world = await openWorld({ nodes: ['n1'] })
    await world.settled(world.kv.put(key, 'x'))
    world.behave(({ shard }) => (shard === 0 ? 'lose' : 'serve'))
    const lost = outcomesOf(Array.from({ length: 20 }, () => world.kv.put(key, value, { timeoutMs: 3_000 })))
    const began = world.clock.now()
    await world.settled(world.kv.put('k1', 'y'))
    // Its session and itself, each in turn with a large one.
    expect(world.clock.now() - began).toBeLessThan(2_000)
    expect(countOf(await world.settled(lost), 'TIMEOUT')).toBe(20)
  })

  test('of one shard that answers nothing keep no read of the others waiting', async () => {
    const world = await openWorld({ nodes: ['n1'] })
    await world.settled(Promise.all([world.kv.put(key, 'x'), world.kv.put('k1', 'y')]))
    world.behave(({ shard }) => (shard === 0 ? 'lose' : 'serve'))
    const lost = outcomesOf(Array.from({ length: 20 }, () => world.kv.put(key, value, { timeoutMs: 3_000 })))
    for (let read = 0; read < 10; read += 1) {
      const began = world.clock.now()
      await world.settled(world.kv.get('k1'))
      expect(world.clock.now() - began).toBeLessThan(50)
    }
    expect(countOf(await world.settled(lost), 'TIMEOUT')).toBe(20)
  })

  test('give way to a write of another shard, also of one that is read all the time', async () => {
    const world = await openSlowWorld(1_000, { nodes: ['n1'] })
    await world.settled(Promise.all(keys.map((name) => world.kv.put(name, 'x'))))
    const large = keys.slice(1).flatMap((name) => Array.from({ length: 10 }, () => world.kv.put(name, value, { timeoutMs: 60_000 })))
    const written = outcomesOf(large)
    await world.until('the first have left', () => world.client.stats().operations > 10)
    const began = world.clock.now()
    let isWritten = false
    const read = (): void => {
      if (isWritten) return
      void world.kv.get(key, { timeoutMs: 60_000 })
      world.clock.after(20, read)
    }
    read()
    await world.settled(world.kv.put(key, 'y', { timeoutMs: 60_000 }))
    isWritten = true
    // Three others take turns with it, and two seconds' worth is on its way before.
    expect(world.clock.now() - began).toBeLessThan(6_000)
    expect(countOf(await world.settled(written), 'ok')).toBe(large.length)
  })

  test('that are to leave again keep no read of their own shard waiting', async () => {
    const world = await openWorld({ nodes: ['n1'] })
    await world.settled(world.kv.put(key, 'x'))
    // A leader whose disk stands still: reads go on.
    world.behave((request) => (isMutation(request) ? 'lose' : 'serve'))
    const lost = outcomesOf(Array.from({ length: 20 }, () => world.kv.put(key, value, { timeoutMs: 9_000 })))
    await world.until('the first have been given up', () => world.client.stats().retries > 0)
    for (let read = 0; read < 10; read += 1) {
      const began = world.clock.now()
      await world.settled(world.kv.get(key))
      expect(world.clock.now() - began).toBeLessThan(300)
    }
    expect(countOf(await world.settled(lost), 'TIMEOUT')).toBe(20)
  })
})

describe('an answer that is late', () => {
  test('settles its call, which is not executed twice', async () => {
    let isSlow = false
    const world = await openWorld({ fate: ({ from, subject }) => [isSlow && from === 'n1' && !subject.endsWith('.0') ? 2_600 : 0] })
    const { kv, settled, clock, client, behave } = world
    await settled(kv.incr(key))
    let copies = 0
    behave((request) => {
      if (!isMutation(request)) return 'serve'
      copies += 1
      return copies === 1 ? 'serve' : 'lose'
    })
    isSlow = true
    const began = clock.now()
    const pending = kv.incr(key, 1, { timeoutMs: 20_000 })
    await world.until('the copy has been answered', () => copies === 1 && world.valueOf(key) === '2')
    clock.after(5, () => { isSlow = false })
    expect(await settled(pending)).toMatchObject({ value: 2n })
    expect(clock.now() - began).toBeLessThan(2_700)
    expect(client.stats().retries).toBeGreaterThan(0)
    expect(world.valueOf(key)).toBe('2')
  })

  test('and refuses says nothing about the copy that is under way', async () => {
    let lateMs = 0
    const world = await openWorld({ fate: ({ from, subject }) => [from === 'n1' && !subject.endsWith('.0') ? lateMs : 0] })
    const { kv, settled, clock, behave, client } = world
    await settled(kv.incr(key))
    behave(first({ status: 'NO_SPACE', revision: 0, definite: true, message: 'The disk of the leader is full.' }))
    lateMs = 2_600
    const pending = kv.incr(key, 1, { timeoutMs: 20_000 })
    // The answer to the second copy is under way when the first one's comes.
    clock.after(100, () => { lateMs = 900 })
    expect(await settled(pending)).toMatchObject({ value: 2n })
    expect(client.stats().retries).toBe(1)
  })
})

describe('what is still in this process', () => {
  test('is not lost: its time begins when it has left', async () => {
    const world = await openWorld()
    const { kv, settled, clock, client } = world
    await settled(kv.put(key, 'x'))
    world.keepBack(true)
    clock.after(4_000, () => { world.keepBack(false) })
    await settled(kv.put(key, value, { timeoutMs: 8_000 }))
    expect(client.stats()).toMatchObject({ retries: 0, hellos: 1 })
    expect(world.asked.filter(isMutation)).toHaveLength(2)
  })
})

describe('a list of keys', () => {
  test('is never refused for the limits of its connection, in operations or bytes', async () => {
    const world = await openSlowWorld(20_000, { limits: { operationsMax: 100, bytesMax: 4 * 1_024 * 1_024 } })
    const { kv, settled, client } = world
    const entries = Array.from({ length: 50 }, (_, n) => [`big${n}`, value] as const)
    const small = Array.from({ length: 1_000 }, (_, n) => `small${n}`)
    const [written, , deleted] = await settled(Promise.all([
      kv.mput(entries), kv.mput(small.map((name) => [name, 'v'] as const)), kv.mdel(Array.from({ length: 300 }, (_, n) => `gone${n}`)),
    ]))
    expect(resultsOf(written)).toHaveLength(50)
    expect(resultsOf(deleted)).toHaveLength(300)
    expect(resultsOf(await settled(kv.mget(small))).every((entry) => entry?.value === 'v')).toBe(true)
    expect(client.stats()).toMatchObject({ overloaded: 0, inFlightOperations: 0, inFlightBytes: 0 })
  }, TEST_MS_MAX)

  test('leaves room for single calls beside it', async () => {
    const world = await openWorld({ limits: { operationsMax: 8 } })
    const { kv, settled, client } = world
    const list = kv.mget(Array.from({ length: 50 }, (_, n) => `small${n}`))
    const single = [kv.get(key), kv.get(key), kv.get(key)]
    await settled(Promise.all(single))
    expect(resultsOf(await settled(list))).toHaveLength(50)
    expect(client.stats().overloaded).toBe(0)
  })
})
