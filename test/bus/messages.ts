/** Arbitrary actor messages for the codec's laws: every kind, every optional field, numbers at their ends. */

import fc from 'fast-check'
import { OpCode, Status } from '../../actors/shard/operation.ts'
import { nodeId, replicaId, shardId } from '../../topology/ids.ts'
import type { Entry, EntryKind, RaftMessage } from '../../actors/raft/protocol.ts'
import type { Operation, OperationResult, StatusName } from '../../actors/shard/operation.ts'
import type { FrameMessage } from '../../bus/codec/frame.ts'
import type { ActorMessage } from '../../bus/messages.ts'

export const self = nodeId('n1')
export const peer = nodeId('n2')

const whole = fc.oneof(
  fc.integer({ min: 0, max: 1_000 }),
  fc.constantFrom(0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
)
const bytes = fc.uint8Array({ maxLength: 60 })
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: 1, maxLength }).map((array) => Buffer.from(array).toString('latin1'))
const generation = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(0xffff_ffff))
const incarnation = fc.integer({ min: 0, max: 0xffff_ffff })
const voteRefusal = fc.constantFrom('staleTerm', 'staleLog', 'votedForOther', 'leaderAlive', 'freshlyStarted', 'notPresented')

/** An append keeps its own rules: indexes without a gap, terms that never fall nor pass the message's. */
const append = fc.record({
  prevTerm: fc.integer({ min: 0, max: 5 }),
  prevIndex: fc.integer({ min: 0, max: 1_000_000 }),
  commitIndex: whole,
  steps: fc.array(fc.record({
    rise: fc.integer({ min: 0, max: 2 }), kind: fc.constantFrom<EntryKind>(0, 1, 2), payload: bytes,
  }), { maxLength: 6 }),
  lead: fc.integer({ min: 0, max: 3 }),
}).map(({ prevTerm, prevIndex, commitIndex, steps, lead }): RaftMessage => {
  let term = prevTerm
  const entries = steps.map(({ rise, kind, payload }, i): Entry => {
    term += rise
    return { term, index: prevIndex + 1 + i, kind, payload }
  })
  return { type: 'raft.append', term: term + lead, prevTerm, prevIndex, commitIndex, entries }
})

const chunk = fc.record({ term: whole, snapshotTerm: whole, snapshotIndex: whole, offset: fc.nat(), crc: fc.nat(), more: fc.nat(), bytes })
  .map(({ more, ...rest }): RaftMessage => ({ type: 'raft.snapshotChunk', ...rest, totalBytes: rest.offset + rest.bytes.length + more }))

type MessageOf<Type extends RaftMessage['type']> = Extract<RaftMessage, { type: Type }>
type FieldsOf<Message> = Omit<{ [Field in keyof Message]: fc.Arbitrary<Message[Field]> }, 'type'>

const record = <Type extends RaftMessage['type']>(
  type: Type, fields: FieldsOf<MessageOf<Type>>,
): fc.Arbitrary<RaftMessage> => fc.record(fields as unknown as Record<string, fc.Arbitrary<unknown>>)
  .map((rest) => ({ type, ...rest }) as unknown as RaftMessage)

export const raftMessages: readonly fc.Arbitrary<RaftMessage>[] = [
  record('raft.requestPreVote', { term: whole, lastTerm: whole, lastIndex: whole }),
  record('raft.preVoteGranted', { term: whole }),
  record('raft.preVoteRefused', { term: whole, reason: voteRefusal }),
  record('raft.requestVote', { term: whole, lastTerm: whole, lastIndex: whole, transfer: fc.boolean() }),
  record('raft.voteGranted', { term: whole, wallMs: whole }),
  record('raft.voteRefused', { term: whole, reason: voteRefusal }),
  append,
  record('raft.appendAccepted', { term: whole, matchIndex: whole }),
  record('raft.appendRejected', { term: whole, rejectedIndex: whole, hintIndex: whole, hintTerm: whole }),
  record('raft.heartbeat', { term: whole, commitIndex: whole, round: whole }),
  record('raft.heartbeatAcked', { term: whole, round: whole, diskStalled: fc.boolean() }),
  chunk,
  record('raft.snapshotAccepted', { term: whole, snapshotIndex: whole, nextOffset: whole }),
  record('raft.snapshotRefused', { term: whole, snapshotIndex: whole, reason: fc.constantFrom('older', 'damaged', 'noSpace') }),
  record('raft.timeoutNow', { term: whole }),
  record('raft.present', {
    incarnation,
    term: whole,
    vote: fc.oneof(fc.constant('' as const), generation.map((n) => replicaId(nodeId('n3'), n))),
    lastTerm: whole,
    lastIndex: whole,
  }),
  record('raft.presentAccepted', { incarnation }),
  record('raft.presentRefused', { incarnation, term: whole, index: whole }),
  record('raft.presentChallenged', { incarnation, challenge: incarnation }),
  record('raft.presentConfirmed', { incarnation, challenge: incarnation }),
]

export const operation = fc.record({
  code: fc.constantFrom(...Object.values(OpCode)),
  key: fc.oneof(fc.constant(''), text(40), fc.constant('k'.repeat(1_024))),
  value: bytes,
  ifRevision: whole,
  ttlMs: whole,
  session: fc.record({ client: fc.constant('0123456789abcdef'), sequence: whole, firstIncomplete: whole }),
  requestId: text(64),
}, { noNullPrototype: true, requiredKeys: ['code', 'key'] }) as fc.Arbitrary<Operation>

export const result = fc.record({
  status: fc.constantFrom(...Object.keys(Status) as StatusName[]),
  revision: whole,
  value: bytes,
  message: fc.string({ unit: 'grapheme', maxLength: 60 }),
  definite: fc.boolean(),
  retryAfterMs: whole,
  duplicate: fc.constant(true),
}, { noNullPrototype: true, requiredKeys: ['status', 'revision'] }) as fc.Arbitrary<OperationResult>

const mail = fc.tuple(fc.oneof(...raftMessages), generation, generation).map(([message, from, to]): ActorMessage =>
  ({ type: 'raft', from: replicaId(peer, from), to: replicaId(self, to), message }))

const request: fc.Arbitrary<ActorMessage> = fc.record({
  type: fc.constant('shard.request' as const),
  replyTo: fc.constantFrom('connection/raw', 'connection/0123456789abcdef'),
  batch: whole,
  policy: fc.constantFrom('slot' as const, 'forward' as const, 'direct' as const),
  term: whole,
  consistency: fc.constantFrom('linearizable' as const, 'lease' as const, 'stale' as const),
  operations: fc.array(operation, { maxLength: 5 }),
}, { noNullPrototype: true })

const reply: fc.Arbitrary<ActorMessage> = fc.record({
  type: fc.constant('shard.reply' as const),
  shard: fc.integer({ min: 0, max: 1_023 }).map(shardId),
  batch: whole,
  results: fc.array(result, { maxLength: 5 }),
}, { noNullPrototype: true })

/** Messages from `peer` to `self`, each with an address. */
export const frameMessage: fc.Arbitrary<FrameMessage> = fc.record({
  to: fc.constantFrom('raft/0', 'raft/1023', 'raft/65535', 'shard/7', 'connection/raw', 'node', 'topology'),
  message: fc.oneof(mail, request, reply),
}, { noNullPrototype: true })
