/** Calls that end early, limits, and the life of a connection, against real batch doors in virtual time (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { AbortError, ClosedError, OverloadedError, TimeoutError, UnauthorizedError } from '../../sdk/errors.ts'
import { SWEEP_TICKS, TICK_MS } from '../../sdk/limits.ts'
import { SHARDS, failureOf, first, isMutation, key, keys, openWorld } from './world.ts'
import type { World } from './world.ts'

/** The process is stopped while the answer to an `incr`, which has made a 2, is on its way: its timers come first then. */
const stoppedUnanswered = async ({ kv, broker, until, valueOf, pass, sleep, settled }: World, afterMs: number): Promise<unknown> => {
  broker.hold('sdk')
  const pending = kv.incr(key)
  await until('it is executed', () => valueOf(key) === '2')
  pass(afterMs)
  sleep(6_000)
  pass(TICK_MS)
  broker.release('sdk')
  return settled(pending)
}

describe('a call', () => {
  test('that is not answered in time rejects, and says whether it may have happened', async () => {
    const world = await openWorld()
    const { kv, behave } = world
    await world.settled(kv.incr(key))
    behave(() => 'lose')
    const write = await failureOf(world, kv.incr(key, 1, { timeoutMs: 300 }))
    expect(write).toBeInstanceOf(TimeoutError)
    const said = /incr of "k\d+" was not answered within 300 ms. It may have happened/
    expect(write).toMatchObject({ definite: false, message: expect.stringMatching(said) })
    expect(await failureOf(world, kv.get(key, { timeoutMs: 300 }))).toMatchObject({ code: 'TIMEOUT', definite: true })
  })

  test('that never left is definite, and names what stood in its way', async () => {
    const world = await openWorld()
    world.kill('n1')
    world.leaderless(0)
    const error = await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 400 }))
    const said = /did not happen.*Last: .*(gone|no leader)/
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true, message: expect.stringMatching(said) })
  })

  test('that met nothing but OVERLOADED is told so', async () => {
    const world = await openWorld()
    world.behave(() => ({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 100, message: 'slow down' }))
    const error = await failureOf(world, world.kv.get(key, { timeoutMs: 500 }))
    expect(error).toBeInstanceOf(OverloadedError)
    expect(error).toMatchObject({ definite: true, retryAfterMs: expect.any(Number) })
  })

  test('that an overloaded node refuses asks it for a map now and then: it may lead no more', async () => {
    const world = await openWorld()
    world.behave(() => ({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 20, message: 'slow down' }))
    const fetches = world.client.stats().mapFetches
    await failureOf(world, world.kv.get(key, { timeoutMs: 5_000 }))
    expect(world.client.stats().retries).toBeGreaterThan(10)
    expect(world.client.stats().mapFetches - fetches).toBeGreaterThan(2)
    expect(world.client.stats().mapFetches - fetches).toBeLessThan(7)
  })

  test('that writes and is refused for now keeps no read of its shard waiting, and waits as long as it was asked to', async () => {
    const world = await openWorld()
    await world.settled(world.kv.put(key, 'x'))
    world.behave((request) => (isMutation(request) ? { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 500 } : 'serve'))
    const began = world.asked.length
    const writes = [1, 2, 3].map(() => failureOf(world, world.kv.put(key, 'y', { timeoutMs: 3_000 })))
    for (let read = 0; read < 20; read += 1) {
      world.pass(100)
      const since = world.clock.now()
      await world.settled(world.kv.get(key))
      expect(world.clock.now() - since).toBeLessThan(50)
    }
    for (const write of writes) expect(await write).toMatchObject({ code: 'OVERLOADED', definite: true })
    expect(world.asked.slice(began).filter(isMutation).length).toBeLessThanOrEqual(writes.length * 7)
  })

  test('that is aborted rejects at once, and its effect is what it says', async () => {
    const world = await openWorld()
    const { kv, until, behave } = world
    await world.settled(kv.incr(key))
    behave(() => 'serveInSilence')
    const controller = new AbortController()
    const pending = kv.incr(key, 1, { signal: controller.signal })
    const queued = kv.put(key, 'x', { signal: AbortSignal.abort('too late') })
    expect(await failureOf(world, queued)).toMatchObject({ name: 'AbortError', definite: true, cause: 'too late' })
    await until('the write has left', () => world.valueOf(key) === '2')
    controller.abort()
    const error = await failureOf(world, pending)
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ code: 'ABORTED', definite: false })
    await until('its place is free', () => world.client.stats().inFlightOperations === 0)
  })

  test('whose process was stopped is settled by the answer that came meanwhile, not by its timeout', async () => {
    for (let phase = 0; phase < SWEEP_TICKS; phase += 1) {
      const world = await openWorld()
      await world.settled(world.kv.incr(key))
      expect(await stoppedUnanswered(world, phase * TICK_MS)).toMatchObject({ value: 2n })
    }
  })

  test('that follows a time of rest is settled so, too, though the process had been stopped before it', async () => {
    const world = await openWorld()
    await world.settled(world.kv.incr(key))
    world.sleep(200)
    world.pass(500)
    expect(await stoppedUnanswered(world, 0)).toMatchObject({ value: 2n })
  })

  test('of a process that is stopped again and again times out all the same', async () => {
    const world = await openWorld()
    world.behave(() => 'lose')
    let told: unknown = null
    world.kv.get(key, { timeoutMs: 1_000 }).catch((error: unknown) => { told = error })
    for (let time = 0; time < 4 * SWEEP_TICKS; time += 1) {
      world.sleep(200)
      world.pass(TICK_MS)
    }
    await Promise.resolve()
    expect(told).toMatchObject({ code: 'TIMEOUT', definite: true })
  })

  test('that the broker does not take now waits and leaves again, once', async () => {
    const world = await openWorld()
    const { kv, settled, publishing, clock } = world
    await settled(kv.incr(key))
    publishing('full')
    clock.after(500, () => { publishing(null) })
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
    publishing('tooLarge')
    const error = await failureOf(world, kv.incr(key, 1, { timeoutMs: 200 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true, message: expect.stringMatching(/the broker took nothing \(tooLarge\)/) })
  })

  test('above the limits of the connection is refused at once, and memory is given back', async () => {
    const world = await openWorld({ limits: { operationsMax: 10, bytesMax: 2_000 } })
    const { kv, settled, client } = world
    const pending = Array.from({ length: 12 }, () => kv.get(key))
    const results = await settled(Promise.allSettled(pending))
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(2)
    const [rejected] = results.filter((result) => result.status === 'rejected')
    expect(rejected?.reason).toMatchObject({ code: 'OVERLOADED', definite: true, retryAfterMs: 20 })
    expect(await failureOf(world, kv.put(key, 'x'.repeat(2_000)))).toBeInstanceOf(OverloadedError)
    expect(client.stats()).toMatchObject({ overloaded: 3, inFlightOperations: 0, inFlightBytes: 0 })
  })
})

