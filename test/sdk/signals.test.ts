/** Signals of callers: one listener for all calls of a signal, and what is no signal harms nobody. */

import { describe, expect, jest, test } from '@jest/globals'
import { connect } from '../../sdk/index.ts'
import { failureOf, isMutation, key, keys, openWorld } from './world.ts'

/** How often listeners were added to its signal and taken away. */
const counted = () => {
  const controller = new AbortController()
  const added = jest.spyOn(controller.signal, 'addEventListener')
  const removed = jest.spyOn(controller.signal, 'removeEventListener')
  return { controller, counts: () => [added.mock.calls.length, removed.mock.calls.length] }
}

describe('a signal', () => {
  test('of many calls has one listener, which goes with the last of them', async () => {
    const world = await openWorld()
    const { controller: { signal }, counts } = counted()
    const outcomes = await world.settled(world.kv.mget(Array.from({ length: 50 }, (_, i) => `k${i}`), { signal }))
    expect(outcomes.filter(({ ok }) => ok)).toHaveLength(50)
    expect(counts()).toEqual([1, 1])
    await world.settled(world.kv.get(key, { signal }))
    expect(counts()).toEqual([2, 2])
  })

  test('ends all its calls and no other', async () => {
    const world = await openWorld()
    const { controller, counts } = counted()
    const pending = keys.map((name) => world.kv.get(name, { signal: controller.signal }))
    const other = world.kv.get(key)
    controller.abort('enough')
    for (const promise of pending) expect(await failureOf(world, promise)).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect(await world.settled(other)).toBeNull()
    expect(counts()).toEqual([1, 1])
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })
})

test('a signal that fires as it is asked to tell ends its call, which is not sent', async () => {
  const world = await openWorld()
  const tellAtOnce = (_type: string, tell: () => void): void => { tell() }
  const eager = { aborted: false, reason: 'at once', addEventListener: tellAtOnce, removeEventListener: () => {} }
  expect(await failureOf(world, world.kv.put(key, 'v', { signal: eager as unknown as AbortSignal })))
    .toMatchObject({ code: 'ABORTED', cause: 'at once' })
  await world.settled(world.kv.get(key))
  expect(world.asked.some(isMutation)).toBe(false)
  expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
})

describe('what is no signal', () => {
  const wrong = new AbortController() as unknown as AbortSignal

  test.each([
    ['the controller', wrong], ['a text', 'abort'], ['null', null], ['half of one', { aborted: false, addEventListener: () => {} }],
  ])('is refused: %s; the connection goes on and closes', async (_what, signal) => {
    const world = await openWorld()
    for (let i = 0; i < 2; i += 1) {
      expect(await failureOf(world, world.kv.get(key, { signal: signal as AbortSignal }))).toMatchObject({
        code: 'INVALID', definite: true, message: expect.stringContaining('controller.signal'),
      })
    }
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
    world.pass(500)
    expect(await world.settled(world.kv.get(key))).toBeNull()
    await world.settled(world.kv.close())
  })

  test('is refused by connect, before it looks for a broker', async () => {
    await expect(connect({ servers: 'nats://127.0.0.1:1', signal: wrong })).rejects.toMatchObject({ code: 'INVALID' })
  })
})

test('a call that can not be settled keeps no other from it when the connection fails', async () => {
  const world = await openWorld()
  world.behave(() => 'lose')
  const signal = Object.assign(new AbortController().signal, { removeEventListener: () => { throw new Error('planted') } })
  const pending = [world.kv.get(key, { signal }), world.kv.get(key)]
  world.pass(10)
  world.client.fail('the broker is gone')
  for (const promise of pending) expect(await failureOf(world, promise)).toMatchObject({ code: 'CLOSED' })
  expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  await world.settled(world.kv.close())
})
