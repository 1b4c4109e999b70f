/**
 * Every subject ShardKV uses is built and read here and nowhere else (docs/SUBJECTS.md lists them for people).
 *
 *   <prefix>.<op>                                   a request that spans shards
 *   <prefix>.<op>.<key>                             one key, as a client sends it
 *   <prefix>.<op>.<partition>.<key>                 one key of a partition
 *   <prefix>.slot.<shard>.<op>.<key>                what the broker's mapping makes of the two above
 *   <prefix>.slot.<shard>.<op>.<partition>.<key>
 *   <prefix>.to.<node>.batch.v1                     an SDK batch for one node
 *   <prefix>-changed.<key>                          announcements
 *   skv.<cluster>.<kind>.<to>.<from>                between nodes; the sender is always last
 *   $SRV.<verb>[.<service>[.<instance>]]            NATS' own: which micro services are there
 *
 * The number of tokens tells the forms apart: the mapping rewrites three and four tokens, and its results have five and six, so
 * they are not mapped again. `slot` and `to` are no operations: `kv.slot.x` is rewritten like any other three tokens, arrives
 * as the operation `slot`, and is refused.
 */

import { SHARD_COUNT_MAX, isNodeId } from '../topology/ids.ts'
import { keyOfTokens, tokensOfKey } from './keys.ts'
import type { KeyRefusal } from './keys.ts'
import type { ClusterId, NodeId, ShardId } from '../topology/ids.ts'

/** Longest subject a client may send, in bytes: the broker cuts a connection whose control line passes 4,096. */
export const SUBJECT_BYTES_MAX = 3 * 1_024

const INTERNAL_ROOT = 'skv'
const SERVICE_ROOT = '$SRV'
const NODES_INBOX = 'skv-nodes'
/** Answered by every serving node, each for itself. */
export const STATUS_OP = 'status'
/** Published by nodes to learn how the broker routes; ignored by everybody else (topology/routingCheck.ts). */
export const ROUTING_CHECK_OP = 'routing-check'

/** What NATS micro services are asked for (ADR-32). */
export const SERVICE_VERBS = ['PING', 'INFO', 'STATS'] as const
export type ServiceVerb = (typeof SERVICE_VERBS)[number]

const RESERVED_OPS: readonly string[] = ['slot', 'to']
const opPattern = /^[a-z][a-z0-9-]{0,31}$/
const prefixPattern = /^[a-z][a-z0-9-]{0,31}$/
const shardPattern = /^(?:0|[1-9][0-9]{0,3})$/

/** `key` is the full name; `hashToken` decides its shard. `slot` is the shard the subject names, when it names one. */
export interface KeyRequest {
  readonly ok: true
  readonly kind: 'key'
  readonly op: string
  readonly key: string
  readonly hashToken: string
  readonly slot?: ShardId
}

export type ParsedSubject =
  | KeyRequest
  | { readonly ok: true; readonly kind: 'spanning'; readonly op: string }
  | { readonly ok: true; readonly kind: 'batch'; readonly node: NodeId }
  | KeyRefusal

export type BuiltSubject = { readonly ok: true; readonly subject: string; readonly hashToken: string } | KeyRefusal

/** What is wrong with a public prefix, or null when it is usable. */
export const prefixProblem = (prefix: string): string | null => {
  if (!prefixPattern.test(prefix)) return `prefix "${prefix}" is 1-32 of a-z, 0-9 and -, starting with a letter`
  if (prefix === INTERNAL_ROOT) return `prefix "${prefix}" is the root of the internal subjects`
  return prefix.endsWith('-changed') ? `prefix "${prefix}" could be another prefix's announcements` : null
}

/** The subject of one request on one key (its full name). */
export const requestSubject = (prefix: string, op: string, key: string): BuiltSubject => {
  const problem = opProblem(op)
  if (problem !== null) return refuse(problem)
  const named = tokensOfKey(key)
  if (!named.ok) return named
  const subject = `${prefix}.${op}.${named.tokens}`
  return subject.length > SUBJECT_BYTES_MAX ? refuse(tooLong(subject.length)) : { ok: true, subject, hashToken: named.hashToken }
}

