/**
 * The last `capacity` items pushed, each under a key: the oldest leaves when one more arrives, and nothing leaves earlier.
 *
 * A ring beside a lookup table, of the same items. The ring is what a snapshot copies: one array of at most `capacity` pointers, a
 * fraction of a millisecond, where copying the table would take several.
 */

import { assert } from '../kernel/assert.ts'

export interface Keyed {
  readonly key: string
}

export interface FifoCut<Item extends Keyed> {
  readonly size: number
  readonly entries: () => IterableIterator<Item>
}

export interface Fifo<Item extends Keyed> {
  readonly get: (key: string) => Item | undefined
  /** Its key must not be remembered already. */
  readonly push: (item: Item) => void
  /** What is remembered now, oldest first, however late it is read. Costs one copy of at most `capacity` pointers. */
  readonly cut: () => FifoCut<Item>
}

export const createFifo = <Item extends Keyed>(capacity: number): Fifo<Item> => {
  const ring: Item[] = []
  const byKey = new Map<string, Item>()
  /** Where the oldest is once the ring is full. */
  let oldest = 0
  return {
    get: (key) => byKey.get(key),
    push: (item) => {
      assert(!byKey.has(item.key), 'a remembered key is not pushed again')
      byKey.set(item.key, item)
      const leaving = ring[oldest]
      if (ring.length < capacity || leaving === undefined) {
        ring.push(item)
        return
      }
      byKey.delete(leaving.key)
      ring[oldest] = item
      oldest = (oldest + 1) % capacity
    },
    cut: () => cutOf(ring.slice(), oldest),
  }
}

const cutOf = <Item extends Keyed>(ring: readonly Item[], oldest: number): FifoCut<Item> => ({
  size: ring.length,
  * entries() {
    for (let passed = 0; passed < ring.length; passed += 1) {
      const item = ring[(oldest + passed) % ring.length]
      if (item !== undefined) yield item
    }
  },
})
