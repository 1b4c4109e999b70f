/**
 * Reads one segment group by group and says where and why it stops. Pure.
 *
 *   at `pos` or at the next block: a valid group that chains ──▶ take it
 *   else, the successor's header says the log ended here   ──▶ end
 *   else, something later proves that this place had been synced ──▶ damage; go on at the next valid group
 *   else ──▶ end; what stands after it is a torn group, never acknowledged
 *
 * Proof is the successor segment's header, or a group header further on in this segment (written for exactly its place in this very
 * log, by its checksum, position and salt) whose synced offset lies beyond.
 */

import { align, endOfData } from './bytes.ts'
import { crc32 } from './crc.ts'
import { decodeGroupHeader, GROUP_HEADER_BYTES, GROUP_MAGIC, isBefore } from './group.ts'
import type { GroupHeader, Position } from './group.ts'
import { decodeRecordHeader, paddedRecordBytes, recordOf, RECORD_ALIGN_BYTES, RECORD_HEADER_BYTES } from './record.ts'
import type { RecordHeader, WalRecord } from './record.ts'
import { BLOCK_BYTES, SEGMENT_DATA_OFFSET } from './segment.ts'

export interface ReadRecord {
  readonly header: RecordHeader
  /** Absent when the payload does not match its CRC: the record is damaged, and it is known whose it was. */
  readonly record?: WalRecord
  readonly offset: number
  readonly bytes: number
}

export interface ReadGroup {
  readonly header: GroupHeader
  readonly records: readonly ReadRecord[]
}

export interface SegmentReading {
  readonly groups: readonly ReadGroup[]
  /** The log's end in this segment, and the chain value there. */
  readonly end: Position
  readonly chain: number
  /** The last thing before `end` is a seal (or nothing was ever written after the header). */
  readonly isSealed: boolean
  /** Places at which bytes that had been synced do not read back. */
  readonly damages: readonly Position[]
  /** Where data after the end stops; equal to `end.offset` when there is none. */
  readonly dataEnd: number
}

export interface SegmentInput {
  readonly segment: number
  readonly image: Uint8Array
  /** The chain value before the first group; undefined when the header is unreadable: the first group found is believed. */
  readonly chain: number | undefined
  readonly salt: number | undefined
  /** Where the successor's header says the log left this segment. */
  readonly limit: number | undefined
}

interface Body { readonly records: readonly ReadRecord[]; readonly chain: number; readonly isWhole: boolean }

interface Cursor { offset: number; chain: number; isSealed: boolean }

export const readSegment = (input: SegmentInput): SegmentReading => {
  const groups: ReadGroup[] = []
  const damages: Position[] = []
  const cursor: Cursor = { offset: SEGMENT_DATA_OFFSET, chain: input.chain ?? 0, isSealed: true }
  const place = (offset: number): Position => ({ segment: input.segment, offset })

  /** Goes on at the next valid group, whatever it chains to. False when there is none. */
  const resynchronise = (from: number): boolean => {
    const next = findGroup(input, from, () => true)
    if (next === undefined) return false
    cursor.offset = next.at.offset
    cursor.chain = next.chain
    return true
  }
  const take = (header: GroupHeader): boolean => {
    const body = readBody(input.image, header)
    const isClean = body.isWhole && body.records.every(({ record }) => record !== undefined)
    if (!isClean && !isProvenSynced(input, header.at.offset)) return false
    groups.push({ header, records: body.records })
    cursor.offset = header.at.offset + GROUP_HEADER_BYTES + header.bodyBytes
    cursor.chain = body.chain
    cursor.isSealed = header.isSeal
    if (body.isWhole) return true
    damages.push(header.at)
    return resynchronise(Math.min(cursor.offset, header.at.offset + GROUP_HEADER_BYTES))
  }

  if (input.chain === undefined) resynchronise(SEGMENT_DATA_OFFSET)
  while (input.limit === undefined || cursor.offset < input.limit) {
    const header = groupAt(input, cursor)
    if (header !== undefined) {
      if (!take(header)) break
      continue
    }
    if (!isProvenSynced(input, cursor.offset)) break
    damages.push(place(cursor.offset))
    if (!resynchronise(cursor.offset + RECORD_ALIGN_BYTES)) break
  }
  const end = place(cursor.offset)
  return { groups, end, chain: cursor.chain, isSealed: cursor.isSealed, damages, dataEnd: endOfData(input.image, cursor.offset) }
}

const belongs = (input: SegmentInput, header: GroupHeader | undefined): header is GroupHeader =>
  header !== undefined && (input.salt === undefined || header.salt === input.salt)

/** The group that follows: right at the cursor, or a seal at the next block. */
const groupAt = (input: SegmentInput, cursor: Cursor): GroupHeader | undefined => {
  const { segment, image } = input
  const here = decodeGroupHeader(image, { segment, offset: cursor.offset })
  if (belongs(input, here) && here.chain === cursor.chain) return here
  const block = align(cursor.offset, BLOCK_BYTES)
  const seal = decodeGroupHeader(image, { segment, offset: block })
  return belongs(input, seal) && seal.isSeal && seal.chain === cursor.chain ? seal : undefined
}

const readBody = (image: Uint8Array, header: GroupHeader): Body => {
  const records: ReadRecord[] = []
  let offset = header.at.offset + GROUP_HEADER_BYTES
  const end = offset + header.bodyBytes
  let chain = header.checksum
  while (records.length < header.recordCount) {
    const recordHeader = decodeRecordHeader(image, offset, chain)
    if (recordHeader === undefined) return { records, chain, isWhole: false }
    const bytes = paddedRecordBytes(recordHeader.payloadBytes)
    const payload = image.subarray(offset + RECORD_HEADER_BYTES, offset + RECORD_HEADER_BYTES + recordHeader.payloadBytes)
    const isGood = payload.length === recordHeader.payloadBytes && crc32(payload) === recordHeader.payloadCrc
    const read = { header: recordHeader, offset, bytes }
    records.push(isGood ? { ...read, record: recordOf(recordHeader, payload) } : read)
    chain = recordHeader.chain
    offset += bytes
  }
  return { records, chain, isWhole: offset === end }
}

const isProvenSynced = (input: SegmentInput, offset: number): boolean => {
  if (input.limit !== undefined) return offset < input.limit
  const here: Position = { segment: input.segment, offset }
  return findGroup(input, offset, (header) => isBefore(here, header.synced)) !== undefined
}

/** The first group header at or after `from` that was written for its place in this log and satisfies `accepts`. */
const findGroup = (
  input: SegmentInput, from: number, accepts: (header: GroupHeader) => boolean,
): GroupHeader | undefined => {
  const { image, segment } = input
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength)
  const last = image.length - GROUP_HEADER_BYTES
  for (let offset = align(from, RECORD_ALIGN_BYTES); offset <= last; offset += RECORD_ALIGN_BYTES) {
    if (view.getUint32(offset, true) !== GROUP_MAGIC) continue
    const header = decodeGroupHeader(image, { segment, offset })
    if (belongs(input, header) && accepts(header)) return header
  }
  return undefined
}

/** True when a group in this segment proves that its header, whatever it is now, had been synced. */
export const provesHeader = (segment: number, image: Uint8Array, salt: number | undefined): boolean => {
  const input: SegmentInput = { segment, image, salt, chain: undefined, limit: undefined }
  const header: Position = { segment, offset: 0 }
  return findGroup(input, 0, ({ synced }) => isBefore(header, synced)) !== undefined
}
