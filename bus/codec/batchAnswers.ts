/**
 * What a node answers at the SDK's batch door (docs/SUBJECTS.md, "Batches"). What clients say is codec/batch.ts.
 *
 *   frame: version u8 = 1 | kind u8 | body
 *
 *   welcome 65: session 8 bytes | node text8 | shardCount u16 | epoch u53
 *   results 66: session 8 bytes | sequence u32 | flags u8 (1: last) | rows u16,
 *               each: position u16 | shard u16 | result (codec/operations.ts)
 *   refused 67: sequence u32, 0 when it is for no batch | result
 *
 * The results of one batch may need several frames; the one with the flag is the last. Strict like codec/batch.ts.
 */

import { assert } from '../../actors/kernel/assert.ts'
import { BATCH_OPERATIONS_MAX } from '../../actors/shard/operation.ts'
import { isNodeId } from '../../topology/ids.ts'
import {
  DecodeError, createReader, createWriter, readShortText, readU16, readU32, readU53, readU8, writeShortText, writeU16, writeU32,
  writeU53, writeU8, written,
} from '../bytes.ts'
import {
  BATCH_VERSION, SESSION_BYTES, WRITE_BYTES_MAX, assertEnd, readKind, readSequence, readSession, readShard, reasonOf, writeSession,
} from './batch.ts'
import { readResult, writeResult } from './operations.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Reader, Writer } from '../bytes.ts'
import type { BatchSessionId } from './batch.ts'

const WELCOME = 65
const RESULTS = 66
const REFUSED = 67
const FLAG_LAST = 1

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

export type DecodedNodeFrame =
  | { readonly ok: true; readonly frame: NodeFrame }
  | { readonly ok: false; readonly reason: string }

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
  return written(writer)
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
export const decodeNodeFrame = (bytes: Uint8Array): DecodedNodeFrame => decodeFrom(createReader(bytes))

/** The same without a copy: the values are views of `bytes`, and valid as long as those are. */
export const viewNodeFrame = (bytes: Uint8Array): DecodedNodeFrame => decodeFrom(createReader(bytes, 0, true))

const decodeFrom = (reader: Reader): DecodedNodeFrame => {
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
