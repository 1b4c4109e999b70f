/**
 * Runs of heartbeats, and of their answers: what two nodes with hundreds of groups in common say to each other when nothing happens.
 *
 *   run:   address kind 17 u8 | message kind u8 | length u32 | item | item | ...         at least two, all of the one kind
 *   item:  group | generation of the receiver | of the sender | term | commit index | round         a heartbeat
 *          group | generation of the receiver | of the sender | term | round | disk stalled u8      its answer
 *
 * Numbers are in groups of seven bits, the lowest first, the last without the eighth bit, in the fewest bytes: an item takes some ten
 * instead of forty-two. Packing is the frame's business alone. A run is what was said one after the other to one node in one turn, and
 * arrives as the same messages in the same order: each with its own group, replicas, term and round, each judged by itself. So nothing
 * that Raft relies on is shared: no term, no send time, no incarnation but the frame's.
 *
 * A node from before there were runs refuses their frames: it is not sent any (`mayPack` of bus/postOffice.ts).
 */

import { generationOf } from '../../topology/ids.ts'
import { addressOf, numberIn } from '../address.ts'
import { DecodeError, isAtEnd, readU8, writeU8 } from '../bytes.ts'
import { kindOfRaft } from './raft.ts'
import { replicaOf } from './raftLayouts.ts'
import type { RaftMail, RaftMessage } from '../../actors/raft/protocol.ts'
import type { Reader, Writer } from '../bytes.ts'
import type { Ends, FrameMessage } from './frame.ts'

export const ADDRESS_RUN = 17
/** The most that an item takes: six numbers of eight bytes. */
export const ITEM_BYTES_MAX = 48

const HEARTBEAT = kindOfRaft({ type: 'raft.heartbeat' })
const HEARTBEAT_ACKED = kindOfRaft({ type: 'raft.heartbeatAcked' })

type Beat = Extract<RaftMessage, { type: 'raft.heartbeat' | 'raft.heartbeatAcked' }>

/** A message that may stand in a run, as an item of it. */
export interface Item {
  readonly kind: number
  readonly group: number
  readonly mail: RaftMail
  readonly beat: Beat
}

/** Null for anything else. */
export const itemOf = ({ to, message }: FrameMessage): Item | null => {
  if (message.type !== 'raft') return null
  const beat = message.message
  if (beat.type !== 'raft.heartbeat' && beat.type !== 'raft.heartbeatAcked') return null
  const group = numberIn(to, 'raft')
  return group === null ? null : { kind: kindOfRaft(beat), group, mail: message, beat }
}

export const writeItem = (writer: Writer, { group, mail, beat }: Item): void => {
  writeNumber(writer, group)
  writeNumber(writer, generationOf(mail.to))
  writeNumber(writer, generationOf(mail.from))
  writeNumber(writer, beat.term)
  if (beat.type === 'raft.heartbeat') {
    writeNumber(writer, beat.commitIndex)
    writeNumber(writer, beat.round)
    return
  }
  writeNumber(writer, beat.round)
  writeU8(writer, beat.diskStalled ? 1 : 0)
}

/** Reads the items of a run up to the reader's end. */
export const readRun = (reader: Reader, kind: number, ends: Ends): readonly FrameMessage[] => {
  if (kind !== HEARTBEAT && kind !== HEARTBEAT_ACKED) throw new DecodeError(`there are no runs of messages of kind ${kind}`)
  const messages: FrameMessage[] = []
  while (!isAtEnd(reader)) messages.push(readItem(reader, kind, ends))
  if (messages.length < 2) throw new DecodeError('a run holds at least two messages')
  return messages
}

const readItem = (reader: Reader, kind: number, { from, self }: Ends): FrameMessage => {
  const group = readName(reader)
  const to = replicaOf(self, readName(reader))
  const sender = replicaOf(from, readName(reader))
  const message = kind === HEARTBEAT ? readHeartbeat(reader) : readAnswer(reader)
  return { to: addressOf('raft', group), message: { type: 'raft', from: sender, to, message } }
}

/** It has room for its sender, whom the mailroom adds: an object that grows takes a second one along, for every heartbeat. */
type Unsigned = RaftMessage & { readonly from: undefined }

const readHeartbeat = (reader: Reader): Unsigned => ({
  type: 'raft.heartbeat', term: readNumber(reader), commitIndex: readNumber(reader), round: readNumber(reader), from: undefined,
})

const readAnswer = (reader: Reader): Unsigned => {
  const term = readNumber(reader)
  const round = readNumber(reader)
  const stalled = readU8(reader)
  if (stalled > 1) throw new DecodeError(`${stalled} is neither 0 nor 1`)
  return { type: 'raft.heartbeatAcked', term, round, diskStalled: stalled === 1, from: undefined }
}

const MORE = 0x80
const NAME_MAX = 2 ** 32 - 1

const writeNumber = (writer: Writer, value: number): void => {
  let rest = value
  for (; rest >= MORE; rest = Math.floor(rest / MORE)) writeU8(writer, rest % MORE + MORE)
  writeU8(writer, rest)
}

/** A group or a generation: what other layouts have four bytes for, or an answer to it could not be written. */
const readName = (reader: Reader): number => {
  const value = readNumber(reader)
  if (value > NAME_MAX) throw new DecodeError('a group or a generation is above 2^32-1')
  return value
}

const readNumber = (reader: Reader): number => {
  let value = 0
  for (let scale = 1; ; scale *= MORE) {
    const byte = readU8(reader)
    if (byte < MORE) {
      if (byte === 0 && scale > 1) throw new DecodeError('a number is written in the fewest bytes')
      value += byte * scale
      if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError('a number is above 2^53-1')
      return value
    }
    value += (byte - MORE) * scale
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError('a number is above 2^53-1')
  }
}
