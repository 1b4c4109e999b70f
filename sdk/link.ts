/**
 * One node's batch door as the SDK uses it (docs/SUBJECTS.md, "Batches"): a door session, the batches in flight, and the question
 * whether the node is still there.
 *
 *   closed ──hello──▶ opening ──welcome──▶ open ──┬─ batches ─▶ results, row by row
 *      ▲                 │                        │
 *      └── nobody there (503), silent, refused ───┴─ disconnected
 *
 * What becomes of a batch's operations without a result:
 * - Nobody received the batch (NATS' 503, a refusal of the whole batch, not published): they certainly did not happen.
 * - Anything else (the node vanished after it took the batch, its answer was lost or does not decode): they may have happened. They
 *   leave again under the same session and sequence, which is what those are for.
 *
 * A node that owes answers and is quiet is asked for a sign of life, an empty batch, which it answers at once. Only a node that does
 * not answer that is given up: one that is merely slow is not sent everything twice.
 *
 * Large values are paced: a node has at most LINK_BYTES_MAX of them on its desk, and the rest waits in the lanes (reads do not wait).
 * What is waited for has its time from when it left this process, and longer the more there is; what comes after that is taken all the
 * same (sentBatches.ts). Without these, whatever a burst can not bring through in time is sent again behind itself, and no answer is
 * ever in time.
 */

import { BATCH_OPERATIONS_MAX } from '../actors/shard/operation.ts'
import { createWriter } from '../bus/bytes.ts'
import { WRITE_BYTES_MAX, encodeClientFrame } from '../bus/codec/batch.ts'
import { viewNodeFrame } from '../bus/codec/batchAnswers.ts'
import { batchSubject } from '../bus/subjects.ts'
import { backoffMs } from './backoff.ts'
import { isWrite, operationOf } from './call.ts'
import { createDraft } from './draft.ts'
import {
  ATTEMPT_BYTES_PER_MS, ATTEMPT_GRACE_MS, ATTEMPT_MS_MAX, DOOR_IDLE_MS, LINK_BYTES_MAX, LINK_PROBE_BYTES, LINK_PROBE_MS, PACE_MS_MAX,
  QUIET_MS_MAX, SIGN_OF_LIFE_MS_MAX, UNCONFIRMED_BYTES_MAX,
} from './limits.ts'
import { createSentBatches } from './sentBatches.ts'
import { traceHeaders } from './trace.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { BatchSessionId, ClientFrame } from '../bus/codec/batch.ts'
import type { NodeFrame } from '../bus/codec/batchAnswers.ts'
import type { Bus, Headers, Inbound } from '../bus/port.ts'
import type { NodeId } from '../topology/ids.ts'
import type { Call } from './call.ts'
import type { DraftFrame } from './draft.ts'
import type { SentBatch, SentPorts } from './sentBatches.ts'

const PROTOCOL = 1
/** The sequence under which a hello is answered. */
const HELLO = 0
const HELLOS_AWAITED_MAX = 8
/**
 * Sequences go on over all door sessions of a link, so that no answer to an earlier session is taken for one of this. They are 32-bit:
 * near their end they start anew, with a session of their own.
 */
const SEQUENCE_MAX = 0xffff_0000
/** The head of a frame, and room for what the broker counts into its payload. */
const FRAME_MARGIN_BYTES = 1_024

export interface LinkPorts extends SentPorts {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly prefix: string
  /** Answers come to `<inbox>.<sequence>.<token>`. */
  readonly inbox: string
  readonly newToken: () => string
  readonly onOpen: () => void
  /** The node is not what the map says: fetch it again. */
  readonly onTrouble: (problem: string) => void
}

export interface LinkCounters {
  batches: number
  operations: number
  badFrames: number
  hellos: number
}

/** The end of an answer's subject. */
export interface AnswerPlace {
  readonly sequence: number
  readonly token: string
}

