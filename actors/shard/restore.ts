/**
 * Builds a state from the chunks of a snapshot (layout: snapshotCodec.ts), fed in order and cut anywhere. The store has verified the
 * bytes, so what does not decode is another version or a bug; it is returned as a reason, never thrown.
 */

import { createNumberedList, setItem } from '../kernel/numberedList.ts'
import { readBinaryString, readHex64, readSafeInteger, viewOf } from './bytes.ts'
import { UNKNOWN_CONTENT } from './contentHash.ts'
import { Status } from './operation.ts'
import { OUTCOME_MESSAGES } from './outcome.ts'
import {
  CONTENTS_MARK, CONTENT_BYTES, END_BYTES, ENDED_BYTES, HEAD_BYTES, KEY_HEADER_BYTES, REQUEST_HEADER_BYTES, RESULT_HEADER_BYTES, RecordTag,
  SESSION_HEADER_BYTES, SNAPSHOT_VERSION,
} from './snapshotCodec.ts'
import { createState, storeKey } from './state.ts'
import type { OperationResult, StatusName } from './operation.ts'
import type { Remembered } from './outcome.ts'
import type { ShardState } from './state.ts'

export type Restored = { readonly state: ShardState } | { readonly reason: string }

export interface Restore {
  /** The chunk is copied from, never kept. */
  readonly push: (chunk: Uint8Array) => void
  /** After the last chunk. */
  readonly finish: () => Restored
}

interface Builder {
  readonly state: ShardState
  /** Bytes of a record whose end has not come yet. */
  rest: Uint8Array
  readonly counts: { keys: number; requests: number; sessions: number; ended: number }
  /** What was restored with a result, in order: the hashes come last, for all of them. */
  readonly remembered: Remembered[]
  /** How many of the hashes have come; null before the first, and where the snapshot has none. */
  contents: number | null
  hasHead: boolean
  isComplete: boolean
  reason: string
}

/** Where one record stands; `bytes` may go on behind it. */
interface At {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly offset: number
}

export const openRestore = (): Restore => {
  const builder: Builder = {
    state: createState(), rest: new Uint8Array(0), counts: { keys: 0, requests: 0, sessions: 0, ended: 0 },
    remembered: [], contents: null, hasHead: false, isComplete: false, reason: '',
  }
  return {
    push: (chunk) => takeRecords(builder, joined(builder.rest, chunk)),
    finish: () => {
      if (builder.reason !== '') return { reason: builder.reason }
      if (!builder.isComplete) return { reason: 'the snapshot ends before its end record' }
      return hasAllContents(builder) ? { state: builder.state } : { reason: 'the snapshot ends before its last hash' }
    },
  }
}

const joined = (rest: Uint8Array, chunk: Uint8Array): Uint8Array => {
  if (rest.length === 0) return chunk
  const bytes = new Uint8Array(rest.length + chunk.length)
  bytes.set(rest)
  bytes.set(chunk, rest.length)
  return bytes
}

const takeRecords = (builder: Builder, bytes: Uint8Array): void => {
  const view = viewOf(bytes)
  let offset = 0
  while (offset < bytes.length && builder.reason === '') {
    const at = { bytes, view, offset }
    const taken = builder.isComplete ? takeContents(builder, at) : takeNext(builder, at)
    if (taken === 0) break
    offset += taken
  }
  builder.rest = bytes.slice(offset)
}

/** How many bytes it took; 0 while the record is not here as a whole, and when it is refused. */
const takeNext = (builder: Builder, at: At): number => {
  const length = recordBytes(at)
  if (length === null) return 0
  if (length < 0) {
    builder.reason = `a snapshot record of kind ${at.view.getUint8(at.offset)} is unknown: upgrade this node`
    return 0
  }
  takeRecord(builder, at)
  return length
}

const has = ({ bytes, offset }: At, length: number): boolean => offset + length <= bytes.length

/** The whole length of the record, null while too little of it is here, -1 when its kind is unknown. */
const recordBytes = (at: At): number | null => {
  const length = declaredBytes(at)
  return length === null || has(at, length) ? length : null
}

