/**
 * The payload of a batch entry: the operations of one turn, and the log time they take effect at.
 *
 *     batch     = version:u8 zero:u8 count:u16 timeMs:int operation*count
 *     operation = code:u8 flags:u8 keyLength:u16 key:byte*
 *                 [ valueLength:u32 value:byte* ]                      flag 0x01
 *                 [ ifRevision:int ]                                   flag 0x02
 *                 [ ttlMs:int ]                                        flag 0x04
 *                 [ client:byte*8 sequence:int firstIncomplete:int ]   flag 0x08
 *                 [ idLength:u8 id:byte* ]                             flag 0x10
 *     int       = low:u32 high:u32, below 2^53
 *
 * Integers are little-endian. `version` is 1. Every encoding is canonical: what decodes encodes to the same bytes again. A batch without
 * operations is a tick: it only moves log time (expiry.ts).
 *
 * Worked: put a=1 at time 5 is `01 00 01 00 | 05 00 00 00 00 00 00 00 | 02 01 01 00 61 01 00 00 00 31`.
 *
 * Who owns the bytes: decoded values are views into the payload, which belongs to the log. Whoever keeps a value copies it
 * (apply.ts does, on storing); nobody writes into it. Decoding never throws on input: it returns a reason.
 */

import { assert } from '../kernel/assert.ts'
import { readBinaryString, readHex64, readSafeInteger, viewOf, writeBinaryString, writeHex64, writeSafeInteger } from './bytes.ts'
import { BATCH_OPERATIONS_MAX, KEY_BYTES_MAX, OpCode, REQUEST_ID_BYTES_MAX, VALUE_BYTES_MAX, isRead } from './operation.ts'
import type { Operation, SessionRequest } from './operation.ts'

export interface Batch {
  /** Log time in milliseconds since the Unix epoch, as the leader that proposed it reckons (logTime.ts). */
  readonly timeMs: number
  readonly operations: readonly Operation[]
}

export type Decoded<Value> = { readonly value: Value } | { readonly reason: string }

const VERSION = 1
export const BATCH_HEADER_BYTES = 12
const OPERATION_HEADER_BYTES = 4
const SESSION_BYTES = 24
const Flag = { value: 0x01, ifRevision: 0x02, ttl: 0x04, session: 0x08, requestId: 0x10 } as const
const FLAGS_ALL = 0x1f

export const encodedOperationBytes = (operation: Operation): number =>
  OPERATION_HEADER_BYTES + operation.key.length
  + (operation.value === undefined ? 0 : 4 + operation.value.length)
  + (operation.ifRevision === undefined ? 0 : 8)
  + (operation.ttlMs === undefined ? 0 : 8)
  + (operation.session === undefined ? 0 : SESSION_BYTES)
  + (operation.requestId === undefined ? 0 : 1 + operation.requestId.length)

/** The operations must have passed `checkOperation`, and be at most BATCH_OPERATIONS_MAX. */
export const encodeBatch = ({ timeMs, operations }: Batch): Uint8Array => {
  assert(operations.length <= BATCH_OPERATIONS_MAX, `a batch has at most ${BATCH_OPERATIONS_MAX} operations`)
  let length = BATCH_HEADER_BYTES
  for (const operation of operations) length += encodedOperationBytes(operation)
  const bytes = new Uint8Array(length)
  const view = viewOf(bytes)
  view.setUint8(0, VERSION)
  view.setUint16(2, operations.length, true)
  writeSafeInteger(view, 4, timeMs)
  let offset = BATCH_HEADER_BYTES
  for (const operation of operations) offset = writeOperation(bytes, view, { offset, operation })
  return bytes
}

/** How many operations an encoded batch has, without decoding it. */
export const operationsIn = (payload: Uint8Array): number => viewOf(payload).getUint16(2, true)

const flagsOf = (operation: Operation): number =>
  (operation.value === undefined ? 0 : Flag.value)
  | (operation.ifRevision === undefined ? 0 : Flag.ifRevision)
  | (operation.ttlMs === undefined ? 0 : Flag.ttl)
  | (operation.session === undefined ? 0 : Flag.session)
  | (operation.requestId === undefined ? 0 : Flag.requestId)

const writeOperation = (bytes: Uint8Array, view: DataView, at: { readonly offset: number; readonly operation: Operation }): number => {
  const { code, key, value, ifRevision, ttlMs, session, requestId } = at.operation
  let offset = at.offset
  view.setUint8(offset, code)
  view.setUint8(offset + 1, flagsOf(at.operation))
  view.setUint16(offset + 2, key.length, true)
  writeBinaryString(bytes, offset + OPERATION_HEADER_BYTES, key)
  offset += OPERATION_HEADER_BYTES + key.length
  if (value !== undefined) {
    view.setUint32(offset, value.length, true)
    bytes.set(value, offset + 4)
    offset += 4 + value.length
  }
  if (ifRevision !== undefined) {
    writeSafeInteger(view, offset, ifRevision)
    offset += 8
  }
  if (ttlMs !== undefined) {
    writeSafeInteger(view, offset, ttlMs)
    offset += 8
  }
  if (session !== undefined) {
    writeHex64(view, offset, session.client)
    writeSafeInteger(view, offset + 8, session.sequence)
    writeSafeInteger(view, offset + 16, session.firstIncomplete)
    offset += SESSION_BYTES
  }
  if (requestId !== undefined) {
    view.setUint8(offset, requestId.length)
    writeBinaryString(bytes, offset + 1, requestId)
    offset += 1 + requestId.length
  }
  return offset
}

