/**
 * The layout of every Raft message, by hand: appends and their answers are the hottest bytes there are.
 *
 * Entries carry no index: they follow prevIndex without a gap, so a gap can not be said. Terms of entries never fall and never pass
 * the message's own (Raft, section 5.3: a log's terms grow monotonically).
 */

import { assert } from '../../actors/kernel/assert.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { generationOf, isNodeId, nodeOf, replicaId, shared } from '../../topology/ids.ts'
import {
  DecodeError, readBytes, readShortText, readU32, readU53, readU8, writeBytes, writeShortText, writeU32, writeU53, writeU8,
} from '../bytes.ts'
import { BLOCK_BYTES_MAX } from './operations.ts'
import type { Entry, RaftMessage, VoteRefusal } from '../../actors/raft/protocol.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'
import type { Reader, Writer } from '../bytes.ts'

const ENTRIES_MAX = 65_536

type MessageOf<Type extends RaftMessage['type']> = Extract<RaftMessage, { type: Type }>

export interface Layout<Type extends RaftMessage['type']> {
  readonly type: Type
  readonly write: (writer: Writer, message: MessageOf<Type>) => void
  readonly read: (reader: Reader) => MessageOf<Type>
}

const namesOf = <Name extends string>(every: Readonly<Record<Name, 0>>): readonly Name[] => Object.keys(every) as Name[]

/** A reason's position is its code on the wire: append only. The compiler asks for every reason there is. */
const voteRefusals = namesOf<VoteRefusal>({
  staleTerm: 0, staleLog: 0, votedForOther: 0, leaderAlive: 0, freshlyStarted: 0, notPresented: 0,
})
const snapshotRefusals = namesOf<MessageOf<'raft.snapshotRefused'>['reason']>({ older: 0, damaged: 0, noSpace: 0 })

const kinds: ReadonlySet<number> = new Set(Object.values(EntryKind))

const requestPreVote: Layout<'raft.requestPreVote'> = {
  type: 'raft.requestPreVote',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.lastTerm)
    writeU53(writer, message.lastIndex)
  },
  read: (reader) => ({ type: 'raft.requestPreVote', term: readU53(reader), lastTerm: readU53(reader), lastIndex: readU53(reader) }),
}

const preVoteGranted: Layout<'raft.preVoteGranted'> = {
  type: 'raft.preVoteGranted',
  write: (writer, message) => writeU53(writer, message.term),
  read: (reader) => ({ type: 'raft.preVoteGranted', term: readU53(reader) }),
}

const preVoteRefused: Layout<'raft.preVoteRefused'> = {
  type: 'raft.preVoteRefused',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU8(writer, voteRefusals.indexOf(message.reason))
  },
  read: (reader) => ({ type: 'raft.preVoteRefused', term: readU53(reader), reason: readChoice(reader, voteRefusals) }),
}

const requestVote: Layout<'raft.requestVote'> = {
  type: 'raft.requestVote',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.lastTerm)
    writeU53(writer, message.lastIndex)
    writeU8(writer, message.transfer ? 1 : 0)
  },
  read: (reader) => ({
    type: 'raft.requestVote', term: readU53(reader), lastTerm: readU53(reader), lastIndex: readU53(reader), transfer: readBoolean(reader),
  }),
}

const voteGranted: Layout<'raft.voteGranted'> = {
  type: 'raft.voteGranted',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, wholeMs(message.wallMs))
  },
  read: (reader) => ({ type: 'raft.voteGranted', term: readU53(reader), wallMs: readU53(reader) }),
}

const voteRefused: Layout<'raft.voteRefused'> = {
  type: 'raft.voteRefused',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU8(writer, voteRefusals.indexOf(message.reason))
  },
  read: (reader) => ({ type: 'raft.voteRefused', term: readU53(reader), reason: readChoice(reader, voteRefusals) }),
}

const append: Layout<'raft.append'> = {
  type: 'raft.append',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.prevTerm)
    writeU53(writer, message.prevIndex)
    writeU53(writer, message.commitIndex)
    writeEntries(writer, message)
  },
  read: (reader) => {
    const term = readU53(reader)
    const prevTerm = readU53(reader)
    const prevIndex = readU53(reader)
    const commitIndex = readU53(reader)
    return { type: 'raft.append', term, prevTerm, prevIndex, commitIndex, entries: readEntries(reader, { term, prevTerm, prevIndex }) }
  },
}

