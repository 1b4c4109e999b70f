/**
 * The NATS front door: plain requests on `kv.<op>.<key>` and their relatives become operations for the node's raw connection, and
 * results become replies with `Kv-*` headers. It parses, checks what needs no state, and remembers where each answer goes; it
 * decides nothing about data.
 *
 * Who answers what. A slot subscription lives no longer than one leadership: dropping it drops every buffered copy, so
 * a deposed leader executes no backlog. It is drained, not dropped, when a leadership moves by plan. On the gateway subjects one member of
 * the queue group answers, and forwards once. Replies go only to subjects under the inbox prefix, or a client could make this node publish
 * bytes of its choice on an internal subject (docs/TESTING.md T22).
 *
 * Limit: PENDING_REPLIES_MAX requests wait for their answer here; the connection's own limit is lower and refuses first.
 */

import { createPendingTable } from '../actors/kernel/pendingTable.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { OpCode, isRead } from '../actors/shard/operation.ts'
import {
  ROUTING_CHECK_OP, STATUS_OP, changedSubject, gatewayWildcards, isClientReplyAllowed, isReplyAllowed, parseSubject, slotWildcard,
  spanningSubject,
} from '../bus/subjects.ts'
import { shardOf } from '../topology/hash.ts'
import { helpText } from './help.ts'
import { readRequest } from './natsRequest.ts'
import { beginAtDoor } from './doorSpans.ts'
import { createPlainAnswers } from './plainAnswers.ts'
import { noteUnsampled } from './requestNotes.ts'
import type { ProbeRequest } from '../observe/recorder/observation.ts'
import type { DoorInstruments } from './instruments.ts'
import type { RequestSpan, RequestTracing } from './tracing.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { ClientRequest, RequestTicket } from '../actors/connection/protocol.ts'
import type { OperationResult, StatusName } from '../actors/shard/operation.ts'
import type { Policy } from '../actors/shard/protocol.ts'
import type { ReplyContext } from '../bus/headers.ts'
import type { Bus, Inbound, Subscription } from '../bus/port.ts'
import type { ShardId } from '../topology/ids.ts'

const PENDING_REPLIES_MAX = 65_536
const RETRY_AFTER_MS = 100
const QUEUE_GROUP = 'kv-gateway'

interface PendingReply {
  readonly to: string
  readonly context: ReplyContext
  readonly span: RequestSpan | null
  /** What its caller said of its trace. */
  readonly trace: TraceContext | undefined
  readonly arrivedAt: number
  readonly request: Pick<ClientRequest, 'shard' | 'operation'>
  /** Of a probe. */
  readonly done?: ProbeDone | undefined
}

type ProbeDone = (result: OperationResult | null) => void

interface Arrival {
  readonly policy: Policy
  readonly to: string
  readonly trace: TraceContext | undefined
  readonly done?: ProbeDone
}

export interface NatsGatewayOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly prefix: string
  readonly inboxPrefix: string
  readonly shardCount: number
  readonly valueBytesMax: number
  /** Delivers overdue ticks before anything that waited outside is looked at. */
  readonly catchUp: () => void
  /** The node's log has more waiting than it should: writes are refused until it has caught up. */
  readonly isOverloaded: () => boolean
  readonly submit: (request: ClientRequest) => void
  readonly tracing?: RequestTracing | undefined
  readonly instruments?: DoorInstruments | undefined
  /** The cluster map with the leaders this node knows, as JSON: the answer to `kv.map`. */
  readonly mapText: () => string
}

export interface NatsGateway {
  /** Serves from now on: gateway subjects, and the slots of every shard that is served. */
  readonly open: () => void
  readonly setServing: (shard: ShardId, isServing: boolean) => void
  /** Asks for nothing new on the slot; calls back when what was sent before has come in, or never will. */
  readonly drainSlot: (shard: ShardId, done: () => void) => void
  readonly answer: (ticket: RequestTicket, result: OperationResult) => void
  readonly forget: (ticket: RequestTicket) => void
  readonly announce: (key: string, revision: number, code: number) => void
  /** A sampled request of the node's own; `done` with null when it was forgotten. */
  readonly probe: (request: ProbeRequest, done: ProbeDone) => void
  /** Asks for nothing new on the gateway subjects; slots end with their leaderships. */
  readonly drain: () => void
  /** No gateway subject delivers anything any more, and no request waits for its answer. */
  readonly isIdle: () => boolean
  readonly close: () => void
  /** Requests that wait for their answer. */
  readonly waiting: () => number
  readonly counters: () => Readonly<Record<string, number>>
}

