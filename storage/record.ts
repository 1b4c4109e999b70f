/**
 * One record of the log: a 32-byte header and a payload, padded with zeros to a multiple of eight.
 *
 *   0 payload length u32 | 4 header checksum u32 | 8 payload CRC u32 | 12 group u16 | 14 kind u8 | 15 detail u8
 *   16 term u64          | 24 index u64          | 32 payload ...
 *
 * The header checksum is taken over the 32 bytes with the *previous* checksum of the chain standing in its own slot. So a
 * record passes only right after the record it was written after, and the chain runs over headers alone: a payload that is
 * damaged breaks neither the chain nor what follows it, and its header still says whose it was.
 */

import type { Entry, EntryKind, HardState } from '../actors/raft/protocol.ts'
import type { ReplicaMark, SnapshotMark } from '../actors/wal/protocol.ts'
import type { GroupId, ReplicaId } from '../topology/ids.ts'
import { align, getU64, setU64, viewOf } from './bytes.ts'
import { crc32 } from './crc.ts'
import { FIRST_LEVEL, versionAt } from '../topology/level.ts'
import type { Versions } from '../topology/level.ts'

export type WalRecord =
  /** Replaces whatever the group has at or above its index. */
  | { readonly kind: 'entry'; readonly group: GroupId; readonly entry: Entry }
  /** A live entry written again so that its first segment can go. Fills a gap; never truncates. */
  | { readonly kind: 'copiedEntry'; readonly group: GroupId; readonly entry: Entry }
  | { readonly kind: 'hardState'; readonly group: GroupId; readonly hardState: HardState }
  /** An installed snapshot. `keepsTail`: the log agreed with it at its index, so that entries beyond stay. */
  | { readonly kind: 'snapshotMark'; readonly group: GroupId; readonly mark: SnapshotMark; readonly keepsTail: boolean }
  | { readonly kind: 'compactMark'; readonly group: GroupId; readonly mark: SnapshotMark }
  | { readonly kind: 'quarantine'; readonly group: GroupId; readonly reason: string }
  /**
   * A replica of the group begins here, or is gone: whatever the log has of the group before it is void. Copied, it says the same again
   * so that its first segment can go, and voids nothing.
   */
  | { readonly kind: 'replica'; readonly group: GroupId; readonly replica: ReplicaMark; readonly isCopied: boolean }

export interface RecordHeader {
  readonly payloadBytes: number
  readonly payloadCrc: number
  readonly group: GroupId
  readonly kind: WalRecord['kind']
  readonly detail: number
  readonly term: number
  readonly index: number
  /** The header checksum: what the next record chains to. */
  readonly chain: number
}

export const RECORD_HEADER_BYTES = 32
export const RECORD_ALIGN_BYTES = 8
/** Bits of a replica record's detail. */
const REMOVED = 1
const COPIED = 2
/** A quarantine's reason is cut to this many characters. */
const REASON_CHARACTERS_MAX = 500

/** By layout level, that of the segment. Every number is read in any segment. */
const kindNumbers: Readonly<Record<WalRecord['kind'], Versions>> = {
  entry: [[1, 1]], copiedEntry: [[1, 2]], hardState: [[1, 3]], snapshotMark: [[1, 4]], compactMark: [[1, 5]], quarantine: [[1, 6]],
  replica: [[1, 7]],
}
const kindNames = new Map(Object.entries(kindNumbers)
  .flatMap(([name, numbers]) => numbers.map(([, number]) => [number, name as WalRecord['kind']] as const)))
const noPayload = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const recordPayload = (record: WalRecord): Uint8Array => {
  switch (record.kind) {
    case 'entry':
    case 'copiedEntry': return record.entry.payload
    case 'hardState': return encoder.encode(record.hardState.vote)
    case 'quarantine': return encoder.encode(record.reason.slice(0, REASON_CHARACTERS_MAX))
    case 'snapshotMark':
    case 'compactMark':
    case 'replica': return noPayload
  }
  record satisfies never
}

export const paddedRecordBytes = (payloadBytes: number): number =>
  align(RECORD_HEADER_BYTES + payloadBytes, RECORD_ALIGN_BYTES)

