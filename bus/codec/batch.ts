/**
 * What a client says at the SDK's batch door (`kv.to.<node>.batch.v1`; docs/SUBJECTS.md, "Batches"). The answers are codec/batchAnswers.ts.
 *
 *   frame: version u8 = 1 | kind u8 | body
 *
 *   hello 1: protocol u16
 *   batch 2: session 8 bytes | sequence u32, from 1 | timeoutMs u32 | consistency u8 | groups u16,
 *            each: shard u16 | operations (codec/operations.ts), at least one
 *   bye   3: session 8 bytes
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
import { SHARD_COUNT_MAX, isHex64 } from '../../topology/ids.ts'
import {
  DecodeError, createReader, createWriter, isAtEnd, readU16, readU32, readU8, writeU16, writeU32, writeU8, written,
} from '../bytes.ts'
import { readHex, writeHex } from '../envelope.ts'
import { readOperations, writeOperations } from './operations.ts'
import type { Consistency, Operation } from '../../actors/shard/operation.ts'
import type { ShardId } from '../../topology/ids.ts'
import type { Reader, Writer } from '../bytes.ts'

export const BATCH_VERSION = 1

const HELLO = 1
const BATCH = 2
const BYE = 3

export const SESSION_BYTES = 8
const consistencies: readonly Consistency[] = ['linearizable', 'lease', 'stale']

/** Far above what any broker's payload allows: whoever writes more at once has a bug. */
export const WRITE_BYTES_MAX = 128 * 1_024 * 1_024

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

export type DecodedClientFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  /** `sequence` as far as the frame could be read; 0 when not so far. */
  | { readonly ok: false; readonly reason: string; readonly sequence: number }

/** A frame of its own bytes, or in `writer`, until its next use. Above the limits of the layout is a bug of the caller and throws. */
export const encodeClientFrame = (frame: ClientFrame, writer = createWriter(WRITE_BYTES_MAX)): Uint8Array => {
  writer.length = 0
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
  return written(writer)
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

export interface BatchHead extends Pick<Batch, 'session' | 'sequence'> {
  /** 0: a sign of life. */
  readonly groups: number
}

/** What stands before the operations, read without them; null when that is not the head of a batch. The rest may still not decode. */
export const batchHeadOf = (bytes: Uint8Array): BatchHead | null => {
  const isBatch = bytes.length >= BATCH_HEAD_BYTES && bytes[0] === BATCH_VERSION && bytes[1] === BATCH
  if (!isBatch) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, BATCH_HEAD_BYTES)
  const session = readSession(createReader(bytes, SESSION_AT))
  return { session, sequence: view.getUint32(SEQUENCE_AT), groups: view.getUint16(GROUPS_AT) }
}

const SESSION_AT = 2
const SEQUENCE_AT = SESSION_AT + SESSION_BYTES
/** After sequence, timeout and consistency. */
const GROUPS_AT = SEQUENCE_AT + 4 + 4 + 1
const BATCH_HEAD_BYTES = GROUPS_AT + 2

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

/** The kind of a frame whose version is known. */
export const readKind = (reader: Reader): number => {
  const version = readU8(reader)
  if (version !== BATCH_VERSION) throw new DecodeError(`frame version ${version} is not known, only ${BATCH_VERSION}`)
  return readU8(reader)
}

export const readSequence = (reader: Reader): number => {
  const sequence = readU32(reader)
  if (sequence === 0) throw new DecodeError('sequences count from 1')
  return sequence
}

export const readShard = (reader: Reader): ShardId => {
  const shard = readU16(reader)
  if (shard >= SHARD_COUNT_MAX) throw new DecodeError(`shard ${shard} is above the limit of ${SHARD_COUNT_MAX} shards`)
  return shard as ShardId
}

export const writeSession = (writer: Writer, session: BatchSessionId): void => {
  assert(isHex64(session), `session "${session}" is 16 hex digits`)
  writeHex(writer, session)
}

export const readSession = (reader: Reader): BatchSessionId => readHex(reader, SESSION_BYTES)

export const assertEnd = (reader: Reader): void => {
  if (!isAtEnd(reader)) throw new DecodeError(`the frame has ${reader.end - reader.offset} bytes too many`)
}

/** Why bytes did not decode; anything but a DecodeError is a bug and goes on. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof DecodeError) return error.message
  throw error
}
