/**
 * The batch door: the SDK's batches on `kv.to.<node>.batch.v1` (frames: bus/codec/batch.ts). A hello opens a session, with a connection
 * actor of its own behind it; the operations of a batch go through that connection to the shards this node leads.
 *
 *   hello ─▶ session ─▶ welcome          batch ─▶ operations ─▶ connection ─▶ shards
 *                                                    results ◀── rows of this turn ◀──┘
 *
 * - A batch is addressed to this node alone, so the policy is `direct` and every refusal is definite: of a `refused` batch nothing was
 *   done, and NOT_LEADER and OVERLOADED of one operation say that this operation was not.
 * - What was answered in one turn for one batch leaves together, in frames within the byte budget, to the reply subject of the
 *   batch, which lies under the inbox prefix or is not served (docs/TESTING.md T22).
 * - Sequences of a session grow. A batch whose sequence is not above all earlier ones is a second delivery of the same message, as a
 *   broker may make after a reconnect: it is ignored, never refused, since the first delivery may be executing and a definite
 *   refusal of the second would deny that. This is no exactly-once: a batch that the client sends again under a new sequence, or
 *   to another node, is executed again. Exactly-once comes from request ids and sessions of the state machine.
 * - A session that says nothing for 30 s, and waits for nothing, is closed by its connection. A batch without operations keeps it.
 *
 * Limits: BatchLimits, below. Above them a batch is refused as a whole with OVERLOADED, by its head alone: the rest is not read, since a
 * node that is offered ten times what it can do must not spend itself on saying no (gateway/admission.ts).
 */

import { createPendingTable } from '../actors/kernel/pendingTable.ts'
import { BATCH_OPERATIONS_MAX, isAnswer, isRead } from '../actors/shard/operation.ts'
import { batchHeadOf, decodeClientFrame } from '../bus/codec/batch.ts'
import { encodeNodeFrame } from '../bus/codec/batchAnswers.ts'
import { parseBatchTraces } from '../bus/headers.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { batchSubject, isClientReplyAllowed } from '../bus/subjects.ts'
import { operationsOf, refusalOf } from './batchOperation.ts'
import { openBatchSpans } from './batchSpans.ts'
import { invalid, leavingNode, sessionExpired, tooManyPending, tooManySessions } from './batchRefusals.ts'
import { createAdmission, nothingHeld } from './admission.ts'
import { createPendingBatches } from './pendingBatches.ts'
import { noteUnsampled } from './requestNotes.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { PendingTable } from '../actors/kernel/pendingTable.ts'
import type { ClientRequest, ConnectionEvent, RequestTicket } from '../actors/connection/protocol.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { Batch, BatchSessionId } from '../bus/codec/batch.ts'
import type { ResultRow } from '../bus/codec/batchAnswers.ts'
import type { Bus, BusStatus, Inbound, Subscription } from '../bus/port.ts'
import type { NodeId, ShardId } from '../topology/ids.ts'
import type { Admission, AdmissionLimits, Holding } from './admission.ts'
import type { DoorInstruments } from './instruments.ts'
import type { OperationRules, PlacedOperation } from './batchOperation.ts'
import type { PendingBatch, PendingLimits } from './pendingBatches.ts'
import type { RequestTracing } from './tracing.ts'

export interface BatchLimits extends AdmissionLimits, PendingLimits {
  /** Sessions open at a time. Each holds a connection actor of about 10 KB. */
  readonly sessionsMax: number
}

const defaultBatchLimits: BatchLimits = {
  sessionsMax: 4_096,
  pendingOperationsMax: 2_048,
  pendingBytesMax: 64 * 1_024 * 1_024,
  retryAfterMs: 50,
  retryAfterMsMax: 500,
  resultBytesMax: 8 * 1_024 * 1_024,
}

/** Sessions that wait for nothing are looked at this often, in milliseconds: only their silence is at stake. */
const IDLE_TICK_MS = 1_000

