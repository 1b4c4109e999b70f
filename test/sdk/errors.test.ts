/**
 * Every class of error once, each met where it arises: what it says of the effect, and what its message says to do. And every operation
 * with a timeout and with a signal. Against real batch doors (world.ts); `connect` against no broker at all.
 */

import { describe, expect, test } from '@jest/globals'
import * as sdk from '../../sdk/index.ts'
import { bytes, json } from '../../sdk/codec.ts'
import { failureOf, first, isMutation, key, openWorld } from './world.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { CallOptions } from '../../sdk/options.ts'
import type { World, WorldOptions } from './world.ts'

const { ShardKvError } = sdk
const classes: ReadonlyMap<string, unknown> = new Map(Object.entries(sdk)
  .filter(([, value]) => (value as { readonly prototype?: unknown }).prototype instanceof ShardKvError))

interface Case {
  readonly error: string
  readonly code: string
  readonly definite: boolean
  /** What to do about it, in the message. */
  readonly advice: RegExp
  readonly world?: WorldOptions
  readonly fail: (world: World) => Promise<unknown> | Promise<unknown>[]
}

const answer = (status: OperationResult['status'], more: Partial<OperationResult> = {}): OperationResult =>
  ({ status, revision: 0, definite: true, ...more })

/** The first copy of the write is applied and not answered; the next one is refused. */
const refusedLater = (status: OperationResult['status'], message: string) => (world: World): Promise<unknown> => {
  const fortune = first('serveInSilence')
  let copies = 0
  world.behave((request) => {
    copies += isMutation(request) ? 1 : 0
    return copies > 1 ? answer(status, { message }) : fortune(request)
  })
  return world.kv.put(key, 'x')
}

