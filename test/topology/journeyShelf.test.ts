/** Journeys on their shelf: what is asked for stays as it was, and the oldest makes room. */

import { expect, test } from '@jest/globals'
import { createJourneyShelf } from '../../topology/journeyShelf.ts'
import { shardId } from '../../topology/ids.ts'

const journey = (shard: number, name: string) => ({ shard: shardId(shard), name })
const names = (journeys: readonly { readonly name: string }[]): readonly string[] => journeys.map(({ name }) => name)

test('a shard\'s journeys stay as they were asked for while some come and others go', () => {
  const shelf = createJourneyShelf<ReturnType<typeof journey>>(10)
  const [a, b, c] = [journey(1, 'a'), journey(1, 'b'), journey(2, 'c')]
  for (const each of [a, b, c]) shelf.add(each)
  const before = shelf.of(1)
  shelf.remove(a)
  shelf.add(journey(1, 'd'))
  expect([names(before), names(shelf.of(1)), names(shelf.of(2)), names(shelf.of(3))]).toEqual([['a', 'b'], ['b', 'd'], ['c'], []])
  shelf.remove(a)
  shelf.remove(c)
  expect([shelf.size(), shelf.has(a), shelf.has(b), names(shelf.of(1)), names(shelf.of(2))]).toEqual([2, false, true, ['b', 'd'], []])
})

test('the oldest of all shards goes when there is one too many', () => {
  const shelf = createJourneyShelf<ReturnType<typeof journey>>(2)
  for (const [shard, name] of [[1, 'a'], [2, 'b'], [1, 'c']] as const) shelf.add(journey(shard, name))
  expect([shelf.size(), shelf.oldest()?.name, names(shelf.of(1)), names(shelf.of(2))]).toEqual([2, 'b', ['c'], ['b']])
})
