/** Members that serve different prefixes: which of them ends, and when; who stays, and what it tells. */

import { expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { nodeId } from '../../topology/ids.ts'
import { createPrefixWatch } from '../../topology/prefixWatch.ts'
import type { OtherPrefix } from '../../topology/prefixWatch.ts'

const members = ['n1', 'n2', 'n3'].map(nodeId)

/** The node n1, started with the prefix `kv`, at tick 0. */
const open = (others: readonly string[] = ['n2', 'n3']) => {
  let heard: readonly OtherPrefix[] = []
  const warned: unknown[] = []
  const watch = createPrefixWatch({
    self: nodeId('n1'), prefix: 'kv', members: () => [members[0], ...others.map(nodeId)].filter((node) => node !== undefined),
    beacon: { prefixes: () => heard }, log: { ...silentLogger, warn: (fields: object) => { warned.push(fields) } },
  })
  const say = (said: Readonly<Record<string, string>>): void => {
    heard = Object.entries(said).map(([node, prefix]) => ({ node: nodeId(node), prefix }))
  }
  return { watch, say, warned }
}

test('a node that starts ends as soon as more than half of the members say another prefix, and says what to do', () => {
  const { watch, say } = open()
  expect(watch.onTick(0)).toBeNull()
  say({ n2: 'shop' })
  expect(watch.onTick(10)).toBeNull()
  say({ n2: 'shop', n3: 'shop' })
  const reason = 'this node was started with --prefix kv, and of its cluster n2 serves shop, n3 serves shop: clients would '
    + 'find nobody at the shards that it leads. Start it with --prefix shop. To change the prefix of a cluster, stop all nodes first '
    + '(docs/OPERATIONS.md)'
  expect(watch.onTick(20)).toEqual({ reason, isOutvoted: true })
})

test('with fewer to ask it ends after three seconds, where as many say another as say its own', () => {
  const { watch, say } = open()
  watch.onTick(0)
  say({ n2: 'shop' })
  expect([watch.onTick(2_999), watch.isAsking()]).toEqual([null, true])
  expect(watch.onTick(3_000)).toMatchObject({ reason: expect.stringContaining('n2 serves shop'), isOutvoted: false })
})

test('among five, two against two beside it make no majority at once, and it stays with more', () => {
  const { watch, say } = open(['n2', 'n3', 'n4', 'n5'])
  watch.onTick(0)
  say({ n2: 'shop', n3: 'shop', n4: 'kv', n5: 'kv' })
  expect([watch.onTick(10), watch.isAsking(), watch.others().length]).toEqual([null, false, 2])
})

test('who has heard a majority of its own stays, whoever comes later, and tells of each once', () => {
  const { watch, say, warned } = open()
  say({ n2: 'kv' })
  expect([watch.onTick(0), watch.isAsking()]).toEqual([null, false])
  say({ n2: 'shop', n3: 'shop' })
  expect(watch.onTick(500)).toBeNull()
  expect(watch.others()).toEqual([])
  for (const now of [1_000, 2_000, 10_000]) expect(watch.onTick(now)).toBeNull()
  expect(watch.others().map(({ node }) => node)).toEqual(['n2', 'n3'])
  expect(warned).toEqual(['n2', 'n3'].map((from) =>
    ({ from, problem: `${from} serves the prefix shop: clients of this one do not reach it` })))
  say({ n2: 'kv', n3: 'kv' })
  watch.onTick(11_000)
  expect(watch.others()).toEqual([])
})

test('who was first, and alone, is not ended by one that comes later with another, but by a majority', () => {
  const { watch, say } = open()
  for (const now of [0, 3_000]) expect(watch.onTick(now)).toBeNull()
  expect(watch.isAsking()).toBe(false)
  say({ n2: 'shop' })
  expect(watch.onTick(60_000)).toBeNull()
  say({ n2: 'shop', n3: 'shop' })
  expect(watch.onTick(61_000)?.reason).toContain('--prefix shop')
})

test('a node alone has nobody to ask, and beside builds that say no prefix it goes on after three seconds', () => {
  const alone = open([])
  expect([alone.watch.onTick(0), alone.watch.isAsking()]).toEqual([null, false])
  const { watch } = open()
  expect([watch.onTick(0), watch.isAsking(), watch.onTick(3_000), watch.isAsking()]).toEqual([null, true, null, false])
})

test('where the others do not agree, none of theirs is named as the one to start it with', () => {
  const { watch, say } = open()
  watch.onTick(0)
  say({ n2: 'shop', n3: 'store' })
  expect(watch.onTick(10)?.reason).toContain('Start it with --prefix PREFIX.')
})
