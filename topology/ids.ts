/**
 * The identifiers everything else is named by. All are branded, so that a shard number is never passed for a term.
 *
 * A replica id names one replica of one shard on one node in one generation. It is written `<node>:<generation>` (the
 * shard is always known from the group a message is for) and is never reused: a replica that lost its disk, or was moved
 * away and back, comes back with a higher generation.
 */

import { assert } from '../actors/kernel/assert.ts'

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** 1-32 characters of `a-z 0-9 -`, starting with a letter: it is one NATS token and one path segment. */
export type NodeId = Branded<string, 'NodeId'>
/** 0 .. shardCount-1. A shard's Raft group has the same number. */
export type ShardId = Branded<number, 'ShardId'>
/** A Raft group of a node's log: a shard's number, or META_GROUP. */
export type GroupId = number
/** `<node>:<generation>`, generation from 1. */
export type ReplicaId = Branded<string, 'ReplicaId'>
/** 16 lower-case hex digits, random at every start of a process. Tells incarnations of one node apart. */
export type BootId = Branded<string, 'BootId'>
/** 16 lower-case hex digits, drawn once, in the genesis record. */
export type ClusterId = Branded<string, 'ClusterId'>

export const SHARD_COUNT_MAX = 1_024
export const isShardCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= SHARD_COUNT_MAX
/** The meta group's place among the Raft groups: behind every shard's. */
export const META_GROUP: GroupId = 1_024

const nodePattern = /^[a-z][a-z0-9-]{0,31}$/
const zonePattern = /^(?:|[a-z0-9][a-z0-9-]{0,31})$/
const hexPattern = /^[0-9a-f]{16}$/

export const isNodeId = (text: string): text is NodeId => nodePattern.test(text)
/** '' for none, or 1-32 characters of `a-z 0-9 -`, starting with a letter or digit. */
export const isZone = (text: string): boolean => zonePattern.test(text)
export const isHex64 = (text: string): boolean => hexPattern.test(text)

export const nodeId = (text: string): NodeId => {
  assert(isNodeId(text), `node id "${text}" is 1-32 of a-z, 0-9 and -, starting with a letter`)
  return text
}

export const shardId = (n: number): ShardId => {
  assert(Number.isInteger(n) && n >= 0 && n < SHARD_COUNT_MAX, `shard id ${n} is 0..${SHARD_COUNT_MAX - 1}`)
  return n as ShardId
}

export const bootId = (text: string): BootId => {
  assert(isHex64(text), `boot id "${text}" is 16 hex digits`)
  return text as BootId
}

export const clusterId = (text: string): ClusterId => {
  assert(isHex64(text), `cluster id "${text}" is 16 hex digits`)
  return text as ClusterId
}

export const replicaId = (node: NodeId, generation: number): ReplicaId => {
  assert(Number.isInteger(generation) && generation >= 1, `generation ${generation} is at least 1`)
  return `${node}:${generation}` as ReplicaId
}

/** Far more than a cluster has at a time; with one more the table begins anew. */
const IDS_REMEMBERED_MAX = 4_096
const remembered = new Map<string, ReplicaId>()

/**
 * The same id, as the one string that stands for it in this process. Hundreds of groups have the same few ids: where each has copies of its
 * own, to find that two are equal takes the bytes of both from all over memory, several times for every message.
 */
export const shared = (id: ReplicaId): ReplicaId => {
  const known = remembered.get(id)
  if (known !== undefined) return known
  if (remembered.size >= IDS_REMEMBERED_MAX) remembered.clear()
  remembered.set(id, id)
  return id
}

export const isOnNode = (replica: ReplicaId, node: NodeId): boolean =>
  replica.length > node.length && replica[node.length] === ':' && replica.startsWith(node)

export const nodeOf = (replica: ReplicaId): NodeId => replica.slice(0, replica.indexOf(':')) as NodeId

export const generationOf = (replica: ReplicaId): number => Number(replica.slice(replica.indexOf(':') + 1))

/** Null: the meta group. */
export const shardOfGroup = (group: GroupId): ShardId | null => (group === META_GROUP ? null : group as ShardId)

/** How people and recordings name the Raft member of a group. */
export const raftActorOf = (group: GroupId): string => `raft/${group === META_GROUP ? 'meta' : group}`
