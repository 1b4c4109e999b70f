/** What the SDK does when leaders move, die, sleep or refuse, against real batch doors in virtual time (world.ts). */

import { describe, expect, test } from '@jest/globals'
import { failureOf, first, isMutation, key, keys, openWorld } from './world.ts'

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

  test('that were restarted know no door session any more: another is opened, and nothing is lost', async () => {
    const world = await openWorld()
    const { kv, settled, client } = world
    await settled(kv.incr(key))
    world.restart('n1')
    expect((await settled(Promise.all([kv.incr(key), kv.incr(key)]))).map(({ value }) => value)).toEqual([2n, 3n])
    expect(client.stats()).toMatchObject({ hellos: 2, retries: 2, sessions: 1 })
  })

  test('that leave before anybody said hello are waited out', async () => {
    const world = await openWorld()
    const { kv, settled, door, lead, clock } = world
    door('n1').drain()
    clock.after(300, () => { lead(0, 'n2') })
    expect(await settled(kv.incr(key))).toMatchObject({ value: 1n })
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

  test('with a retry-after are obeyed though something else of their shard succeeds meanwhile', async () => {
    const world = await openWorld()
    await world.settled(world.kv.incr(key))
    world.behave(first({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 700 }))
    const began = world.clock.now()
    const write = world.kv.incr(key)
    // Half an answer's time later, so that its success comes after the refusal.
    world.pass(0.5)
    expect(await world.settled(world.kv.get(key))).toMatchObject({ value: '1' })
    await world.settled(write)
    expect(world.clock.now() - began).toBeGreaterThanOrEqual(700)
    expect(world.client.stats().retries).toBe(1)
  })

  test('that are final are not asked for again, and say whether an earlier copy may have happened', async () => {
    const world = await openWorld()
    world.behave(() => ({ status: 'NO_SPACE', revision: 0, definite: true, message: 'The disk of the leader is full.' }))
    const error = await failureOf(world, world.kv.get(key))
    expect(error).toMatchObject({ code: 'NO_SPACE', definite: true, message: 'The disk of the leader is full.' })
    expect(world.client.stats().retries).toBe(0)
    let copies = 0
    world.behave((request) => {
      copies += isMutation(request) ? 1 : 0
      if (copies > 1) return { status: 'NO_SPACE', revision: 0, definite: true, message: 'The disk of the leader is full.' }
      return copies === 1 ? 'serveInSilence' : 'serve'
    })
    const later = await failureOf(world, world.kv.put(key, 'x'))
    const saying = 'The disk of the leader is full. An earlier attempt may have happened: read the key before you write again.'
    expect(later).toMatchObject({ code: 'NO_SPACE', definite: false, message: saying })
    expect([world.valueOf(key), world.client.stats().retries]).toEqual(['x', 1])
  })

  test('that do not decode are counted, and their calls are asked for again', async () => {
    let isSpoiled = true
    const world = await openWorld({
      fate: ({ from, to, subject }) => {
        if (from === 'n1' && to === 'sdk' && !/\.0\.t\d+$/.test(subject) && isSpoiled) return []
        return [0]
      },
    })
    const { kv, bus, settled, until, client } = world
    const pending = kv.incr(key)
    await until('the session and nothing else was asked for', () => world.asked.length === 1)
    isSpoiled = false
    const rogue = world.broker.connect({ name: 'rogue' })
    rogue.publish('_INBOX.sdk.0.1.t2', Uint8Array.of(1, 99, 7))
    expect(await settled(pending)).toMatchObject({ value: 1n })
    expect(client.stats()).toMatchObject({ badFrames: 1 })
    expect(bus.status().connected).toBe(true)
  })
})

describe('a node whose door the broker keeps this user from', () => {
  const without = (...doors: string[]) => ({ publish: ['kv.map', ...doors.map((node) => `kv.to.${node}.>`)], subscribe: ['_INBOX.>'] })

  test('fails the calls for its shards, and no others', async () => {
    const world = await openWorld({ permissions: without('n1', 'n3') })
    await world.settled(world.client.ready())
    const [own, denied, another] = keys.map((name) => world.kv.put(name, 'v'))
    expect(await failureOf(world, denied as Promise<unknown>))
      .toMatchObject({ code: 'UNAUTHORIZED', message: expect.stringContaining('kv.to.n2.') })
    await world.settled(Promise.all([own, another]))
  })

  test('fails no stale read while another replica can be asked', async () => {
    const world = await openWorld({ permissions: without('n1', 'n3') })
    await world.settled(world.client.ready())
    const reads = Array.from({ length: 6 }, (_, i) => world.kv.get(keys[i % keys.length] as string, { consistency: 'stale' }))
    expect(await world.settled(Promise.all(reads))).toEqual(reads.map(() => null))
  })

  test('fails a stale read that every other replica\'s door is closed to as well', async () => {
    const world = await openWorld({ permissions: without() })
    await world.settled(world.client.ready())
    expect(await failureOf(world, world.kv.get(key, { consistency: 'stale' }))).toMatchObject({ code: 'UNAUTHORIZED' })
  })
})
