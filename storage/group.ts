/**
 * A commit group: what one write and one sync made durable together. It lives or dies whole, and never spans segments.
 *
 *   0 magic u32    | 4 header checksum u32 | 8 own segment u32     | 12 own offset u32
 *   16 synced segment u32 | 20 synced offset u32 | 24 first segment u32 | 28 chain before u32
 *   32 records u32 | 36 body bytes u32     | 40 flags u32 (1: seal) | 44 salt u32 | 48 records ...
 *
 * `synced` is how far the log was known to be on disk when the group was written: its mere existence proves that whatever lies
 * before that offset had been synced, which is what tells corruption from a torn tail. `firstSegment` is the lowest segment the log
 * still needs. `salt` is random per log, so that no client can plant a payload that looks like a group of this log.
 * The chain goes on from the header's checksum (taken with zeros in its slot), which covers the chain before it.
 */

import { assert } from '../actors/kernel/assert.ts'
import { viewOf } from './bytes.ts'
import { crc32 } from './crc.ts'
import { encodeRecord, recordBytes } from './record.ts'
import type { RecordToWrite, WalRecord } from './record.ts'

/** A place in the log: segments are numbered from 1. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

export interface GroupHeader {
  readonly at: Position
  readonly synced: Position
  readonly firstSegment: number
  /** The chain value before this group. */
  readonly chain: number
  readonly recordCount: number
  readonly bodyBytes: number
  readonly isSeal: boolean
  readonly salt: number
  /** What the first record chains to. */
  readonly checksum: number
}

export const GROUP_HEADER_BYTES = 48
export const GROUP_MAGIC = 0x47564b53

export const isBefore = (a: Position, b: Position): boolean =>
  a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)

type HeaderFields = Omit<GroupHeader, 'checksum' | 'recordCount' | 'bodyBytes'>
/** `level`: of the segment; left out, the first. */
type GroupFields = HeaderFields & Pick<RecordToWrite, 'level'>

/** The group's bytes and the chain value after its last record. */
export const encodeGroup = (
  fields: GroupFields, records: readonly WalRecord[],
): { readonly bytes: Uint8Array; readonly chain: number } => {
  let bodyBytes = 0
  for (const record of records) bodyBytes += recordBytes(record)
  const bytes = new Uint8Array(GROUP_HEADER_BYTES + bodyBytes)
  let chain = writeHeader(bytes, fields, { bodyBytes, recordCount: records.length })
  let offset = GROUP_HEADER_BYTES
  for (const record of records) {
    const written = encodeRecord(bytes, offset, { record, chain, level: fields.level })
    chain = written.chain
    offset = written.end
  }
  assert(offset === bytes.length, 'the records fill their group')
  return { bytes, chain }
}

const writeHeader = (bytes: Uint8Array, header: HeaderFields, body: Pick<GroupHeader, 'bodyBytes' | 'recordCount'>): number => {
  const view = viewOf(bytes)
  view.setUint32(0, GROUP_MAGIC, true)
  view.setUint32(8, header.at.segment, true)
  view.setUint32(12, header.at.offset, true)
  view.setUint32(16, header.synced.segment, true)
  view.setUint32(20, header.synced.offset, true)
  view.setUint32(24, header.firstSegment, true)
  view.setUint32(28, header.chain, true)
  view.setUint32(32, body.recordCount, true)
  view.setUint32(36, body.bodyBytes, true)
  view.setUint32(40, header.isSeal ? 1 : 0, true)
  view.setUint32(44, header.salt, true)
  const checksum = crc32(bytes.subarray(0, GROUP_HEADER_BYTES))
  view.setUint32(4, checksum, true)
  return checksum
}

/** The header at `at` of a segment's image, or undefined when none that was written for this very place stands there. */
export const decodeGroupHeader = (image: Uint8Array, at: Position): GroupHeader | undefined => {
  const { offset } = at
  if (offset + GROUP_HEADER_BYTES > image.length) return undefined
  const peek = new DataView(image.buffer, image.byteOffset + offset, GROUP_HEADER_BYTES)
  if (peek.getUint32(0, true) !== GROUP_MAGIC || peek.getUint32(8, true) !== at.segment) return undefined
  if (peek.getUint32(12, true) !== offset) return undefined
  const header = image.slice(offset, offset + GROUP_HEADER_BYTES)
  const view = viewOf(header)
  const checksum = view.getUint32(4, true)
  view.setUint32(4, 0, true)
  if (crc32(header) !== checksum) return undefined
  return {
    at, synced: { segment: view.getUint32(16, true), offset: view.getUint32(20, true) },
    firstSegment: view.getUint32(24, true), chain: view.getUint32(28, true), recordCount: view.getUint32(32, true),
    bodyBytes: view.getUint32(36, true), isSeal: view.getUint32(40, true) === 1, salt: view.getUint32(44, true), checksum,
  }
}
