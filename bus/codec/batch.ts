/**
 * The frames of the SDK's batch door (`kv.to.<node>.batch.v1`; docs/SUBJECTS.md, "Batches").
 *
 *   frame:   version u8 = 1 | kind u8 | body
 *
 *   client to node
 *   hello   1: protocol u16
 *   batch   2: session 8 bytes | sequence u32, from 1 | timeoutMs u32 | consistency u8 | groups u16,
 *              each: shard u16 | operations (codec/operations.ts), at least one
 *   bye     3: session 8 bytes
 *
 *   node to client
 *   welcome 65: session 8 bytes | node text8 | shardCount u16 | epoch u53
 *   results 66: session 8 bytes | sequence u32 | flags u8 (1: last) | rows u16, each: position u16 | shard u16 | result (codec/operations.ts)
 *   refused 67: sequence u32, 0 when it is for no batch | result
 *
 * A position counts the operations of a batch across its groups, from 0. All operations of a batch together are at most
 * BATCH_OPERATIONS_MAX, so a position fits its 16 bits and no frame makes its reader allocate more than it brought along.
 *
 * What does not decode is refused with the reason and never thrown: an unknown version or kind, a length beyond the frame, a byte too
 * many. Values belong to the receiver: they are views of one copy of the frame (bus/bytes.ts, `readBytes`), never of the transport's
 * buffer.
 */

import { assert } from '../../actors/kernel/assert.ts'
import { BATCH_OPERATIONS_MAX } from '../../actors/shard/operation.ts'
import { SHARD_COUNT_MAX, isHex64, isNodeId } from '../../topology/ids.ts'
import {
  DecodeError, createReader, createWriter, isAtEnd, readShortText, readU16, readU32, readU53, readU8, writeShortText, writeU16,
  writeU32, writeU53, writeU8, written,
} from '../bytes.ts'
import { readHex, writeHex } from '../envelope.ts'
import { readOperations, readResult, writeOperations, writeResult } from './operations.ts'
import type { Consistency, Operation, OperationResult } from '../../actors/shard/operation.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Reader, Writer } from '../bytes.ts'

const BATCH_VERSION = 1

const HELLO = 1
const BATCH = 2
const BYE = 3
const WELCOME = 65
const RESULTS = 66
const REFUSED = 67

const SESSION_BYTES = 8
const FLAG_LAST = 1
const consistencies: readonly Consistency[] = ['linearizable', 'lease', 'stale']

/** Far above what any broker's payload allows: whoever writes more at once has a bug. */
const WRITE_BYTES_MAX = 128 * 1_024 * 1_024

/** 16 lower-case hex digits, drawn by the node at hello. A name, not a secret: the broker's permissions say who may use the door. */
export type BatchSessionId = string

export interface OperationGroup {
  readonly shard: ShardId
  readonly operations: readonly Operation[]
}

export interface Batch {
  readonly kind: 'batch'
  readonly session: BatchSessionId
  /** Grows with every batch of its session, from 1 to 2^32-1. */
  readonly sequence: number
  readonly timeoutMs: number
  /** For the reads among the operations. */
  readonly consistency: Consistency
  readonly groups: readonly OperationGroup[]
}

export type ClientFrame =
  | { readonly kind: 'hello'; readonly protocol: number }
  | Batch
  | { readonly kind: 'bye'; readonly session: BatchSessionId }

export interface ResultRow {
  readonly position: number
  readonly shard: ShardId
  readonly result: OperationResult
}

export interface BatchResults {
  readonly kind: 'results'
  readonly session: BatchSessionId
  readonly sequence: number
  readonly isLast: boolean
  readonly rows: readonly ResultRow[]
}

export type NodeFrame =
  | { readonly kind: 'welcome'; readonly session: BatchSessionId; readonly node: NodeId
      readonly shardCount: number; readonly epoch: number }
  | BatchResults
  /** Nothing of the frame was done. */
  | { readonly kind: 'refused'; readonly sequence: number; readonly result: OperationResult }

export type DecodedClientFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  /** `sequence` as far as the frame could be read; 0 when not so far. */
  | { readonly ok: false; readonly reason: string; readonly sequence: number }

export type DecodedNodeFrame =
  | { readonly ok: true; readonly frame: NodeFrame }
  | { readonly ok: false; readonly reason: string }

/** A frame of its own bytes. Above the limits of the layout is a bug of the caller and throws. */
export const encodeClientFrame = (frame: ClientFrame): Uint8Array => {
  const writer = createWriter(WRITE_BYTES_MAX)
  writeU8(writer, BATCH_VERSION)
  switch (frame.kind) {
    case 'hello':
      writeU8(writer, HELLO)
      writeU16(writer, frame.protocol)
      break
    case 'batch': writeBatch(writer, frame); break
    case 'bye':
      writeU8(writer, BYE)
      writeSession(writer, frame.session)
      break
  }
  return written(writer).slice()
}

