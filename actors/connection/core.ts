/**
 * The core of a connection: takes requests in, sends them to shards in batches, and sees that each is answered or forgotten once.
 *
 *   request ──▶ gathered ──flush──▶ batches (by number) ──shard.reply──▶ answer
 *                  └──────────────────────┴──deadline──▶ TIMEOUT, or forgotten on the slot path
 *
 * The requests of a turn for one shard, with one policy and consistency, leave together; reads apart from writes, so that a read never
 * waits for an fsync and a write whose outcome is unknown silences no read.
 *
 * Whether an error is definite: what was refused here was not sent, so it certainly had no effect, except on the slot path, where
 * another node may hold a copy of the same request. A timed-out write is indefinite; a read has no effect to be unsure of.
 */

import { encodedOperationBytes } from '../shard/batch.ts'
import { checkOperation } from '../shard/operationCheck.ts'
import { createDeadlines } from './deadlines.ts'
import { LOW_WATER, TIMEOUT_MS_MAX } from './limits.ts'
import { createPendingTable } from '../kernel/pendingTable.ts'
import { createRetryAfter } from '../kernel/retryAfter.ts'
import { openTokenBucket, takeToken } from './tokenBucket.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { OperationResult } from '../shard/operation.ts'
import type { Policy } from '../shard/protocol.ts'
import type { Deadlines } from './deadlines.ts'
import type { ConnectionLimits } from './limits.ts'
import type { ClientRequest, ConnectionEffect, ConnectionEvent, LeaderLookup } from './protocol.ts'
import type { PendingTable } from '../kernel/pendingTable.ts'
import type { RetryAfter } from '../kernel/retryAfter.ts'
import type { TokenBucket } from './tokenBucket.ts'

export const CONNECTION_VERSION = 1

export interface ConnectionCounters {
  /** Replies for batches that are answered, timed out or were never sent. */
  lateReplies: number
  timedOut: number
  /** Requests of the slot path that nobody answered in time. */
  forgotten: number
  overloaded: number
}

export interface InFlight {
  readonly request: ClientRequest
  readonly deadline: number
  readonly bytes: number
  isDone: boolean
}

export interface SentBatch {
  readonly number: number
  readonly shard: ShardId
  /** Empty: this node. */
  readonly to: NodeId | ''
  readonly requests: readonly InFlight[]
  /** The earliest of those that wait. */
  deadline: number
}

export interface ConnectionCoreOptions {
  readonly id: string
  readonly kind: 'raw' | 'session'
  readonly limits: ConnectionLimits
  readonly now: number
  /** Batches are numbered from here; drawn anew at every start, so that a reply to an earlier incarnation meets no batch. */
  readonly firstBatch: number
  readonly leaderOf: LeaderLookup
}

export interface ConnectionCore extends ConnectionCoreOptions {
  /** Where replies come to: made once, for every batch names it. */
  readonly address: string
  readonly effects: ConnectionEffect[]
  gathered: InFlight[]
  /** One of them is sampled: only then does a flush look for it. */
  hasTraced: boolean
  readonly batches: PendingTable<SentBatch>
  /** Of the batches: requests that left together mostly have one deadline. */
  readonly deadlines: Deadlines<SentBatch>
  readonly bucket: TokenBucket
  readonly retryAfter: RetryAfter
  nextBatch: number
  inFlightRequests: number
  inFlightBytes: number
  heardAt: number
  readonly counters: ConnectionCounters
}

export type EventOf<Type extends ConnectionEvent['type']> = Extract<ConnectionEvent, { type: Type }>

/** Without a spread of the options: it would make cores of several kinds, and all code that meets them slower for it. */
export const createConnectionCore = ({ id, kind, limits, now, firstBatch, leaderOf }: ConnectionCoreOptions): ConnectionCore => ({
  id, kind, limits, now, firstBatch, leaderOf,
  address: `connection/${id}`,
  effects: [],
  gathered: [],
  hasTraced: false,
  batches: createPendingTable(),
  deadlines: createDeadlines(),
  bucket: openTokenBucket(rateOf(limits), now),
  retryAfter: createRetryAfter(limits),
  nextBatch: firstBatch,
  inFlightRequests: 0,
  inFlightBytes: 0,
  heardAt: now,
  counters: { lateReplies: 0, timedOut: 0, forgotten: 0, overloaded: 0 },
})

const rateOf = (limits: ConnectionLimits): { readonly perSecond: number; readonly burst: number } =>
  ({ perSecond: limits.requestsPerSecondMax, burst: limits.burstRequestsMax })

export const isIdle = (core: ConnectionCore): boolean => core.inFlightRequests === 0