const declaredBytes = (at: At): number | null => {
  const { view, offset } = at
  switch (view.getUint8(offset)) {
    case RecordTag.head: return HEAD_BYTES
    case RecordTag.key:
      return has(at, KEY_HEADER_BYTES) ? KEY_HEADER_BYTES + view.getUint16(offset + 1, true) + view.getUint32(offset + 3, true) : null
    case RecordTag.request: {
      const header = REQUEST_HEADER_BYTES + RESULT_HEADER_BYTES
      return has(at, header) ? header + view.getUint8(offset + 1) + view.getUint8(offset + REQUEST_HEADER_BYTES + 2) : null
    }
    case RecordTag.session: return sessionBytes(at)
    case RecordTag.ended: return ENDED_BYTES
    case RecordTag.end: return END_BYTES
  }
  return -1
}

const sessionBytes = (at: At): number | null => {
  if (!has(at, SESSION_HEADER_BYTES)) return null
  let length = SESSION_HEADER_BYTES
  for (let left = at.view.getUint16(at.offset + 25, true); left > 0; left -= 1) {
    if (!has(at, length + 8 + RESULT_HEADER_BYTES)) return null
    length += 8 + RESULT_HEADER_BYTES + at.view.getUint8(at.offset + length + 8 + 2)
  }
  return length
}

const MISPLACED = 'a snapshot has one head, first, and one end, last'

const takeRecord = (builder: Builder, at: At): void => {
  const tag = at.view.getUint8(at.offset)
  if ((tag === RecordTag.head) === builder.hasHead) {
    builder.reason = MISPLACED
    return
  }
  switch (tag) {
    case RecordTag.head: takeHead(builder, at); return
    case RecordTag.key: takeKey(builder, at); return
    case RecordTag.request: takeRequest(builder, at); return
    case RecordTag.session: takeSession(builder, at); return
    case RecordTag.ended: takeEnded(builder, at); return
    case RecordTag.end: takeEnd(builder, at); return
  }
}

/** A whole number below 2^53. */
const integerAt = (builder: Builder, view: DataView, offset: number): number => {
  const value = readSafeInteger(view, offset)
  if (value < 0) builder.reason = 'a snapshot holds a number above 2^53 - 1'
  return value
}

const refuseTwice = (builder: Builder): void => {
  builder.reason = 'a snapshot holds one thing twice'
}

const takeHead = (builder: Builder, { view, offset }: At): void => {
  const version = view.getUint8(offset + 1)
  if (version !== SNAPSHOT_VERSION) builder.reason = `a snapshot of version ${version} is unknown: upgrade this node`
  const { state } = builder
  state.appliedIndex = integerAt(builder, view, offset + 2)
  state.appliedTerm = integerAt(builder, view, offset + 10)
  state.timeMs = integerAt(builder, view, offset + 18)
  state.revision = integerAt(builder, view, offset + 26)
  state.undecodable = integerAt(builder, view, offset + 34)
  builder.hasHead = true
}

const takeKey = (builder: Builder, { bytes, view, offset }: At): void => {
  const keyLength = view.getUint16(offset + 1, true)
  const valueAt = offset + KEY_HEADER_BYTES + keyLength
  const key = readBinaryString(bytes, offset + KEY_HEADER_BYTES, keyLength)
  const content = {
    value: bytes.subarray(valueAt, valueAt + view.getUint32(offset + 3, true)),
    revision: integerAt(builder, view, offset + 7),
    expiresAtMs: integerAt(builder, view, offset + 15),
  }
  storeKey(builder.state, key, { previous: undefined, content })
  builder.counts.keys += 1
  if (builder.state.keys.size() !== builder.counts.keys) refuseTwice(builder)
}

const takeRequest = (builder: Builder, at: At): void => {
  const result = resultAt(builder, { ...at, offset: at.offset + REQUEST_HEADER_BYTES })
  const idAt = at.offset + REQUEST_HEADER_BYTES + RESULT_HEADER_BYTES + (result.value?.length ?? 0)
  const id = readBinaryString(at.bytes, idAt, at.view.getUint8(at.offset + 1))
  const request = { key: id, outcome: result, content: UNKNOWN_CONTENT }
  builder.remembered.push(request)
  if (builder.state.requests.get(id) === undefined) builder.state.requests.push(request)
  else refuseTwice(builder)
  builder.counts.requests += 1
}

