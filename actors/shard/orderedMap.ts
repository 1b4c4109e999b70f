/**
 * An ordered map of strings to immutable values, with a snapshot in constant time.
 *
 * A thin wrapper of `sorted-btree`: its clone shares every node and copies a node when one side changes it, so a clone taken in
 * one turn is a consistent cut however long it is read. Because of the sharing a value is never changed in place: replace it.
 * String order is UTF-16 code unit order, which for binary strings (one character a byte) is byte order.
 */

import sortedBtree from 'sorted-btree'
import type BTree from 'sorted-btree'

export interface OrderedMap<Value> {
  readonly get: (key: string) => Value | undefined
  readonly set: (key: string, value: Value) => void
  readonly delete: (key: string) => boolean
  readonly size: () => number
  /** The smallest key, or undefined when empty. */
  readonly firstKey: () => string | undefined
  /** In key order. Do not change this map while iterating: iterate a clone. */
  readonly entries: () => IterableIterator<[string, Value]>
  readonly clone: () => OrderedMap<Value>
}

// A CommonJS module: Node hands out its `module.exports`, whose `default` is the class.
const Tree = sortedBtree.default

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export const createOrderedMap = <Value>(): OrderedMap<Value> => wrap(new Tree<string, Value>(undefined, compare))

const wrap = <Value>(tree: BTree.default<string, Value>): OrderedMap<Value> => ({
  get: (key) => tree.get(key),
  set: (key, value) => { tree.set(key, value) },
  delete: (key) => tree.delete(key),
  size: () => tree.size,
  firstKey: () => tree.minKey(),
  entries: () => tree.entries(),
  clone: () => wrap(tree.clone()),
})