describe('a connection', () => {
  test('that breaks keeps its calls, and sends them again when it is back', async () => {
    const world = await openWorld()
    const { kv, settled, broker, behave, until } = world
    await settled(kv.incr(key))
    behave(first('serveInSilence'))
    const pending = [kv.incr(key)]
    await until('the write has left', () => world.valueOf(key) === '2')
    broker.disconnect('sdk')
    world.pass(100)
    pending.push(kv.incr(key))
    world.pass(700)
    broker.reconnect('sdk')
    expect((await settled(Promise.all(pending))).map(({ value }) => value)).toEqual([2n, 3n])
  })

  test('that closes refuses new calls and waits for those in flight', async () => {
    const world = await openWorld()
    const { kv, settled, bus } = world
    const pending = kv.incr(key)
    const closing = kv.close()
    expect(await failureOf(world, kv.get(key))).toBeInstanceOf(ClosedError)
    expect(await settled(pending)).toMatchObject({ value: 1n })
    await settled(closing)
    await settled(kv.close())
    expect(bus.status().connected).toBe(false)
  })

  test('that has a bug ends with it, and settles every call wherever it was', async () => {
    const world = await openWorld()
    const { kv, settled, publishing } = world
    await settled(kv.get(key))
    publishing(new Error('planted'))
    // Two consistencies are two frames: the second was to leave after the one that broke.
    const pending = [kv.get(key), kv.get(key, { consistency: 'lease' })]
    for (const promise of pending) {
      expect(await failureOf(world, promise)).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/a bug in the SDK.*planted/) })
    }
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })

  test('that meets another cluster on its prefix ends, rather than write to it', async () => {
    const world = await openWorld()
    await world.settled(world.kv.incr(key))
    world.claim({ cluster: 'ffffffffffffffff', epoch: 1, shardCount: SHARDS, leaders: keys.map(() => null), replicas: keys.map(() => []) })
    world.lead(0, 'n2')
    const error = await failureOf(world, world.kv.incr(key))
    expect(error).toMatchObject({ code: 'CLOSED', definite: true, message: expect.stringMatching(/another cluster/) })
    expect(await failureOf(world, world.kv.get(key))).toBeInstanceOf(ClosedError)
  })

  test('that ends while a session is being opened takes nothing in any more, and closes', async () => {
    const world = await openWorld()
    const { kv, until, behave, client, asked } = world
    behave(() => 'lose')
    const pending = kv.incr(key)
    await until('the session was asked for', () => asked.length === 1)
    world.claim({ cluster: 'ffffffffffffffff', epoch: 1, shardCount: SHARDS, leaders: keys.map(() => null), replicas: keys.map(() => []) })
    // The silent node makes the SDK fetch the map again.
    const error = await failureOf(world, pending)
    expect(error).toMatchObject({ code: 'CLOSED', definite: true, message: expect.stringMatching(/another cluster/) })
    world.pass(100)
    expect(client.stats()).toMatchObject({ sessions: 1, inFlightOperations: 0, inFlightBytes: 0 })
    await world.settled(kv.close())
    expect(await failureOf(world, client.ready())).toBeInstanceOf(ClosedError)
  })

  test('that ends while it says goodbye closes all the same', async () => {
    const world = await openWorld()
    const { kv, until, behave, client, asked } = world
    await world.settled(kv.incr(key))
    behave(() => 'lose')
    const closing = kv.close()
    await until('the session was to be closed', () => asked.length === 3)
    client.fail('the broker is gone')
    await world.settled(closing)
    expect(client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })

  test('without permission says which', async () => {
    const world = await openWorld({ permissions: { publish: ['kv.map'], subscribe: ['>'] } })
    await world.settled(world.client.ready())
    const error = await failureOf(world, world.kv.put(key, 'x'))
    expect(error).toBeInstanceOf(UnauthorizedError)
    expect(error).toMatchObject({ definite: true, message: expect.stringMatching(/publish kv\.to\.n1\.batch\.v1.*nats-config/) })
  })

  test.each([
    ['a text', 'text'],
    ['an empty object', {}],
    ['without a count', { cluster: 'x', epoch: 1, leaders: [], replicas: [] }],
    ['too short', { cluster: 'x', epoch: 1, shardCount: 4, leaders: [], replicas: [] }],
  ])('takes nothing for a map that is %s', async (_what, claim) => {
    const world = await openWorld()
    world.claim(claim)
    world.lead(0, 'n2')
    const error = await failureOf(world, world.kv.get(key, { timeoutMs: 200 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true })
    world.claim(null)
    expect(await world.settled(world.kv.get(key))).toBeNull()
  })

  test('that a node leaves in good order loses nothing', async () => {
    const world = await openWorld()
    const { kv, settled, door, lead } = world
    await settled(kv.incr(key))
    door('n1').drain()
    world.clock.after(200, () => { lead(0, 'n2') })
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
  })

  test('whose door session was closed for silence opens another', async () => {
    const world = await openWorld()
    const { kv, settled, client } = world
    await settled(kv.get(key))
    world.pass(60_000)
    expect(await settled(kv.get(key))).toBeNull()
    expect(client.stats()).toMatchObject({ hellos: 2, retries: 0 })
  })
})