/** A cursor over untrusted bytes; the first thing wrong sticks in `reason`, and everything read after it is a zero. */
interface Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  offset: number
  reason: string
}

export const decodeBatch = (bytes: Uint8Array): Decoded<Batch> => {
  if (bytes.length < BATCH_HEADER_BYTES) return { reason: 'a batch is shorter than its header' }
  const view = viewOf(bytes)
  if (view.getUint8(0) !== VERSION) return { reason: `a batch of version ${view.getUint8(0)} is unknown: upgrade this node` }
  if (view.getUint8(1) !== 0) return { reason: 'a reserved byte is not zero' }
  const count = view.getUint16(2, true)
  if (count > BATCH_OPERATIONS_MAX) return { reason: `a batch of ${count} operations is above the limit` }
  const reader: Reader = { bytes, view, offset: 4, reason: '' }
  const timeMs = takeSafeInteger(reader)
  const operations: Operation[] = []
  for (let i = 0; i < count && reader.reason === ''; i += 1) operations.push(takeOperation(reader))
  if (reader.reason === '' && reader.offset !== bytes.length) reader.reason = 'bytes follow the last operation'
  return reader.reason === '' ? { value: { timeMs, operations } } : { reason: reader.reason }
}

const refuse = (reader: Reader, reason: string): void => {
  if (reader.reason === '') reader.reason = reason
}

const has = (reader: Reader, length: number): boolean => {
  if (reader.reason === '' && reader.offset + length <= reader.bytes.length) return true
  refuse(reader, 'a batch ends inside an operation')
  return false
}

const takeSafeInteger = (reader: Reader): number => {
  if (!has(reader, 8)) return 0
  const value = readSafeInteger(reader.view, reader.offset)
  reader.offset += 8
  if (value < 0) refuse(reader, 'an integer is above 2^53 - 1')
  return value
}

const takeString = (reader: Reader, length: number): string => {
  if (!has(reader, length)) return ''
  const text = readBinaryString(reader.bytes, reader.offset, length)
  reader.offset += length
  return text
}

const takeOperation = (reader: Reader): Operation => {
  const operation: { -readonly [Field in keyof Operation]: Operation[Field] } = { code: OpCode.put, key: '' }
  if (!has(reader, OPERATION_HEADER_BYTES)) return operation
  const { view, offset } = reader
  const code = view.getUint8(offset)
  const flags = view.getUint8(offset + 1)
  const keyLength = view.getUint16(offset + 2, true)
  if (!isProposable(code)) refuse(reader, `operation code ${code} is not one that changes anything`)
  if ((flags & ~FLAGS_ALL) !== 0) refuse(reader, 'an operation has an unknown flag')
  if (keyLength > KEY_BYTES_MAX) refuse(reader, 'a key is above the limit')
  reader.offset += OPERATION_HEADER_BYTES
  operation.code = code as OpCode
  operation.key = takeString(reader, keyLength)
  if ((flags & Flag.value) !== 0) operation.value = takeValue(reader)
  if ((flags & Flag.ifRevision) !== 0) operation.ifRevision = takeSafeInteger(reader)
  if ((flags & Flag.ttl) !== 0) operation.ttlMs = takeSafeInteger(reader)
  if ((flags & Flag.session) !== 0) operation.session = takeSession(reader)
  if ((flags & Flag.requestId) !== 0) operation.requestId = takeRequestId(reader)
  return operation
}

const isProposable = (code: number): boolean => code <= OpCode.closeSession && code >= OpCode.get && !isRead(code as OpCode)

const takeValue = (reader: Reader): Uint8Array => {
  if (!has(reader, 4)) return reader.bytes
  const length = reader.view.getUint32(reader.offset, true)
  if (length > VALUE_BYTES_MAX) refuse(reader, 'a value is above the limit')
  if (!has(reader, 4 + length)) return reader.bytes
  const start = reader.offset + 4
  reader.offset = start + length
  return reader.bytes.subarray(start, start + length)
}

const takeSession = (reader: Reader): SessionRequest => {
  if (!has(reader, SESSION_BYTES)) return { client: '', sequence: 0, firstIncomplete: 0 }
  const client = readHex64(reader.view, reader.offset)
  reader.offset += 8
  return { client, sequence: takeSafeInteger(reader), firstIncomplete: takeSafeInteger(reader) }
}

const takeRequestId = (reader: Reader): string => {
  if (!has(reader, 1)) return ''
  const length = reader.view.getUint8(reader.offset)
  if (length === 0 || length > REQUEST_ID_BYTES_MAX) refuse(reader, 'a request id is 1 to 64 bytes')
  reader.offset += 1
  return takeString(reader, length)
}
