/**
 * The last `capacity` keys pushed, each with a value: the oldest leaves when one more arrives, and nothing leaves earlier.
 *
 * A ring beside a lookup table. The ring is what a snapshot copies: one array of at most `capacity` pointers, a fraction of a
 * millisecond, where copying the table would take several.
 */

import { assert } from '../kernel/assert.ts'

export interface Remembered<Value> {
  readonly key: string
  readonly value: Value
}

export interface FifoCut<Value> {
  readonly size: number
  readonly entries: () => IterableIterator<Remembered<Value>>
}

export interface Fifo<Value> {
  readonly get: (key: string) => Value | undefined
  /** The key must not be remembered already. */
  readonly push: (key: string, value: Value) => void
  /** What is remembered now, oldest first, however late it is read. Costs one copy of at most `capacity` pointers. */
  readonly cut: () => FifoCut<Value>
}

export const createFifo = <Value>(capacity: number): Fifo<Value> => {
  const ring: Remembered<Value>[] = []
  const byKey = new Map<string, Value>()
  /** Where the oldest is once the ring is full. */
  let oldest = 0
  return {
    get: (key) => byKey.get(key),
    push: (key, value) => {
      assert(!byKey.has(key), 'a remembered key is not pushed again')
      byKey.set(key, value)
      const leaving = ring[oldest]
      if (ring.length < capacity || leaving === undefined) {
        ring.push({ key, value })
        return
      }
      byKey.delete(leaving.key)
      ring[oldest] = { key, value }
      oldest = (oldest + 1) % capacity
    },
    cut: () => cutOf(ring.slice(), oldest),
  }
}

const cutOf = <Value>(ring: readonly Remembered<Value>[], oldest: number): FifoCut<Value> => ({
  size: ring.length,
  * entries() {
    for (let passed = 0; passed < ring.length; passed += 1) {
      const remembered = ring[(oldest + passed) % ring.length]
      if (remembered !== undefined) yield remembered
    }
  },
})
