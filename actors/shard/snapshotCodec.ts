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
 * One cut: `openSnapshot` clones every table in the turn it is called, at one index, and the chunks are encoded from the clones,
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
import type { Remembered } from './fifo.ts'
import type { OperationResult } from './operation.ts'
import type { OrderedMap } from './orderedMap.ts'
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
  readonly keys: OrderedMap<KeyRecord>
  readonly requests: readonly Remembered<OperationResult>[]
  readonly sessions: readonly Session[]
  readonly ended: readonly Remembered<null>[]
}

/** The chunks of the state as it is now. `next` may be called in any later turn: the state may change meanwhile. */
export const openSnapshot = (state: ShardState): Iterator<Uint8Array> => {
  const { appliedIndex, appliedTerm, timeMs, revision, undecodable } = state
  return chunksOf({
    head: { appliedIndex, appliedTerm, timeMs, revision, undecodable },
    keys: state.keys.clone(),
    requests: state.requests.toArray(),
    sessions: cutSessions(state.sessions),
    ended: state.sessions.ended.toArray(),
  })
}

function* chunksOf(cut: Cut): Generator<Uint8Array, void> {
  let buffer = new Uint8Array(CHUNK_BYTES_FIRST)
  let used = 0
  for (const record of recordsOf(cut)) {
    if (used + record.length > buffer.length && buffer.length < CHUNK_BYTES_MAX) {
      const grown = new Uint8Array(Math.min(CHUNK_BYTES_MAX, Math.max(buffer.length * 2, used + record.length)))
      grown.set(buffer.subarray(0, used))
      buffer = grown
    }
    for (let taken = 0; taken < record.length;) {
      const piece = record.subarray(taken, taken + buffer.length - used)
      buffer.set(piece, used)
      used += piece.length
      taken += piece.length
      if (used < CHUNK_BYTES_MAX) continue
      yield buffer
      buffer = new Uint8Array(CHUNK_BYTES_MAX)
      used = 0
    }
  }
  if (used > 0) yield buffer.subarray(0, used)
}

function* recordsOf(cut: Cut): Generator<Uint8Array, void> {
  yield encodeHead(cut.head)
  for (const [key, record] of cut.keys.entries()) yield encodeKey(key, record)
  for (const { key, value } of cut.requests) yield encodeRequest(key, value)
  for (const session of cut.sessions) yield encodeSession(session)
  for (const { key } of cut.ended) yield encodeEnded(key)
  yield encodeEnd([cut.keys.size(), cut.requests.length, cut.sessions.length, cut.ended.length])
}

const encodeHead = (head: Cut['head']): Uint8Array => {
  const { bytes, view } = openRecord(RecordTag.head, HEAD_BYTES)
  view.setUint8(1, SNAPSHOT_VERSION)
  const numbers = [head.appliedIndex, head.appliedTerm, head.timeMs, head.revision, head.undecodable]
  numbers.forEach((value, i) => writeSafeInteger(view, 2 + i * 8, value))
  return bytes
}

const encodeKey = (key: string, { value, revision, expiresAtMs }: KeyRecord): Uint8Array => {
  const { bytes, view } = openRecord(RecordTag.key, KEY_HEADER_BYTES + key.length + value.length)
  view.setUint16(1, key.length, true)
  view.setUint32(3, value.length, true)
  writeSafeInteger(view, 7, revision)
  writeSafeInteger(view, 15, expiresAtMs)
  writeBinaryString(bytes, KEY_HEADER_BYTES, key)
  bytes.set(value, KEY_HEADER_BYTES + key.length)
  return bytes
}

const encodeRequest = (id: string, result: OperationResult): Uint8Array => {
  const { bytes, view } = openRecord(RecordTag.request, REQUEST_HEADER_BYTES + resultBytes(result) + id.length)
  view.setUint8(1, id.length)
  const end = writeResult(bytes, view, { offset: REQUEST_HEADER_BYTES, result })
  writeBinaryString(bytes, end, id)
  return bytes
}

const encodeSession = ({ client, renewedAtMs, firstIncomplete, results }: Session): Uint8Array => {
  let length = SESSION_HEADER_BYTES
  for (const result of results.values()) length += 8 + resultBytes(result)
  const { bytes, view } = openRecord(RecordTag.session, length)
  writeHex64(view, 1, client)
  writeSafeInteger(view, 9, renewedAtMs)
  writeSafeInteger(view, 17, firstIncomplete)
  view.setUint16(25, results.size, true)
  let offset = SESSION_HEADER_BYTES
  for (const [sequence, result] of results) {
    writeSafeInteger(view, offset, sequence)
    offset = writeResult(bytes, view, { offset: offset + 8, result })
  }
  return bytes
}

const encodeEnded = (client: string): Uint8Array => {
  const { bytes, view } = openRecord(RecordTag.ended, ENDED_BYTES)
  writeHex64(view, 1, client)
  return bytes
}

const encodeEnd = (counts: readonly number[]): Uint8Array => {
  const { bytes, view } = openRecord(RecordTag.end, END_BYTES)
  counts.forEach((count, i) => writeSafeInteger(view, 1 + i * 8, count))
  return bytes
}

const openRecord = (tag: number, length: number): { readonly bytes: Uint8Array; readonly view: DataView } => {
  const bytes = new Uint8Array(length)
  bytes[0] = tag
  return { bytes, view: viewOf(bytes) }
}

const resultBytes = ({ value }: OperationResult): number => RESULT_HEADER_BYTES + (value?.length ?? 0)

const writeResult = (
  bytes: Uint8Array,
  view: DataView,
  at: { readonly offset: number; readonly result: OperationResult },
): number => {
  const { offset, result: { status, revision, value, message = '' } } = at
  const messageCode = (OUTCOME_MESSAGES as readonly string[]).indexOf(message)
  assert(messageCode >= 0, `the message "${message}" is one of outcome.ts`)
  view.setUint8(offset, Status[status])
  view.setUint8(offset + 1, messageCode)
  view.setUint8(offset + 2, value?.length ?? 0)
  writeSafeInteger(view, offset + 3, revision)
  if (value !== undefined) bytes.set(value, offset + RESULT_HEADER_BYTES)
  return offset + RESULT_HEADER_BYTES + (value?.length ?? 0)
}
