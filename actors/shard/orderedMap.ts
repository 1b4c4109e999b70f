/**
 * An ordered map of strings to immutable values, with a cut in constant time.
 *
 *   values   a hash, for everything that names a key           order   a tree of the keys alone, for whatever goes in order
 *
 * Overwriting a key touches the hash only: 0.3 us where a descent through the tree took 5 (100,000 keys of 16 bytes, busy machine).
 * A cut is a clone of the tree, which shares every node and copies one when a side changes it, and an empty list of what was
 * replaced since: while a cut is open, whoever replaces or removes a value leaves the old one there first. So a cut taken in one turn
 * reads the same however late it is read; a value is never changed in place. An open cut keeps at most one old value a key: close it.
 *
 * String order is UTF-16 code unit order, which for binary strings (one character a byte) is byte order.
 */

import { must } from '../kernel/assert.ts'
import sortedBtree from 'sorted-btree'
import type BTree from 'sorted-btree'

export interface OrderedMap<Value> {
  readonly get: (key: string) => Value | undefined
  readonly set: (key: string, value: Value) => void
  readonly delete: (key: string) => boolean
  readonly size: () => number
  /** The smallest key, or undefined when empty. */
  readonly firstKey: () => string | undefined
  readonly cut: () => Cut<Value>
}

/** The map as it was. */
export interface Cut<Value> {
  readonly size: number
  /** In key order. Closes the cut at its end, and when it is left early. */
  readonly entries: () => Generator<readonly [string, Value], void>
  /** How many old values it keeps: at most one for each of its keys. */
  readonly kept: () => number
  readonly close: () => void
}

// A CommonJS module: Node hands out its `module.exports`, whose `default` is the class.
const Tree = sortedBtree.default

/** Whether two texts are equal is seen faster than which comes first, so that is asked once. */
const compare = (a: string, b: string): number => (a < b ? -1 : a === b ? 0 : 1)

/** `wholeKeysMax`: keys that the hash has in one Map (below). */
export const createOrderedMap = <Value>(wholeKeysMax = WHOLE_KEYS_MAX): OrderedMap<Value> => {
  const values = createHash<Value>(wholeKeysMax)
  const order: BTree.default<string, undefined> = new Tree<string, undefined>(undefined, compare)
  const openCuts = new Set<OpenCut<Value>>()
  /** Whatever came after the cut is none of its business: keeping it as well would grow without bound. */
  const keepForCuts = (key: string, old: Value): void => {
    for (const { keys, replaced } of openCuts) if (!replaced.has(key) && keys.has(key)) replaced.set(key, old)
  }
  return {
    get: values.get,
    set: (key, value) => {
      const old = openCuts.size > 0 ? values.get(key) : undefined
      if (values.set(key, value)) order.set(key, undefined)
      else if (old !== undefined) keepForCuts(key, old)
    },
    delete: (key) => {
      const old = values.get(key)
      if (old === undefined) return false
      if (openCuts.size > 0) keepForCuts(key, old)
      values.delete(key)
      return order.delete(key)
    },
    size: values.size,
    firstKey: () => order.minKey(),
    cut: () => {
      const cut = { keys: order.clone(), replaced: new Map<string, Value>() }
      openCuts.add(cut)
      const close = (): void => {
        openCuts.delete(cut)
      }
      return { size: values.size(), entries: () => entriesOf({ ...cut, valueOf: values.get, close }), kept: () => cut.replaced.size, close }
    },
  }
}

interface OpenCut<Value> {
  readonly keys: BTree.default<string, undefined>
  /** What was replaced or removed since, as it was. */
  readonly replaced: Map<string, Value>
}

interface CutParts<Value> extends OpenCut<Value> {
  readonly valueOf: (key: string) => Value | undefined
  readonly close: () => void
}

function* entriesOf<Value>({ keys, replaced, valueOf, close }: CutParts<Value>): Generator<readonly [string, Value], void> {
  try {
    for (const key of keys.keys()) yield [key, (replaced.get(key) ?? valueOf(key)) as Value]
  } finally {
    close()
  }
}

interface Hash<Value> {
  readonly get: (key: string) => Value | undefined
  /** True when the key is new. */
  readonly set: (key: string, value: Value) => boolean
  readonly delete: (key: string) => void
  readonly size: () => number
}

/**
 * One Map holds at most 2^24 keys, removed ones included until it is rebuilt, and throws above; rebuilding one of 4 million takes half a
 * second. So many keys are spread over HASH_PARTS Maps: a billion keys, and pauses of milliseconds. Few are in one, where each is found
 * with less that has to be brought from memory.
 */
const HASH_PARTS = 64
/** More are spread, which takes some 10 ms, once. */
const WHOLE_KEYS_MAX = 32_768

const createHash = <Value>(wholeKeysMax: number): Hash<Value> => {
  let whole: Map<string, Value> | null = new Map()
  let parts: readonly Map<string, Value>[] = []
  let size = 0
  const partOf = (key: string): Map<string, Value> => whole ?? must(parts[partNumberOf(key)], 'a number of a part is below their count')
  const spread = (): void => {
    const keys = whole ?? []
    whole = null
    parts = Array.from({ length: HASH_PARTS }, () => new Map<string, Value>())
    for (const [key, value] of keys) partOf(key).set(key, value)
  }
  return {
    get: (key) => partOf(key).get(key),
    set: (key, value) => {
      const part = partOf(key)
      const before = part.size
      part.set(key, value)
      if (part.size === before) return false
      size += 1
      if (size > wholeKeysMax && whole !== null) spread()
      return true
    },
    delete: (key) => {
      if (partOf(key).delete(key)) size -= 1
    },
    size: () => size,
  }
}

/** FNV-1a of the last 16 characters, its upper bits: keys of a kind mostly differ near their end. */
export const partNumberOf = (key: string): number => {
  let hash = 0x811c_9dc5 ^ key.length
  for (let at = Math.max(0, key.length - 16); at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x0100_0193)
  return (hash ^ hash >>> 15) & (HASH_PARTS - 1)
}