const appendAccepted: Layout<'raft.appendAccepted'> = {
  type: 'raft.appendAccepted',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.matchIndex)
  },
  read: (reader) => ({ type: 'raft.appendAccepted', term: readU53(reader), matchIndex: readU53(reader) }),
}

const appendRejected: Layout<'raft.appendRejected'> = {
  type: 'raft.appendRejected',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.rejectedIndex)
    writeU53(writer, message.hintIndex)
    writeU53(writer, message.hintTerm)
  },
  read: (reader) => ({
    type: 'raft.appendRejected', term: readU53(reader), rejectedIndex: readU53(reader),
    hintIndex: readU53(reader), hintTerm: readU53(reader),
  }),
}

const heartbeat: Layout<'raft.heartbeat'> = {
  type: 'raft.heartbeat',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.commitIndex)
    writeU53(writer, message.round)
  },
  read: (reader) => ({ type: 'raft.heartbeat', term: readU53(reader), commitIndex: readU53(reader), round: readU53(reader) }),
}

const heartbeatAcked: Layout<'raft.heartbeatAcked'> = {
  type: 'raft.heartbeatAcked',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.round)
    writeU8(writer, message.diskStalled ? 1 : 0)
  },
  read: (reader) => ({ type: 'raft.heartbeatAcked', term: readU53(reader), round: readU53(reader), diskStalled: readBoolean(reader) }),
}

const snapshotChunk: Layout<'raft.snapshotChunk'> = {
  type: 'raft.snapshotChunk',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.snapshotTerm)
    writeU53(writer, message.snapshotIndex)
    writeU53(writer, message.offset)
    writeU53(writer, message.totalBytes)
    writeU32(writer, message.crc >>> 0)
    writeBytes(writer, message.bytes)
  },
  read: (reader) => {
    const message = {
      type: 'raft.snapshotChunk', term: readU53(reader), snapshotTerm: readU53(reader), snapshotIndex: readU53(reader),
      offset: readU53(reader), totalBytes: readU53(reader), crc: readU32(reader), bytes: readBytes(reader, BLOCK_BYTES_MAX),
    } as const
    if (message.offset + message.bytes.length > message.totalBytes) throw new DecodeError('a chunk reaches beyond its snapshot')
    return message
  },
}

const snapshotAccepted: Layout<'raft.snapshotAccepted'> = {
  type: 'raft.snapshotAccepted',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.snapshotIndex)
    writeU53(writer, message.nextOffset)
  },
  read: (reader) => ({
    type: 'raft.snapshotAccepted', term: readU53(reader), snapshotIndex: readU53(reader), nextOffset: readU53(reader),
  }),
}

const snapshotRefused: Layout<'raft.snapshotRefused'> = {
  type: 'raft.snapshotRefused',
  write: (writer, message) => {
    writeU53(writer, message.term)
    writeU53(writer, message.snapshotIndex)
    writeU8(writer, snapshotRefusals.indexOf(message.reason))
  },
  read: (reader) => ({
    type: 'raft.snapshotRefused', term: readU53(reader), snapshotIndex: readU53(reader), reason: readChoice(reader, snapshotRefusals),
  }),
}

const timeoutNow: Layout<'raft.timeoutNow'> = {
  type: 'raft.timeoutNow',
  write: (writer, message) => writeU53(writer, message.term),
  read: (reader) => ({ type: 'raft.timeoutNow', term: readU53(reader) }),
}

const present: Layout<'raft.present'> = {
  type: 'raft.present',
  write: (writer, message) => {
    writeU32(writer, message.incarnation)
    writeU53(writer, message.term)
    writeVote(writer, message.vote)
    writeU53(writer, message.lastTerm)
    writeU53(writer, message.lastIndex)
  },
  read: (reader) => ({
    type: 'raft.present', incarnation: readU32(reader), term: readU53(reader), vote: readVote(reader),
    lastTerm: readU53(reader), lastIndex: readU53(reader),
  }),
}

const presentAccepted: Layout<'raft.presentAccepted'> = {
  type: 'raft.presentAccepted',
  write: (writer, message) => writeU32(writer, message.incarnation),
  read: (reader) => ({ type: 'raft.presentAccepted', incarnation: readU32(reader) }),
}

const presentRefused: Layout<'raft.presentRefused'> = {
  type: 'raft.presentRefused',
  write: (writer, message) => {
    writeU32(writer, message.incarnation)
    writeU53(writer, message.term)
    writeU53(writer, message.index)
  },
  read: (reader) => ({
    type: 'raft.presentRefused', incarnation: readU32(reader), term: readU53(reader), index: readU53(reader),
  }),
}

