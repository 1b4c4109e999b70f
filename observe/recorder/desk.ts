/**
 * Questions between nodes about what they recorded (wire.ts), over the control connection: a dead or busy data path does not hide what was
 * recorded, and a recording that is fetched does not slow it down.
 *
 * Every answer fits a message, and is made in one go of bounded length: a page looks at PAGE_VISITED_MAX records at most, wanted or not,
 * and says where to go on; the next one begins there. Who asks waits for PATIENCE_MS, then takes the node for missing.
 */

import { createRefusalLog } from '../../bus/refusalLog.ts'
import { isReplyAllowed, senderOf, traceQuestionSubject, traceQuestionWildcard } from '../../bus/subjects.ts'
import { actorsAnswer } from './actorsAnswer.ts'
import { REQUESTS_MAX } from './requests.ts'
import { FRAME_BYTES_MAX, decodeQuestion, encodeJson, frameOf } from './wire.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Logger } from '../../actors/kernel/log.ts'
import type { Bus, Inbound } from '../../bus/port.ts'
import type { ClusterId, NodeId } from '../../topology/ids.ts'
import type { ActorRecord } from './record.ts'
import type { NodeRecorder } from './recorder.ts'
import type { KeptRequest, RequestsWish } from './requests.ts'
import type { NodeActors, PageQuestion, TraceQuestion } from './wire.ts'

const PATIENCE_MS = 2_000
const PAGE_VISITED_MAX = 20_000
const PAGE_RECORDS_MAX = 2_000

export interface TraceDeskOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly inboxPrefix: string
  readonly members: () => readonly NodeId[]
  readonly recorder: NodeRecorder
  readonly actors: () => NodeActors
  readonly requests: (wish: RequestsWish) => readonly KeptRequest[]
  readonly onWatch: (detail: boolean, from: NodeId) => void
}

export interface TraceDesk {
  /** The answer's bytes; undefined when none came. */
  readonly ask: (to: NodeId, question: TraceQuestion, done: (answer: Uint8Array | undefined) => void) => void
  /** Without an answer. */
  readonly tell: (to: NodeId, question: TraceQuestion) => void
  readonly frameBytesMax: () => number
  readonly stop: () => void
}

export const createTraceDesk = (options: TraceDeskOptions): TraceDesk => {
  const { bus, clock, log, cluster, self, inboxPrefix, members } = options
  const refusals = createRefusalLog(clock, log, 'a question about recordings was refused')
  const losses = createRefusalLog(clock, log, 'an answer about recordings could not be sent')
  const frameBytesMax = (): number => Math.min(FRAME_BYTES_MAX, Math.floor(bus.status().maxPayloadBytes / 2))
  let isStopped = false
  const subscription = bus.subscribe(traceQuestionWildcard(cluster, self), ({ subject, reply, data }) => {
    const from = senderOf(subject) as NodeId
    const question = decodeQuestion(data)
    if (!members().includes(from)) refusals.note('sender', 'its subject does not end in a member\'s name')
    else if (question === undefined) refusals.note('malformed', `${from} asked what nobody answers`)
    else if (question.kind === 'watch') options.onWatch(question.detail, from)
    else if (!isReplyAllowed(reply, inboxPrefix)) refusals.note('reply', `${from} wants its answer outside the inboxes`)
    else {
      const sent = bus.publish(reply, answerTo(options, question, frameBytesMax()))
      if (sent !== 'sent') losses.note(sent, `${from} asked for ${question.kind}, and takes this node for silent`)
    }
  })
  return {
    ask: (to, question, done) => {
      if (to === self) {
        const own = question.kind === 'watch' ? undefined : answerTo(options, question, frameBytesMax())
        clock.defer(() => done(own))
        return
      }
      const wish = { timeoutMs: PATIENCE_MS, isAnswer: isBare }
      bus.request(traceQuestionSubject(cluster, to, self), encodeJson(question), wish, (_failure, answer) => {
        if (!isStopped) done(answer?.data.slice())
      })
    },
    tell: (to, question) => {
      if (to === self) {
        if (question.kind === 'watch') options.onWatch(question.detail, self)
      } else bus.publish(traceQuestionSubject(cluster, to, self), encodeJson(question))
    },
    frameBytesMax,
    stop: () => {
      isStopped = true
      subscription.unsubscribe()
    },
  }
}

/** What a client has a node send it, such as a value that looks like a recording, has headers (bus/codec/control.ts). */
const isBare = ({ headers }: Pick<Inbound, 'headers'>): boolean => headers === undefined

const answerTo = (
  { actors, requests, recorder }: TraceDeskOptions, question: Exclude<TraceQuestion, { readonly kind: 'watch' }>, bytesMax: number,
): Uint8Array => {
  switch (question.kind) {
    case 'actors': return actorsAnswer(actors(), 2 * bytesMax)
    case 'requests': return requestsOf(requests, question, bytesMax)
    case 'page': return pageOf(recorder, question, bytesMax)
  }
  question satisfies never
  return encodeJson(null)
}

/** As many as fit. */
const requestsOf = (requests: TraceDeskOptions['requests'], wish: RequestsWish, bytesMax: number): Uint8Array => {
  const { list } = frameOf(requests({ ...wish, limit: Math.min(wish.limit, REQUESTS_MAX) }), bytesMax)
  return new TextEncoder().encode(`{"requests":${list}}`)
}

const pageOf = (recorder: NodeRecorder, question: PageQuestion, bytesMax: number): Uint8Array => {
  const found: ActorRecord[] = []
  let visited = 0
  let next: number | null = null
  for (const record of recorder.read({ after: question.after })) {
    if (visited === PAGE_VISITED_MAX || found.length === PAGE_RECORDS_MAX) {
      next = record.seq - 1
      break
    }
    visited += 1
    if (isAskedFor(question, record)) found.push(record)
  }
  const { list, count } = frameOf(found, bytesMax)
  if (count < found.length) next = (found[count]?.seq ?? 1) - 1
  const place = `"next":${next},"begunAt":${recorder.begunAt},"newest":${recorder.figures().seq}`
  const about = `${place},"overwritten":${JSON.stringify(recorder.overwritten())}`
  return new TextEncoder().encode(`{"records":${list},${about}}`)
}

const isAskedFor = ({ from, to, trace, kinds }: PageQuestion, record: ActorRecord): boolean =>
  record.at >= from && record.at <= to && (trace === '' || record.trace === trace) && (kinds === undefined || kinds.includes(record.kind))
