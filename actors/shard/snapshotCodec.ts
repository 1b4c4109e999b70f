/**
 * A shard's state as bytes: what a snapshot holds, and what the state hash covers.
 *
 *     snapshot  = head key* request* session* ended* end
 *     head      = 1:u8 version:u8 index:int term:int timeMs:int revision:int undecodable:int
 *     key       = 2:u8 keyLength:u16 valueLength:u32 revision:int expiresAtMs:int key:byte* value:byte*
 *     request   = 3:u8 idLength:u8 result id:byte*                                  oldest first
 *     session   = 4:u8 client:byte*8 renewedAtMs:int firstIncomplete:int count:u16  longest idle first
 *                 ( sequence:int result )*count
 *     ended     = 5:u8 client:byte*8                                                oldest first
 *     end       = 6:u8 keys:int requests:int sessions:int ended:int                 their counts
 *     result    = status:u8 message:u8 valueLength:u8 revision:int value:byte*
 *     int       = low:u32 high:u32, below 2^53; all little-endian
 *
 * The bytes are cut into chunks of at most CHUNK_BYTES_MAX anywhere; a record may span chunks.
 *
 * One cut: `openSnapshot` cuts every table in the turn it is called, at one index, and the chunks are encoded from the cuts,
 * lazily, one per call of `next`. Tables of different moments would lose what changed between them:
 * 1. The map is cut at index 10. Entry 11 puts k with request id r, and answers.
 * 2. Were the request ids cut now, the snapshot "at 10" would know r.
 * 3. A restart restores it and replays 11: r is a duplicate, the put is skipped, and an acknowledged write is gone (RELIABILITY T25).
 */

import { assert } from '../kernel/assert.ts'
import { viewOf, writeBinaryString, writeHex64, writeSafeInteger } from './bytes.ts'
import { Status } from './operation.ts'
import { OUTCOME_MESSAGES } from './outcome.ts'
import { cutSessions } from './sessions.ts'
import { writeValue } from './storedValue.ts'
import type { Remembered } from './fifo.ts'
import type { OperationResult } from './operation.ts'
import type { Cut as KeyCut } from './orderedMap.ts'
import type { Session } from './sessions.ts'
import type { KeyRecord, ShardState } from './state.ts'

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

/** Most chunks of a small state are far smaller than the maximum: the first buffer is this long and grows by doubling. */
const CHUNK_BYTES_FIRST = 1_024

interface Cut {
  readonly head: Pick<ShardState, 'appliedIndex' | 'appliedTerm' | 'timeMs' | 'revision' | 'undecodable'>
  readonly keys: KeyCut<KeyRecord>
  readonly requests: readonly Remembered<OperationResult>[]
  readonly sessions: readonly Session[]
  readonly ended: readonly Remembered<null>[]
}

export interface Snapshot extends Iterator<Uint8Array, void> {
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
    requests: state.requests.toArray(),
    sessions: cutSessions(state.sessions),
    ended: state.sessions.ended.toArray(),
  })
  return { next: () => chunks.next(), close: keys.close }
}

/** One record, written straight into the chunk where it fits: 200,000 arrays of their own would be collected in the middle of a slice. */
interface Piece {
  readonly length: number
  readonly write: (target: Target) => void
}

interface Target {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly offset: number
}

