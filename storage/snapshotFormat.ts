/**
 * The bytes of a snapshot file. Pure.
 *
 *   header   magic u32 | checksum u32 | version u32 | JSON length u32 | JSON {group, index, term, configuration}
 *   chunk    length u32 | CRC u32 | bytes            (any number of times)
 *   trailer  0xffffffff u32 | CRC of everything before the trailer u32 | chunks u32 | CRC of these 12 bytes u32
 *
 * The version is that of the layout level at which it was written (topology/level.ts).
 * The file ends with the trailer: a file cut short has none, and one that goes on is refused.
 */

import type { SnapshotHeader } from './snapshotStore.ts'
import { viewOf } from './bytes.ts'
import { crc32 } from './crc.ts'
import { FIRST_LEVEL, knowsVersion, versionAt } from '../topology/level.ts'
import type { Versions } from '../topology/level.ts'

export const SNAPSHOT_PREFIX_BYTES = 16
export const CHUNK_HEADER_BYTES = 8
export const TRAILER_BYTES = 16
/** A chunk is held in memory whole while it is verified. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 16_777_216
const HEADER_JSON_BYTES_MAX = 1_048_576
const MAGIC = 0x53534b53
const versions: Versions = [[1, 1]]
const TRAILER_MARK = 0xffff_ffff

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const encodeSnapshotHeader = ({ group, index, term, configuration }: SnapshotHeader, level = FIRST_LEVEL): Uint8Array => {
  const json = encoder.encode(JSON.stringify({ group, index, term, configuration }))
  const bytes = new Uint8Array(SNAPSHOT_PREFIX_BYTES + json.length)
  const view = viewOf(bytes)
  view.setUint32(0, MAGIC, true)
  view.setUint32(8, versionAt(versions, level), true)
  view.setUint32(12, json.length, true)
  bytes.set(json, SNAPSHOT_PREFIX_BYTES)
  view.setUint32(4, crc32(bytes), true)
  return bytes
}

/** Length of the JSON that follows, or undefined when this is no snapshot of a version known here. */
export const decodeSnapshotPrefix = (prefix: Uint8Array): number | undefined => {
  if (prefix.length < SNAPSHOT_PREFIX_BYTES) return undefined
  const view = viewOf(prefix)
  const jsonBytes = view.getUint32(12, true)
  const isKnown = view.getUint32(0, true) === MAGIC && knowsVersion(versions, view.getUint32(8, true))
  return isKnown && jsonBytes <= HEADER_JSON_BYTES_MAX ? jsonBytes : undefined
}

/** Whether a later layout than that of `level` wrote it: one that is not in force yet, or one that this build does not know. */
export const isOfLaterLayout = (prefix: Uint8Array, level: number): boolean => {
  if (prefix.length < SNAPSHOT_PREFIX_BYTES) return false
  const view = viewOf(prefix)
  return view.getUint32(0, true) === MAGIC && view.getUint32(8, true) > versionAt(versions, level)
}

/** The header in `bytes` (prefix and JSON), or undefined when it is damaged. */
export const decodeSnapshotHeader = (bytes: Uint8Array): SnapshotHeader | undefined => {
  const copy = Uint8Array.from(bytes)
  const view = viewOf(copy)
  const checksum = view.getUint32(4, true)
  view.setUint32(4, 0, true)
  if (crc32(copy) !== checksum) return undefined
  try {
    const header: unknown = JSON.parse(decoder.decode(bytes.subarray(SNAPSHOT_PREFIX_BYTES)))
    return isSnapshotHeader(header) ? withEpoch(header) : undefined
  } catch {
    return undefined
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
const isNames = (value: unknown): boolean => Array.isArray(value) && value.every((name) => typeof name === 'string')
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

const isSnapshotHeader = (value: unknown): value is SnapshotHeader => isRecord(value) && isCount(value['group']) && isCount(value['index'])
  && isCount(value['term']) && isRecord(value['configuration'])
  && ['voters', 'outgoing', 'learners'].every((list) => isNames((value['configuration'] as Readonly<Record<string, unknown>>)[list]))

/** A file from before configurations had epochs holds the genesis'. */
const withEpoch = (header: SnapshotHeader): SnapshotHeader => {
  const { configuration } = header
  return { ...header, configuration: { ...configuration, epoch: (configuration as Partial<typeof configuration>).epoch ?? 0 } }
}

export const encodeChunkHeader = (chunk: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(CHUNK_HEADER_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, chunk.length, true)
  view.setUint32(4, crc32(chunk), true)
  return bytes
}

export interface ChunkHeader { readonly kind: 'chunk'; readonly length: number; readonly crc: number }
export type SnapshotPiece = ChunkHeader | { readonly kind: 'trailer' }

/** What stands at the start of `bytes`: a chunk's header or the trailer's mark; undefined when neither can. */
export const decodePiece = (bytes: Uint8Array): SnapshotPiece | undefined => {
  if (bytes.length < CHUNK_HEADER_BYTES) return undefined
  const view = viewOf(bytes)
  const length = view.getUint32(0, true)
  if (length === TRAILER_MARK) return { kind: 'trailer' }
  return length > SNAPSHOT_CHUNK_BYTES_MAX ? undefined : { kind: 'chunk', length, crc: view.getUint32(4, true) }
}

export const encodeTrailer = (wholeCrc: number, chunks: number): Uint8Array => {
  const bytes = new Uint8Array(TRAILER_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, TRAILER_MARK, true)
  view.setUint32(4, wholeCrc, true)
  view.setUint32(8, chunks, true)
  view.setUint32(12, crc32(bytes.subarray(0, 12)), true)
  return bytes
}

export const isTrailer = (bytes: Uint8Array, wholeCrc: number, chunks: number): boolean => {
  const expected = encodeTrailer(wholeCrc, chunks)
  return bytes.length === expected.length && expected.every((byte, at) => bytes[at] === byte)
}

const namePattern = /^(\d{16})-(\d{1,16})\.snap$/

export const snapshotName = (index: number, term: number): string => `${String(index).padStart(16, '0')}-${term}.snap`

export const parseSnapshotName = (name: string): { readonly index: number; readonly term: number } | undefined => {
  const match = namePattern.exec(name)
  return match === null ? undefined : { index: Number(match[1]), term: Number(match[2]) }
}
