/** What plain JavaScript lets through: each is refused with InvalidError, which says what was meant; nothing throws. */

import { describe, expect, test } from '@jest/globals'
import { connect, json } from '../../sdk/index.ts'
import { failureOf, key, openWorld } from './world.ts'
import type { Codec } from '../../sdk/codec.ts'
import type { PutEntry, PutOptions } from '../../sdk/options.ts'

const invalid = (saying: RegExp) => ({ code: 'INVALID', definite: true, message: expect.stringMatching(saying) })

describe('a list of keys', () => {
  test('is no key: its characters would be read and deleted as keys', async () => {
    const world = await openWorld()
    const { kv } = world
    // @ts-expect-error a text is no list of keys
    expect(await failureOf(world, kv.mget('user42'))).toMatchObject(invalid(/list of keys.*\["user42"\]/))
    // @ts-expect-error a text is no list of keys
    expect(await failureOf(world, kv.mdel('user42'))).toMatchObject(invalid(/list of keys/))
    expect(await failureOf(world, kv.mput('ab' as unknown as []))).toMatchObject(invalid(/list of entries/))
    expect(await failureOf(world, kv.mget(Uint8Array.of(65) as unknown as []))).toMatchObject(invalid(/list of keys/))
    expect(await failureOf(world, kv.mput({ a: '1' } as unknown as []))).toMatchObject(invalid(/list of entries/))
    expect(world.asked).toEqual([])
    expect(await world.settled(kv.mget(new Set([key])))).toMatchObject([{ ok: true }])
  })
})

describe('an option', () => {
  test.each([
    ['ttl', 'ttlMs'], ['timeout', 'timeoutMs'], ['ifrevision', 'ifRevision'], ['Signal', 'signal'], ['partitionn', 'partition'],
  ])('that is called %s is refused, and %s proposed', async (wrong, right) => {
    const world = await openWorld()
    const options = { [wrong]: 60 } as PutOptions
    expect(await failureOf(world, world.kv.put(key, 'v', options))).toMatchObject(invalid(new RegExp(`"${wrong}".*${right}\\?`)))
    const entry = { key, value: 'v', [wrong]: 60 } as PutEntry<string>
    expect(await world.settled(world.kv.mput([entry]))).toMatchObject([{ ok: false, error: invalid(/There is no option/) }])
    expect(world.asked).toEqual([])
  })

  test('that resembles none is refused with the list of them', async () => {
    const world = await openWorld()
    const options = { somethingElse: 1 } as PutOptions
    expect(await failureOf(world, world.kv.get(key, options))).toMatchObject(invalid(/"somethingElse".*timeoutMs, /))
  })

  test('partition that is no text is refused, and nothing throws', async () => {
    const world = await openWorld()
    const options = { partition: 42 } as unknown as PutOptions
    expect(await failureOf(world, world.kv.get(key, options))).toMatchObject(invalid(/partition is text/i))
    expect(await world.settled(world.kv.mget([key], options))).toMatchObject([{ ok: false, error: invalid(/partition/i) }])
  })
})

describe('a codec', () => {
  test.each([['json that was not called', json], ['nothing', undefined], ['half of one', { encode: () => new Uint8Array(0) }]])(
    'is refused: %s', async (_what, codec) => {
      const world = await openWorld()
      const kv = world.kv.withCodec(codec as unknown as Codec<string>)
      for (const refused of [() => kv.get(key), () => kv.put(key, 'x'), () => kv.del(key), () => kv.incr(key)]) {
        expect(await failureOf(world, refused())).toMatchObject(invalid(/codec.*encode.*decode.*json\(\)/))
      }
      expect(world.asked).toEqual([])
    })
})

describe('connect', () => {
  const servers = 'nats://127.0.0.1:1'

  test.each([
    ['operations', { inFlightOperationsMax: Number.NaN }, /inFlightOperationsMax/],
    ['bytes', { inFlightBytesMax: Number.NaN }, /inFlightBytesMax/],
    ['no operation', { inFlightOperationsMax: 0 }, /inFlightOperationsMax/],
    ['a codec', { codec: json as unknown as Codec<string> }, /codec/],
    ['a name', { server: servers }, /"server".*servers\?/], ['another name', { timeout: 100 }, /timeoutMs\?/],
  ])('refuses a wrong option before it looks for a broker: %s', async (_what, options, saying) => {
    await expect(connect({ servers, ...options })).rejects.toMatchObject(invalid(saying))
  })
})
