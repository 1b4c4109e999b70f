/** A close that is told how long it may take, and what becomes of the calls that it does not wait for. */

import { describe, expect, jest, test } from '@jest/globals'
import { AbortError, TimeoutError } from '../../sdk/errors.ts'
import { resultsOf } from '../../sdk/outcome.ts'
import { failureOf, key, keys, openWorld } from './world.ts'
import type { CloseOptions } from '../../sdk/options.ts'

describe('a close', () => {
  test('whose time is over cuts off what is in flight, and says that it may have happened', async () => {
    const world = await openWorld()
    const { kv, behave, until, clock } = world
    await world.settled(kv.incr(key))
    behave(() => 'serveInSilence')
    const pending = kv.incr(key)
    await until('the write has left', () => world.valueOf(key) === '2')
    const askedAt = clock.now()
    const error = await failureOf(world, kv.close({ timeoutMs: 300 }))
    expect(error).toBeInstanceOf(TimeoutError)
    expect(error).toMatchObject({ definite: false, message: expect.stringMatching(/closed after 300 ms: 1 in flight cut off/) })
    expect(clock.now() - askedAt).toBeLessThan(400)
    expect(await failureOf(world, pending)).toMatchObject({ code: 'CLOSED', definite: false })
    expect(world.bus.status().connected).toBe(false)
    await world.settled(kv.close())
  })

  test('that is aborted cuts off what is in flight; reads had no effect', async () => {
    const world = await openWorld()
    world.behave(() => 'lose')
    const pending = world.kv.get(key)
    const controller = new AbortController()
    const closing = world.kv.close({ signal: controller.signal })
    world.pass(100)
    controller.abort('enough')
    const error = await failureOf(world, closing)
    expect(error).toBeInstanceOf(AbortError)
    expect(error).toMatchObject({ definite: true, cause: 'enough' })
    expect(await failureOf(world, pending)).toMatchObject({ code: 'CLOSED', definite: true })
    expect(world.bus.status().connected).toBe(false)
  })

  test('that may wait no longer for the goodbye alone has lost nothing, and resolves', async () => {
    const world = await openWorld()
    const { kv, clock } = world
    await world.settled(kv.incr(key))
    world.behave(() => 'lose')
    const askedAt = clock.now()
    await world.settled(kv.close({ timeoutMs: 100 }))
    expect(clock.now() - askedAt).toBeLessThan(200)
    const other = await openWorld()
    await other.settled(other.kv.close({ signal: AbortSignal.abort() }))
    expect(other.bus.status().connected).toBe(false)
  })

  test('in time is one like any other, and leaves no listener behind', async () => {
    const world = await openWorld()
    const { signal } = new AbortController()
    const [added, removed] = [jest.spyOn(signal, 'addEventListener'), jest.spyOn(signal, 'removeEventListener')]
    const pending = world.kv.incr(key)
    const closing = world.kv.close({ timeoutMs: 5_000, signal })
    expect(await world.settled(pending)).toMatchObject({ value: 1n })
    await world.settled(closing)
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1])
    expect(world.asked.at(-1)?.operations).toHaveLength(1)
  })

  test('that was begun without a limit can be given one', async () => {
    const world = await openWorld()
    world.behave(() => 'lose')
    const pending = failureOf(world, world.kv.get(key, { timeoutMs: 60_000 }))
    const patient = world.kv.close()
    expect(await failureOf(world, world.kv.close({ timeoutMs: 50 }))).toBeInstanceOf(TimeoutError)
    expect(await pending).toMatchObject({ code: 'CLOSED' })
    await world.settled(patient)
  })

  test('waits for a list to its end, also for the keys of it that have not left yet', async () => {
    const world = await openWorld({ limits: { operationsMax: 40 } })
    const { kv } = world
    const entries = Array.from({ length: 100 }, (_, n) => [`listed${n}`, 'v'] as const)
    const lists = [kv.mput(entries), kv.mget(entries.map(([name]) => name))] as const
    const closing = kv.close()
    const [late] = await world.settled(kv.mput([['late', 'v']]))
    expect(late).toMatchObject({ ok: false, error: { code: 'CLOSED', definite: true } })
    expect(resultsOf(await world.settled(lists[0]))).toHaveLength(100)
    expect(resultsOf(await world.settled(lists[1]))).toHaveLength(100)
    await world.settled(closing)
    expect(world.bus.status().connected).toBe(false)
  })

  test('whose time is over cuts off a list, too: what has not left did not happen', async () => {
    const world = await openWorld({ limits: { operationsMax: 40 } })
    const { kv } = world
    await world.settled(kv.mget(keys))
    world.behave(() => 'lose')
    const list = kv.mdel(Array.from({ length: 30 }, (_, n) => `listed${n}`))
    expect(await failureOf(world, kv.close({ timeoutMs: 100 }))).toBeInstanceOf(TimeoutError)
    const outcomes = await world.settled(list)
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual(outcomes.map(() => 'CLOSED'))
    expect(outcomes.at(-1)).toMatchObject({ error: { definite: true } })
    await world.settled(kv.close())
  })

  test.each<readonly [string, unknown]>([
    ['a timeout of nothing', { timeoutMs: 0 }], ['an option that there is not', { timeout: 5 }],
    ['a controller', { signal: new AbortController() }], ['a number', 5_000],
  ])('is refused with %s, and the connection goes on', async (_what, options) => {
    const world = await openWorld()
    expect(await failureOf(world, world.kv.close(options as CloseOptions))).toMatchObject({ code: 'INVALID', definite: true })
    expect(await world.settled(world.kv.get(key))).toBeNull()
  })
})