/** What the door asks of the connection actor behind a session. */
export interface SessionConnection {
  readonly send: (event: ConnectionEvent) => void
  readonly stop: () => void
}

export interface SessionPorts {
  readonly answer: (ticket: RequestTicket, shard: ShardId, result: OperationResult) => void
  readonly closed: (reason: string) => void
}

export interface BatchGatewayOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly prefix: string
  readonly self: NodeId
  readonly inboxPrefix: string
  readonly shardCount: number
  readonly epoch: () => number
  readonly valueBytesMax: number
  /** No answer frame is longer; above `valueBytesMax` by what a result needs beside its value. */
  readonly frameBytesMax: number
  readonly limits?: Partial<BatchLimits>
  /** Delivers overdue ticks before anything that waited outside is looked at. */
  readonly catchUp: () => void
  readonly isOverloaded: OperationRules['isOverloaded']
  /** A fresh session id: 16 random hex digits. */
  readonly drawSession: () => BatchSessionId
  /** A connection of kind `session`; its ports are called from its `send` only. */
  readonly openConnection: (id: BatchSessionId, ports: SessionPorts) => SessionConnection
  /** Asks for `flush` at the end of this turn. */
  readonly requestFlush: () => void
  readonly instruments?: DoorInstruments | undefined
  /** Told of operations that failed or took long. */
  readonly tracing?: RequestTracing | undefined
}

export interface BatchGateway {
  readonly open: () => void
  /** Sends what was answered this turn. */
  readonly flush: () => void
  readonly onTick: (now: number) => void
  /** Finishes what is in flight and refuses all else, until closed. */
  readonly drain: () => void
  /** Hears nothing more. What was answered before leaves with this turn's flush. */
  readonly close: () => void
  readonly counters: () => Readonly<Record<string, number>>
}

interface Session {
  readonly id: BatchSessionId
  readonly connection: SessionConnection
  readonly protocol: number
  readonly batches: PendingTable<PendingBatch>
  readonly holding: Holding
  lastSequence: number
  hasSaidBye: boolean
}