export interface Link {
  /** True when calls may be added now; otherwise a door session is on its way, or a pause has to pass first. */
  readonly isReady: (now: number) => boolean
  /** Operations that the node was sent lately and has not answered (pacing.ts). */
  readonly inFlight: (now: number) => number
  /** Bytes that may be added now; the call that passes it is the last. */
  readonly room: (now: number) => number
  readonly add: (call: Call) => void
  /** Sends what was added. */
  readonly flush: (now: number) => void
  readonly hear: (at: AnswerPlace, message: Inbound) => void
  readonly onTick: (now: number) => void
  /** Forgets calls that are done. */
  readonly sweep: () => void
  readonly disconnected: () => void
  readonly sayBye: () => void
}

interface LinkState {
  readonly node: NodeId
  readonly ports: LinkPorts
  readonly counters: LinkCounters
  readonly subject: string
  /** Serves every frame of this link. */
  readonly writer: ReturnType<typeof createWriter>
  readonly sent: ReturnType<typeof createSentBatches>
  readonly draft: ReturnType<typeof createDraft>
  door: 'closed' | 'opening' | 'open'
  session: BatchSessionId
  sequence: number
  /** Of hellos without a welcome so far: the node may be slow. At most HELLOS_AWAITED_MAX. */
  helloTokens: readonly string[]
  failures: number
  /** Before that no hello is said. */
  retryAt: number
  /** Infinite while the hello may not have left this process. */
  helloAt: number
  lastSentAt: number
  /** When a batch with writes was sent last. */
  batchAt: number
  heardAt: number
  /** When a sign of life was asked for, and by which sequence; 0 while none is awaited, infinite while it may not have left. */
  askedAt: number
  askedBy: number
  askedToken: string
}

export const createLink = (node: NodeId, ports: LinkPorts, counters: LinkCounters): Link => {
  const link: LinkState = {
    node, ports, counters,
    subject: batchSubject(ports.prefix, node),
    writer: createWriter(WRITE_BYTES_MAX),
    sent: createSentBatches(ports),
    draft: createDraft({ operationsMax: BATCH_OPERATIONS_MAX, bytesMax: () => ports.bus.status().maxPayloadBytes - FRAME_MARGIN_BYTES }),
    door: 'closed', session: '', sequence: 0, helloTokens: [], failures: 0, retryAt: Number.NEGATIVE_INFINITY, helloAt: 0, lastSentAt: 0,
    batchAt: Number.NEGATIVE_INFINITY, heardAt: 0,
    askedAt: 0, askedBy: 0, askedToken: '',
  }
  return {
    isReady: (now) => isReady(link, now),
    inFlight: (now) => link.sent.openSince(now - PACE_MS_MAX),
    room: (now) => roomOf(link, now),
    add: (call) => {
      call.isSent = true
      link.draft.add(call, operationOf(call))
    },
    flush: (now) => {
      for (const frame of link.draft.take()) sendBatch(link, frame, now)
    },
    hear: (at, message) => { hear(link, at, message) },
    onTick: (now) => { watch(link, now) },
    sweep: link.sent.sweep,
    disconnected: () => {
      Object.assign(link, { door: 'closed', failures: 0, retryAt: Number.NEGATIVE_INFINITY, askedAt: 0, askedBy: 0 })
      link.sent.allLost('the connection to the broker broke')
    },
    sayBye: () => {
      if (link.door === 'open') publish(link, { kind: 'bye', session: link.session }, { sequence: HELLO, token: link.ports.newToken() })
    },
  }
}

const publish = (link: LinkState, frame: ClientFrame, { sequence, token }: AnswerPlace, headers?: Headers): ReturnType<Bus['publish']> => {
  const { bus, inbox, clock } = link.ports
  link.lastSentAt = clock.now()
  return bus.publish(link.subject, encodeClientFrame(frame, link.writer), {
    reply: `${inbox}.${sequence}.${token}`, ...(headers === undefined ? {} : { headers }),
  })
}

/** Once everything before it has left this process: a ping's answer says so, and is asked for only where that may take long. */
const onceGone = ({ ports: { bus, clock } }: LinkState, then: (at: number) => void): void => {
  if (bus.status().outstandingBytes < UNCONFIRMED_BYTES_MAX) {
    then(clock.now())
    return
  }
  then(Number.POSITIVE_INFINITY)
  bus.flush(() => { then(clock.now()) })
}

