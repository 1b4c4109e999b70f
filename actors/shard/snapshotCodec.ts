/**
 * A shard's state as bytes: what a snapshot holds, and what the state hash covers.
 *
 *     snapshot  = head key* request* session* ended* end contents?
 *     head      = 1:u8 version:u8 index:int term:int timeMs:int revision:int undecodable:int
 *     key       = 2:u8 keyLength:u16 valueLength:u32 revision:int expiresAtMs:int key:byte* value:byte*
 *     request   = 3:u8 idLength:u8 result id:byte*                                  oldest first
 *     session   = 4:u8 client:byte*8 renewedAtMs:int firstIncomplete:int count:u16  longest idle first
 *                 ( sequence:int result )*count
 *     ended     = 5:u8 client:byte*8                                                oldest first
 *     end       = 6:u8 keys:int requests:int sessions:int ended:int                 their counts
 *     contents  = 2:u8 0:u16 4294967295:u32 count:int 0:int hash:u32*count          for each result above, in its order (contentHash.ts)
 *     result    = status:u8 message:u8 valueLength:u8 revision:int value:byte*
 *     int       = low:u32 high:u32, below 2^53; all little-endian
 *
 * `contents` is there when there are results. Versions that do not know it read such a snapshot as they read their own, and what they
 * write has none: it begins like a key whose value is longer than any, and they leave a record behind the end whose rest has not come.
 * So no layout level (topology/level.ts) is needed, whose raise would cut off the way back to them. Of what such a version wrote, the
 * hashes are unknown.
 *
 * The bytes are cut into chunks anywhere; a record may span chunks. A chunk is the work of one slice, when it is written and when it is
 * loaded: it holds at most CHUNK_BYTES_MAX and at most SLICE_ENTRIES_MAX entries (keys, ids, ended sessions, results of a session), so
 * a slice is bounded however small or large the entries are. Encoding a value copies it whole once: that slice moves up to one value more.
 *
 * One cut: `openSnapshot` cuts every table in the turn it is called, at one index, and the chunks are encoded from the cuts,
 * lazily, one per call of `next`. Tables of different moments would lose what changed between them:
 * 1. The map is cut at index 10. Entry 11 puts k with request id r, and answers.
 * 2. Were the request ids cut now, the snapshot "at 10" would know r.
 * 3. A restart restores it and replays 11: r is a duplicate, the put is skipped, and an acknowledged write is gone (docs/TESTING.md T25).
 */

import { assert, must } from '../kernel/assert.ts'
import { countIn, itemsIn, numbersIn } from '../kernel/numberedList.ts'
import { viewOf, writeBinaryString, writeHex64, writeSafeInteger } from './bytes.ts'
import { expiresAtMsOf, revisionOf, valueLengthOf, writeValueOf } from './keyRecord.ts'
import { Status } from './operation.ts'
import { OUTCOME_MESSAGES } from './outcome.ts'
import { SLICE_ENTRIES_MAX } from './protocol.ts'
import { cutSessions } from './sessions.ts'
import type { FifoCut, Keyed } from './fifo.ts'
import type { KeyRecord } from './keyRecord.ts'
import type { OperationResult } from './operation.ts'
import type { Cut as KeyCut } from './orderedMap.ts'
import type { RememberedRequest } from './outcome.ts'
import type { SnapshotChunks } from './protocol.ts'
import type { Session } from './sessions.ts'
import type { ShardState } from './state.ts'

export const SNAPSHOT_VERSION = 1
export const CHUNK_BYTES_MAX = 128 * 1_024
export const RecordTag = { head: 1, key: 2, request: 3, session: 4, ended: 5, end: 6 } as const
export const HEAD_BYTES = 42
export const KEY_HEADER_BYTES = 23
export const REQUEST_HEADER_BYTES = 2
export const SESSION_HEADER_BYTES = 27
export const ENDED_BYTES = 9
export const END_BYTES = 33
export const RESULT_HEADER_BYTES = 11
/** No key has a value of that length; `contents` begins as if one had. */
export const CONTENTS_MARK = 0xffff_ffff
export const CONTENT_BYTES = 4

/** Hashes written as one piece: what many of them cost is one entry. */
const CONTENTS_PER_PIECE = 1_024
const CONTENTS_PER_ENTRY = 64

/** Most chunks of a small state are far smaller than the maximum: the first buffer is this long and grows by doubling. */
const CHUNK_BYTES_FIRST = 1_024

interface Cut {
  readonly head: Pick<ShardState, 'appliedIndex' | 'appliedTerm' | 'timeMs' | 'revision' | 'undecodable'>
  readonly keys: KeyCut<KeyRecord>
  readonly requests: FifoCut<RememberedRequest>
  readonly sessions: readonly Session[]
  readonly ended: FifoCut<Keyed>
}

