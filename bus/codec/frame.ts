/**
 * Frames: many actor messages for one node in one NATS message.
 *
 *   envelope | message | message | ...
 *   message: address kind u8 | number u32 or name text8 | message kind u8 | length u32 | body
 *
 * The envelope is bus/envelope.ts; bodies are codec/raft.ts and codec/operations.ts; heartbeats that follow each other are packed
 * (codec/heartbeats.ts). A frame is taken whole or not at all: one
 * message that does not decode, an unknown kind, a length that does not fit or a byte too many refuses all of it, with the reason.
 *
 * Bytes inside decoded messages (entries, values) belong to the receiver: the first of them copies the whole frame once (see
 * `readBytes`), since the transport's buffer is valid only while its handler runs.
 */

import { assert } from '../../actors/kernel/assert.ts'
import { isNodeId, isOnNode } from '../../topology/ids.ts'
import { addressOf, numberIn, numberedActors } from '../address.ts'
import {
  DecodeError, createWriter, isAtEnd, readShortText, readU32, readU53, readU8, writeShortText, writeU32, writeU53, writeU8, written,
} from '../bytes.ts'
import { writeEnvelope } from '../envelope.ts'
import { ADDRESS_RUN, ITEM_BYTES_MAX, itemOf, readRun, writeItem } from './heartbeats.ts'
import { readOperations, readResults, writeOperations, writeResults } from './operations.ts'
import { isRaftKind, kindOfRaft, readRaftMail, writeRaftMail } from './raft.ts'
import type { RaftMail } from '../../actors/raft/protocol.ts'
import type { Consistency } from '../../actors/shard/operation.ts'
import type { Policy, ShardMessage } from '../../actors/shard/protocol.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { NumberedActor } from '../address.ts'
import type { Reader, Writer } from '../bytes.ts'
import type { Envelope } from '../envelope.ts'
import type { ActorMessage } from '../messages.ts'
import type { Address } from '../post.ts'
import type { Item } from './heartbeats.ts'

export const FRAME_MESSAGES_MAX = 65_536

/** Most messages fit in here before the first growth. */
const FRAME_BYTES_INITIAL = 16 * 1_024

const SHARD_REQUEST = 64
const SHARD_REPLY = 65

const ADDRESS_NAME = 16
const namePattern = /^[a-z]+(?:\/[a-zA-Z0-9-]{1,64})?$/
const policies: readonly Policy[] = ['slot', 'forward', 'direct']
const consistencies: readonly Consistency[] = ['linearizable', 'lease', 'stale']

export interface Ends {
  readonly from: NodeId
  readonly self: NodeId
}

export interface FrameMessage {
  readonly to: Address
  readonly message: ActorMessage
}

export type DecodedFrame =
  | { readonly ok: true; readonly messages: readonly FrameMessage[] }
  | { readonly ok: false; readonly reason: string }

export interface FrameEncoderOptions {
  readonly from: NodeId
  readonly to: NodeId
  readonly envelope: Envelope
  /** The layout level in force; left out, the first. */
  readonly level?: number
  /** A frame is sealed before the message that would take it past this; one larger message travels alone. */
  readonly bytesTarget: number
  /** What the broker accepts: a single message that needs more is refused. */
  readonly bytesMax: number
  /** Whether heartbeats that follow each other leave as a run: the receiver must know runs. Asked once a frame. Default: never. */
  readonly mayPack?: () => boolean
  /** Called with each full frame; the bytes are valid during the call only. */
  readonly onFrame: (frame: Uint8Array, messages: number) => void
}

export interface FrameEncoder {
  /**
   * Bytes the frame has grown by (fewer than none where a run begins), or `tooLarge` when no frame can carry it: it is left
   * out, the frame is as before.
   */
  readonly add: (to: Address, message: ActorMessage) => number | 'tooLarge'
  /** Hands out what is left, if anything. */
  readonly seal: () => void
}