const roomOf = ({ sent, batchAt }: LinkState, now: number): number => {
  const room = LINK_BYTES_MAX - sent.bytes()
  return room <= 0 && now - batchAt >= LINK_PROBE_MS ? LINK_PROBE_BYTES : room
}

const isReady = (link: LinkState, now: number): boolean => {
  const isStale = link.sent.count() === 0 && now - link.lastSentAt >= DOOR_IDLE_MS
  if (link.door === 'open' && (isStale || link.sequence >= SEQUENCE_MAX)) link.door = 'closed'
  if (link.door === 'closed' && now >= link.retryAt) {
    link.counters.hellos += 1
    const token = link.ports.newToken()
    link.helloTokens = [...link.helloTokens, token].slice(-HELLOS_AWAITED_MAX)
    link.door = publish(link, { kind: 'hello', protocol: PROTOCOL }, { sequence: HELLO, token }) === 'sent' ? 'opening' : 'closed'
    onceGone(link, (at) => { link.helloAt = at })
  }
  return link.door === 'open'
}

const sendBatch = (link: LinkState, { consistency, groups, calls, bytes, latestDeadline, isTraced }: DraftFrame, now: number): void => {
  const { session, sent } = link
  link.sequence += 1
  const { sequence } = link
  const attemptMs = ATTEMPT_MS_MAX + Math.floor((sent.bytes() + bytes) / ATTEMPT_BYTES_PER_MS)
  const timeoutMs = Math.max(1, Math.ceil(Math.min(attemptMs, latestDeadline - now)))
  if (sent.count() === 0) link.heardAt = now
  const token = link.ports.newToken()
  const expiresAt = now + timeoutMs + ATTEMPT_GRACE_MS
  const batch: SentBatch = { sequence, session, token, calls, open: calls.length, bytes, sentAt: now, expiresAt }
  sent.add(batch)
  const headers = isTraced ? traceHeaders(calls) : undefined
  const outcome = publish(link, { kind: 'batch', session, sequence, timeoutMs, consistency, groups }, { sequence, token }, headers)
  if (outcome !== 'sent') {
    sent.take(sequence)
    sent.unsent(calls, outcome === 'full' ? 'the connection to the broker is full' : `the broker took nothing (${outcome})`)
    return
  }
  onceGone(link, (at) => { batch.expiresAt = at + timeoutMs + ATTEMPT_GRACE_MS })
  if (calls.some(isWrite)) link.batchAt = now
  link.counters.batches += 1
  link.counters.operations += calls.length
}

const closeDoor = (link: LinkState, floorMs = 0): void => {
  const { clock, random } = link.ports
  Object.assign(link, { door: 'closed', askedAt: 0, askedBy: 0 })
  link.retryAt = clock.now() + backoffMs(random, link.failures, floorMs)
  link.failures += 1
}

/** Whatever is in flight may have been taken before the node went. */
const loseNode = (link: LinkState, problem: string): void => {
  closeDoor(link)
  link.sent.allLost(problem)
  link.ports.onTrouble(problem)
}

/** It may be only slow, and answer yet. */
const giveUp = (link: LinkState, now: number): void => {
  const problem = `${link.node} does not answer`
  closeDoor(link)
  link.sent.allLate(now, problem)
  link.ports.onTrouble(problem)
}

/** Whether an answer is waited for there. What is not may be late, or somebody's who heard where earlier ones came to. */
const isAwaitedAt = ({ sent, helloTokens, askedBy, askedToken }: LinkState, { sequence, token }: AnswerPlace): boolean => {
  if (sequence === HELLO) return helloTokens.includes(token)
  return token === sent.tokenOf(sequence) || (sequence === askedBy && token === askedToken)
}

