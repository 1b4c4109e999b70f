/**
 * Whether bytes are one value of msgpack that is plain data, looked at before anything is made of it. What a library makes of the other
 * kinds is no longer bounded by its bytes: an extension may be a reference, so that six thousand bytes are a list that holds itself a
 * thousand times at every level, or a record whose keys nobody has looked at, set aside again for every three bytes.
 *
 * Source: the msgpack specification, "Formats" (github.com/msgpack/msgpack/blob/master/spec.md).
 */

export interface PackLimits {
  /** Lists and records within each other; the outermost is none. */
  readonly depthMax: number
  /** Values, keys of records among them. */
  readonly valuesMax: number
}

/**
 * Kinds of a fixed size, and the bytes behind their first. Extensions (0xc7-0xc9, 0xd4-0xd8) and the kind that is never used (0xc1)
 * are in no table.
 */
const FIXED: ReadonlyMap<number, number> = new Map([
  [0xc0, 0], [0xc2, 0], [0xc3, 0], [0xca, 4], [0xcb, 8],
  [0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8], [0xd0, 1], [0xd1, 2], [0xd2, 4], [0xd3, 8],
])

type Unit = 'bytes' | 'items' | 'pairs'

/** Kinds that say how much they hold, in so many bytes. */
const COUNTED: ReadonlyMap<number, readonly [lengthBytes: number, unit: Unit]> = new Map([
  [0xc4, [1, 'bytes']], [0xc5, [2, 'bytes']], [0xc6, [4, 'bytes']],
  [0xd9, [1, 'bytes']], [0xda, [2, 'bytes']], [0xdb, [4, 'bytes']],
  [0xdc, [2, 'items']], [0xdd, [4, 'items']], [0xde, [2, 'pairs']], [0xdf, [4, 'pairs']],
])

interface Head {
  /** To where this value's own bytes end. */
  readonly end: number
  /** Values that come behind it as part of it. */
  readonly values: number
}

export const isPlainPack = (bytes: Uint8Array, { depthMax, valuesMax }: PackLimits): boolean => {
  /** How many values are still to come at each level. */
  const open = [1]
  let at = 0
  for (let values = 0; open.length > 0;) {
    const left = open.pop() ?? 0
    if (left === 0) continue
    open.push(left - 1)
    values += 1
    const head = headAt(bytes, at)
    if (head === null || values > valuesMax) return false
    at = head.end
    if (head.values === 0) continue
    if (open.length > depthMax) return false
    open.push(head.values)
  }
  return at === bytes.length
}

/** Null for what is not plain, or not there. */
const headAt = (bytes: Uint8Array, at: number): Head | null => {
  const kind = bytes[at]
  if (kind === undefined) return null
  const head = headOf(bytes, at + 1, kind)
  return head !== null && head.end <= bytes.length ? head : null
}

/** `at`: behind the kind. */
const headOf = (bytes: Uint8Array, at: number, kind: number): Head | null => {
  if (kind < 0x80 || kind >= 0xe0) return { end: at, values: 0 }
  if (kind < 0x90) return { end: at, values: 2 * (kind - 0x80) }
  if (kind < 0xa0) return { end: at, values: kind - 0x90 }
  if (kind < 0xc0) return { end: at + kind - 0xa0, values: 0 }
  const fixed = FIXED.get(kind)
  if (fixed !== undefined) return { end: at + fixed, values: 0 }
  const counted = COUNTED.get(kind)
  if (counted === undefined || at + counted[0] > bytes.length) return null
  const [lengthBytes, unit] = counted
  const end = at + lengthBytes
  const length = bytes.subarray(at, end).reduce((sum, byte) => sum * 256 + byte, 0)
  if (unit === 'bytes') return { end: end + length, values: 0 }
  return { end, values: unit === 'items' ? length : 2 * length }
}
