/**
 * What clients saw: one record per logical operation, from its first invocation to its last completion.
 *
 * Three outcomes. `answered`: the cluster decided and said so (also "not found" and "conflict": those are
 * decisions). `failed`: the cluster said that the operation certainly had no effect. `unknown`: anything else;
 * it may take effect at any time after its invocation. A retry with the same request id belongs to the same
 * record; without one it would be another operation.
 */

import { shardOf } from '../topology/hash.ts'
import type { SessionRequest } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'

/** Keys whose number follows this letter expire: no client deletes or compares them, and the search for a linear order leaves them out. */
export const EXPIRING_LETTER = 't'

export const isExpiringKey = (key: string): boolean => /(?:^|\})t\d+$/.test(key)

/** What decides a key's shard is its partition when it has one. */
export const shardOfKey = (key: string, shards: number): ShardId =>
  shardOf(key.startsWith('{') ? key.slice(1, key.indexOf('}')) : key, shards)

/** Longer values are shown by their beginning and length. */
const SHOWN_CHARACTERS_MAX = 1_024

export type Call =
  | { readonly kind: 'get' }
  | { readonly kind: 'put'; readonly value: string; readonly ttlMs?: number }
  /** Compare-and-set; `ifRevision` 0 means that the key must not exist. */
  | { readonly kind: 'cas'; readonly value: string; readonly ifRevision: number }
  | { readonly kind: 'incr'; readonly amount: number }
  | { readonly kind: 'del' }
  /** Only on keys that expire. */
  | { readonly kind: 'touch'; readonly ttlMs: number }

export type Outcome =
  | { readonly kind: 'answered'; readonly status: 'OK' | 'NOT_FOUND' | 'CONFLICT' | 'INVALID'; readonly revision: number
      readonly value?: string }
  | { readonly kind: 'failed'; readonly status: string }
  | { readonly kind: 'unknown' }

/** It was refused, since its request id had been given to another write: nothing was done. */
export const isReuse = (outcome: Outcome): boolean => outcome.kind === 'failed' && outcome.status === 'REQUEST_ID_REUSED'

export interface HistoryOperation {
  readonly id: number
  readonly client: number
  /** Full name of the key. */
  readonly key: string
  readonly call: Call
  readonly requestId?: string
  /** As it was drawn; what is sent names what is complete by then. */
  readonly session?: SessionRequest
  readonly consistency: 'linearizable' | 'lease' | 'stale'
  /** Virtual milliseconds. */
  readonly invokedAt: number
  /** Infinity while unknown. */
  readonly completedAt: number
  readonly outcome: Outcome
}

export const describeOperation = (operation: HistoryOperation): string => {
  const { call, outcome } = operation
  const result = outcome.kind === 'answered'
    ? `${outcome.status} revision=${outcome.revision}${outcome.value === undefined ? '' : ` value=${shortened(outcome.value)}`}`
    : outcome.kind === 'failed' ? `failed ${outcome.status}` : 'unknown'
  const end = Number.isFinite(operation.completedAt) ? operation.completedAt.toFixed(2) : 'never'
  return `#${operation.id} client ${operation.client} [${operation.invokedAt.toFixed(2)}, ${end}] ${describeCall(call)}`
    + ` ${operation.key}${memoryOf(operation)} -> ${result}`
}

const memoryOf = ({ requestId, session }: HistoryOperation): string => {
  if (session !== undefined) return ` session=${session.client}:${session.sequence}`
  return requestId === undefined ? '' : ` id=${requestId}`
}

/** What comes first in a value makes it unique. */
const shortened = (value: string): string =>
  (value.length <= SHOWN_CHARACTERS_MAX ? value : `${value.slice(0, 16)}...(${value.length})`)

const describeCall = (call: Call): string => {
  switch (call.kind) {
    case 'get':
    case 'del': return call.kind
    case 'put': return `put ${shortened(call.value)}${call.ttlMs === undefined ? '' : ` for ${call.ttlMs}ms`}`
    case 'touch': return `touch ${call.ttlMs}ms`
    case 'cas': return `cas ${call.ifRevision}->${shortened(call.value)}`
    case 'incr': return `incr ${call.amount}`
  }
  call satisfies never
}