const writeChallenge = (writer: Writer, message: { readonly incarnation: number; readonly challenge: number }): void => {
  writeU32(writer, message.incarnation)
  writeU32(writer, message.challenge)
}

const presentChallenged: Layout<'raft.presentChallenged'> = {
  type: 'raft.presentChallenged',
  write: writeChallenge,
  read: (reader) => ({ type: 'raft.presentChallenged', incarnation: readU32(reader), challenge: readU32(reader) }),
}

const presentConfirmed: Layout<'raft.presentConfirmed'> = {
  type: 'raft.presentConfirmed',
  write: writeChallenge,
  read: (reader) => ({ type: 'raft.presentConfirmed', incarnation: readU32(reader), challenge: readU32(reader) }),
}

/** The position is the kind on the wire, from 1: append only. */
export const layouts = [
  requestPreVote, preVoteGranted, preVoteRefused, requestVote, voteGranted, voteRefused, append, appendAccepted, appendRejected,
  heartbeat, heartbeatAcked, snapshotChunk, snapshotAccepted, snapshotRefused, timeoutNow, present, presentAccepted, presentRefused,
  presentChallenged, presentConfirmed,
] as const

const writeEntries = (writer: Writer, message: MessageOf<'raft.append'>): void => {
  assert(message.entries.length <= ENTRIES_MAX, `an append carries at most ${ENTRIES_MAX} entries`)
  writeU32(writer, message.entries.length)
  let index = message.prevIndex
  for (const entry of message.entries) {
    index += 1
    assert(entry.index === index, `entry ${entry.index} follows ${index - 1} without a gap`)
    writeU53(writer, entry.term)
    writeU8(writer, entry.kind)
    writeBytes(writer, entry.payload)
  }
}

interface AppendHead {
  readonly term: number
  readonly prevTerm: number
  readonly prevIndex: number
}

const readEntries = (reader: Reader, head: AppendHead): readonly Entry[] => {
  const count = readU32(reader)
  if (count > ENTRIES_MAX) throw new DecodeError(`an append of ${count} entries is above its limit of ${ENTRIES_MAX}`)
  if (head.prevIndex + count > Number.MAX_SAFE_INTEGER) throw new DecodeError('an append reaches beyond the last index')
  const entries: Entry[] = []
  let lastTerm = head.prevTerm
  for (let i = 1; i <= count; i += 1) {
    const term = readU53(reader)
    if (term < lastTerm || term > head.term) throw new DecodeError('terms of entries never fall, and never pass the message\'s')
    lastTerm = term
    const kind = readU8(reader)
    if (!kinds.has(kind)) throw new DecodeError(`entry kind ${kind} is not known`)
    entries.push({ term, index: head.prevIndex + i, kind: kind as EntryKind, payload: readBytes(reader, BLOCK_BYTES_MAX) })
  }
  return entries
}

/** A vote may name a replica of a third node, so it is spelt out; an empty node is nobody. */
const writeVote = (writer: Writer, vote: ReplicaId | ''): void => {
  writeShortText(writer, vote === '' ? '' : nodeOf(vote))
  if (vote !== '') writeU32(writer, generationOf(vote))
}

const readVote = (reader: Reader): ReplicaId | '' => {
  const node = readShortText(reader)
  if (node === '') return ''
  if (!isNodeId(node)) throw new DecodeError('a vote names a node')
  return replicaOf(node, readU32(reader))
}

/** The last replica of each node, so that every message of one carries the same string. As many as there are members. */
const lastOf = new Map<NodeId, { readonly generation: number; readonly id: ReplicaId }>()

export const replicaOf = (node: NodeId, generation: number): ReplicaId => {
  const last = lastOf.get(node)
  if (last?.generation === generation) return last.id
  if (generation < 1) throw new DecodeError('a replica\'s generation is at least 1')
  const id = shared(replicaId(node, generation))
  lastOf.set(node, { generation, id })
  return id
}

const readBoolean = (reader: Reader): boolean => {
  const value = readU8(reader)
  if (value > 1) throw new DecodeError(`${value} is neither 0 nor 1`)
  return value === 1
}

const readChoice = <T>(reader: Reader, choices: readonly T[]): T => {
  const choice = choices[readU8(reader)]
  if (choice === undefined) throw new DecodeError('a reason is not known')
  return choice
}

/** A wall clock as the wire carries it. One set before 1970 counts as 1970: a majority decides (actors/raft/wallClocks.ts). */
const wholeMs = (ms: number): number => Math.max(0, Math.trunc(ms))
