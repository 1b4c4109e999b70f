/**
 * A segment: one file of the log. Its first 4 KiB block holds the header, groups follow, and the last block is kept for a seal.
 *
 *   0 magic u32 | 4 checksum u32 | 8 version u32 | 12 salt u32 | 16 own number u32 | 20 size u32
 *   24 previous segment u32 | 28 previous end u32 | 32 chain u32 | 36 first segment u32 | 40 zeros up to 4,096
 *
 * The file is filled with zeros under a temporary name ahead of its use, and renamed when it has its whole size; the header is
 * written with its first group, and only after everything in the previous segment was synced. So a valid header proves that: the
 * previous segment is sealed, and the file had its whole size (a shorter file was cut afterwards).
 *
 * A ShardKV that does not know a record's kind would take the record for damage, or cut it as torn. So the version is that of the oldest
 * ShardKV that knows every kind the segment may hold: 2 of those begun now, where replicas may be adopted and retired, and 1 of what older
 * ones began. A layout level may name a later one (topology/level.ts): its segments are begun once the cluster has that level.
 */

import { viewOf } from './bytes.ts'
import { crc32 } from './crc.ts'
import { FIRST_LEVEL, levelOfVersion, versionAt } from '../topology/level.ts'
import type { Versions } from '../topology/level.ts'
import type { Position } from './group.ts'

export interface SegmentHeader {
  readonly salt: number
  readonly segment: number
  readonly sizeBytes: number
  /** Where the log ended in the segment before; segment 0 for the first of a log. */
  readonly previous: Position
  /** The chain value there. */
  readonly chain: number
  readonly firstSegment: number
  /** The segment may hold replica records: version 2 or later. */
  readonly holdsReplicas: boolean
  /** The layout level at which it was begun, or an older one that writes the same. */
  readonly level: number
  /** What the first group chains to. */
  readonly checksum: number
}

export const BLOCK_BYTES = 4_096
/** Groups start here. */
export const SEGMENT_DATA_OFFSET = 4_096
/** A header, groups, and the seal's block. */
export const SEGMENT_BYTES_MIN = 3 * BLOCK_BYTES
const REPLICA_VERSION = 2
/** What a segment of the level says at least. */
const versions: Versions = [[1, 1]]
/** The newest that is understood. */
export const FORMAT_VERSION = Math.max(REPLICA_VERSION, ...versions.map(([, version]) => version))
const SEGMENT_MAGIC = 0x57564b53
const FIELDS_BYTES = 40

type HeaderFields = Omit<SegmentHeader, 'checksum' | 'level'> & { readonly level?: number }

/** The level that counts for a segment which is begun at this one. */
export const segmentLevelAt = (level: number): number => levelOfVersion(versions, versionAt(versions, level))

export const encodeSegmentHeader = (header: HeaderFields): { readonly bytes: Uint8Array; readonly checksum: number } => {
  const version = versionAt(versions, header.level ?? FIRST_LEVEL)
  const bytes = new Uint8Array(BLOCK_BYTES)
  const view = viewOf(bytes)
  view.setUint32(0, SEGMENT_MAGIC, true)
  view.setUint32(8, header.holdsReplicas ? Math.max(version, REPLICA_VERSION) : version, true)
  view.setUint32(12, header.salt, true)
  view.setUint32(16, header.segment, true)
  view.setUint32(20, header.sizeBytes, true)
  view.setUint32(24, header.previous.segment, true)
  view.setUint32(28, header.previous.offset, true)
  view.setUint32(32, header.chain, true)
  view.setUint32(36, header.firstSegment, true)
  const checksum = crc32(bytes.subarray(0, FIELDS_BYTES))
  view.setUint32(4, checksum, true)
  return { bytes, checksum }
}

/** The header, undefined when there is no valid one, or 'newer' when a later version of ShardKV wrote it. */
export const decodeSegmentHeader = (block: Uint8Array): SegmentHeader | 'newer' | undefined => {
  if (block.length < FIELDS_BYTES) return undefined
  const fields = block.slice(0, FIELDS_BYTES)
  const view = viewOf(fields)
  if (view.getUint32(0, true) !== SEGMENT_MAGIC) return undefined
  const checksum = view.getUint32(4, true)
  view.setUint32(4, 0, true)
  if (crc32(fields) !== checksum) return undefined
  const version = view.getUint32(8, true)
  if (version > FORMAT_VERSION) return 'newer'
  return {
    salt: view.getUint32(12, true), segment: view.getUint32(16, true), sizeBytes: view.getUint32(20, true),
    previous: { segment: view.getUint32(24, true), offset: view.getUint32(28, true) },
    chain: view.getUint32(32, true), firstSegment: view.getUint32(36, true),
    holdsReplicas: version >= REPLICA_VERSION, level: levelOfVersion(versions, version), checksum,
  }
}

const namePattern = /^(\d{10})\.wal$/

export const segmentName = (segment: number): string => `${String(segment).padStart(10, '0')}.wal`

/** The segment's number, or undefined when the file is none of the log's. */
export const segmentOfName = (name: string): number | undefined => {
  const digits = namePattern.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
