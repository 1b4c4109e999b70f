/** Sessions that can not be opened: what the writes that wait for one are told, how often it is tried, and who waits for it. */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { failureOf, key, openWorld } from './world.ts'
import type { Asked, Fortune, World } from './world.ts'

const isOpening = ({ operations }: Asked): boolean => operations.some(({ code }) => code === OpCode.openSession)

/** Every opening of a session has this fortune, all else is served. */
const openingsMeet = (world: World, fortune: Fortune): void => { world.behave((request) => (isOpening(request) ? fortune : 'serve')) }

describe('a session that is refused for good', () => {
  test.each([
    ['NO_SPACE', 'NO_SPACE', 'NoSpaceError', 'The disk is full.'], ['INVALID', 'INVALID', 'InvalidError', 'The disk is full.'],
    ['INTERNAL', 'INTERNAL', 'InternalError', expect.stringMatching(/report it: INTERNAL: The disk is full\.$/)],
    ['COMPACTED', 'INTERNAL', 'InternalError', expect.stringMatching(/report it: COMPACTED: The disk is full\.$/)],
  ] as const)('with %s refuses the writes that wait for it, once and at once', async (status, code, name, message) => {
    const world = await openWorld()
    openingsMeet(world, { status, revision: 0, definite: true, message: 'The disk is full.' })
    const since = world.clock.now()
    const pending = [world.kv.put(key, 'a'), world.kv.put(key, 'b')]
    for (const promise of pending) {
      expect(await failureOf(world, promise)).toMatchObject({ code, name, definite: true, message })
    }
    expect(world.clock.now() - since).toBeLessThan(100)
    world.pass(600)
    expect(world.asked.filter(isOpening)).toHaveLength(1)
    world.behave(() => 'serve')
    expect(await world.settled(world.kv.incr(key))).toMatchObject({ value: 1n })
  })
})

test('a session that may be open when it is refused: the writes that wait for it did not happen all the same', async () => {
  const world = await openWorld()
  openingsMeet(world, { status: 'NO_QUORUM', revision: 0, definite: false })
  const pending = world.kv.put(key, 'x')
  world.pass(50)
  openingsMeet(world, { status: 'NO_SPACE', revision: 0, definite: false })
  expect(await failureOf(world, pending)).toMatchObject({ code: 'NO_SPACE', definite: true })
})

describe('a session that can not be opened now', () => {
  test('names OVERLOADED, and how long to wait, to the write that waited for it', async () => {
    const world = await openWorld()
    openingsMeet(world, { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 70, message: 'The shard has 8192 sessions.' })
    expect(await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 400 }))).toMatchObject({
      code: 'OVERLOADED', definite: true, retryAfterMs: 70, message: expect.stringContaining('8192 sessions'),
    })
  })

  test('names NO_QUORUM to the write that waited for it', async () => {
    const world = await openWorld()
    openingsMeet(world, { status: 'NO_QUORUM', revision: 0, definite: false, message: 'No majority.' })
    const error = await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 400 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true, message: expect.stringMatching(/Last: No majority/) })
    expect((error as Error).cause).toMatchObject({ message: 'No majority.' })
  })

  test('names it also to a write that waits longer than one attempt to open it', async () => {
    const world = await openWorld()
    openingsMeet(world, { status: 'NO_QUORUM', revision: 0, definite: false, message: 'No majority.' })
    const error = await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 5_060 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true, message: expect.stringMatching(/Last: No majority/) })
  })

  test('keeps no read of its shard waiting', async () => {
    const world = await openWorld()
    openingsMeet(world, { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 1_000, message: 'The shard has 8192 sessions.' })
    const writes = [4_000, 8_000].map((timeoutMs) => failureOf(world, world.kv.put(key, 'x', { timeoutMs })))
    await world.until('the session was asked for', () => world.asked.some(isOpening))
    // Beyond the time of one opening.
    for (let read = 0; read < 60; read += 1) {
      world.pass(100)
      const since = world.clock.now()
      await world.settled(world.kv.get(key))
      expect(world.clock.now() - since).toBeLessThan(50)
    }
    for (const write of writes) expect(await write).toMatchObject({ code: 'OVERLOADED', definite: true })
    // As far apart as the shard asked for, and up to twice that.
    expect(world.asked.filter(isOpening).length).toBeLessThanOrEqual(9)
  })

  test('keeps nobody who closes the connection and has nothing to wait for', async () => {
    const world = await openWorld()
    openingsMeet(world, 'lose')
    await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 300 }))
    const since = world.clock.now()
    await world.settled(world.kv.close())
    expect(world.clock.now() - since).toBeLessThan(100)
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })

  test('is waited for by a close while a write waits for it', async () => {
    const world = await openWorld()
    openingsMeet(world, { status: 'NO_QUORUM', revision: 0, definite: false })
    const pending = world.kv.incr(key)
    world.pass(100)
    const closing = world.kv.close()
    world.pass(100)
    world.behave(() => 'serve')
    expect(await world.settled(pending)).toMatchObject({ value: 1n })
    await world.settled(closing)
  })
})
