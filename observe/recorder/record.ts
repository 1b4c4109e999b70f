/**
 * What a recording is made of: what an actor did, with the node, the time and the number that its node's recorder gave it.
 *
 * `recordOf` stands where records come from outside (another node, a file): a field that is not known, or not as it should be, makes the
 * whole line none.
 */

import { happeningKinds } from '../../actors/kernel/recorder.ts'
import type { Happening, HappeningDetail, HappeningKind } from '../../actors/kernel/recorder.ts'

export interface ActorRecord extends Happening {
  /** Milliseconds since 1970 by that node's clock, with microseconds as a fraction. */
  readonly at: number
  /** Grows by one with each record of a node since its start: where one is missing, it was lost. */
  readonly seq: number
  readonly node: string
}

export type RecordKind = HappeningKind

const TEXT_CHARACTERS_MAX = 512
const DETAILS_MAX = 16
/** The last millisecond that has a date (ECMAScript, "Time Values"). */
const MOMENT_MAX = 8_640_000_000_000_000
const fields = new Set<string>([
  'at', 'seq', 'node', 'actor', 'kind', 'event', 'because', 'peer', 'shard', 'term', 'trace', 'micros', 'bytes', 'detail',
])

/** They come and go by thousands. The raw connection stays. */
export const isSession = (actor: string): boolean => actor.startsWith('connection/') && actor !== 'connection/raw'

/** What a picture is made of, and the longest kept. Connections change their states with the traffic. */
export const isStory = ({ kind, actor }: Pick<Happening, 'kind' | 'actor'>): boolean =>
  kind === 'note' || (kind === 'state' && !actor.startsWith('connection/'))

/** The record, or undefined when the value is none. */
export const recordOf = (value: unknown): ActorRecord | undefined => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const given = value as Readonly<Record<string, unknown>>
  if (!Object.keys(given).every((name) => fields.has(name))) return undefined
  const { at, seq, node, actor, kind, event, because, peer, shard, term, trace, micros, bytes, detail } = given
  const isWhole = isMoment(at) && isCount(seq) && isText(node) && isText(actor) && isText(event)
    && happeningKinds.includes(kind as HappeningKind)
  const isRest = [because, peer].every((text) => text === undefined || isText(text))
    && [shard, term, bytes].every((count) => count === undefined || isCount(count))
    && (micros === undefined || isNumber(micros)) && (trace === undefined || isTraceId(trace)) && (detail === undefined || isDetail(detail))
  return isWhole && isRest ? given as unknown as ActorRecord : undefined
}

export const isTraceId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0
/** A date can be made of it: whoever shows a record does that. */
export const isMoment = (value: unknown): value is number => isNumber(value) && value <= MOMENT_MAX
const isCount = (value: unknown): value is number => isNumber(value) && Number.isSafeInteger(value)
/** Short, and nothing in it that a terminal would obey. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= TEXT_CHARACTERS_MAX && !/\p{Cc}/u.test(value)

const isDetail = (value: unknown): value is HappeningDetail => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return entries.length <= DETAILS_MAX && entries.every(([name, one]) =>
    /^[A-Za-z_][\w.]{0,63}$/.test(name) && (typeof one === 'boolean' || isText(one) || (typeof one === 'number' && Number.isFinite(one))))
}