/** Reads a subject that arrived under the public prefix. Never throws. */
export const parseSubject = (prefix: string, subject: string): ParsedSubject => {
  if (!subject.startsWith(`${prefix}.`)) return refuse(`a request's subject starts with ${prefix}.`)
  const tokens = subject.slice(prefix.length + 1).split('.')
  switch (tokens.length) {
    case 1: return parseSpanning(tokens)
    case 2:
    case 3: return parseKeyed(prefix, tokens)
    case 4:
    case 5: return parseRouted(prefix, tokens)
  }
  return refuse(`a subject has one to five tokens after ${prefix}; a dot in a key is written %2E`)
}

const parseSpanning = (tokens: readonly string[]): ParsedSubject => {
  const op = tokens[0] ?? ''
  const problem = opProblem(op)
  return problem === null ? { ok: true, kind: 'spanning', op } : refuse(problem)
}

const parseRouted = (prefix: string, tokens: readonly string[]): ParsedSubject => {
  const [root = '', second = '', third, fourth] = tokens
  if (root === 'slot') {
    if (!shardPattern.test(second) || Number(second) >= SHARD_COUNT_MAX) return refuse(`"${second.slice(0, 8)}" is not a shard`)
    return parseKeyed(prefix, tokens.slice(2), Number(second) as ShardId)
  }
  if (root === 'to' && tokens.length === 4 && third === 'batch') {
    if (!isNodeId(second)) return refuse('this is not a node id')
    return fourth === 'v1' ? { ok: true, kind: 'batch', node: second } : refuse('only batches of version v1 are known')
  }
  return refuse(`a key is one token, or two with a partition; a dot in a key is written %2E`)
}

const parseKeyed = (prefix: string, tokens: readonly string[], slot?: ShardId): KeyRequest | KeyRefusal => {
  const op = tokens[0] ?? ''
  const problem = opProblem(op)
  if (problem !== null) return refuse(problem)
  const length = tokens.reduce((sum, token) => sum + token.length + 1, prefix.length)
  if (length > SUBJECT_BYTES_MAX) return { ok: false, reason: tooLong(length), isTooLarge: true }
  const named = keyOfTokens(tokens.slice(1))
  if (!named.ok) return named
  const request = { ok: true, kind: 'key', op, key: named.key, hashToken: tokens[1] ?? '' } as const
  return slot === undefined ? request : { ...request, slot }
}

const opProblem = (op: string): string | null => {
  if (!opPattern.test(op)) return 'an operation is 1-32 of a-z, 0-9 and -, starting with a letter'
  return RESERVED_OPS.includes(op) ? `"${op}" is not an operation: the word is reserved for routing` : null
}

const tooLong = (length: number): string => `an encoded subject has at most ${SUBJECT_BYTES_MAX} bytes, this one ${length}`

const refuse = (reason: string): KeyRefusal => ({ ok: false, reason })

/** Everything the broker routes to one shard: subscribed by its serving leader only. */
export const slotWildcard = (prefix: string, shard: ShardId): string => `${prefix}.slot.${shard}.>`

/** What the broker's mapping has made `subject` of; itself, if that has made nothing of it. */
export const unmappedSubject = (subject: string): string => subject.replace(/\.slot\.\d+(?=\.)/, '')

/** What every node serves in one queue group: requests that span shards, and single keys on a broker without the mapping. */
export const gatewayWildcards = (prefix: string): readonly string[] => [`${prefix}.*`, `${prefix}.*.*`, `${prefix}.*.*.*`]

export const spanningSubject = (prefix: string, op: string): string => `${prefix}.${op}`
export const batchSubject = (prefix: string, node: NodeId): string => `${prefix}.to.${node}.batch.v1`

/** The announcement of a committed change; null for a name that is no key. */
export const changedSubject = (prefix: string, key: string): string | null => {
  const named = tokensOfKey(key)
  return named.ok ? `${prefix}-changed.${named.tokens}` : null
}