export const createFrameEncoder = (options: FrameEncoderOptions): FrameEncoder => {
  const { bytesTarget, bytesMax, mayPack = () => false, onFrame } = options
  const ends: Ends = { from: options.from, self: options.to }
  // One message may start while the frame is almost at its target, so a writer holds a target and a message above it.
  const writer = createWriter(bytesTarget + WRITE_BYTES_MAX, FRAME_BYTES_INITIAL)
  writeEnvelope(writer, options.envelope, options.level)
  const headBytes = writer.length
  let messages = 0
  let isPacking = false
  /** The last message, if it was of a kind that runs are made of. */
  let tail: Tail | null = null

  const seal = (): void => {
    tail = null
    if (messages === 0) return
    onFrame(written(writer), messages)
    writer.length = headBytes
    messages = 0
  }
  /** The last message, which starts at `start`, opens the next frame. */
  const splitAt = (start: number): void => {
    const end = writer.length
    writer.length = start
    seal()
    writer.buffer.copyWithin(headBytes, start, end)
    writer.length = headBytes + end - start
  }
  return {
    add: (to, message) => {
      const start = writer.length
      if (messages === 0) isPacking = mayPack()
      const item = isPacking ? itemOf({ to, message }) : null
      if (item !== null && tail !== null && tail.last.kind === item.kind && start + RUN_BYTES_MAX <= bytesTarget) {
        assertEnds(ends, item.mail)
        extend(writer, tail, item)
        messages += 1
        if (messages === FRAME_MESSAGES_MAX) seal()
        return writer.length - start
      }
      writeMessage(writer, ends, { to, message })
      const bytes = writer.length - start
      if (headBytes + bytes > bytesMax) {
        writer.length = start
        return 'tooLarge'
      }
      const isSplit = writer.length > bytesTarget && messages > 0
      if (isSplit) splitAt(start)
      tail = item === null ? null : { last: item, start: isSplit ? headBytes : start, isRun: false }
      messages += 1
      if (messages === FRAME_MESSAGES_MAX) seal()
      return bytes
    },
    seal,
  }
}

/** What may follow from one more item: the head of a run, and two of them. */
const RUN_BYTES_MAX = 6 + 2 * ITEM_BYTES_MAX

interface Tail {
  readonly last: Item
  /** Where it begins, or its run. */
  readonly start: number
  isRun: boolean
}

/** Adds to the run at the end of the frame, or makes one of the message that stands there. */
const extend = (writer: Writer, tail: Tail, item: Item): void => {
  if (!tail.isRun) {
    tail.isRun = true
    writer.length = tail.start
    writeU8(writer, ADDRESS_RUN)
    writeU8(writer, item.kind)
    writeU32(writer, 0)
    writeItem(writer, tail.last)
  }
  writeItem(writer, item)
  writer.buffer.writeUInt32BE(writer.length - tail.start - 6, tail.start + 2)
}

/** Far above what any broker's payload allows: an actor that writes more at once has a bug. */
const WRITE_BYTES_MAX = 128 * 1_024 * 1_024

const writeMessage = (writer: Writer, ends: Ends, { to, message }: FrameMessage): void => {
  writeAddress(writer, to)
  writeU8(writer, kindOf(message))
  const lengthAt = writer.length
  writeU32(writer, 0)
  switch (message.type) {
    case 'raft': {
      assertEnds(ends, message)
      writeRaftMail(writer, message)
      break
    }
    case 'shard.request': writeShardRequest(writer, message); break
    case 'shard.reply': writeShardReply(writer, message); break
  }
  writer.buffer.writeUInt32BE(writer.length - lengthAt - 4, lengthAt)
}

const assertEnds = ({ from, self }: Ends, mail: Pick<RaftMail, 'from' | 'to'>): void =>
  assert(isOnNode(mail.from, from) && isOnNode(mail.to, self), 'mail names replicas of the frame\'s two nodes')

const kindOf = (message: ActorMessage): number => {
  switch (message.type) {
    case 'raft': return kindOfRaft(message.message)
    case 'shard.request': return SHARD_REQUEST
    case 'shard.reply': return SHARD_REPLY
  }
  return message satisfies never
}

const writeAddress = (writer: Writer, to: Address): void => {
  for (let kind = 0; kind < numberedActors.length; kind += 1) {
    const number = numberIn(to, numberedActors[kind] as NumberedActor)
    if (number === null) continue
    writeU8(writer, kind)
    writeU32(writer, number)
    return
  }
  assert(namePattern.test(to), `"${to}" is an address`)
  writeU8(writer, ADDRESS_NAME)
  writeShortText(writer, to)
}