const cases: Readonly<Record<string, Case>> = {
  'a key that has another revision': {
    error: 'ConflictError', code: 'CONFLICT', definite: true, advice: /does not exist, not 7: read it and decide again/,
    fail: ({ kv }) => kv.cas(key, 7, 'x'),
  },
  'an empty key': {
    error: 'InvalidError', code: 'INVALID', definite: true, advice: /The key can not be used: /, fail: ({ kv }) => kv.put('', 'x'),
  },
  'an option out of its range': {
    error: 'InvalidError', code: 'INVALID', definite: true, advice: /from 1 to 300000/, fail: ({ kv }) => kv.get(key, { timeoutMs: 0 }),
  },
  'a value above the limit': {
    error: 'TooLargeError', code: 'TOO_LARGE', definite: true, advice: /has 600000 bytes: the limit is 524288. Split it/,
    fail: ({ kv }) => kv.put(key, 'x'.repeat(600_000)),
  },
  'a key above the limit': {
    error: 'TooLargeError', code: 'TOO_LARGE', definite: true, advice: /at most 1024 bytes, this one 1025/,
    fail: ({ kv }) => kv.get('k'.repeat(1_025)),
  },
  'too many calls at a time': {
    error: 'OverloadedError', code: 'OVERLOADED', definite: true, advice: /Await some before you send more/,
    world: { limits: { operationsMax: 1 } }, fail: ({ kv }) => [kv.get(key), kv.get(key)],
  },
  'a cluster that is overloaded': {
    error: 'OverloadedError', code: 'OVERLOADED', definite: true, advice: /send less at a time. Last: slow down/,
    fail: ({ kv, behave }) => {
      behave(() => answer('OVERLOADED', { retryAfterMs: 50, message: 'slow down' }))
      return kv.get(key, { timeoutMs: 300 })
    },
  },
  'a disk that is full': {
    error: 'NoSpaceError', code: 'NO_SPACE', definite: true, advice: /^The disk of the leader is full: free space there\.$/,
    fail: ({ kv, behave }) => {
      behave(() => answer('NO_SPACE', { message: 'The disk of the leader is full: free space there.' }))
      return kv.put(key, 'x')
    },
  },
  'a disk that is full, after an attempt without an answer': {
    error: 'NoSpaceError', code: 'NO_SPACE', definite: false,
    advice: /free space there\. An earlier attempt may have happened: read the key before you write again\.$/,
    fail: refusedLater('NO_SPACE', 'The disk of the leader is full: free space there.'),
  },
  'a permission that is missing': {
    error: 'UnauthorizedError', code: 'UNAUTHORIZED', definite: true,
    advice: /not let this user publish kv\.to\.n1\.batch\.v1\. It did not happen.*shardkv nats-config prints the permissions/,
    world: { permissions: { publish: ['kv.map'], subscribe: ['>'] } },
    fail: ({ kv }) => kv.put(key, 'x'),
  },
  'a broker that is not there': {
    error: 'UnavailableError', code: 'UNAVAILABLE', definite: true, advice: /Is nats-server running there\?/,
    fail: () => sdk.connect({ servers: 'nats://127.0.0.1:1' }),
  },
  'a session that ended under a write': {
    error: 'SessionExpiredError', code: 'SESSION_EXPIRED', definite: false, advice: /Read the key before you write again/,
    fail: refusedLater('SESSION_EXPIRED', ''),
  },
  'an id that a copy of this client has given to another write': {
    error: 'RequestIdReusedError', code: 'REQUEST_ID_REUSED', definite: true,
    advice: /^put of "k\d+": its id was given to another write.*let each copy connect by itself.*It did not happen\.$/,
    fail: ({ kv, behave }) => {
      behave((request) => (isMutation(request) ? answer('REQUEST_ID_REUSED') : 'serve'))
      return kv.put(key, 'x')
    },
  },
  'a value whose bytes were changed between two attempts': {
    error: 'RequestIdReusedError', code: 'REQUEST_ID_REUSED', definite: false,
    advice: /bytes of its value were changed.*may have happened: read/,
    fail: async ({ kv, behave, until, valueOf }) => {
      behave(first('serveInSilence'))
      const value = new TextEncoder().encode('first')
      const pending = kv.withCodec(bytes).put(key, value)
      pending.catch(() => {})
      await until('the write has happened', () => valueOf(key) === 'first')
      value.set(new TextEncoder().encode('other'))
      return pending
    },
  },
  'a write without an answer': {
    error: 'TimeoutError', code: 'TIMEOUT', definite: false,
    advice: /^put of "k\d+" was not answered within 200 ms\. It may have happened: read the key before you write again\./,
    fail: async (world) => {
      await world.settled(world.kv.put(key, 'x'))
      world.behave(() => 'lose')
      return world.kv.put(key, 'y', { timeoutMs: 200 })
    },
  },
  'a read without an answer': {
    error: 'TimeoutError', code: 'TIMEOUT', definite: true, advice: /It did not happen: try again/,
    fail: ({ kv, behave }) => {
      behave(() => 'lose')
      return kv.get(key, { timeoutMs: 200 })
    },
  },
  'a signal': {
    error: 'AbortError', code: 'ABORTED', definite: true, advice: /was aborted. It did not happen: try again/,
    fail: ({ kv }) => kv.put(key, 'x', { signal: AbortSignal.abort() }),
  },
  'a connection that is closed': {
    error: 'ClosedError', code: 'CLOSED', definite: true, advice: /close was called.*connect again/,
    fail: async ({ kv, settled }) => {
      await settled(kv.close())
      return kv.get(key)
    },
  },
  'a connection that ends under a read': {
    error: 'ClosedError', code: 'CLOSED', definite: true, advice: /planted. Connect again. It did not happen: repeat it then/,
    fail: ({ kv, client }) => {
      const pending = kv.get(key)
      client.fail('planted')
      return pending
    },
  },
  'a connection that ends under a write': {
    error: 'ClosedError', code: 'CLOSED', definite: false, advice: /Connect again. It may have happened: read the key before you write/,
    fail: async ({ kv, client, behave, until, valueOf }) => {
      behave(first('serveInSilence'))
      const pending = kv.put(key, 'written')
      pending.catch(() => {})
      await until('the write has happened', () => valueOf(key) === 'written')
      client.fail('planted')
      return pending
    },
  },
  'a value that its codec can not encode': {
    error: 'CodecError', code: 'CODEC', definite: true, advice: /can not be encoded: .*choose a codec: kv.withCodec\(text\)/,
    fail: ({ kv }) => kv.withCodec(bytes).put(key, 'text' as unknown as Uint8Array),
  },
  'a value that was written with another codec': {
    error: 'CodecError', code: 'CODEC', definite: true, advice: /does not decode: read it with the codec it was written with/,
    fail: async ({ kv, settled }) => {
      await settled(kv.put(key, 'no JSON'))
      return kv.withCodec(json()).get(key)
    },
  },
  'a bug of the cluster': {
    error: 'InternalError', code: 'INTERNAL', definite: true,
    advice: /put of "k\d+" met a bug of the cluster, please report it: INTERNAL: planted/,
    fail: ({ kv, behave }) => {
      behave((request) => (isMutation(request) ? answer('INTERNAL', { message: 'planted' }) : 'serve'))
      return kv.put(key, 'x')
    },
  },
}

