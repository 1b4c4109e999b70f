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
 * - Anything else (the node vanished after it took the batch, its answer was lost or does not decode): they may have happened. The
 *   dispatcher sends them again under the same session and sequence, which is what those are for.
 *
 * A node that owes answers and is quiet is asked for a sign of life, an empty batch, which it answers at once. Only a node that does
 * not answer that is given up: one that is merely slow is not sent everything twice.
 */

import { BATCH_OPERATIONS_MAX } from '../actors/shard/operation.ts'
import { createWriter } from '../bus/bytes.ts'
import { WRITE_BYTES_MAX, encodeClientFrame } from '../bus/codec/batch.ts'
import { viewNodeFrame } from '../bus/codec/batchAnswers.ts'
import { batchSubject } from '../bus/subjects.ts'
import { backoffMs } from './backoff.ts'
import { bytesOf, operationOf } from './call.ts'
import { createDraft } from './draft.ts'
import { ATTEMPT_GRACE_MS, ATTEMPT_MS_MAX, DOOR_IDLE_MS, QUIET_MS_MAX, SIGN_OF_LIFE_MS_MAX } from './limits.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { BatchSessionId } from '../bus/codec/batch.ts'
import type { BatchResults } from '../bus/codec/batchAnswers.ts'
import type { Bus, Inbound } from '../bus/port.ts'
import type { NodeId } from '../topology/ids.ts'
import type { Call } from './call.ts'
import type { DraftFrame } from './draft.ts'

const PROTOCOL = 1
/**
 * Sequences go on over all door sessions of a link, so that no answer to an earlier session is taken for one of this. They are 32-bit:
 * near their end they start anew, with a session of their own.
 */
const SEQUENCE_MAX = 0xffff_0000
/** The head of a frame, and room for what the broker counts into its payload. */
const FRAME_MARGIN_BYTES = 1_024