/** Where one instance of a micro service is asked: with all others, with its own kind, alone. */
export const serviceSubjects = (verb: ServiceVerb, service: string, instance: string): readonly string[] =>
  [`${SERVICE_ROOT}.${verb}`, `${SERVICE_ROOT}.${verb}.${service}`, `${SERVICE_ROOT}.${verb}.${service}.${instance}`]
export const serviceWildcard = `${SERVICE_ROOT}.>`

export const nodeSubject = (cluster: ClusterId, to: NodeId, from: NodeId): string => internal(cluster, 'node', to, from)
export const nodeWildcard = (cluster: ClusterId, self: NodeId): string => internal(cluster, 'node', self, '*')
export const gossipSubject = (cluster: ClusterId, to: NodeId, from: NodeId): string => internal(cluster, 'gossip', to, from)
export const gossipWildcard = (cluster: ClusterId, self: NodeId): string => internal(cluster, 'gossip', self, '*')
export const mapSubject = (cluster: ClusterId, from: NodeId): string => internal(cluster, 'map', 'all', from)
export const mapWildcard = (cluster: ClusterId): string => internal(cluster, 'map', 'all', '*')
/** Requests between nodes about the cluster map; answered on the asker's inbox. */
export const topologySubject = (cluster: ClusterId, to: NodeId, from: NodeId): string => internal(cluster, 'topology', to, from)
export const topologyWildcard = (cluster: ClusterId, self: NodeId): string => internal(cluster, 'topology', self, '*')
export const traceSubject = (cluster: ClusterId, from: NodeId): string => internal(cluster, 'trace', 'all', from)
export const traceWildcard = (cluster: ClusterId): string => internal(cluster, 'trace', 'all', '*')
/** Questions between nodes about what they recorded; answered on the asker's inbox. */
export const traceQuestionSubject = (cluster: ClusterId, to: NodeId, from: NodeId): string => internal(cluster, 'trace', to, from)
export const traceQuestionWildcard = (cluster: ClusterId, self: NodeId): string => internal(cluster, 'trace', self, '*')

const internal = (cluster: ClusterId, kind: string, to: string, from: string): string =>
  `${INTERNAL_ROOT}.${cluster}.${kind}.${to}.${from}`

/** The last token of an internal subject: who sent it, as far as the broker's permissions vouch for it. */
export const senderOf = (subject: string): string => subject.slice(subject.lastIndexOf('.') + 1)

/**
 * Where a node hears what other nodes answer, without the final dot. A token of its own, so that clients can be kept from listening there
 * (bus/natsConfig.ts) and from having their answers sent there. It is under the inbox prefix all the same, since nodes of earlier versions
 * answer nowhere else (docs/adr/0013-answers-between-nodes.md).
 */
export const nodesInbox = (inboxPrefix: string): string => `${inboxPrefix}.${NODES_INBOX}`

/** Whether a client may be answered there: what nodes ask each other is answered by nodes (docs/TESTING.md T22). */
export const isClientReplyAllowed = (reply: string, inboxPrefix: string): boolean =>
  isReplyAllowed(reply, inboxPrefix) && !reply.includes(`.${NODES_INBOX}.`)

/**
 * Whether an answer may be published to `reply`. Only subjects under the inbox prefix: otherwise a client that may publish
 * nothing but `kv.>` could have a node forge internal messages for it (docs/TESTING.md T22). Wildcards, blanks and empty tokens never occur
 * there: the broker calls the last a lack of permission, and the node's log would tell its people to mend that.
 * Its length is that of its bytes: what came as bytes that are no UTF-8 leaves with three for each of them, and a longer control line than
 * the broker takes would cost the node its connection.
 */
export const isReplyAllowed = (reply: string, inboxPrefix: string): boolean =>
  reply.length > inboxPrefix.length && isWithinSubject(reply) && reply.startsWith(inboxPrefix) && !/[\s*>]|\.\.|\.$/.test(reply)

const BYTES_A_CHARACTER_MAX = 3

const isWithinSubject = (text: string): boolean =>
  text.length * BYTES_A_CHARACTER_MAX <= SUBJECT_BYTES_MAX || new TextEncoder().encode(text).length <= SUBJECT_BYTES_MAX
