/** Operations and the frames they travel in, against real batch doors on a broker in memory (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { bytes } from '../../sdk/codec.ts'
import { ConflictError } from '../../sdk/errors.ts'
import { resultsOf } from '../../sdk/outcome.ts'
import type { Kv } from '../../sdk/kv.ts'
import { failureOf, key, keys, openWorld } from './world.ts'

const putEncoded = (kv: Kv<string>, encode: (value: unknown) => unknown) =>
  kv.withCodec<unknown>({ encode: encode as never, decode: String }).put(key, { a: 1 })

describe('operations', () => {
  test('do what they say, with revisions', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    expect(await settled(kv.get(key))).toBeNull()
    expect(await settled(kv.put(key, 'one'))).toEqual({ revision: 1 })
    expect(await settled(kv.get(key))).toEqual({ key, value: 'one', revision: 1, consistency: 'linearizable' })
    expect(await settled(kv.cas(key, 1, 'two'))).toEqual({ revision: 2 })
    expect(await settled(kv.touch(key, 60_000))).toEqual({ revision: 3 })
    expect(await settled(kv.del(key, { ifRevision: 3 }))).toEqual({ revision: 4 })
    expect(await settled(kv.del(key))).toBeNull()
    expect(await settled(kv.touch(key, 0))).toBeNull()
    expect(await settled(kv.incr(key))).toEqual({ value: 1n, revision: 5 })
    expect(await settled(kv.incr(key, -(2n ** 63n)))).toEqual({ value: -(2n ** 63n) + 1n, revision: 6 })
  })

  test('that meet another revision reject with it', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    await settled(kv.put(key, 'one'))
    const error = await failureOf(world, kv.cas(key, 0, 'two'))
    expect(error).toBeInstanceOf(ConflictError)
    expect(error).toMatchObject({ code: 'CONFLICT', definite: true, revision: 1 })
    const absent = await failureOf(world, kv.cas('absent', 7, 'x'))
    expect(absent).toMatchObject({ revision: 0, message: expect.stringMatching(/does not exist/) })
  })

  test('that can not be meant are refused without the cluster, or by it, and say why', async () => {
    const world = await openWorld()
    const { kv, settled, asked } = world
    const outcomes = await settled(Promise.allSettled([
      kv.put('', 'x'), kv.put(key, 'x'.repeat(600_000)), kv.put(key, 5 as unknown as string), kv.incr(key, 0.5), kv.incr(key, 2n ** 63n),
      kv.touch(key, -1), kv.get(key, { timeoutMs: 0 }),
    ]))
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'OK')))
      .toEqual(['INVALID', 'TOO_LARGE', 'CODEC', 'INVALID', 'INVALID', 'INVALID', 'INVALID'])
    expect(asked).toEqual([])
    await settled(kv.put(key, 'no number'))
    const error = await failureOf(world, kv.incr(key))
    expect(error).toMatchObject({ code: 'INVALID', definite: true, message: expect.stringMatching(/counters only/) })
  })

  test.each([
    ['a codec that gives text', (kv: Kv<string>) => putEncoded(kv, JSON.stringify), 'CODEC'],
    ['a codec that gives numbers', (kv: Kv<string>) => putEncoded(kv, () => [1, 2]), 'CODEC'],
    ['a number for a key', (kv: Kv<string>) => kv.get(5 as never), 'INVALID'],
  ])('from plain JavaScript with %s are refused, and nothing is stored', async (_, misuse, code) => {
    const world = await openWorld()
    expect(await failureOf(world, misuse(world.kv))).toMatchObject({ code, definite: true })
    expect(await world.settled(world.kv.get(key))).toBeNull()
  })

  test('read with a codec that does not fit reject with what it threw', async () => {
    const world = await openWorld()
    await world.settled(world.kv.withCodec(bytes).put(key, Uint8Array.of(0xff)))
    const error = await failureOf(world, world.kv.get(key))
    expect(error).toMatchObject({ code: 'CODEC', definite: true, cause: expect.anything() })
    expect(error).toHaveProperty('message', expect.stringMatching(/does not decode/))
    expect(world.client.stats().inFlightOperations).toBe(0)
  })

  test('on many keys have an outcome each, in order', async () => {
    const world = await openWorld()
    const { kv, settled } = world
    const written = await settled(kv.mput([['a', '1'], { key: 'b', value: '2', ifRevision: 9 }, ['c', '3']]))
    expect(written.map(({ key: name, ok }) => [name, ok])).toEqual([['a', true], ['b', false], ['c', true]])
    expect(() => resultsOf(written)).toThrow(ConflictError)
    const read = await settled(kv.mget(['c', 'b', 'a']))
    expect(resultsOf(read).map((entry) => entry?.value)).toEqual(['3', undefined, '1'])
    expect(resultsOf(await settled(kv.mdel(['a', 'b']))).map((result) => result === null)).toEqual([false, true])
  })
})

describe('batches', () => {
  test('gather the calls of a turn in one frame for each leader', async () => {
    const world = await openWorld()
    const { kv, client, settled } = world
    await settled(Promise.all(keys.map((name) => kv.get(name))))
    const { batches, hellos } = client.stats()
    expect([batches, hellos]).toEqual([3, 3])
    await settled(Promise.all([...keys, ...keys].map((name) => kv.get(name))))
    expect(client.stats()).toMatchObject({ batches: batches + 3, hellos, retries: 0, inFlightOperations: 0, inFlightBytes: 0 })
  })

  test('have one consistency, so reads of another leave apart', async () => {
    const world = await openWorld({ nodes: ['n1'] })
    const { kv, asked, settled } = world
    const entries = await settled(Promise.all([kv.get(key), kv.get(key, { consistency: 'lease' }), kv.put(key, 'x')]))
    expect(entries[1]).toBeNull()
    expect(asked.filter(({ operations }) => operations[0]?.code === OpCode.get).map(({ consistency }) => consistency).sort())
      .toEqual(['lease', 'linearizable'])
  })

  test('of more than 4,096 calls are several', async () => {
    const world = await openWorld({ nodes: ['n1'], shards: 1 })
    const { kv, client, settled } = world
    await settled(Promise.all(Array.from({ length: 5_000 }, () => kv.get(key))))
    const { batches, operations } = client.stats()
    expect(batches).toBeGreaterThanOrEqual(2)
    // A node takes 2,048 at a time, and twice that from a session that is alone: what it refused comes again.
    expect(operations).toBeGreaterThanOrEqual(5_000)
  })
})
