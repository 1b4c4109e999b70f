/**
 * The control plane's messages (cluster map, beacons): a version byte and msgpack of plain data.
 *
 * Plain data only: null, booleans, numbers, strings, bytes, lists and records with string keys. Nothing here is hot, so what is
 * decoded is also walked: depth, size and kinds are checked before anybody sees it, and what it means is checked by its owner.
 */

import { Packr } from 'msgpackr'

export const CONTROL_BYTES_MAX = 256 * 1_024
const CONTROL_VERSION = 1
const DEPTH_MAX = 8
const NODES_MAX = 65_536

const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false, int64AsType: 'number' })

/** At most CONTROL_BYTES_MAX bytes; more is a bug of the sender and throws. */
export const encodeControl = (value: unknown): Uint8Array => {
  if (!isPlain(value)) throw new TypeError('a control message is plain data, at most 8 levels deep')
  const packed = packr.pack(value)
  if (packed.length >= CONTROL_BYTES_MAX) throw new RangeError(`a control message has at most ${CONTROL_BYTES_MAX} bytes`)
  const bytes = new Uint8Array(packed.length + 1)
  bytes[0] = CONTROL_VERSION
  bytes.set(packed, 1)
  return bytes
}

/** The value, which shares no memory with `bytes`; undefined when it is not a control message. Never throws. */
export const decodeControl = (bytes: Uint8Array): unknown => {
  if (bytes.length < 2 || bytes.length > CONTROL_BYTES_MAX || bytes[0] !== CONTROL_VERSION) return undefined
  try {
    const value: unknown = packr.unpack(Buffer.from(bytes.subarray(1)))
    return isPlain(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isPlain = (value: unknown): boolean => {
  let nodes = 0
  const visit = (part: unknown, depth: number): boolean => {
    nodes += 1
    if (nodes > NODES_MAX || depth > DEPTH_MAX) return false
    if (part === null || typeof part === 'string' || typeof part === 'boolean') return true
    if (typeof part === 'number') return Number.isFinite(part)
    if (typeof part !== 'object') return false
    if (part instanceof Uint8Array) return true
    if (Array.isArray(part)) return part.every((item) => visit(item, depth + 1))
    if (Object.getPrototypeOf(part) !== Object.prototype) return false
    return Object.values(part).every((item) => visit(item, depth + 1))
  }
  return visit(value, 0)
}