/** What the record occupies in a segment. */
export const recordBytes = (record: WalRecord): number => paddedRecordBytes(recordPayload(record).length)

interface Fields { readonly term: number; readonly index: number; readonly detail: number }

const fieldsOf = (record: WalRecord): Fields => {
  switch (record.kind) {
    case 'entry':
    case 'copiedEntry': return { term: record.entry.term, index: record.entry.index, detail: record.entry.kind }
    case 'hardState': return { term: record.hardState.term, index: 0, detail: 0 }
    case 'snapshotMark': return { ...record.mark, detail: record.keepsTail ? 1 : 0 }
    case 'compactMark': return { ...record.mark, detail: 0 }
    case 'quarantine': return { term: 0, index: 0, detail: 0 }
    case 'replica': {
      const { replica: { generation, isRemoved }, isCopied } = record
      return { term: generation, index: 0, detail: (isRemoved ? REMOVED : 0) | (isCopied ? COPIED : 0) }
    }
  }
  record satisfies never
}

export interface RecordToWrite {
  readonly record: WalRecord
  readonly chain: number
  /** Of the segment; left out, the first. */
  readonly level?: number | undefined
}

/** Writes the record at `offset` of a zero-filled target; returns the new chain value and the offset after it. */
export const encodeRecord = (
  target: Uint8Array, offset: number, options: RecordToWrite,
): { readonly chain: number; readonly end: number } => {
  const { record, level = FIRST_LEVEL } = options
  const payload = recordPayload(record)
  const { term, index, detail } = fieldsOf(record)
  const header = target.subarray(offset, offset + RECORD_HEADER_BYTES)
  const view = viewOf(header)
  view.setUint32(0, payload.length, true)
  view.setUint32(4, options.chain, true)
  view.setUint32(8, crc32(payload), true)
  view.setUint16(12, record.group, true)
  view.setUint8(14, versionAt(kindNumbers[record.kind], level))
  view.setUint8(15, detail)
  setU64(view, 16, term)
  setU64(view, 24, index)
  const chain = crc32(header)
  view.setUint32(4, chain, true)
  target.set(payload, offset + RECORD_HEADER_BYTES)
  return { chain, end: offset + paddedRecordBytes(payload.length) }
}

/** The header at `offset`, or undefined when it is not the one that follows `chain`. */
export const decodeRecordHeader = (bytes: Uint8Array, offset: number, chain: number): RecordHeader | undefined => {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return undefined
  const header = bytes.slice(offset, offset + RECORD_HEADER_BYTES)
  const view = viewOf(header)
  const stored = view.getUint32(4, true)
  view.setUint32(4, chain, true)
  if (crc32(header) !== stored) return undefined
  const kind = kindNames.get(view.getUint8(14))
  if (kind === undefined) return undefined
  return {
    payloadBytes: view.getUint32(0, true), payloadCrc: view.getUint32(8, true), group: view.getUint16(12, true),
    kind, detail: view.getUint8(15), term: getU64(view, 16), index: getU64(view, 24), chain: stored,
  }
}

/** The record of a good header and a good payload. The payload is copied: it must not keep the segment's image alive. */
export const recordOf = (header: RecordHeader, payload: Uint8Array): WalRecord => {
  const { group, kind, term, index, detail } = header
  switch (kind) {
    case 'entry':
    case 'copiedEntry':
      return { kind, group, entry: { term, index, kind: detail as EntryKind, payload: Uint8Array.from(payload) } }
    case 'hardState': return { kind, group, hardState: { term, vote: decoder.decode(payload) as ReplicaId | '' } }
    case 'snapshotMark': return { kind, group, mark: { index, term }, keepsTail: detail === 1 }
    case 'compactMark': return { kind, group, mark: { index, term } }
    case 'quarantine': return { kind, group, reason: decoder.decode(payload) }
    case 'replica': {
      const replica = { generation: term, isRemoved: (detail & REMOVED) !== 0 }
      return { kind, group, replica, isCopied: (detail & COPIED) !== 0 }
    }
  }
  kind satisfies never
}