const takeSession = (builder: Builder, at: At): void => {
  const { view, offset } = at
  const { sessions } = builder.state
  const results = createNumberedList<Remembered>()
  let next = offset + SESSION_HEADER_BYTES
  for (let left = view.getUint16(offset + 25, true); left > 0; left -= 1) {
    const remembered = { outcome: resultAt(builder, { ...at, offset: next + 8 }), content: UNKNOWN_CONTENT }
    builder.remembered.push(remembered)
    setItem(results, integerAt(builder, view, next), remembered)
    next += 8 + RESULT_HEADER_BYTES + (remembered.outcome.value?.length ?? 0)
  }
  const client = readHex64(view, offset + 1)
  const renewedAtMs = integerAt(builder, view, offset + 9)
  sessions.open.set(client, { client, renewedAtMs, firstIncomplete: integerAt(builder, view, offset + 17), results, cut: sessions.cut })
  builder.counts.sessions += 1
  if (sessions.open.size !== builder.counts.sessions) refuseTwice(builder)
}

const takeEnded = (builder: Builder, { view, offset }: At): void => {
  const client = readHex64(view, offset + 1)
  const { ended } = builder.state.sessions
  if (ended.get(client) === undefined) ended.push({ key: client })
  else refuseTwice(builder)
  builder.counts.ended += 1
}

const takeEnd = (builder: Builder, { view, offset }: At): void => {
  const { keys, requests, sessions, ended } = builder.counts
  const isWhole = [keys, requests, sessions, ended].every((count, i) => integerAt(builder, view, offset + 1 + i * 8) === count)
  if (isWhole) builder.isComplete = true
  else builder.reason = 'a snapshot has other counts than its end record says'
}

/** What follows the end record: nothing, or the hashes, as many at once as are here. Returns how many bytes it took. */
const takeContents = (builder: Builder, at: At): number => {
  if (builder.contents === null) return takeContentsHead(builder, at)
  const { remembered } = builder
  let next = at.offset
  for (let one = remembered[builder.contents]; one !== undefined && next + CONTENT_BYTES <= at.bytes.length; next += CONTENT_BYTES) {
    one.content = at.view.getInt32(next, true)
    builder.contents += 1
    one = remembered[builder.contents]
  }
  if (builder.contents === remembered.length && next < at.bytes.length) builder.reason = 'a snapshot goes on behind its last hash'
  return next - at.offset
}

const takeContentsHead = (builder: Builder, at: At): number => {
  const { view, offset } = at
  if (view.getUint8(offset) !== RecordTag.key) builder.reason = MISPLACED
  if (builder.reason !== '' || !has(at, KEY_HEADER_BYTES)) return 0
  const isMarked = view.getUint16(offset + 1, true) === 0 && view.getUint32(offset + 3, true) === CONTENTS_MARK
  const isOne = isMarked && readSafeInteger(view, offset + 15) === 0
  if (!isOne) builder.reason = MISPLACED
  else if (readSafeInteger(view, offset + 7) === builder.remembered.length) builder.contents = 0
  else builder.reason = 'a snapshot has other counts than its hashes say'
  return KEY_HEADER_BYTES
}

/** None of them is fine: a version before them wrote the snapshot. */
const hasAllContents = ({ contents, remembered, rest }: Builder): boolean =>
  (contents === null ? rest.length === 0 : contents === remembered.length)

const statusNames = Object.keys(Status) as StatusName[]

const resultAt = (builder: Builder, { bytes, view, offset }: At): OperationResult => {
  const status = statusNames[view.getUint8(offset)]
  const message = OUTCOME_MESSAGES[view.getUint8(offset + 1)]
  const valueLength = view.getUint8(offset + 2)
  if (status === undefined || message === undefined) {
    builder.reason = 'a remembered result has an unknown status or message: upgrade this node'
    return { status: 'INTERNAL', revision: 0 }
  }
  const valueAt = offset + RESULT_HEADER_BYTES
  return {
    status,
    revision: integerAt(builder, view, offset + 3),
    ...(valueLength === 0 ? {} : { value: bytes.slice(valueAt, valueAt + valueLength) }),
    ...(status === 'OK' ? {} : { definite: true }),
    ...(message === '' ? {} : { message }),
  }
}
