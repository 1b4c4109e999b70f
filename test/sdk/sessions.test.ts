/** Exactly-once sessions as the SDK keeps them, against the real state machine in virtual time (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { SessionExpiredError } from '../../sdk/errors.ts'
import { failureOf, first, isMutation, key, keys, openWorld } from './world.ts'

describe('sessions', () => {
  test('are opened once for each shard written to, and not for reads', async () => {
    const world = await openWorld()
    const { kv, settled, client } = world
    await settled(Promise.all(keys.map((name) => kv.get(name))))
    expect(client.stats().sessions).toBe(0)
    await settled(Promise.all([kv.put(key, 'a'), kv.put(key, 'b'), kv.put(keys[1] ?? '', 'c')]))
    await settled(kv.put(key, 'd'))
    expect(client.stats().sessions).toBe(2)
  })

  test('that ended are replaced when nothing is open, and the write succeeds', async () => {
    const world = await openWorld()
    const { kv, settled, age, client } = world
    await settled(kv.incr(key))
    age(700_000)
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
    expect(client.stats().sessions).toBe(2)
  })

  test('that ended while a write was open make that write indefinite, and never execute it again', async () => {
    const world = await openWorld()
    const { kv, settled, age, behave } = world
    await settled(kv.incr(key))
    behave((request) => {
      if (!isMutation(request)) return 'serve'
      behave(() => 'serve')
      age(700_000)
      return { status: 'NO_QUORUM', revision: 0, definite: false }
    })
    const error = await failureOf(world, kv.incr(key))
    expect(error).toBeInstanceOf(SessionExpiredError)
    expect(error).toMatchObject({ definite: false, message: expect.stringMatching(/Read the key/) })
    expect(world.valueOf(key)).toBe('1')
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
  })

  test('that rest for four minutes are not used again', async () => {
    const world = await openWorld()
    const { kv, settled, pass, client } = world
    await settled(kv.incr(key))
    pass(241_000)
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
    expect(client.stats()).toMatchObject({ sessions: 2, retries: 0 })
  })

  test('hold a window of 1,024 writes, and their mark follows what callers know', async () => {
    const world = await openWorld()
    const { kv, settled, asked, behave } = world
    behave(first({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 30 }))
    await settled(Promise.all(Array.from({ length: 3_000 }, () => kv.incr(key))))
    expect(world.valueOf(key)).toBe('3000')
    for (const { operations } of asked) {
      for (const { session } of operations) {
        if (session !== undefined) expect(session.sequence - session.firstIncomplete).toBeLessThan(1_024)
      }
    }
    await settled(kv.incr(key))
    expect(asked.at(-1)?.operations[0]?.session).toMatchObject({ sequence: 3_001, firstIncomplete: 3_001 })
  })

  test('are closed when the connection is, and so forgotten by the shard', async () => {
    const world = await openWorld()
    const { kv, settled, asked } = world
    await settled(kv.incr(key))
    await settled(kv.close())
    expect(asked.at(-1)?.operations.map(({ code }) => code)).toEqual([OpCode.closeSession])
    expect(world.door('n1').counters()).toMatchObject({ sessions: 0 })
  })
})