export const createBatchGateway = (options: BatchGatewayOptions): BatchGateway => {
  const { bus, clock, log } = options
  const limits: BatchLimits = { ...defaultBatchLimits, ...options.limits }
  const refusals = createRefusalLog(clock, log, 'a batch was refused')
  const totals = { opened: 0, closed: 0, batches: 0, operations: 0, refused: 0 }
  const sessions = new Map<BatchSessionId, Session>()
  const tracer = { tracing: options.tracing, instruments: options.instruments, now: () => clock.now() }
  let isDraining = false
  let idleTickAt = Number.NEGATIVE_INFINITY
  let subscription: Subscription | null = null

  const publish = (to: string, frame: Uint8Array): void => {
    const sent = bus.publish(to, frame)
    if (sent !== 'sent') refusals.note('unsent', `an answer could not be sent (${sent}): the caller will time out`)
  }
  const admission = createAdmission(limits)
  const pending = createPendingBatches({ ...options, limits, admission, publish, roomBytes: () => roomIn(bus.status()) })
  const refuse = (to: string, sequence: number, result: OperationResult): void => {
    refusals.note(result.status, result.message ?? '')
    options.instruments?.told(0, result.status)
    if (to !== '') publish(to, encodeNodeFrame({ kind: 'refused', sequence, result }))
  }

  const take = (inbound: Inbound): void => {
    options.catchUp()
    const to = inbound.reply
    if (to !== '' && !isClientReplyAllowed(to, options.inboxPrefix)) {
      refusals.note('replySubject', `a batch asks for its answer outside ${options.inboxPrefix}, or where nodes hear: it is dropped`)
      return
    }
    if (to !== '' && refuseAboveLimits(inbound.data, to)) return
    const decoded = decodeClientFrame(inbound.data)
    if (!decoded.ok) {
      refuse(to, decoded.sequence, invalid(decoded.reason))
      return
    }
    const { frame } = decoded
    if (frame.kind === 'bye') sayBye(frame.session)
    else if (to === '') refusals.note('replySubject', 'a batch names no subject for its answer: it is dropped')
    else if (frame.kind === 'hello') openSession(to, frame.protocol)
    else takeBatch(frame, inbound)
  }

  /** True when that was done. */
  const refuseAboveLimits = (data: Uint8Array, to: string): boolean => {
    const unread = isDraining ? null : withoutRoom(data, sessions, admission)
    if (unread === null) return false
    const { session, sequence } = unread
    const now = clock.now()
    session.lastSequence = sequence
    session.connection.send({ type: 'connection.hello', version: session.protocol, now })
    refuse(to, sequence, tooManyPending(admission.refuse(data.length, now)))
    totals.refused += 1
    return true
  }

  const openSession = (to: string, protocol: number): void => {
    if (isDraining || sessions.size >= limits.sessionsMax) {
      refuse(to, 0, isDraining ? leavingNode : tooManySessions)
      return
    }
    let id = options.drawSession()
    while (sessions.has(id)) id = options.drawSession()
    let refusal = ''
    const connection = options.openConnection(id, {
      answer: (ticket, shard, result) => answerTicket(id, ticket, { position: ticket % BATCH_OPERATIONS_MAX, shard, result }),
      closed: (reason) => {
        refusal = reason
        if (sessions.delete(id)) totals.closed += 1
      },
    })
    const batches = createPendingTable<PendingBatch>()
    sessions.set(id, { id, connection, protocol, batches, holding: nothingHeld(), lastSequence: 0, hasSaidBye: false })
    totals.opened += 1
    connection.send({ type: 'connection.hello', version: protocol, now: clock.now() })
    connection.send({ type: 'connection.authenticated' })
    if (!sessions.has(id)) refuse(to, 0, invalid(refusal))
    else publish(to, welcomeOf(options, id))
  }

  const sayBye = (id: BatchSessionId): void => {
    const session = sessions.get(id)
    if (session === undefined) return
    session.hasSaidBye = true
    session.connection.send({ type: 'connection.drain' })
  }

  const takeBatch = (frame: Batch, inbound: Inbound): void => {
    const session = sessions.get(frame.session)
    if (session !== undefined && frame.sequence <= session.lastSequence) {
      refusals.note('duplicate', 'a batch came again: the first delivery counts')
      return
    }
    if (session !== undefined) session.lastSequence = frame.sequence
    if (isDraining) refuse(inbound.reply, frame.sequence, leavingNode)
    else if (session === undefined || session.hasSaidBye) refuse(inbound.reply, frame.sequence, sessionExpired)
    else admit(session, frame, inbound)
  }

  const admit = (session: Session, frame: Batch, { reply, data: { length: bytes }, headers }: Inbound): void => {
    const { sequence } = frame
    const operations = operationsOf(frame)
    const now = clock.now()
    const traces = parseBatchTraces(headers)
    const spans = openBatchSpans(tracer, operations, traces)
    const batch = pending.open({ session: session.id, holding: session.holding, sequence, reply, bytes, operations, traces, spans }, now)
    totals.batches += 1
    totals.operations += operations.length
    if (operations.length > 0) session.batches.set(sequence, batch)
    const requests = requestsOf({ frame, batch, rules: options }, (row) => answerAt(session, batch, row))
    // Of a session whose operations are all refused here the connection hears all the same: it closes who is silent.
    if (requests.length > 0) session.connection.send({ type: 'connection.requests', requests, now })
    else session.connection.send({ type: 'connection.hello', version: session.protocol, now })
  }

  const answerTicket = (id: BatchSessionId, ticket: RequestTicket, row: ResultRow): void => {
    const session = sessions.get(id)
    const batch = session?.batches.get(Math.floor(ticket / BATCH_OPERATIONS_MAX))
    if (session !== undefined && batch !== undefined) answerAt(session, batch, row)
  }
  const answerAt = (session: Session, batch: PendingBatch, row: ResultRow): void => {
    pending.answer(batch, row)
    if (batch.waiting === 0) session.batches.delete(batch.sequence)
    noteAnswer(options, batch, row)
  }

  return {
    open: () => {
      subscription = bus.subscribe(batchSubject(options.prefix, options.self), take)
    },
    flush: pending.flush,
    onTick: (now) => {
      const areIdleDue = now - idleTickAt >= IDLE_TICK_MS
      if (areIdleDue) idleTickAt = now
      for (const { batches, connection } of sessions.values()) {
        if (areIdleDue || batches.size() > 0) connection.send({ type: 'tick', now })
      }
    },
    drain: () => {
      isDraining = true
      for (const { connection } of sessions.values()) connection.send({ type: 'connection.drain' })
    },
    close: () => {
      subscription?.unsubscribe()
      for (const { connection } of sessions.values()) connection.stop()
      sessions.clear()
    },
    counters: () => ({ ...refusals.counts(), ...totals, sessions: sessions.size, pendingOperations: admission.operations() }),
  }
}

