/** What the timeout of a call that never left says stood in its way: what does now, or did while it waited; never what is long over. */

import { describe, expect, test } from '@jest/globals'
import { failureOf, key, keys, openWorld } from './world.ts'
import type { World } from './world.ts'

/** The hello does not leave: the call waits without a reason of its own. */
const unsent = (world: World): Promise<unknown> => {
  world.publishing('full')
  return failureOf(world, world.kv.get(key, { timeoutMs: 100 }))
}

describe('the reason of a timeout', () => {
  test('is not that the broker was away, once it is back', async () => {
    const world = await openWorld()
    world.broker.disconnect('sdk')
    world.pass(50)
    world.broker.reconnect('sdk')
    world.pass(1)
    expect(world.client.problem()).toBe('')
    expect(await unsent(world)).toMatchObject({ code: 'TIMEOUT', message: expect.not.stringContaining('Last') })
  })

  test('is not what was over before the call began', async () => {
    const world = await openWorld()
    world.kill('n1')
    expect(await failureOf(world, world.kv.get(key, { timeoutMs: 200 }))).toMatchObject({ message: expect.stringContaining('n1 is gone') })
    world.restart('n1')
    world.pass(60_000)
    expect(await unsent(world)).toMatchObject({ code: 'TIMEOUT', message: expect.not.stringContaining('Last') })
  })

  test('is what happened while it waited, whatever succeeded elsewhere', async () => {
    const world = await openWorld()
    world.kill('n1')
    const pending = world.kv.get(key, { timeoutMs: 400 })
    world.pass(300)
    await world.settled(world.kv.get(keys[1] ?? ''))
    expect(await failureOf(world, pending)).toMatchObject({ message: expect.stringContaining('n1 is gone') })
  })

  test('is that the broker is away while it is, however long ago it went', async () => {
    const world = await openWorld()
    world.broker.disconnect('sdk')
    world.pass(60_000)
    const error = await failureOf(world, world.kv.get(key, { timeoutMs: 200 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('the broker is not connected') })
  })
})
