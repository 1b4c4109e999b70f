/** The SDK's way to the leaders and back, against real batch doors on a broker in memory (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { OpCode } from '../../actors/shard/operation.ts'
import { AbortError, ClosedError, ConflictError, OverloadedError, SessionExpiredError, TimeoutError, UnauthorizedError } from '../../sdk/errors.ts'
import { resultsOf } from '../../sdk/outcome.ts'
import { shardOf } from '../../topology/hash.ts'
import { openWorld } from './world.ts'
import type { Asked, Fortune, World } from './world.ts'

const SHARDS = 4
/** A key of each shard. */
const keys = Array.from({ length: SHARDS }, (_, shard) => {
  let n = 0
  while (shardOf(`k${n}`, SHARDS) !== shard) n += 1
  return `k${n}`
})
const key = keys[0] ?? ''
const isMutation = ({ operations }: Asked): boolean => operations.some(({ code }) => code === OpCode.incr || code === OpCode.put)

const failureOf = async (world: World, promise: Promise<unknown>): Promise<unknown> => {
  try {
    await world.settled(promise)
  } catch (error) {
    return error
  }
  throw new Error('the promise was not rejected')
}

/** The fortune of the first write to a key, then service. */
const first = (fortune: Fortune): ((request: Asked) => Fortune) => {
  let isFirst = true
  return (request) => {
    if (!isFirst || !isMutation(request)) return 'serve'
    isFirst = false
    return fortune
  }
}

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
    expect(await failureOf(world, kv.cas('absent', 7, 'x'))).toMatchObject({ revision: 0, message: expect.stringMatching(/does not exist/) })
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
    expect(client.stats()).toMatchObject({ batches: 2, operations: 5_000 })
  })
})

describe('leaders', () => {
  test('that moved are found by the map, and nothing is executed twice', async () => {
    const world = await openWorld()
    const { kv, settled, lead, client } = world
    await settled(kv.incr(key))
    lead(0, 'n2')
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
    expect(client.stats().retries).toBe(1)
  })

  test('that are killed cost no error, and the call that was in flight is executed once', async () => {
    const world = await openWorld()
    const { kv, settled, lead, kill, behave, clock, until } = world
    await settled(kv.incr(key))
    behave((request) => (request.node === 'n1' && isMutation(request) ? 'serveInSilence' : 'serve'))
    const pending = [kv.incr(key), kv.incr(key)]
    await until('the leader has them', () => world.valueOf(key) === '3')
    kill('n1')
    pending.push(kv.incr(key))
    clock.after(800, () => { lead(0, 'n3') })
    const values = (await settled(Promise.all(pending))).map(({ value }) => value)
    expect(values).toEqual([2n, 3n, 4n])
    expect(world.valueOf(key)).toBe('4')
  })

  test('that are silent are given up after a sign of life does not come', async () => {
    const world = await openWorld()
    const { kv, settled, lead, broker, clock } = world
    await settled(kv.incr(key))
    broker.hold('n1')
    lead(0, 'n2')
    const began = clock.now()
    expect(await settled(kv.incr(key))).toMatchObject({ value: 2n })
    expect(clock.now() - began).toBeLessThan(2_000)
    broker.release('n1')
    expect(await settled(kv.incr(key))).toMatchObject({ value: 3n })
  })

  test('that are slow but alive are waited for, and sent nothing twice', async () => {
    const world = await openWorld()
    const { kv, settled, behave, asked, client } = world
    await settled(kv.put(key, 'x'))
    let late: (() => void) | null = null
    behave(first('lose'))
    const began = asked.length
    const pending = kv.put(key, 'y')
    world.clock.after(1_500, () => { late = () => {} })
    await world.until('1.5 s have passed', () => late !== null)
    expect(asked.length - began).toBe(1)
    expect(client.stats().retries).toBe(0)
    expect(await settled(pending)).toMatchObject({ revision: 2 })
  })

  test('that nobody knows are asked for again and again, at the pace of the backoff', async () => {
    const world = await openWorld()
    const { kv, settled, leaderless, lead, clock, client } = world
    await settled(kv.put(key, 'x'))
    leaderless(0)
    world.behave(() => 'serve')
    clock.after(1_000, () => { lead(0, 'n2') })
    const fetches = client.stats().mapFetches
    await settled(kv.put(key, 'y'))
    expect(client.stats().mapFetches - fetches).toBeGreaterThan(3)
    expect(client.stats().mapFetches - fetches).toBeLessThan(25)
  })

  test('are not needed for stale reads', async () => {
    const world = await openWorld()
    const { kv, settled, leaderless, kill } = world
    await settled(kv.put(key, 'x'))
    leaderless(0)
    kill('n1')
    kill('n2')
    expect(await settled(kv.get(key, { consistency: 'stale' }))).toMatchObject({ value: 'x', consistency: 'stale' })
  })
})

