/**
 * What nodes say to each other about their recordings, as JSON: records are written down once, by whoever has them, and their size is known
 * before they are sent. What arrives is checked field by field; anything else is no message.
 *
 *   skv.<cluster>.trace.<to>.<from>    a question, answered on the asker's inbox; `watch` is answered by the feed
 *   skv.<cluster>.trace.all.<from>     the feed: frames of records, in the order of their numbers
 */

import { happeningKinds } from '../../actors/kernel/recorder.ts'
import { nothingOverwritten, ringNames } from './gaps.ts'
import { isMoment, isTraceId, recordOf } from './record.ts'
import type { SparseCounts } from '../../actors/kernel/histogram.ts'
import type { Overwritten } from './gaps.ts'
import type { ActorRecord, RecordKind } from './record.ts'
import type { KeptRequest, RequestsWish } from './requests.ts'

/** Of a page and of a frame; less where the broker takes less. */
export const FRAME_BYTES_MAX = 192 * 1_024
const QUESTION_BYTES_MAX = 1_024
/** Of an answer. */
export const ACTORS_MAX = 4_096
const OPERATIONS_MAX = 64
/** A bucket and its count, for each bucket that a histogram has. */
const COUNTS_MAX = 1_024
const TEXT_CHARACTERS_MAX = 512

export type TraceQuestion =
  | { readonly kind: 'actors' }
  | PageQuestion
  /** Requests that were kept. */
  | ({ readonly kind: 'requests' } & RequestsWish)
  /** Send the feed for a while; `detail`: every message too. */
  | { readonly kind: 'watch'; readonly detail: boolean }

/** Records with a higher number than `after`, within these times, both ends included. */
export interface PageQuestion {
  readonly kind: 'page'
  readonly after: number
  readonly from: number
  readonly to: number
  /** Empty: of any, and of none. */
  readonly trace: string
  /** Absent: all. Versions from before there was a choice send all: who asks looks again. */
  readonly kinds?: readonly RecordKind[] | undefined
}

export interface RecordPage {
  readonly records: readonly ActorRecord[]
  /** Give it as `after` for what follows; null when nothing does. */
  readonly next: number | null
  /** When the recorder began: another one has forgotten what went before. 0 from a version that does not say. */
  readonly begunAt: number
  /** The number of the newest record of all as the page was made. MAX_SAFE_INTEGER from a version that does not say. */
  readonly newest: number
  /** As the page was made. Nothing from a version that does not say. */
  readonly overwritten: Overwritten
}

/** One actor, as its node shows it. */
export interface ActorView {
  readonly actor: string
  /** The chart: `raft`, `shard`, `wal`, `gossip`, `topology`, `node`, `connection`. */
  readonly machine: string
  readonly state: string
  readonly since: number
  readonly counters: Readonly<Record<string, number>>
}

/** Operations of one kind that came in by a node's doors since its start, by the microseconds from their arrival to their answer. */
export interface OperationTimes {
  readonly op: string
  readonly micros: SparseCounts
}

export interface NodeActors {
  readonly node: string
  readonly at: number
  readonly actors: readonly ActorView[]
  /** Empty from a node that does not say. */
  readonly operations: readonly OperationTimes[]
  /** The whole did not fit: so many actors are left out, and of the others the figures but for the term (actorsAnswer.ts). */
  readonly shortened?: { readonly actors: number }
}

const encoder = new TextEncoder()

export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

/** Undefined when it is no JSON, or longer than asked for. */
export const decodeJson = (bytes: Uint8Array, bytesMax: number): unknown => {
  if (bytes.length > bytesMax) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch {
    return undefined
  }
}

export const decodeQuestion = (bytes: Uint8Array): TraceQuestion | undefined => {
  const value = fieldsOf(decodeJson(bytes, QUESTION_BYTES_MAX))
  switch (value?.['kind']) {
    case 'actors': return { kind: 'actors' }
    case 'watch': return typeof value['detail'] === 'boolean' ? { kind: 'watch', detail: value['detail'] } : undefined
    case 'requests': {
      const { order, isFailed, key, limit } = value
      const isOne = isOrder(order) && typeof isFailed === 'boolean' && typeof key === 'string' && isAmount(limit)
      return isOne ? { kind: 'requests', order, isFailed, key, limit } : undefined
    }
    case 'page': {
      const { after, from, to, trace, kinds } = value
      const isOne = isAmount(after) && isAmount(from) && isAmount(to) && (trace === '' || isTraceId(trace))
      return isOne && (kinds === undefined || isKinds(kinds)) ? { kind: 'page', after, from, to, trace, kinds } : undefined
    }
    default: return undefined
  }
}