export interface Snapshot extends SnapshotChunks {
  /** Nothing more is read: the state need not remember any longer how it was. */
  readonly close: () => void
}

/**
 * The chunks of the state as it is now. `next` may be called in any later turn: the state may change meanwhile. Read it to its end or
 * close it.
 */
export const openSnapshot = (state: ShardState): Snapshot => {
  const { appliedIndex, appliedTerm, timeMs, revision, undecodable } = state
  const keys = state.keys.cut()
  const chunks = chunksOf({
    head: { appliedIndex, appliedTerm, timeMs, revision, undecodable },
    keys,
    requests: state.requests.cut(),
    sessions: cutSessions(state.sessions),
    ended: state.sessions.ended.cut(),
  })
  return { ...chunks, close: keys.close }
}

/** One record, written straight into the chunk where it fits: 200,000 arrays of their own would be collected in the middle of a slice. */
interface Piece {
  readonly length: number
  readonly entries: number
  readonly write: (target: Target) => void
}

interface Target {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly offset: number
}

const chunksOf = (cut: Cut): SnapshotChunks => {
  const pieces = piecesOf(cut)
  let waiting: Piece | undefined = pieces.next().value ?? undefined
  /** What is left of a record that spans chunks. */
  let rest = new Uint8Array(0)
  let firstBytes = CHUNK_BYTES_FIRST

  const fill = (chunk: Chunk, entriesMax: number): void => {
    rest = rest.subarray(chunk.addPart(rest))
    for (let entries = 0; waiting !== undefined && rest.length === 0; waiting = pieces.next().value ?? undefined) {
      entries += waiting.entries
      if (entries > entriesMax && entries > waiting.entries) return
      if (chunk.add(waiting)) continue
      const record = new Uint8Array(waiting.length)
      waiting.write({ bytes: record, view: viewOf(record), offset: 0 })
      rest = record.subarray(chunk.addPart(record))
    }
  }
  return {
    next: (entriesMax = SLICE_ENTRIES_MAX) => {
      if (waiting === undefined && rest.length === 0) return { done: true, value: undefined }
      const chunk = openChunk(firstBytes)
      fill(chunk, entriesMax)
      const bytes = chunk.taken()
      firstBytes = Math.max(CHUNK_BYTES_FIRST, bytes.length)
      return { done: false, value: bytes }
    },
  }
}

interface Chunk {
  /** False when the record does not fit as a whole. */
  readonly add: (piece: Piece) => boolean
  /** As much of the bytes as fits; how much that was. */
  readonly addPart: (bytes: Uint8Array) => number
  readonly taken: () => Uint8Array
}

/** A buffer that doubles up to CHUNK_BYTES_MAX. It begins as long as its predecessor became, since neighbours are alike. */
const openChunk = (firstBytes: number): Chunk => {
  let bytes = new Uint8Array(firstBytes)
  let view = viewOf(bytes)
  let used = 0
  const makeRoom = (length: number): void => {
    if (used + length <= bytes.length || bytes.length === CHUNK_BYTES_MAX) return
    const grown = new Uint8Array(Math.min(CHUNK_BYTES_MAX, Math.max(bytes.length * 2, used + length)))
    grown.set(bytes.subarray(0, used))
    bytes = grown
    view = viewOf(bytes)
  }
  return {
    add: (piece) => {
      makeRoom(piece.length)
      if (used + piece.length > bytes.length) return false
      piece.write({ bytes, view, offset: used })
      used += piece.length
      return true
    },
    addPart: (part) => {
      makeRoom(part.length)
      const length = Math.min(part.length, bytes.length - used)
      bytes.set(part.subarray(0, length), used)
      used += length
      return length
    },
    taken: () => bytes.subarray(0, used),
  }
}

function* piecesOf(cut: Cut): Generator<Piece, void> {
  yield headPiece(cut.head)
  for (const [key, record] of cut.keys.entries()) yield keyPiece(key, record)
  for (const { key, outcome } of cut.requests.entries()) yield requestPiece(key, outcome)
  for (const session of cut.sessions) yield sessionPiece(session)
  for (const { key } of cut.ended.entries()) yield endedPiece(key)
  yield endPiece([cut.keys.size, cut.requests.size, cut.sessions.length, cut.ended.size])
  yield* contentsPieces(cut)
}

function* contentsPieces(cut: Cut): Generator<Piece, void> {
  let count = cut.requests.size
  for (const { results } of cut.sessions) count += countIn(results)
  if (count === 0) return
  yield contentsHeadPiece(count)
  let hashes: number[] = []
  for (const hash of contentsOf(cut)) {
    hashes.push(hash)
    if (hashes.length < CONTENTS_PER_PIECE) continue
    yield contentsPiece(hashes)
    hashes = []
  }
  if (hashes.length > 0) yield contentsPiece(hashes)
}