/** A node's frames have no headers; a stored value that somebody had it send has some. */
const hear = (link: LinkState, at: AnswerPlace, { data, headers }: Inbound): void => {
  if (!isAwaitedAt(link, at)) return
  const { sequence } = at
  if (data.length === 0 && headers?.get('Status') === '503') {
    takeNobodyThere(link, sequence)
    return
  }
  if (headers !== undefined) {
    link.counters.badFrames += 1
    return
  }
  link.heardAt = link.ports.clock.now()
  link.askedAt = 0
  link.askedBy = 0
  const decoded = viewNodeFrame(data)
  if (decoded.ok) {
    takeFrame(link, sequence, decoded.frame)
    return
  }
  link.counters.badFrames += 1
  const batch = link.sent.take(sequence)
  if (batch !== undefined) link.sent.lost(batch, `an answer of ${link.node} does not decode: ${decoded.reason}`)
}

const takeNobodyThere = (link: LinkState, sequence: number): void => {
  const { sent, node } = link
  const batch = sent.take(sequence)
  const isAwaited = batch !== undefined || sequence === link.askedBy
  if (sequence === HELLO ? link.door !== 'opening' : !isAwaited) return
  loseNode(link, `${node} is gone`)
  if (batch !== undefined) sent.unsent(batch.calls, `${node} is gone`)
}

const takeFrame = (link: LinkState, sequence: number, frame: NodeFrame): void => {
  switch (frame.kind) {
    case 'results':
      link.failures = 0
      link.sent.answered(frame, `${link.node} left out results of a batch`)
      return
    case 'refused':
      takeRefusal(link, sequence, frame.result)
      return
    case 'welcome':
      if (link.door !== 'opening') return
      link.door = 'open'
      link.session = frame.session
      link.helloTokens = []
      if (link.sequence >= SEQUENCE_MAX) link.sequence = HELLO
      link.ports.onOpen()
      return
  }
  frame satisfies never
}

/**
 * Of a batch, SESSION_EXPIRED means the door session, not the one of its writes, and OVERLOADED that nothing was done. A door says nothing
 * else of what this SDK sends, unless it is of another version, and is not believed: the calls leave again, and are told why at their end.
 */
const takeRefusal = (link: LinkState, sequence: number, result: OperationResult): void => {
  const { sent, node } = link
  const problem = `${node}: ${result.message ?? result.status}`
  if (sequence === HELLO) {
    if (link.door !== 'opening') return
    closeDoor(link, result.retryAfterMs)
    link.ports.onTrouble(problem)
    return
  }
  const batch = sent.take(sequence)
  if (batch === undefined) return
  if (result.status === 'OVERLOADED') {
    sent.refused(batch, result)
    return
  }
  if (result.status !== 'SESSION_EXPIRED') {
    sent.lost(batch, problem)
    return
  }
  if (batch.session === link.session && link.door === 'open') link.door = 'closed'
  sent.unsent(batch.calls, problem)
}

const watch = (link: LinkState, now: number): void => {
  const { node, sent } = link
  sent.expire(now, `${node} kept a batch for too long`)
  const isHelloLate = link.door === 'opening' && now - link.helloAt >= SIGN_OF_LIFE_MS_MAX
  const isSilent = link.askedAt > 0 && now - link.askedAt >= SIGN_OF_LIFE_MS_MAX
  if (isHelloLate || isSilent) giveUp(link, now)
  else if (isQuiet(link, now)) askForSignOfLife(link)
}

const isQuiet = ({ door, sent, askedAt, heardAt }: LinkState, now: number): boolean =>
  door === 'open' && sent.count() > 0 && askedAt === 0 && now - heardAt >= QUIET_MS_MAX

const askForSignOfLife = (link: LinkState): void => {
  link.sequence += 1
  const { session, sequence } = link
  const question: ClientFrame = { kind: 'batch', session, sequence, timeoutMs: 1, consistency: 'linearizable', groups: [] }
  const token = link.ports.newToken()
  if (publish(link, question, { sequence, token }) !== 'sent') return
  Object.assign(link, { askedBy: sequence, askedToken: token })
  onceGone(link, (at) => {
    if (link.askedBy === sequence) link.askedAt = at
  })
  link.ports.onTrouble(`${link.node} is quiet`)
}