describe('answers', () => {
  test.each([
    ['OVERLOADED, definite', { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 40 }],
    ['NO_QUORUM, indefinite', { status: 'NO_QUORUM', revision: 0, definite: false }],
    ['TIMEOUT, indefinite', { status: 'TIMEOUT', revision: 0, definite: false }],
    ['NOT_LEADER', { status: 'NOT_LEADER', revision: 0, definite: true }],
    ['nothing at all', 'lose'],
    ['nothing, but it was executed', 'serveInSilence'],
  ] as const)('%s: the write is sent again and takes effect once', async (_what, fortune) => {
    const world = await openWorld()
    world.behave(first(fortune))
    expect(await world.settled(world.kv.incr(key))).toEqual({ value: 1n, revision: 1 })
    expect(world.valueOf(key)).toBe('1')
    expect(world.client.stats().retries).toBe(1)
  })

  test('with a retry-after are obeyed', async () => {
    const world = await openWorld()
    world.behave(first({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 700 }))
    const began = world.clock.now()
    await world.settled(world.kv.incr(key))
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(700)
  })

  test('that are final are not asked for again, and say whether an earlier copy may have happened', async () => {
    const world = await openWorld()
    world.behave(() => ({ status: 'NO_SPACE', revision: 0, definite: true, message: 'The disk of the leader is full.' }))
    expect(await failureOf(world, world.kv.get(key))).toMatchObject({ code: 'NO_SPACE', definite: true, message: 'The disk of the leader is full.' })
    expect(world.client.stats().retries).toBe(0)
  })

  test('that do not decode are counted, and their calls are asked for again', async () => {
    let isSpoiled = true
    const world = await openWorld({
      fate: ({ from, to, subject }) => {
        if (from === 'n1' && to === 'sdk' && !subject.endsWith('.0') && isSpoiled) return []
        return [0]
      },
    })
    const { kv, bus, settled, until, client } = world
    const pending = kv.incr(key)
    await until('the session and nothing else was asked for', () => world.asked.length === 1)
    isSpoiled = false
    const rogue = world.broker.connect({ name: 'rogue' })
    rogue.publish('_INBOX.sdk.0.1', Uint8Array.of(1, 99, 7))
    expect(await settled(pending)).toMatchObject({ value: 1n })
    expect(client.stats()).toMatchObject({ badFrames: 1 })
    expect(bus.status().connected).toBe(true)
  })
})

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

describe('a call', () => {
  test('that is not answered in time rejects, and says whether it may have happened', async () => {
    const world = await openWorld()
    const { kv, behave } = world
    await world.settled(kv.incr(key))
    behave(() => 'lose')
    const write = await failureOf(world, kv.incr(key, 1, { timeoutMs: 300 }))
    expect(write).toBeInstanceOf(TimeoutError)
    expect(write).toMatchObject({ definite: false, message: expect.stringMatching(/incr of "k\d+" was not answered within 300 ms. It may have happened/) })
    expect(await failureOf(world, kv.get(key, { timeoutMs: 300 }))).toMatchObject({ code: 'TIMEOUT', definite: true })
  })

  test('that never left is definite, and names what stood in its way', async () => {
    const world = await openWorld()
    world.kill('n1')
    world.leaderless(0)
    const error = await failureOf(world, world.kv.put(key, 'x', { timeoutMs: 400 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', definite: true, message: expect.stringMatching(/did not happen.*Last: .*(gone|no leader)/) })
  })

  test('that met nothing but OVERLOADED is told so', async () => {
    const world = await openWorld()
    world.behave(() => ({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 100, message: 'slow down' }))
    const error = await failureOf(world, world.kv.get(key, { timeoutMs: 500 }))
    expect(error).toBeInstanceOf(OverloadedError)
    expect(error).toMatchObject({ definite: true, retryAfterMs: expect.any(Number) })
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

  test('that meets another cluster on its prefix ends, rather than write to it', async () => {
    const world = await openWorld()
    await world.settled(world.kv.incr(key))
    world.claim({ cluster: 'ffffffffffffffff', epoch: 1, shardCount: SHARDS, leaders: keys.map(() => null), replicas: keys.map(() => []) })
    world.lead(0, 'n2')
    expect(await failureOf(world, world.kv.incr(key))).toMatchObject({ code: 'CLOSED', definite: true, message: expect.stringMatching(/another cluster/) })
    expect(await failureOf(world, world.kv.get(key))).toBeInstanceOf(ClosedError)
  })

  test('without permission says which', async () => {
    const world = await openWorld({ permissions: { publish: ['kv.map'], subscribe: ['>'] } })
    await world.settled(world.client.ready())
    const error = await failureOf(world, world.kv.put(key, 'x'))
    expect(error).toBeInstanceOf(UnauthorizedError)
    expect(error).toMatchObject({ definite: true, message: expect.stringMatching(/publish kv\.to\.n1\.batch\.v1.*nats-config/) })
  })

  test.each([
    ['no JSON', 'text'], ['no map', { cluster: 'x' }], ['of no length', { cluster: 'x', epoch: 1, shardCount: 4, leaders: [], replicas: [] }],
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