describe('an error says what it is, whether there was an effect, and what to do', () => {
  test.each(Object.entries(cases))('%s', async (_what, { error: name, code, definite, advice, world: options, fail }) => {
    const world = await openWorld(options)
    if (options?.permissions !== undefined) await world.settled(world.client.ready())
    const given = fail(world)
    const [last, ...others] = Array.isArray(given) ? given.toReversed() : [given]
    const error = await failureOf(world, last ?? Promise.resolve())
    await Promise.all(others.map((other) => world.settled(other)))
    expect(error).toBeInstanceOf(ShardKvError)
    expect(error).toBeInstanceOf(classes.get(name))
    expect(error).toMatchObject({ name, code, definite, message: expect.stringMatching(advice) })
  })

  test('every class of the package is among them', () => {
    expect([...new Set(Object.values(cases).map(({ error }) => error))].toSorted()).toEqual([...classes.keys()].toSorted())
  })
})

type Perform = (world: World, options: CallOptions) => Promise<unknown>

const operations: Readonly<Record<string, Perform>> = {
  get: ({ kv }, options) => kv.get(key, options),
  'get, stale': ({ kv }, options) => kv.get(key, { ...options, consistency: 'stale' }),
  put: ({ kv }, options) => kv.put(key, 'x', options),
  cas: ({ kv }, options) => kv.cas(key, 0, 'x', options),
  del: ({ kv }, options) => kv.del(key, options),
  incr: ({ kv }, options) => kv.incr(key, 1, options),
  touch: ({ kv }, options) => kv.touch(key, 1_000, options),
  mget: async ({ kv }, options) => sdk.resultsOf(await kv.mget([key], options)),
  mput: async ({ kv }, options) => sdk.resultsOf(await kv.mput([[key, 'x']], options)),
  mdel: async ({ kv }, options) => sdk.resultsOf(await kv.mdel([key], options)),
}

describe.each(Object.entries(operations))('%s', (_name, perform) => {
  test('ends when its time is over, and 50 ms later at most', async () => {
    const world = await openWorld()
    // So that the session is there: its opening has a time of its own.
    await world.settled(world.kv.put(key, '1'))
    world.behave(() => 'lose')
    const askedAt = world.clock.now()
    expect(await failureOf(world, perform(world, { timeoutMs: 400 }))).toMatchObject({ code: 'TIMEOUT' })
    const tookMs = world.clock.now() - askedAt
    expect([tookMs >= 400, tookMs <= 460]).toEqual([true, true])
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })

  test('ends at once when its signal says so, before and during', async () => {
    const world = await openWorld()
    world.behave(() => 'lose')
    const before = await failureOf(world, perform(world, { signal: AbortSignal.abort('before') }))
    expect(before).toMatchObject({ code: 'ABORTED', definite: true, cause: 'before' })
    const controller = new AbortController()
    const pending = perform(world, { signal: controller.signal })
    await world.until('it has left', () => world.asked.length > 0)
    const abortedAt = world.clock.now()
    controller.abort('during')
    expect(await failureOf(world, pending)).toMatchObject({ code: 'ABORTED', cause: 'during' })
    expect(world.clock.now() - abortedAt).toBeLessThanOrEqual(2)
  })
})