function* contentsOf({ requests, sessions }: Cut): Generator<number, void> {
  for (const { content } of requests.entries()) yield content
  for (const { results } of sessions) for (const { content } of itemsIn(results)) yield content
}

const headPiece = (head: Cut['head']): Piece => ({
  length: HEAD_BYTES,
  entries: 0,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.head)
    view.setUint8(offset + 1, SNAPSHOT_VERSION)
    const numbers = [head.appliedIndex, head.appliedTerm, head.timeMs, head.revision, head.undecodable]
    numbers.forEach((value, i) => writeSafeInteger(view, offset + 2 + i * 8, value))
  },
})

const keyPiece = (key: string, record: KeyRecord): Piece => ({
  length: KEY_HEADER_BYTES + key.length + valueLengthOf(record),
  entries: 1,
  write: ({ bytes, view, offset }) => {
    view.setUint8(offset, RecordTag.key)
    view.setUint16(offset + 1, key.length, true)
    view.setUint32(offset + 3, valueLengthOf(record), true)
    writeSafeInteger(view, offset + 7, revisionOf(record))
    writeSafeInteger(view, offset + 15, expiresAtMsOf(record))
    writeBinaryString(bytes, offset + KEY_HEADER_BYTES, key)
    writeValueOf(bytes, offset + KEY_HEADER_BYTES + key.length, record)
  },
})

const requestPiece = (id: string, result: OperationResult): Piece => ({
  length: REQUEST_HEADER_BYTES + resultBytes(result) + id.length,
  entries: 1,
  write: ({ bytes, view, offset }) => {
    view.setUint8(offset, RecordTag.request)
    view.setUint8(offset + 1, id.length)
    writeBinaryString(bytes, writeResult({ bytes, view, offset: offset + REQUEST_HEADER_BYTES }, result), id)
  },
})

const sessionPiece = ({ client, renewedAtMs, firstIncomplete, results }: Session): Piece => {
  let length = SESSION_HEADER_BYTES
  for (const { outcome } of itemsIn(results)) length += 8 + resultBytes(outcome)
  return {
    length,
    entries: Math.max(1, countIn(results)),
    write: ({ bytes, view, offset }) => {
      view.setUint8(offset, RecordTag.session)
      writeHex64(view, offset + 1, client)
      writeSafeInteger(view, offset + 9, renewedAtMs)
      writeSafeInteger(view, offset + 17, firstIncomplete)
      view.setUint16(offset + 25, countIn(results), true)
      let next = offset + SESSION_HEADER_BYTES
      const remembered = itemsIn(results)
      for (const [i, sequence] of numbersIn(results).entries()) {
        writeSafeInteger(view, next, sequence)
        next = writeResult({ bytes, view, offset: next + 8 }, must(remembered[i], 'every number has its item').outcome)
      }
    },
  }
}

const endedPiece = (client: string): Piece => ({
  length: ENDED_BYTES,
  entries: 1,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.ended)
    writeHex64(view, offset + 1, client)
  },
})

const endPiece = (counts: readonly number[]): Piece => ({
  length: END_BYTES,
  entries: 0,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.end)
    counts.forEach((count, i) => writeSafeInteger(view, offset + 1 + i * 8, count))
  },
})

const contentsHeadPiece = (count: number): Piece => ({
  length: KEY_HEADER_BYTES,
  entries: 0,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.key)
    view.setUint16(offset + 1, 0, true)
    view.setUint32(offset + 3, CONTENTS_MARK, true)
    writeSafeInteger(view, offset + 7, count)
    writeSafeInteger(view, offset + 15, 0)
  },
})

const contentsPiece = (hashes: readonly number[]): Piece => ({
  length: hashes.length * CONTENT_BYTES,
  entries: Math.ceil(hashes.length / CONTENTS_PER_ENTRY),
  write: ({ view, offset }) => hashes.forEach((hash, i) => view.setInt32(offset + i * CONTENT_BYTES, hash, true)),
})

const resultBytes = ({ value }: OperationResult): number => RESULT_HEADER_BYTES + (value?.length ?? 0)

/** Where it ends. */
const writeResult = ({ bytes, view, offset }: Target, { status, revision, value, message = '' }: OperationResult): number => {
  const messageCode = (OUTCOME_MESSAGES as readonly string[]).indexOf(message)
  assert(messageCode >= 0, `the message "${message}" is one of outcome.ts`)
  view.setUint8(offset, Status[status])
  view.setUint8(offset + 1, messageCode)
  view.setUint8(offset + 2, value?.length ?? 0)
  writeSafeInteger(view, offset + 3, revision)
  if (value !== undefined) bytes.set(value, offset + RESULT_HEADER_BYTES)
  return offset + RESULT_HEADER_BYTES + (value?.length ?? 0)
}