const readAddress = (reader: Reader): Address => {
  const kind = readU8(reader)
  const actor = numberedActors[kind]
  if (actor !== undefined) return addressOf(actor, readU32(reader))
  if (kind !== ADDRESS_NAME) throw new DecodeError(`address kind ${kind} is not known`)
  const name = readShortText(reader)
  if (!namePattern.test(name)) throw new DecodeError('an address is a word, or a word and a name')
  return name
}

const writeShardRequest = (writer: Writer, message: Extract<ShardMessage, { type: 'shard.request' }>): void => {
  writeShortText(writer, message.replyTo)
  writeU53(writer, message.batch)
  writeU8(writer, policies.indexOf(message.policy))
  writeU53(writer, message.term)
  writeU8(writer, consistencies.indexOf(message.consistency))
  writeOperations(writer, message.operations)
}

const readShardRequest = (reader: Reader): ShardMessage => {
  const replyTo = readShortText(reader)
  if (!namePattern.test(replyTo)) throw new DecodeError('a request names the address that waits for its reply')
  const batch = readU53(reader)
  const policy = choice(reader, policies)
  const term = readU53(reader)
  const consistency = choice(reader, consistencies)
  return { type: 'shard.request', replyTo, batch, policy, term, consistency, operations: readOperations(reader) }
}

const writeShardReply = (writer: Writer, message: Extract<ShardMessage, { type: 'shard.reply' }>): void => {
  writeU32(writer, message.shard)
  writeU53(writer, message.batch)
  writeResults(writer, message.results)
}

const readShardReply = (reader: Reader): ShardMessage =>
  ({ type: 'shard.reply', shard: readU32(reader) as ShardId, batch: readU53(reader), results: readResults(reader) })

const choice = <T>(reader: Reader, choices: readonly T[]): T => {
  const code = readU8(reader)
  const chosen = choices[code]
  if (chosen === undefined) throw new DecodeError(`${code} is not one of ${choices.length} choices`)
  return chosen
}

/** Reads the messages after an envelope. Never throws on input. */
export const decodeFrame = (body: Reader, ends: Ends): DecodedFrame => {
  assert(isNodeId(ends.from), 'a frame comes from a node')
  const messages: FrameMessage[] = []
  try {
    while (!isAtEnd(body)) {
      if (body.buffer[body.offset] === ADDRESS_RUN) for (const message of readPacked(body, ends)) messages.push(message)
      else messages.push(readMessage(body, ends))
      if (messages.length > FRAME_MESSAGES_MAX) throw new DecodeError(`a frame holds at most ${FRAME_MESSAGES_MAX} messages`)
    }
  } catch (error) {
    if (error instanceof DecodeError) return { ok: false, reason: error.message }
    throw error
  }
  return messages.length === 0 ? { ok: false, reason: 'a frame holds at least one message' } : { ok: true, messages }
}

const readMessage = (reader: Reader, ends: Ends): FrameMessage => {
  const to = readAddress(reader)
  return { to, message: readWithin(reader, (kind) => readBody(reader, kind, ends)) }
}

const readPacked = (reader: Reader, ends: Ends): readonly FrameMessage[] => {
  readU8(reader)
  return readWithin(reader, (kind) => readRun(reader, kind, ends))
}

/** Kind, length, and what stands in so many bytes. */
const readWithin = <T>(reader: Reader, read: (kind: number) => T): T => {
  const kind = readU8(reader)
  const length = readU32(reader)
  const frameEnd = reader.end
  const bodyEnd = reader.offset + length
  if (bodyEnd > frameEnd) throw new DecodeError(`a message of ${length} bytes does not fit in its frame`)
  reader.end = bodyEnd
  const value = read(kind)
  if (!isAtEnd(reader)) throw new DecodeError(`a message of kind ${kind} has ${bodyEnd - reader.offset} bytes too many`)
  reader.end = frameEnd
  return value
}

const readBody = (reader: Reader, kind: number, ends: Ends): ActorMessage => {
  if (isRaftKind(kind)) {
    const { from, to, message } = readRaftMail(reader, kind, ends)
    return { type: 'raft', from, to, message }
  }
  if (kind === SHARD_REQUEST) return readShardRequest(reader)
  if (kind === SHARD_REPLY) return readShardReply(reader)
  throw new DecodeError(`message kind ${kind} is not known`)
}
