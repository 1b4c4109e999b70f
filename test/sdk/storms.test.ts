/**
 * Many faults at once, drawn by a seed, against real batch doors and state machines in virtual time (world.ts): whatever happens, every
 * call is told once what became of it, and what it is told is true.
 */

import { describe, expect, test } from '@jest/globals'
import { between, chance, createRandom, pick } from '../../actors/kernel/random.ts'
import { ShardKvError } from '../../sdk/errors.ts'
import { shardOf } from '../../topology/hash.ts'
import { SHARDS, openWorld } from './world.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Fortune, World } from './world.ts'

const SEED = Number(process.env.SHARDKV_SEED ?? 42)
const STORMS = Number(process.env.SHARDKV_STORMS ?? 2)
const STEP_MS = 10
const STEPS = 250
const NODES = ['n1', 'n2', 'n3'] as const
/** The longest call, and what the cluster may still do of it after. */
const CALM_MS = 16_000
const CALM_STEP_MS = 40

const fortunes: readonly Fortune[] = [
  'lose', 'serveInSilence', 'serveLate',
  { status: 'NO_QUORUM', revision: 0, definite: false }, { status: 'TIMEOUT', revision: 0, definite: false },
  { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: 20 }, { status: 'NOT_LEADER', revision: 0, definite: true },
  { status: 'NO_SPACE', revision: 0, definite: true, message: 'The disk of the leader is full.' },
]

interface Told {
  readonly key: string
  readonly what: string
  outcome: 'ok' | 'open' | ShardKvError
}

interface Storm {
  readonly world: World
  readonly random: Random
  readonly told: Told[]
  isCalm: boolean
}

const delaysOf = ({ random, isCalm }: Storm): readonly number[] => {
  if (isCalm || chance(random, 0.9)) return [0]
  if (chance(random, 0.3)) return []
  return chance(random, 0.3) ? [0, between(random, 0, 3_000)] : [between(random, 1, 3_000)]
}

const openStorm = async (seed: number): Promise<Storm> => {
  const random = createRandom(seed)
  let begun: Storm | null = null
  const world = await openWorld({ fate: () => (begun === null ? [0] : delaysOf(begun)) })
  const storm: Storm = { world, random, told: [], isCalm: false }
  begun = storm
  world.behave(() => (storm.isCalm || chance(random, 0.8) ? 'serve' : pick(random, fortunes) ?? 'serve'))
  return storm
}

const follow = ({ told }: Storm, what: string, key: string, promise: Promise<unknown>): void => {
  const call: Told = { key, what, outcome: 'open' }
  told.push(call)
  promise.then(() => { call.outcome = 'ok' }, (error: unknown) => { call.outcome = error as ShardKvError })
}

const begin = (storm: Storm): void => {
  const { world: { kv, clock }, random, told } = storm
  const controller = new AbortController()
  if (chance(random, 0.2)) clock.after(between(random, 0, 2_000), () => { controller.abort('enough') })
  const options = { timeoutMs: pick(random, [50, 300, 1_000, 3_000, 8_000]) ?? 50, signal: controller.signal }
  const key = `s${told.length}`
  const kind = between(random, 0, 9)
  if (kind < 5) follow(storm, 'incr', key, kv.incr(key, 1, options))
  else if (kind < 8) follow(storm, 'create', key, kv.put(key, '1', { ...options, ifRevision: 0 }))
  else if (kind < 9) follow(storm, 'get', key, kv.get(key, { ...options, consistency: pick(random, ['linearizable', 'lease', 'stale']) }))
  else beginList(storm, options)
}

const beginList = (storm: Storm, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): void => {
  const { world: { kv }, told } = storm
  const keys = Array.from({ length: 8 }, (_, n) => `s${told.length + n}`)
  const list = kv.mput(keys.map((key) => ({ key, value: '1', ifRevision: 0 })), options)
  keys.forEach((key, n) => {
    follow(storm, 'mput', key, list.then((outcomes) => {
      const outcome = outcomes[n]
      if (outcome?.ok !== true) throw outcome?.error ?? new Error('a key has no outcome')
    }))
  })
}

const strike = ({ world, random }: Storm): void => {
  const node = pick(random, NODES) ?? 'n1'
  const { broker, clock } = world
  switch (between(random, 0, 10)) {
    case 0: case 1: case 2: world.lead(between(random, 0, SHARDS - 1), node); return
    case 3: world.restart(node); return
    case 4: case 5:
      broker.hold(node)
      clock.after(between(random, 1, 2_500), () => { broker.release(node) })
      return
    case 6:
      broker.disconnect('sdk')
      clock.after(between(random, 1, 1_500), () => { broker.reconnect('sdk') })
      return
    case 7: world.age(between(random, 1, 400_000)); return
    case 8:
      world.publishing('full')
      clock.after(between(random, 1, 300), () => { world.publishing(null) })
      return
    case 9: world.sleep(between(random, 1, 4_000)); return
    default:
      world.keepBack(true)
      clock.after(between(random, 1, 1_500), () => { world.keepBack(false) })
  }
}

const calm = (storm: Storm): void => {
  const { world } = storm
  storm.isCalm = true
  world.publishing(null)
  world.keepBack(false)
  world.broker.reconnect('sdk')
  for (const node of NODES) world.broker.release(node)
}

const step = async ({ world }: Storm, ms: number): Promise<void> => {
  await new Promise((resolve) => { setImmediate(resolve) })
  world.pass(ms)
}

const isTrue = ({ valueOf }: World, { key, what, outcome }: Told): boolean => {
  const value = valueOf(key, shardOf(key, SHARDS))
  if (value !== undefined && value !== '1') return false
  if (what === 'get') return outcome === 'ok' || (outcome !== 'open' && outcome.definite)
  if (outcome === 'ok') return value === '1'
  // Each key is written by one call: that it has a revision is the call's own doing.
  if (outcome === 'open' || !(outcome instanceof ShardKvError) || outcome.code === 'CONFLICT') return false
  return !outcome.definite || value === undefined
}

const weather = async (seed: number): Promise<Storm> => {
  const storm = await openStorm(seed)
  for (let n = 0; n < STEPS; n += 1) {
    if (chance(storm.random, 0.5)) begin(storm)
    if (chance(storm.random, 0.06)) strike(storm)
    await step(storm, STEP_MS)
  }
  calm(storm)
  let isClosed = false
  storm.world.kv.close().then(() => { isClosed = true }, () => {})
  for (let n = 0; n < CALM_MS / CALM_STEP_MS; n += 1) await step(storm, CALM_STEP_MS)
  expect(isClosed).toBe(true)
  return storm
}

describe('a storm', () => {
  const seeds = Array.from({ length: STORMS }, (_, n) => SEED + n)
  test.each(seeds)('of seed %i leaves no call without a true answer', async (seed) => {
    const { world, told } = await weather(seed)
    expect(told.filter((call) => !isTrue(world, call))).toEqual([])
    expect(told.filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThan(10)
    expect(world.client.stats()).toMatchObject({ inFlightOperations: 0, inFlightBytes: 0 })
  })
})