/** A session of which nothing was heard for too long, and that waits for nothing. */
export const isSilentAt = (core: ConnectionCore, now: number): boolean =>
  core.kind === 'session' && isIdle(core) && now - core.heardAt >= core.limits.idleMsMax

export const isHandshakeOverdue = (core: ConnectionCore, now: number): boolean => now - core.heardAt >= core.limits.handshakeMsMax

export const isAtHighWater = ({ limits, inFlightRequests, inFlightBytes }: ConnectionCore): boolean =>
  inFlightRequests >= limits.inFlightRequestsMax || inFlightBytes >= limits.inFlightBytesMax

export const isBelowLowWater = ({ limits, inFlightRequests, inFlightBytes }: ConnectionCore): boolean =>
  inFlightRequests <= limits.inFlightRequestsMax * LOW_WATER && inFlightBytes <= limits.inFlightBytesMax * LOW_WATER

export const noteHello = (core: ConnectionCore, { now }: EventOf<'connection.hello'>): void => {
  core.heardAt = now
}

export const close = (core: ConnectionCore, reason: string): void => {
  core.effects.push({ type: 'connection.closed', reason })
}

/** `open`. What would pass the limit in the middle of a message is refused as it would be a message later. */
export const acceptRequests = (core: ConnectionCore, { requests, now }: EventOf<'connection.requests'>): void => {
  core.heardAt = now
  for (const request of requests) {
    const refusal = isAtHighWater(core) ? holdsTooMany(core, request.policy, now) : refusalOf(core, request, now)
    if (refusal === null) take(core, request, now)
    else answer(core, request, refusal)
  }
}

const refusalOf = (core: ConnectionCore, { operation, policy }: ClientRequest, now: number): OperationResult | null => {
  const refusal = checkOperation(operation, core.limits.batchBytesMax, policy)
  if (refusal !== null || core.limits.requestsPerSecondMax === 0) return refusal
  const waitMs = takeToken(core.bucket, rateOf(core.limits), now)
  if (waitMs === 0) return null
  core.counters.overloaded += 1
  return overloaded(policy, waitMs, 'The connection is above its rate: slow down.')
}

/** `throttled`. */
export const refuseThrottled = (core: ConnectionCore, { requests, now }: EventOf<'connection.requests'>): void => {
  core.heardAt = now
  for (const request of requests) answer(core, request, holdsTooMany(core, request.policy, now))
}

const holdsTooMany = (core: ConnectionCore, policy: Policy, now: number): OperationResult => {
  core.counters.overloaded += 1
  return overloaded(policy, core.retryAfter.refused(1, now), 'The connection has as many requests as it can hold: slow down.')
}

/** `draining`. */
export const refuseDraining = (core: ConnectionCore, { requests }: EventOf<'connection.requests'>): void => {
  for (const request of requests) {
    core.counters.overloaded += 1
    answer(core, request, overloaded(request.policy, core.limits.retryAfterMs, 'The node is leaving: ask another.'))
  }
}

/** `handshaking`, `authenticating`, `closed`: whoever asks has no session here. The raw connection needs none: its node is leaving. */
export const refuseUnknown = (core: ConnectionCore, event: EventOf<'connection.requests'>): void => {
  if (core.kind === 'raw') {
    refuseDraining(core, event)
    return
  }
  for (const request of event.requests) {
    const definite = request.policy !== 'slot'
    answer(core, request, { status: 'UNAUTHORIZED', revision: 0, definite, message: 'There is no open session: say hello first.' })
  }
}

const overloaded = (policy: Policy, retryAfterMs: number, message: string): OperationResult =>
  ({ status: 'OVERLOADED', revision: 0, definite: policy !== 'slot', retryAfterMs, message })

export const answer = (core: ConnectionCore, request: ClientRequest, result: OperationResult): void => {
  core.effects.push({ type: 'connection.answer', ticket: request.ticket, shard: request.shard, result })
}

const take = (core: ConnectionCore, request: ClientRequest, now: number): void => {
  const { operation } = request
  const deadline = now + Math.min(TIMEOUT_MS_MAX, Math.max(1, request.timeoutMs))
  const bytes = encodedOperationBytes(operation)
  const inFlight: InFlight = { request, deadline, bytes, isDone: false }
  core.retryAfter.taken(1, now)
  core.inFlightRequests += 1
  core.inFlightBytes += bytes
  if (core.gathered.length === 0) core.effects.push({ type: 'connection.flushWanted' })
  core.gathered.push(inFlight)
  if (request.trace !== undefined) core.hasTraced = true
}

/** The request is answered or forgotten: it counts no more. */
export const release = (core: ConnectionCore, inFlight: InFlight): void => {
  inFlight.isDone = true
  core.inFlightRequests -= 1
  core.inFlightBytes -= inFlight.bytes
}