/** What is left is for refusals of the rest: 4,096 of them, as many as a batch has operations, take half a MiB. */
const VALUES_SHARE = 15 / 16

const roomIn = ({ outstandingBytes, outstandingBytesMax }: BusStatus): number => outstandingBytesMax * VALUES_SHARE - outstandingBytes

const welcomeOf = ({ self, shardCount, epoch }: BatchGatewayOptions, session: BatchSessionId): Uint8Array =>
  encodeNodeFrame({ kind: 'welcome', session, node: self, shardCount, epoch: epoch() })

/** Whether a batch took long is asked once, at its last answer; whether an operation failed, of each. The first kept one stands for it. */
const noteAnswer = (
  { tracing, clock }: Pick<BatchGatewayOptions, 'tracing' | 'clock'>, batch: PendingBatch, { position, result }: ResultRow,
): void => {
  if (batch.spans?.contextOf(position) !== undefined) return
  const { status } = result
  const request = batch.operations[position]
  if (tracing === undefined || request === undefined || (batch.waiting > 0 && isAnswer(status))) return
  const kept = noteUnsampled(tracing, { request, status, tookMs: clock.now() - batch.arrivedAt, parent: batch.traces?.get(position) })
  batch.kept ??= kept
}

/** The session and the sequence of a batch for which there is no room; null for whatever has to be read to be judged. */
const withoutRoom = (
  data: Uint8Array, sessions: ReadonlyMap<BatchSessionId, Session>, admission: Admission,
): { readonly session: Session; readonly sequence: number } | null => {
  const head = batchHeadOf(data)
  const session = head === null ? undefined : sessions.get(head.session)
  if (head === null || session === undefined || head.groups === 0 || session.hasSaidBye) return null
  if (head.sequence <= session.lastSequence || admission.hasRoom(session.holding)) return null
  return { session, sequence: head.sequence }
}

interface OpenedBatch {
  readonly frame: Batch
  readonly batch: Pick<PendingBatch, 'operations' | 'spans'>
  readonly rules: OperationRules
}

/** What is refused here is answered at once. */
const requestsOf = (
  { frame, batch: { operations, spans }, rules }: OpenedBatch, answer: (row: ResultRow) => void,
): readonly ClientRequest[] => {
  const requests: ClientRequest[] = []
  for (let position = 0; position < operations.length; position += 1) {
    const { shard, operation } = operations[position] as PlacedOperation
    const refusal = refusalOf(shard, operation, rules)
    if (refusal !== null) {
      answer({ position, shard, result: refusal })
      continue
    }
    // Only reads have a consistency; writes of one shard leave together whatever the reads beside them want.
    const consistency = isRead(operation.code) ? frame.consistency : 'linearizable'
    const ticket = frame.sequence * BATCH_OPERATIONS_MAX + position
    const request: ClientRequest = { ticket, shard, policy: 'direct', consistency, operation, timeoutMs: frame.timeoutMs }
    const trace = spans?.contextOf(position)
    requests.push(trace === undefined ? request : { ...request, trace })
  }
  return requests
}