const writeBatch = (writer: Writer, { session, sequence, timeoutMs, consistency, groups }: Batch): void => {
  const operations = groups.reduce((sum, group) => sum + group.operations.length, 0)
  assert(operations <= BATCH_OPERATIONS_MAX, `a batch holds at most ${BATCH_OPERATIONS_MAX} operations`)
  writeU8(writer, BATCH)
  writeSession(writer, session)
  writeU32(writer, sequence)
  writeU32(writer, timeoutMs)
  writeU8(writer, consistencies.indexOf(consistency))
  writeU16(writer, groups.length)
  for (const group of groups) {
    writeU16(writer, group.shard)
    writeOperations(writer, group.operations)
  }
}

/** Reads a frame of a client. Never throws on input. */
export const decodeClientFrame = (bytes: Uint8Array): DecodedClientFrame => {
  const reader = createReader(bytes)
  const seen = { sequence: 0 }
  try {
    const frame = readClientFrame(reader, seen)
    assertEnd(reader)
    return { ok: true, frame }
  } catch (error) {
    return { ok: false, reason: reasonOf(error), sequence: seen.sequence }
  }
}

const readClientFrame = (reader: Reader, seen: { sequence: number }): ClientFrame => {
  const kind = readKind(reader)
  switch (kind) {
    case HELLO: return { kind: 'hello', protocol: readU16(reader) }
    case BATCH: return readBatch(reader, seen)
    case BYE: return { kind: 'bye', session: readSession(reader) }
  }
  throw new DecodeError(`frame kind ${kind} is not one that a client sends`)
}

const readBatch = (reader: Reader, seen: { sequence: number }): Batch => {
  const session = readSession(reader)
  const sequence = readSequence(reader)
  seen.sequence = sequence
  const timeoutMs = readU32(reader)
  const code = readU8(reader)
  const consistency = consistencies[code]
  if (consistency === undefined) throw new DecodeError(`consistency ${code} is not known`)
  return { kind: 'batch', session, sequence, timeoutMs, consistency, groups: readGroups(reader) }
}

const readGroups = (reader: Reader): readonly OperationGroup[] => {
  const count = readU16(reader)
  const groups: OperationGroup[] = []
  let operations = 0
  for (let i = 0; i < count; i += 1) {
    const group = { shard: readShard(reader), operations: readOperations(reader) }
    if (group.operations.length === 0) throw new DecodeError('a group holds at least one operation')
    operations += group.operations.length
    if (operations > BATCH_OPERATIONS_MAX) throw new DecodeError(`a batch holds at most ${BATCH_OPERATIONS_MAX} operations`)
    groups.push(group)
  }
  return groups
}

/** A welcome or a refusal as a frame of its own bytes; results go through `createResultsEncoder`. */
export const encodeNodeFrame = (frame: Exclude<NodeFrame, BatchResults>): Uint8Array => {
  const writer = createWriter(WRITE_BYTES_MAX)
  writeU8(writer, BATCH_VERSION)
  switch (frame.kind) {
    case 'welcome':
      writeU8(writer, WELCOME)
      writeSession(writer, frame.session)
      writeShortText(writer, frame.node)
      writeU16(writer, frame.shardCount)
      writeU53(writer, frame.epoch)
      break
    case 'refused':
      writeU8(writer, REFUSED)
      writeU32(writer, frame.sequence)
      writeResult(writer, frame.result)
      break
  }
  return written(writer).slice()
}

export interface ResultsEncoder {
  /** Cuts the rows into as many frames as they need, at least one; only the last of them may say it is the last. */
  readonly encode: (results: Omit<BatchResults, 'kind'>) => void
}

export interface ResultsEncoderOptions {
  /** No frame is longer. A row that needs more alone is a bug of the caller and throws. */
  readonly bytesMax: number
  /** The bytes are valid during the call only. */
  readonly onFrame: (frame: Uint8Array) => void
}