export const createNatsGateway = (options: NatsGatewayOptions): NatsGateway => {
  const { bus, prefix, log, instruments } = options
  const refusals = createRefusalLog(options.clock, log, 'a request was refused')
  const statusSubject = spanningSubject(prefix, STATUS_OP)
  const replies = createPendingTable<PendingReply>()
  const served = new Map<ShardId, Subscription | null>()
  /** Slots that are drained and still deliver. Their shard may be served again before they are done. */
  const draining = new Map<ShardId, readonly Subscription[]>()
  let shared: Subscription[] = []
  let isOpen = false
  let nextTicket = 1

  const { reply, refuse, tell } = createPlainAnswers({ bus, refusals, instruments })

  const take = (policy: Policy, inbound: Inbound): void => {
    options.catchUp()
    const to = inbound.reply
    if (to !== '' && !isClientReplyAllowed(to, options.inboxPrefix)) {
      // A node's own question, which every node answers for itself (topology/node.ts), comes to the doors as well: no client is refused.
      if (inbound.subject === statusSubject && isReplyAllowed(to, options.inboxPrefix)) return
      refusals.note('replySubject', `a request asks for its answer outside ${options.inboxPrefix}, or where nodes hear: it is dropped`)
      return
    }
    const parsed = parseSubject(prefix, inbound.subject)
    if (!parsed.ok) refuse(to, parsed.isTooLarge === true ? 'TOO_LARGE' : 'INVALID', parsed.reason)
    else if (parsed.kind === 'spanning') answerSpanning(parsed.op, to)
    else if (parsed.kind === 'key' && parsed.op !== ROUTING_CHECK_OP) {
      const read = readRequest(parsed, inbound, options)
      if (!read.ok) refuse(to, read.status, read.message, policy !== 'slot' || !read.isOwn)
      else admit({ policy, to, trace: read.trace }, read.request)
    }
  }

  const admit = ({ policy, to, trace, done }: Arrival, request: Omit<ClientRequest, 'ticket' | 'policy'>): void => {
    const { shard, operation, consistency } = request
    const span = beginAtDoor(options.tracing, request, trace, done !== undefined)
    if (replies.size() >= PENDING_REPLIES_MAX || (!isRead(operation.code) && options.isOverloaded())) {
      reply(to, { shard }, { status: 'OVERLOADED', revision: 0, definite: policy !== 'slot', retryAfterMs: RETRY_AFTER_MS })
      const known = finish(options, { span, trace, request, done }, { status: 'OVERLOADED', tookMs: null, result: null })
      refusals.note('OVERLOADED', 'too many requests wait for their answer, or too many bytes for the disk', known)
      return
    }
    const ticket = nextTicket
    nextTicket += 1
    const context = isRead(operation.code) ? { shard, consistency } : { shard }
    replies.set(ticket, { to, span, trace, arrivedAt: options.clock.now(), request, done, context })
    options.submit(span === null ? { ...request, ticket, policy } : { ...request, ticket, policy, trace: span.context })
  }

  const close = (pending: PendingReply, status: StatusName, result: OperationResult | null): void => {
    finish(options, pending, { status, tookMs: options.clock.now() - pending.arrivedAt, result })
  }

  const answerSpanning = (op: string, to: string): void => {
    if (op === STATUS_OP || to === '') return
    if (op === 'map') tell(to, `${prefix}.map`, options.mapText())
    else if (op === 'help') tell(to, `${prefix}.help`, helpText(prefix))
    else refuse(to, 'INVALID', `"${op}" needs a key, or is not an operation: publish to ${prefix}.help for the list`)
  }

  const subscribeSlot = (shard: ShardId): Subscription =>
    bus.subscribe(slotWildcard(prefix, shard), (inbound) => take('slot', inbound))
  const dropDraining = (shard: ShardId): void => {
    for (const subscription of draining.get(shard) ?? []) subscription.unsubscribe()
    draining.delete(shard)
  }
  const closeShared = (): void => {
    for (const subscription of shared) subscription.unsubscribe()
    shared = []
  }

  return {
    open: () => {
      isOpen = true
      for (const [shard, subscription] of served) if (subscription === null) served.set(shard, subscribeSlot(shard))
      shared = gatewayWildcards(prefix).map((subject) =>
        bus.subscribe(subject, (inbound) => take('forward', inbound), { queue: QUEUE_GROUP }))
    },
    setServing: (shard, isServing) => {
      served.get(shard)?.unsubscribe()
      served.delete(shard)
      if (isServing) served.set(shard, isOpen ? subscribeSlot(shard) : null)
      else dropDraining(shard)
    },
    drainSlot: (shard, done) => {
      const subscription = served.get(shard) ?? null
      if (subscription === null) {
        done()
        return
      }
      served.delete(shard)
      draining.set(shard, [...draining.get(shard) ?? [], subscription])
      subscription.drain(() => {
        draining.set(shard, (draining.get(shard) ?? []).filter((other) => other !== subscription))
        options.catchUp()
        done()
      })
    },
    answer: (ticket, result) => {
      const pending = replies.get(ticket)
      replies.delete(ticket)
      if (pending === undefined) return
      pending.span?.answered?.()
      reply(pending.to, pending.context, result, pending.span?.context)
      close(pending, result.status, result)
    },
    forget: (ticket) => {
      const pending = replies.get(ticket)
      replies.delete(ticket)
      if (pending !== undefined) close(pending, 'TIMEOUT', null)
    },
    announce: (key, revision, code) => {
      const subject = changedSubject(prefix, key)
      if (subject === null) return
      bus.publish(subject, new Uint8Array(0), { headers: new Map([['Kv-Revision', String(revision)], ['Kv-Op', String(code)]]) })
    },
    probe: (wanted, done) => {
      options.catchUp()
      admit({ policy: 'forward', to: '', trace: wanted.trace, done }, probeOf(wanted, options.shardCount))
    },
    drain: () => {
      for (const subscription of shared) {
        subscription.drain(() => { shared = shared.filter((other) => other !== subscription) })
      }
    },
    isIdle: () => shared.length === 0 && replies.size() === 0,
    close: () => {
      isOpen = false
      closeShared()
      for (const subscription of served.values()) subscription?.unsubscribe()
      for (const shard of draining.keys()) dropDraining(shard)
      served.clear()
      for (const pending of replies.values()) close(pending, 'TIMEOUT', null)
      replies.clear()
    },
    waiting: () => replies.size(),
    counters: () => refusals.counts(),
  }
}