export const decodePage = (bytes: Uint8Array): RecordPage | undefined => {
  const value = fieldsOf(decodeJson(bytes, 2 * FRAME_BYTES_MAX))
  const records = recordsIn(value?.['records'])
  const { next, begunAt = 0, newest = Number.MAX_SAFE_INTEGER, overwritten = nothingOverwritten } = value ?? {}
  const isOne = records !== undefined && (next === null || isAmount(next)) && isAmount(begunAt) && isAmount(newest)
  return isOne && isOverwritten(overwritten) ? { records, next, begunAt, newest, overwritten } : undefined
}

export const decodeRequests = (bytes: Uint8Array): readonly KeptRequest[] | undefined => {
  const requests = fieldsOf(decodeJson(bytes, 2 * FRAME_BYTES_MAX))?.['requests']
  return Array.isArray(requests) && (requests as readonly unknown[]).every(isKeptRequest) ? requests as readonly KeptRequest[] : undefined
}

/** A frame of the feed. Only what the sender says of itself counts. */
export const decodeFrame = (bytes: Uint8Array, from: string): readonly ActorRecord[] | undefined => {
  const records = recordsIn(fieldsOf(decodeJson(bytes, 2 * FRAME_BYTES_MAX))?.['records'])
  return records?.every(({ node }) => node === from) === true ? records : undefined
}

export const decodeActors = (bytes: Uint8Array): NodeActors | undefined => {
  const value = fieldsOf(decodeJson(bytes, 2 * FRAME_BYTES_MAX))
  // A node of before there were operations does not send them.
  const { node, at, actors, operations = [], shortened } = value ?? {}
  if (typeof node !== 'string' || !isAmount(at)) return undefined
  const leftOut = fieldsOf(shortened)?.['actors']
  return isListOf(actors, ACTORS_MAX, isActorView) && isListOf(operations, OPERATIONS_MAX, isOperationTimes)
    ? { node, at, actors, operations, ...(isAmount(leftOut) ? { shortened: { actors: leftOut } } : {}) }
    : undefined
}

/**
 * As many records as fit, in order, as the text of a list; how many were taken. One that fits nowhere can not be: its texts are bounded
 * where it is made, and tested.
 */
export const frameOf = (
  records: readonly (ActorRecord | KeptRequest)[], bytesMax: number,
): { readonly list: string; readonly count: number } => {
  const lines: string[] = []
  let bytes = 2
  for (const record of records) {
    const line = JSON.stringify(record)
    bytes += Buffer.byteLength(line) + 1
    if (bytes > bytesMax && lines.length > 0) break
    lines.push(line)
  }
  return { list: `[${lines.join(',')}]`, count: lines.length }
}

const recordsIn = (value: unknown): readonly ActorRecord[] | undefined => {
  if (!Array.isArray(value)) return undefined
  const records = (value as readonly unknown[]).map(recordOf).filter((record) => record !== undefined)
  return records.length === value.length ? records : undefined
}

const isKeptRequest = (value: unknown): value is KeptRequest => {
  const { trace, at, node, op, shard, status, micros, key } = fieldsOf(value) ?? {}
  return isTraceId(trace) && [at, shard, micros].every(isAmount)
    && [node, op, status, key].every((text) => typeof text === 'string' && text.length <= TEXT_CHARACTERS_MAX)
}

const isActorView = (value: unknown): value is ActorView => {
  const { actor, machine, state, since, counters } = fieldsOf(value) ?? {}
  return [actor, machine, state].every((text) => typeof text === 'string' && text.length <= 128) && isAmount(since)
    && Object.values(fieldsOf(counters) ?? { none: '' }).every(Number.isFinite)
}

const isOperationTimes = (value: unknown): value is OperationTimes => {
  const { op, micros } = fieldsOf(value) ?? {}
  return typeof op === 'string' && op.length <= 32 && isListOf(micros, COUNTS_MAX, isAmount)
}

const isListOf = <T>(value: unknown, countMax: number, isOne: (one: unknown) => one is T): value is readonly T[] =>
  Array.isArray(value) && value.length <= countMax && (value as readonly unknown[]).every(isOne)

const isOverwritten = (value: unknown): value is Overwritten => {
  const rings = fieldsOf(value)
  return ringNames.every((ring) => {
    const place = fieldsOf(rings?.[ring])
    return rings?.[ring] === null || (isAmount(place?.['seq']) && isMoment(place['at']))
  })
}

const isOrder = (value: unknown): value is RequestsWish['order'] => value === 'slowest' || value === 'newest'

const isKinds = (value: unknown): value is readonly RecordKind[] => Array.isArray(value) && value.length <= happeningKinds.length
  && (value as readonly unknown[]).every((kind) => happeningKinds.includes(kind as RecordKind))

const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Readonly<Record<string, unknown>> : undefined)
