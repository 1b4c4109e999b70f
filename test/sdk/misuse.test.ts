/** What plain JavaScript lets through: each is refused with InvalidError, which says what was meant; nothing throws. */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
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

  test('has entries: what is none fails alone, and nothing throws', async () => {
    const world = await openWorld()
    const entries = [null, undefined, 7, 'ab', [key, 'v']] as unknown as (readonly [string, string])[]
    const outcomes = await world.settled(world.kv.mput(entries))
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual(['INVALID', 'INVALID', 'INVALID', 'INVALID', 'ok'])
    expect(outcomes[0]).toMatchObject({ error: invalid(/\[key, value\] or \{ key, value \}/) })
    expect(world.valueOf(key)).toBe('v')
  })

  test('has pairs of two: options that stand third would be dropped, and the key would never expire', async () => {
    const world = await openWorld()
    const entries = [[key, 'v', { ttlMs: 60 }], [key], [], [key, 'v']] as unknown as (readonly [string, string])[]
    const outcomes = await world.settled(world.kv.mput(entries))
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual(['INVALID', 'INVALID', 'INVALID', 'ok'])
    expect(outcomes[0]).toMatchObject({ error: invalid(/with options write \{ key, value, ttlMs \}/) })
    expect(world.asked.flatMap(({ operations }) => operations).filter(({ code }) => code === OpCode.put)).toHaveLength(1)
  })

  test.each([['text', ''], ['a text of digits', '5'], ['null', null], ['true', true], ['a list', [5]]])(
    'and an amount that is %s is refused before the cluster is asked', async (_what, by) => {
      const world = await openWorld()
      expect(await failureOf(world, world.kv.incr(key, by as unknown as number))).toMatchObject(invalid(/incr adds a whole number/))
      expect(world.asked).toEqual([])
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

  test('that is not known is refused by every operation, before the cluster is asked', async () => {
    const world = await openWorld()
    const { kv } = world
    const options = { ttl: 60 } as PutOptions
    const refused = {
      get: kv.get(key, options), put: kv.put(key, 'v', options), cas: kv.cas(key, 1, 'v', options), del: kv.del(key, options),
      incr: kv.incr(key, 1, options), touch: kv.touch(key, 1, options),
    }
    for (const [name, promise] of Object.entries(refused)) {
      expect([name, await failureOf(world, promise)]).toEqual([name, expect.objectContaining(invalid(/"ttl". Is it ttlMs\?/))])
    }
    const entries: readonly (readonly [string, string] | PutEntry<string>)[] = [[key, 'v'], { key, value: 'v' }]
    const lists = [kv.mget([key], options), kv.mdel([key], options), ...entries.map((entry) => kv.mput([entry], options))]
    for (const promise of lists) {
      expect(await world.settled<readonly object[]>(promise)).toMatchObject([{ ok: false, error: invalid(/"ttl"/) }])
    }
    expect(world.asked).toEqual([])
  })

  test('is no number and no text: a key would never expire', async () => {
    const world = await openWorld()
    const { kv } = world
    for (const given of [60, 'stale', true, () => {}]) {
      const options = given as unknown as PutOptions
      const refused = {
        get: kv.get(key, options), put: kv.put(key, 'v', options), cas: kv.cas(key, 1, 'v', options), del: kv.del(key, options),
        incr: kv.incr(key, 1, options), touch: kv.touch(key, 1, options),
      }
      for (const [name, promise] of Object.entries(refused)) {
        expect([name, await failureOf(world, promise)]).toEqual([name, expect.objectContaining(invalid(/^Options are an object/))])
      }
      expect(await world.settled(kv.mget([key], options))).toMatchObject([{ ok: false, error: invalid(/^Options are an object/) }])
      const entries = [given] as unknown as PutEntry<string>[]
      expect(await world.settled(kv.mput(entries))).toMatchObject([{ ok: false, error: invalid(/^An entry of mput is/) }])
    }
    expect(world.asked).toEqual([])
    expect(await world.settled(kv.get(key, null as unknown as undefined))).toBeNull()
  })

  test('that resembles none is refused with the list of them', async () => {
    const world = await openWorld()
    const options = { somethingElse: 1 } as PutOptions
    expect(await failureOf(world, world.kv.get(key, options))).toMatchObject(invalid(/"somethingElse".*timeoutMs, /))
  })

  test.each<readonly [string, unknown]>([['ttlMs', null], ['ttlMs', -1], ['ifRevision', '7'], ['timeoutMs', 0], ['consistency', 'strong']])(
    '%s that is %j is refused, in an entry of a list, too', async (name, value) => {
      const world = await openWorld()
      const options = { [name]: value } as PutOptions
      expect(await failureOf(world, world.kv.put(key, 'v', options))).toMatchObject({ code: 'INVALID' })
      const entry = { key, value: 'v', ...options } as PutEntry<string>
      expect(await world.settled(world.kv.mput([entry]))).toMatchObject([{ ok: false, error: { code: 'INVALID' } }])
      expect(world.asked).toEqual([])
    })

  test('a revision or a time to live that is left out is no write without it', async () => {
    const world = await openWorld()
    const nothing = undefined as unknown as number
    expect(await failureOf(world, world.kv.cas(key, nothing, 'v'))).toMatchObject(invalid(/revision is missing/))
    expect(await failureOf(world, world.kv.touch(key, nothing))).toMatchObject(invalid(/ttlMs is missing/))
    expect(world.asked).toEqual([])
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

  test.each<readonly [string, unknown, RegExp]>([
    ['an address alone', servers, /connect\(\{ servers \}\)/], ['null', null, /object of options/],
    ['a port for an address', { servers: 4_222 }, /servers is an address/],
    ['a list of ports', { servers: [4_222] }, /servers is an address/],
    ['the path of a credentials file', { creds: './user.creds' }, /content of a credentials file, not its path/],
    ['credentials that were cut off', { creds: '-----BEGIN NATS USER JWT-----' }, /creds holds no JWT and seed/],
    ['a public key for a seed', { nkeySeed: 'UABC' }, /nkeySeed is no seed of a user/],
    ['a number for a user', { user: 5 }, /user is text/], ['a number for a password', { password: 5 }, /password is text/],
    ['nothing for a token', { token: null }, /token is text/], ['a number for a name', { name: 5 }, /name is text/],
    ['a number for a prefix', { prefix: 5 }, /prefix is text/], ['a number for a seed', { nkeySeed: 5 }, /nkeySeed is text/],
    ['a path for TLS', { tls: './ca.pem' }, /tls is an object/],
    ['a trace for who gives it', { traceparent: '00-01-02-01' }, /traceparent is a function/],
    ['an inbox that nodes do not answer to', { inboxPrefix: 'ann' }, /inboxPrefix is _INBOX, or a subject under it/],
  ])('refuses %s, and says what it is instead', async (_what, options, saying) => {
    await expect(connect(options as { servers: string })).rejects.toMatchObject(invalid(saying))
  })
})
