/**
 * Operations and their results on the wire: the hot part of `shard.request` and `shard.reply`.
 *
 *   operations: count u16, then each: code u8 | flags u8 | key text16 | [value block] | [ifRevision u53] | [ttlMs u53]
 *                                     | [client 8 bytes hex as text8, sequence u53, firstIncomplete u53] | [requestId text8]
 *   results:    count u16, then each: status u8 | flags u8 | revision u53 | [value block] | [message text16, UTF-8] | [retryAfterMs u53]
 *
 * The codec refuses what has no meaning (an unknown code, a flag from the future, a length beyond the limits); what an operation may
 * say is the shard's to judge, since one bad operation must not take down the frame it travels in.
 */

import { assert } from '../../actors/kernel/assert.ts'
import {
  BATCH_OPERATIONS_MAX, KEY_BYTES_MAX, OpCode, REQUEST_ID_BYTES_MAX, Status,
} from '../../actors/shard/operation.ts'
import {
  DecodeError, readBytes, readShortText, readText, readU16, readU53, readU8, writeBytes, writeShortText, writeText, writeU16,
  writeU53, writeU8,
} from '../bytes.ts'
import type { Operation, OperationResult, SessionRequest, StatusName } from '../../actors/shard/operation.ts'
import type { Reader, Writer } from '../bytes.ts'

/** A value as it may travel: above what a shard accepts, so that the shard refuses it with TOO_LARGE rather than the codec in silence. */
export const BLOCK_BYTES_MAX = 64 * 1_024 * 1_024
const MESSAGE_BYTES_MAX = 1_024

const VALUE = 1
const IF_REVISION = 2
const TTL = 4
const SESSION = 8
const REQUEST_ID = 16
const OPERATION_FLAGS = VALUE | IF_REVISION | TTL | SESSION | REQUEST_ID

const MESSAGE = 2
const DEFINITE = 4
const INDEFINITE = 8
const RETRY_AFTER = 16
const DUPLICATE = 32
const RESULT_FLAGS = VALUE | MESSAGE | DEFINITE | INDEFINITE | RETRY_AFTER | DUPLICATE

const codes: ReadonlySet<number> = new Set(Object.values(OpCode))
const statusNames: ReadonlyMap<number, StatusName> =
  new Map(Object.entries(Status).map(([name, code]) => [code, name as StatusName]))

export const writeOperations = (writer: Writer, operations: readonly Operation[]): void => {
  assert(operations.length <= BATCH_OPERATIONS_MAX, `a batch holds at most ${BATCH_OPERATIONS_MAX} operations`)
  writeU16(writer, operations.length)
  for (const operation of operations) writeOperation(writer, operation)
}

const writeOperation = (writer: Writer, operation: Operation): void => {
  const { value, ifRevision, ttlMs, session, requestId } = operation
  writeU8(writer, operation.code)
  writeU8(writer, (value === undefined ? 0 : VALUE) | (ifRevision === undefined ? 0 : IF_REVISION) | (ttlMs === undefined ? 0 : TTL)
    | (session === undefined ? 0 : SESSION) | (requestId === undefined ? 0 : REQUEST_ID))
  writeText(writer, operation.key)
  if (value !== undefined) writeBytes(writer, value)
  if (ifRevision !== undefined) writeU53(writer, ifRevision)
  if (ttlMs !== undefined) writeU53(writer, ttlMs)
  if (session !== undefined) {
    writeShortText(writer, session.client)
    writeU53(writer, session.sequence)
    writeU53(writer, session.firstIncomplete)
  }
  if (requestId !== undefined) writeShortText(writer, requestId)
}

export const readOperations = (reader: Reader): readonly Operation[] => readList(reader, readOperation)

