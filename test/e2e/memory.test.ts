/**
 * A node that is filled until it is short of memory: of its heap, by small values, and of what the process may have, by large ones. It
 * refuses what grows, goes on with everything else, never ends by it, and takes writes again when enough was deleted.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { isServing } from '../../chaos/ground/cluster.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { isTransient, kv, settledKv } from '../support/kv.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { KvReply } from '../support/kv.ts'
import type { NodeReport } from '../../topology/report.ts'

const TEST_MS_MAX = 240_000
const MIB = 1_048_576
const AT_ONCE = 64
/** Keys lie in the heap, too: the fewer are needed. */
const nameOf = (i: number): string => `key-${i}-${'x'.repeat(900)}`

const cluster = clusterOfTest()

/** However long that takes: on a busy machine a node with a small heap collects for seconds. The test's own time is the limit. */
const answered = async (...request: Parameters<typeof kv>): Promise<KvReply> => {
  for (;;) {
    const reply = await settledKv(...request)
    if (!isTransient(reply)) return reply
  }
}

interface Filling {
  /** `NODE_OPTIONS` of the node. */
  readonly options: string
  readonly value: Uint8Array
  /** Far more than the node has memory for. */
  readonly keysMax: number
  readonly says: RegExp
}

const fillings: readonly (readonly [string, Filling])[] = [
  ['its heap, by small values', {
    options: '--max-old-space-size=64', value: new Uint8Array(1_000).fill(97), keysMax: 100_000,
    says: /--max-old-space-size/,
  }],
  ['what its container has, by large values', {
    options: `--max-old-space-size=96 --import=data:text/javascript,process.constrainedMemory=()=>${512 * MIB}`,
    value: new Uint8Array(128 * 1_024).fill(97), keysMax: 4_000, says: /container/,
  }],
]

const hasRoom = (reports: readonly NodeReport[]): boolean => reports[0]?.node.memory?.shortage === null

/** A repeat of it is the same write. */
const put = (bus: Bus, i: number, value: Uint8Array): Promise<KvReply> =>
  answered(bus, `kv.put.${nameOf(i)}`, value, { 'Kv-Request-Id': `fill-${i}` })

/** Puts many at once from this number on, until one is refused with NO_SPACE, with this text. All below `taken` were taken. */
const fill = async (bus: Bus, { value, keysMax }: Filling, first: number): Promise<{ readonly taken: number; readonly text: string }> => {
  for (let from = first; from < keysMax; from += AT_ONCE) {
    const replies = await each(from, from + AT_ONCE, (i) => put(bus, i, value))
    const refused = replies.find(({ status }) => status === 'NO_SPACE')
    if (refused !== undefined) return { taken: from, text: refused.value }
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 'OK'))
  }
  throw new Error(`${keysMax} values were taken`)
}

const each = async <Result>(from: number, to: number, one: (i: number) => Promise<Result>): Promise<readonly Result[]> =>
  Promise.all(Array.from({ length: to - from }, (_, i) => one(from + i)))

const remove = async (bus: Bus, from: number, to: number): Promise<void> => {
  for (let at = from; at < to; at += AT_ONCE) {
    const replies = await each(at, Math.min(to, at + AT_ONCE), (i) =>
      answered(bus, `kv.del.${nameOf(i)}`, '', { 'Kv-Request-Id': `del-${i}` }))
    expect(replies.every(({ status }) => status === 'OK' || status === 'NOT_FOUND')).toBe(true)
  }
}

const expectReads = async (bus: Bus, value: Uint8Array, keys: readonly number[]): Promise<void> => {
  for (const key of keys) expect((await answered(bus, `kv.get.${nameOf(key)}`)).bytes).toEqual(value)
}

const readiness = async (running: TestCluster): Promise<string> =>
  (await fetch(`http://127.0.0.1:${portOf(running, must(running.members[0], 'n1'))}/readyz`)).text()

const lease = { 'Kv-Ttl-Ms': '600000' }

