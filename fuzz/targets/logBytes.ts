/** The log on disk: one record behind another, and a segment as recovery reads it. Checksums are made right after most changes. */

import { between, chance } from '../../actors/kernel/random.ts'
import { crc32 } from '../../storage/crc.ts'
import { encodeGroup, GROUP_HEADER_BYTES, GROUP_MAGIC } from '../../storage/group.ts'
import {
  decodeRecordHeader, encodeRecord, recordBytes, recordOf, RECORD_HEADER_BYTES,
} from '../../storage/record.ts'
import { recoverLog } from '../../storage/recovery.ts'
import { encodeSegmentHeader, SEGMENT_BYTES_MIN, SEGMENT_DATA_OFFSET } from '../../storage/segment.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import { drawBytes, drawWhole, one } from '../draw.ts'
import { refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { WalRecord } from '../../storage/record.ts'
import type { Target } from '../target.ts'

const CHAIN = 77
const SALT = 0x0bad_cafe
const SIZE_FIELDS_BYTES = 40

const drawRecord = (random: Random): WalRecord => {
  const group = between(random, 0, 3)
  const kind = one(random, [0, 1, 2] as const)
  const entry = { term: between(random, 1, 9), index: between(random, 1, 9), kind, payload: drawBytes(random, 40) }
  const mark = { index: drawWhole(random), term: drawWhole(random) }
  return one<() => WalRecord>(random, [
    () => ({ kind: 'entry', group, entry }),
    () => ({ kind: 'copiedEntry', group, entry }),
    () => ({ kind: 'hardState', group, hardState: { term: entry.term, vote: chance(random, 0.5) ? '' : replicaId(nodeId('a'), 1) } }),
    () => ({ kind: 'snapshotMark', group, mark, keepsTail: chance(random, 0.5) }),
    () => ({ kind: 'compactMark', group, mark }),
    () => ({ kind: 'quarantine', group, reason: 'it forgot' }),
    () => ({
      kind: 'replica', group, replica: { generation: entry.term, isRemoved: chance(random, 0.3) }, isCopied: chance(random, 0.3),
    }),
  ])()
}

const encode = (record: WalRecord): Uint8Array => {
  const bytes = new Uint8Array(recordBytes(record))
  encodeRecord(bytes, 0, { record, chain: CHAIN })
  return bytes
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

const mendRecord = (bytes: Uint8Array, at: number, chain: number): number => {
  const view = viewOf(bytes)
  const length = view.getUint32(at, true)
  const payload = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length)
  view.setUint32(at + 8, crc32(payload), true)
  view.setUint32(at + 4, chain, true)
  const checksum = crc32(bytes.subarray(at, at + RECORD_HEADER_BYTES))
  view.setUint32(at + 4, checksum, true)
  return checksum
}

export const logRecord: Target = {
  name: 'log record', share: 4, isCanonical: false,
  example: (random) => encode(drawRecord(random)),
  decode: (bytes) => {
    const header = decodeRecordHeader(bytes, 0, CHAIN)
    if (header === undefined) return refused('no record follows this one')
    const payload = bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + header.payloadBytes)
    if (payload.length !== header.payloadBytes || crc32(payload) !== header.payloadCrc) return refused('the payload is damaged')
    const record = recordOf(header, payload)
    return { ok: true, shape: header.kind, again: encode(record), value: record }
  },
  mend: (bytes) => { if (bytes.length >= RECORD_HEADER_BYTES) mendRecord(bytes, 0, CHAIN) },
}

/** One segment: a header, some groups, at the first places of its data; the zeros that follow are added when it is read. */
const drawSegment = (random: Random): Uint8Array => {
  const header = encodeSegmentHeader({
    salt: SALT, segment: 1, sizeBytes: SEGMENT_BYTES_MIN, previous: { segment: 0, offset: 0 }, chain: 0, firstSegment: 1,
    holdsReplicas: chance(random, 0.5),
  })
  const parts = [header.bytes.subarray(0, SIZE_FIELDS_BYTES)]
  let chain = header.checksum
  let offset = SEGMENT_DATA_OFFSET
  for (let group = between(random, 1, 4); group > 0; group -= 1) {
    const synced = chance(random, 0.8) ? { segment: 1, offset } : { segment: 0, offset: 0 }
    const written = encodeGroup({ at: { segment: 1, offset }, synced, firstSegment: 1, chain, isSeal: false, salt: SALT },
      Array.from({ length: between(random, 0, 3) }, () => drawRecord(random)))
    parts.push(written.bytes)
    chain = written.chain
    offset += written.bytes.length
  }
  return Buffer.concat(parts)
}

const imageOf = (bytes: Uint8Array): Uint8Array => {
  const image = new Uint8Array(SEGMENT_BYTES_MIN)
  image.set(bytes.subarray(0, SIZE_FIELDS_BYTES))
  image.set(bytes.subarray(SIZE_FIELDS_BYTES, SIZE_FIELDS_BYTES + SEGMENT_BYTES_MIN - SEGMENT_DATA_OFFSET), SEGMENT_DATA_OFFSET)
  return image
}

/** Walks what looks like groups and makes their checksums and chains right. */
const mendSegment = (bytes: Uint8Array): void => {
  if (bytes.length < SIZE_FIELDS_BYTES) return
  const view = viewOf(bytes)
  const seal = (from: number, length: number): number => {
    view.setUint32(from + 4, 0, true)
    const checksum = crc32(bytes.subarray(from, from + length))
    view.setUint32(from + 4, checksum, true)
    return checksum
  }
  let chain = seal(0, SIZE_FIELDS_BYTES)
  let at = SIZE_FIELDS_BYTES
  while (at + GROUP_HEADER_BYTES <= bytes.length && view.getUint32(at, true) === GROUP_MAGIC) {
    view.setUint32(at + 28, chain, true)
    chain = seal(at, GROUP_HEADER_BYTES)
    const end = Math.min(bytes.length, at + GROUP_HEADER_BYTES + view.getUint32(at + 36, true))
    let record = at + GROUP_HEADER_BYTES
    while (record + RECORD_HEADER_BYTES <= end) {
      chain = mendRecord(bytes, record, chain)
      record += Math.ceil((RECORD_HEADER_BYTES + view.getUint32(record, true)) / 8) * 8
    }
    at = end
  }
}

export const logSegment: Target = {
  name: 'log segment', share: 1, isCanonical: true, scratchBytes: 256 * 1_024,
  example: drawSegment,
  decode: (bytes) => {
    const { report, isNewer, tail } = recoverLog(new Map([[1, imageOf(bytes)]]))
    if (isNewer) return refused('a newer version wrote it')
    const groups = [...report.groups.values()]
    const held = groups.some(({ entries, snapshot }) => entries.some(({ index }, at) => index !== snapshot.index + 1 + at))
    if (held) throw new Error('recovered entries have gaps')
    const isTrusting = report.damagedNode !== undefined && groups.some(({ quarantined }) => quarantined === undefined)
    const lingers = groups.some(({ replica, entries, hardState, snapshot }) =>
      replica?.isRemoved === true && entries.length + hardState.term + snapshot.index > 0)
    if (lingers) throw new Error('something is left behind a tombstone')
    if (isTrusting) throw new Error('a group of a damaged log is trusted')
    const shape = `${report.damagedNode === undefined ? 'sound' : 'damaged'} ${report.tornBytes > 0 ? 'torn' : ''} ${groups.length}`
    return { ok: true, shape: `${shape} ${tail.continues}`, value: groups }
  },
  mend: mendSegment,
}