const readOperation = (reader: Reader): Operation => {
  const code = readU8(reader)
  if (!codes.has(code)) throw new DecodeError(`operation code ${code} is not known`)
  const flags = readFlags(reader, OPERATION_FLAGS)
  const operation: { -readonly [Name in keyof Operation]: Operation[Name] } = {
    code: code as OpCode,
    key: readText(reader, KEY_BYTES_MAX),
  }
  if ((flags & VALUE) !== 0) operation.value = readBytes(reader, BLOCK_BYTES_MAX)
  if ((flags & IF_REVISION) !== 0) operation.ifRevision = readU53(reader)
  if ((flags & TTL) !== 0) operation.ttlMs = readU53(reader)
  if ((flags & SESSION) !== 0) operation.session = readSession(reader)
  if ((flags & REQUEST_ID) !== 0) operation.requestId = readBoundedText(reader, REQUEST_ID_BYTES_MAX)
  return operation
}

const readSession = (reader: Reader): SessionRequest =>
  ({ client: readBoundedText(reader, REQUEST_ID_BYTES_MAX), sequence: readU53(reader), firstIncomplete: readU53(reader) })

const readBoundedText = (reader: Reader, bytesMax: number): string => {
  const text = readShortText(reader)
  if (text.length > bytesMax) throw new DecodeError(`a text of ${text.length} bytes is above its limit of ${bytesMax}`)
  return text
}

export const writeResults = (writer: Writer, results: readonly OperationResult[]): void => {
  assert(results.length <= BATCH_OPERATIONS_MAX, `a batch holds at most ${BATCH_OPERATIONS_MAX} results`)
  writeU16(writer, results.length)
  for (const result of results) writeResult(writer, result)
}

export const writeResult = (writer: Writer, result: OperationResult): void => {
  const { value, message, definite, retryAfterMs } = result
  writeU8(writer, Status[result.status])
  writeU8(writer, (value === undefined ? 0 : VALUE) | (message === undefined ? 0 : MESSAGE) | flagOfDefinite(definite)
    | (retryAfterMs === undefined ? 0 : RETRY_AFTER) | (result.duplicate === true ? DUPLICATE : 0))
  writeU53(writer, result.revision)
  if (value !== undefined) writeBytes(writer, value)
  if (message !== undefined) writeText(writer, Buffer.from(message).subarray(0, MESSAGE_BYTES_MAX).toString('latin1'))
  if (retryAfterMs !== undefined) writeU53(writer, retryAfterMs)
}

const flagOfDefinite = (definite: boolean | undefined): number => {
  if (definite === undefined) return 0
  return definite ? DEFINITE : INDEFINITE
}

export const readResults = (reader: Reader): readonly OperationResult[] => readList(reader, readResult)

export const readResult = (reader: Reader): OperationResult => {
  const status = statusNames.get(readU8(reader))
  if (status === undefined) throw new DecodeError('a result has a status that is not known')
  const flags = readFlags(reader, RESULT_FLAGS)
  if ((flags & DEFINITE) !== 0 && (flags & INDEFINITE) !== 0) throw new DecodeError('a result is both definite and indefinite')
  const result: { -readonly [Name in keyof OperationResult]: OperationResult[Name] } = { status, revision: readU53(reader) }
  if ((flags & VALUE) !== 0) result.value = readBytes(reader, BLOCK_BYTES_MAX)
  if ((flags & MESSAGE) !== 0) result.message = Buffer.from(readText(reader, MESSAGE_BYTES_MAX), 'latin1').toString()
  if ((flags & (DEFINITE | INDEFINITE)) !== 0) result.definite = (flags & DEFINITE) !== 0
  if ((flags & RETRY_AFTER) !== 0) result.retryAfterMs = readU53(reader)
  if ((flags & DUPLICATE) !== 0) result.duplicate = true
  return result
}

const readFlags = (reader: Reader, known: number): number => {
  const flags = readU8(reader)
  if ((flags & ~known) !== 0) throw new DecodeError(`flags ${flags} are not known`)
  return flags
}

const readList = <T>(reader: Reader, read: (reader: Reader) => T): readonly T[] => {
  const count = readU16(reader)
  if (count > BATCH_OPERATIONS_MAX) throw new DecodeError(`a batch of ${count} is above its limit of ${BATCH_OPERATIONS_MAX}`)
  const items: T[] = []
  for (let i = 0; i < count; i += 1) items.push(read(reader))
  return items
}