interface Ending {
  readonly status: StatusName
  /** Null: it was turned away as it came. */
  readonly tookMs: number | null
  /** Null: it was never executed here, or nobody knows. */
  readonly result: OperationResult | null
}

/** A request is over: its span, or a note of it; its figures; and whoever waits for a probe. What it can be asked for by, if anything. */
const finish = (
  { tracing, instruments }: NatsGatewayOptions, { span, trace, request, done }: Pick<PendingReply, 'span' | 'trace' | 'request' | 'done'>,
  { status, tookMs, result }: Ending,
): TraceContext | undefined => {
  const { code } = request.operation
  const known = span === null ? noteUnsampled(tracing, { request, status, tookMs: tookMs ?? 0, parent: trace }) : span.context
  span?.end(status)
  instruments?.told(code, status)
  if (tookMs !== null) {
    instruments?.took(code, tookMs, 1, status, known)
    if (known !== undefined) instruments?.traced(code, tookMs, known.traceId)
  }
  done?.(result)
  return known
}

/** What it writes is gone by itself after a while. */
const PROBE_TTL_MS = 60_000
const PROBE_TIMEOUT_MS = 5_000

const probeOf = ({ op, key, hashToken }: ProbeRequest, shardCount: number): Omit<ClientRequest, 'ticket' | 'policy'> => ({
  shard: shardOf(hashToken, shardCount), consistency: 'linearizable', timeoutMs: PROBE_TIMEOUT_MS,
  operation: op === 'get' ? { code: OpCode.get, key } : { code: OpCode.put, key, value: encode('probe'), ttlMs: PROBE_TTL_MS },
})

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