function* chunksOf(cut: Cut): Generator<Uint8Array, void> {
  let bytes = new Uint8Array(CHUNK_BYTES_FIRST)
  let view = viewOf(bytes)
  let used = 0
  const grow = (length: number): void => {
    const grown = new Uint8Array(Math.min(CHUNK_BYTES_MAX, Math.max(bytes.length * 2, length)))
    grown.set(bytes.subarray(0, used))
    bytes = grown
    view = viewOf(bytes)
  }
  for (const piece of piecesOf(cut)) {
    if (used + piece.length > bytes.length && bytes.length < CHUNK_BYTES_MAX) grow(used + piece.length)
    if (used + piece.length <= bytes.length) {
      piece.write({ bytes, view, offset: used })
      used += piece.length
      continue
    }
    const record = new Uint8Array(piece.length)
    piece.write({ bytes: record, view: viewOf(record), offset: 0 })
    for (let taken = 0; taken < record.length;) {
      if (used === CHUNK_BYTES_MAX) {
        yield bytes
        bytes = new Uint8Array(CHUNK_BYTES_MAX)
        view = viewOf(bytes)
        used = 0
      }
      const part = record.subarray(taken, taken + CHUNK_BYTES_MAX - used)
      bytes.set(part, used)
      used += part.length
      taken += part.length
    }
  }
  yield bytes.subarray(0, used)
}

function* piecesOf(cut: Cut): Generator<Piece, void> {
  yield headPiece(cut.head)
  for (const [key, record] of cut.keys.entries()) yield keyPiece(key, record)
  for (const { key, value } of cut.requests) yield requestPiece(key, value)
  for (const session of cut.sessions) yield sessionPiece(session)
  for (const { key } of cut.ended) yield endedPiece(key)
  yield endPiece([cut.keys.size, cut.requests.length, cut.sessions.length, cut.ended.length])
}

const headPiece = (head: Cut['head']): Piece => ({
  length: HEAD_BYTES,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.head)
    view.setUint8(offset + 1, SNAPSHOT_VERSION)
    const numbers = [head.appliedIndex, head.appliedTerm, head.timeMs, head.revision, head.undecodable]
    numbers.forEach((value, i) => writeSafeInteger(view, offset + 2 + i * 8, value))
  },
})

const keyPiece = (key: string, { value, revision, expiresAtMs }: KeyRecord): Piece => ({
  length: KEY_HEADER_BYTES + key.length + value.length,
  write: ({ bytes, view, offset }) => {
    view.setUint8(offset, RecordTag.key)
    view.setUint16(offset + 1, key.length, true)
    view.setUint32(offset + 3, value.length, true)
    writeSafeInteger(view, offset + 7, revision)
    writeSafeInteger(view, offset + 15, expiresAtMs)
    writeBinaryString(bytes, offset + KEY_HEADER_BYTES, key)
    writeValue(bytes, offset + KEY_HEADER_BYTES + key.length, value)
  },
})

const requestPiece = (id: string, result: OperationResult): Piece => ({
  length: REQUEST_HEADER_BYTES + resultBytes(result) + id.length,
  write: ({ bytes, view, offset }) => {
    view.setUint8(offset, RecordTag.request)
    view.setUint8(offset + 1, id.length)
    writeBinaryString(bytes, writeResult({ bytes, view, offset: offset + REQUEST_HEADER_BYTES }, result), id)
  },
})

const sessionPiece = ({ client, renewedAtMs, firstIncomplete, results }: Session): Piece => {
  let length = SESSION_HEADER_BYTES
  for (const result of results.values()) length += 8 + resultBytes(result)
  return {
    length,
    write: ({ bytes, view, offset }) => {
      view.setUint8(offset, RecordTag.session)
      writeHex64(view, offset + 1, client)
      writeSafeInteger(view, offset + 9, renewedAtMs)
      writeSafeInteger(view, offset + 17, firstIncomplete)
      view.setUint16(offset + 25, results.size, true)
      let next = offset + SESSION_HEADER_BYTES
      for (const [sequence, result] of results) {
        writeSafeInteger(view, next, sequence)
        next = writeResult({ bytes, view, offset: next + 8 }, result)
      }
    },
  }
}

const endedPiece = (client: string): Piece => ({
  length: ENDED_BYTES,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.ended)
    writeHex64(view, offset + 1, client)
  },
})

const endPiece = (counts: readonly number[]): Piece => ({
  length: END_BYTES,
  write: ({ view, offset }) => {
    view.setUint8(offset, RecordTag.end)
    counts.forEach((count, i) => writeSafeInteger(view, offset + 1 + i * 8, count))
  },
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