export interface LinkPorts {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly prefix: string
  /** Answers come to `<inbox>.<sequence>`. */
  readonly inbox: string
  readonly onResult: (call: Call, result: OperationResult) => void
  /** Nobody received the call's last copy. */
  readonly onUnsent: (call: Call, problem: string) => void
  /** The call's last copy may be executed, or may yet be. */
  readonly onLost: (call: Call, problem: string) => void
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

export interface Link {
  readonly node: NodeId
  /** True when calls may be added now; otherwise a door session is on its way, or `retryAt` tells when to ask again. */
  readonly isReady: (now: number) => boolean
  readonly add: (call: Call) => void
  /** Sends what was added. */
  readonly flush: (now: number) => void
  readonly hear: (sequence: number, message: Inbound) => void
  readonly onTick: (now: number) => void
  /** Hands every call that waits for a result to `visit`, and forgets those that are done. */
  readonly sweep: (visit: (call: Call) => void) => void
  readonly disconnected: () => void
  readonly sayBye: () => void
}

interface SentBatch {
  readonly session: BatchSessionId
  readonly calls: (Call | null)[]
  readonly expiresAt: number
  waiting: number
}

export const createLink = (node: NodeId, ports: LinkPorts, counters: LinkCounters): Link => {
  const { bus, clock, random } = ports
  const subject = batchSubject(ports.prefix, node)
  const writer = createWriter(WRITE_BYTES_MAX)
  const batches = new Map<number, SentBatch>()
  const draft = createDraft({
    operationsMax: BATCH_OPERATIONS_MAX,
    bytesMax: () => bus.status().maxPayloadBytes - FRAME_MARGIN_BYTES,
  })
  let state: 'closed' | 'opening' | 'open' = 'closed'
  let session: BatchSessionId = ''
  let sequence = 0
  let failures = 0
  let retryAt = Number.NEGATIVE_INFINITY
  let helloAt = 0
  let lastSentAt = 0
  let heardAt = 0
  /** When a sign of life was asked for, and by which sequence; 0 while none is awaited. */
  let askedAt = 0
  let askedBy = 0

  const publish = (frame: Uint8Array, replySequence: number): ReturnType<Bus['publish']> => {
    lastSentAt = clock.now()
    return bus.publish(subject, frame, { reply: `${ports.inbox}.${replySequence}` })
  }

  const sayHello = (now: number): void => {
    helloAt = now
    counters.hellos += 1
    state = publish(encodeClientFrame({ kind: 'hello', protocol: PROTOCOL }, writer), 0) === 'sent' ? 'opening' : 'closed'
  }

  const closeDoor = (now: number, floorMs = 0): void => {
    state = 'closed'
    askedAt = 0
    askedBy = 0
    retryAt = now + backoffMs(random, failures, floorMs)
    failures += 1
    for (const call of draft.abandon()) ports.onUnsent(call, `${node} can not be reached now`)
  }

  /** Whatever is in flight may have been taken before the node went. */
  const giveUp = (problem: string): void => {
    closeDoor(clock.now())
    const lost = [...batches.values()]
    batches.clear()
    for (const batch of lost) lose(batch, problem)
    ports.onTrouble(problem)
  }
  const lose = (batch: SentBatch, problem: string): void => {
    for (const call of batch.calls) {
      if (call === null) continue
      call.isSent = false
      ports.onLost(call, problem)
    }
  }
  const unsend = (calls: readonly (Call | null)[], problem: string): void => {
    for (const call of calls) {
      if (call === null) continue
      call.isSent = false
      ports.onUnsent(call, problem)
    }
  }

  const sendFrame = ({ consistency, groups, calls, latestDeadline }: DraftFrame, now: number): void => {
    sequence += 1
    const timeoutMs = Math.max(1, Math.ceil(Math.min(ATTEMPT_MS_MAX, latestDeadline - now)))
    const frame = encodeClientFrame({ kind: 'batch', session, sequence, timeoutMs, consistency, groups }, writer)
    const sent = publish(frame, sequence)
    if (sent !== 'sent') {
      unsend(calls, sent === 'full' ? 'the connection to the broker is full' : `the broker took nothing (${sent})`)
      return
    }
    if (batches.size === 0) heardAt = now
    batches.set(sequence, { session, calls, expiresAt: now + timeoutMs + ATTEMPT_GRACE_MS, waiting: calls.length })
    counters.batches += 1
    counters.operations += calls.length
  }

  const answer = (batch: SentBatch, position: number, result: OperationResult): void => {
    const call = batch.calls[position]
    if (call === undefined || call === null) return
    batch.calls[position] = null
    batch.waiting -= 1
    call.isSent = false
    ports.onResult(call, result)
  }

  const takeResults = (frame: BatchResults): void => {
    const batch = batches.get(frame.sequence)
    if (batch === undefined || frame.session !== batch.session) return
    for (const { position, result } of frame.rows) answer(batch, position, result)
    if (!frame.isLast) return
    batches.delete(frame.sequence)
    if (batch.waiting > 0) lose(batch, `${node} left out results of a batch`)
  }

  /** A refusal says nothing was done. SESSION_EXPIRED of a batch means the door session, not the one of the writes. */
  const takeRefusal = (at: number, result: OperationResult): void => {
    const batch = batches.get(at)
    batches.delete(at)
    const problem = `${node}: ${result.message ?? result.status}`
    if (at === 0 && state === 'opening') {
      closeDoor(clock.now(), result.retryAfterMs)
      ports.onTrouble(problem)
    }
    if (batch === undefined) return
    if (result.status === 'SESSION_EXPIRED') {
      if (batch.session === session && state === 'open') state = 'closed'
      unsend(batch.calls, problem)
    } else batch.calls.forEach((_, position) => answer(batch, position, result))
  }

  const takeNobodyThere = (at: number): void => {
    const batch = batches.get(at)
    if (batch === undefined && at !== askedBy && (at > 0 || state !== 'opening')) return
    batches.delete(at)
    giveUp(`${node} is gone`)
    if (batch !== undefined) unsend(batch.calls, `${node} is gone`)
  }

  const hear = (at: number, { data, headers }: Inbound): void => {
    if (data.length === 0 && headers?.get('Status') === '503') {
      takeNobodyThere(at)
      return
    }
    heardAt = clock.now()
    askedAt = 0
    askedBy = 0
    const decoded = viewNodeFrame(data)
    if (!decoded.ok) {
      counters.badFrames += 1
      const batch = batches.get(at)
      batches.delete(at)
      if (batch !== undefined) lose(batch, `an answer of ${node} does not decode: ${decoded.reason}`)
      return
    }
    const { frame } = decoded
    if (frame.kind === 'results') {
      failures = 0
      takeResults(frame)
    } else if (frame.kind === 'refused') takeRefusal(at, frame.result)
    else if (state === 'opening') {
      state = 'open'
      session = frame.session
      if (sequence >= SEQUENCE_MAX) sequence = 0
      ports.onOpen()
    }
  }

  const watch = (now: number): void => {
    for (const [at, batch] of batches) {
      if (batch.expiresAt > now) break
      batches.delete(at)
      lose(batch, `${node} kept a batch for too long`)
    }
    if (state === 'opening' && now - helloAt >= SIGN_OF_LIFE_MS_MAX) giveUp(`${node} does not answer`)
    if (state !== 'open' || batches.size === 0) return
    if (askedAt > 0 && now - askedAt >= SIGN_OF_LIFE_MS_MAX) giveUp(`${node} does not answer`)
    else if (askedAt === 0 && now - heardAt >= QUIET_MS_MAX) {
      askedAt = now
      sequence += 1
      askedBy = sequence
      publish(encodeClientFrame({ kind: 'batch', session, sequence, timeoutMs: 1, consistency: 'linearizable', groups: [] }, writer), sequence)
      ports.onTrouble(`${node} is quiet`)
    }
  }

  return {
    node,
    isReady: (now) => {
      const isStale = batches.size === 0 && now - lastSentAt >= DOOR_IDLE_MS
      if (state === 'open' && (isStale || sequence >= SEQUENCE_MAX)) state = 'closed'
      if (state === 'closed' && now >= retryAt) sayHello(now)
      return state === 'open'
    },
    add: (call) => {
      call.isSent = true
      draft.add(call, operationOf(call), bytesOf(call.key, call.value))
    },
    flush: (now) => {
      for (const frame of draft.take()) sendFrame(frame, now)
    },
    hear,
    onTick: watch,
    sweep: (visit) => {
      for (const batch of batches.values()) {
        batch.calls.forEach((call, position) => {
          if (call === null) return
          visit(call)
          if (!call.isDone) return
          batch.calls[position] = null
          batch.waiting -= 1
        })
      }
    },
    disconnected: () => {
      state = 'closed'
      failures = 0
      retryAt = Number.NEGATIVE_INFINITY
      askedAt = 0
      const lost = [...batches.values()]
      batches.clear()
      for (const batch of lost) lose(batch, 'the connection to the broker broke')
    },
    sayBye: () => {
      if (state === 'open') bus.publish(subject, encodeClientFrame({ kind: 'bye', session }, writer))
    },
  }
}
