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

export interface Fifo<Value> {
  readonly get: (key: string) => Value | undefined
  /** The key must not be remembered already. */
  readonly push: (key: string, value: Value) => void
  /** A copy, oldest first. */
  readonly toArray: () => readonly Remembered<Value>[]
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
    toArray: () => ring.slice(oldest).concat(ring.slice(0, oldest)),
  }
}