/** One writer serves all results of a door. */
export const createResultsEncoder = ({ bytesMax, onFrame }: ResultsEncoderOptions): ResultsEncoder => {
  const writer = createWriter(WRITE_BYTES_MAX)
  const seal = (rows: number, isLast: boolean): void => {
    writer.buffer[FLAGS_AT] = isLast ? FLAG_LAST : 0
    writer.buffer.writeUInt16BE(rows, ROWS_AT)
    onFrame(written(writer))
    writer.length = RESULTS_HEAD_BYTES
  }
  return {
    encode: ({ session, sequence, isLast, rows }) => {
      writer.length = 0
      writeResultsHead(writer, session, sequence)
      let count = 0
      for (const row of rows) {
        const start = writer.length
        writeRow(writer, row)
        const bytes = writer.length - start
        assert(RESULTS_HEAD_BYTES + bytes <= bytesMax, `a frame of ${bytesMax} bytes carries any one result`)
        if (writer.length > bytesMax) {
          writer.length = start
          seal(count, false)
          writer.buffer.copyWithin(RESULTS_HEAD_BYTES, start, start + bytes)
          writer.length = RESULTS_HEAD_BYTES + bytes
          count = 0
        }
        count += 1
      }
      seal(count, isLast)
    },
  }
}

const FLAGS_AT = 2 + SESSION_BYTES + 4
const ROWS_AT = FLAGS_AT + 1
const RESULTS_HEAD_BYTES = ROWS_AT + 2

const writeResultsHead = (writer: Writer, session: BatchSessionId, sequence: number): void => {
  writeU8(writer, BATCH_VERSION)
  writeU8(writer, RESULTS)
  writeSession(writer, session)
  writeU32(writer, sequence)
  writeU8(writer, 0)
  writeU16(writer, 0)
}

const writeRow = (writer: Writer, { position, shard, result }: ResultRow): void => {
  writeU16(writer, position)
  writeU16(writer, shard)
  writeResult(writer, result)
}

/** Reads a frame of a node. Never throws on input. */
export const decodeNodeFrame = (bytes: Uint8Array): DecodedNodeFrame => {
  const reader = createReader(bytes)
  try {
    const frame = readNodeFrame(reader)
    assertEnd(reader)
    return { ok: true, frame }
  } catch (error) {
    return { ok: false, reason: reasonOf(error) }
  }
}

const readNodeFrame = (reader: Reader): NodeFrame => {
  const kind = readKind(reader)
  switch (kind) {
    case WELCOME: return readWelcome(reader)
    case RESULTS: return readResults(reader)
    case REFUSED: return { kind: 'refused', sequence: readU32(reader), result: readResult(reader) }
  }
  throw new DecodeError(`frame kind ${kind} is not one that a node sends`)
}

const readWelcome = (reader: Reader): NodeFrame => {
  const session = readSession(reader)
  const node = readShortText(reader)
  if (!isNodeId(node)) throw new DecodeError('a welcome names its node')
  return { kind: 'welcome', session, node, shardCount: readU16(reader), epoch: readU53(reader) }
}

const readResults = (reader: Reader): BatchResults => {
  const session = readSession(reader)
  const sequence = readSequence(reader)
  const flags = readU8(reader)
  if ((flags & ~FLAG_LAST) !== 0) throw new DecodeError(`flags ${flags} are not known`)
  const count = readU16(reader)
  if (count > BATCH_OPERATIONS_MAX) throw new DecodeError(`${count} results are above their limit of ${BATCH_OPERATIONS_MAX}`)
  const rows: ResultRow[] = []
  for (let i = 0; i < count; i += 1) rows.push(readRow(reader))
  return { kind: 'results', session, sequence, isLast: flags === FLAG_LAST, rows }
}

const readRow = (reader: Reader): ResultRow => {
  const position = readU16(reader)
  if (position >= BATCH_OPERATIONS_MAX) throw new DecodeError(`position ${position} is none of a batch`)
  return { position, shard: readShard(reader), result: readResult(reader) }
}

const readKind = (reader: Reader): number => {
  const version = readU8(reader)
  if (version !== BATCH_VERSION) throw new DecodeError(`frame version ${version} is not known, only ${BATCH_VERSION}`)
  return readU8(reader)
}

const readSequence = (reader: Reader): number => {
  const sequence = readU32(reader)
  if (sequence === 0) throw new DecodeError('sequences count from 1')
  return sequence
}

const readShard = (reader: Reader): ShardId => {
  const shard = readU16(reader)
  if (shard >= SHARD_COUNT_MAX) throw new DecodeError(`shard ${shard} is above the limit of ${SHARD_COUNT_MAX} shards`)
  return shard as ShardId
}

const writeSession = (writer: Writer, session: BatchSessionId): void => {
  assert(isHex64(session), `session "${session}" is 16 hex digits`)
  writeHex(writer, session)
}

const readSession = (reader: Reader): BatchSessionId => readHex(reader, SESSION_BYTES)

const assertEnd = (reader: Reader): void => {
  if (!isAtEnd(reader)) throw new DecodeError(`the frame has ${reader.end - reader.offset} bytes too many`)
}

const reasonOf = (error: unknown): string => {
  if (error instanceof DecodeError) return error.message
  throw error
}