/** A counter and a lease. */
const begin = async (bus: Bus): Promise<void> => {
  expect(await answered(bus, 'kv.incr.counter', '', { 'Kv-Request-Id': 'first' })).toMatchObject({ status: 'OK' })
  expect(await answered(bus, 'kv.put.lease', 'me', { ...lease, 'Kv-Request-Id': 'leased' })).toMatchObject({ status: 'OK' })
}

/** What is said and refused by a node that is short. `round` names keys that are not there yet. */
const signsOf = async (running: TestCluster, bus: Bus, round: number): Promise<readonly string[]> => {
  const refused = await Promise.all([
    kv(bus, `kv.put.new-${round}`, '7'), kv(bus, `kv.incr.another-${round}`, ''), kv(bus, `kv.touch.${nameOf(round)}`, '', lease),
  ])
  return [
    /NO_SPACE/.exec(await readiness(running))?.[0] ?? '', /memory.*short on n1/.exec((await running.cli('doctor').ended).out)?.[0] ?? '',
    ...refused.map(({ status }) => status),
  ]
}

const signs = ['NO_SPACE', expect.stringContaining('short on n1'), 'NO_SPACE', 'NO_SPACE', 'NO_SPACE']
const ROUNDS_MAX = 20

/**
 * Fills until all signs are there, which says how many values were taken. Garbage passes for living until a second collection finds it
 * (memoryWatch.ts), so that a node may be short, and fine again, before it is short for good.
 */
const fillForGood = async (running: TestCluster, bus: Bus, filling: Filling): Promise<number> => {
  let filled = await fill(bus, filling, 0)
  for (let round = 0; ; round += 1) {
    expect(filled.text).toMatch(filling.says)
    const found = await signsOf(running, bus, round)
    const isShort = found[0] !== '' && found[1] !== '' && found.slice(2).every((status) => status === 'NO_SPACE')
    if (isShort || round === ROUNDS_MAX) {
      expect(found).toEqual(signs)
      return filled.taken
    }
    filled = await fill(bus, filling, filled.taken)
  }
}

/** After `begin`, of a node that is short or not. */
const expectGoingOn = async (bus: Bus, value: Uint8Array): Promise<void> => {
  const goesOn = await Promise.all([
    answered(bus, 'kv.incr.counter', '', { 'Kv-Request-Id': 'counts' }),
    answered(bus, 'kv.touch.lease', '', { ...lease, 'Kv-Request-Id': 'renewed' }),
    put(bus, 0, value),
  ])
  expect(goesOn.map(({ status }) => status)).toEqual(['OK', 'OK', 'OK'])
}

test.each(fillings)('a node that is filled until it is short of %s, refuses what grows, and goes on', async (_of, filling) => {
  const { running, bus } = await cluster.open({ nodes: 1, shards: 1, environment: () => ({ NODE_OPTIONS: filling.options }) })
  const node = must(running.members[0], 'n1')
  await begin(bus)
  const taken = await fillForGood(running, bus, filling)
  await expectGoingOn(bus, filling.value)
  await expectReads(bus, filling.value, [0, taken >> 1, taken - 1])

  await running.kill(node)
  running.start(node)
  await running.until('it serves again', isServing(running))
  await expectReads(bus, filling.value, [0, taken >> 1, taken - 1])
  // What was under way before is not there any more: that much it may take.
  const { taken: all } = await fill(bus, filling, taken)
  // Where no more than half of the limit lives, it does not matter what the allocator keeps. The log in memory lives on for a while.
  const left = taken >> 3
  await remove(bus, left, all + AT_ONCE)
  await running.until('it has room again', hasRoom)
  expect(await answered(bus, 'kv.put.after', 'x', { 'Kv-Request-Id': 'after' })).toMatchObject({ status: 'OK' })
  await expectReads(bus, filling.value, [0, left - 1])
  expect(running.exitCode(node)).toBeNull()
}, TEST_MS_MAX)
