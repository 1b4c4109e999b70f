/**
 * The control plane's messages (cluster map, beacons): a version byte and msgpack of plain data.
 *
 * Plain data only: null, booleans, numbers, strings, bytes, lists and records with string keys. Nothing here is hot, so what is
 * decoded is walked twice: depth, size and kinds of the bytes before anything is made of them (plainPack.ts), and what was made of them
 * before anybody sees it. What it means is checked by its owner.
 *
 * Records arrive as Maps and become objects only once their keys are known to be words. In an object a key such as 884 makes the engine
 * set aside a list of that length: four bytes on the wire, ten thousand in memory (found by the fuzz lane).
 */

import { Packr, Unpackr } from 'msgpackr'
import { isPlainPack } from './plainPack.ts'
import type { Inbound } from '../port.ts'

/** The longest command of the meta group and what is said beside it; half of a broker's usual payload is more. */
export const CONTROL_BYTES_MAX = 448 * 1_024
const CONTROL_VERSION = 1
const DEPTH_MAX = 8
const NODES_MAX = 65_536

const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false, int64AsType: 'number' })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false, moreTypes: false, int64AsType: 'number' })

/** At most CONTROL_BYTES_MAX bytes; more is a bug of the sender and throws. */
export const encodeControl = (value: unknown): Uint8Array => {
  const bytes = encodeControlWithin(value, CONTROL_BYTES_MAX)
  if (bytes === null) throw new RangeError(`a control message has at most ${CONTROL_BYTES_MAX} bytes`)
  return bytes
}

/** For values whose size is not known to be small: null when it takes more than `bytesMax` bytes. */
export const encodeControlWithin = (value: unknown, bytesMax: number): Uint8Array | null => {
  if (!isPlain(value)) throw new TypeError('a control message is plain data, at most 8 levels deep, in records whose keys are words')
  const packed = packr.pack(value)
  if (packed.length >= bytesMax) return null
  const bytes = new Uint8Array(packed.length + 1)
  bytes[0] = CONTROL_VERSION
  bytes.set(packed, 1)
  return bytes
}

/** The value, which shares no memory with `bytes`; undefined when it is not a control message. Never throws. */
export const decodeControl = (bytes: Uint8Array, bytesMax = CONTROL_BYTES_MAX): unknown => {
  if (bytes.length < 2 || bytes.length > bytesMax || bytes[0] !== CONTROL_VERSION) return undefined
  try {
    const packed = Buffer.from(bytes.subarray(1))
    if (!isPlainPack(packed, { depthMax: DEPTH_MAX, valuesMax: 2 * NODES_MAX })) return undefined
    const value = plainOf(unpackr.unpack(packed))
    return isPlain(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * What a node answers a node: a control message without headers. Nothing else is such an answer, whoever sent it: a client can have a node
 * send bytes of its choice to any inbox, but not without `Kv-Status`, and what nodes send clients without headers (reports, the micro
 * protocol, frames of the batch door) is no control message. Test: "is never taken for a node's answer" (test/bus/batch.test.ts).
 */
export const isControlAnswer = ({ data, headers }: Pick<Inbound, 'data' | 'headers'>): boolean =>
  headers === undefined && decodeControl(data) !== undefined

/** With objects for Maps; undefined in the place of what has no plain form, which is refused as a whole. */
const plainOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plainOf)
  if (!(value instanceof Map)) return value
  const entries: [string, unknown][] = []
  for (const [key, item] of value as Map<unknown, unknown>) {
    if (typeof key !== 'string' || !isWord(key)) return undefined
    entries.push([key, plainOf(item)])
  }
  return Object.fromEntries(entries)
}

/** No number, which an engine takes for a place in a list, and nothing that it takes for an object's kind. */
const isWord = (key: string): boolean => key !== '__proto__' && !/^\d+$/.test(key)

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
    return Object.entries(part).every(([key, item]) => isWord(key) && visit(item, depth + 1))
  }
  return visit(value, 0)
}
