/**
 * What the meta group's leader knows, asked from any node and answered after a ReadIndex round: never older than the question. A node
 * that hears nothing has its own newest map, and must say that it is no more than that.
 */

import { decodeState } from '../actors/topology/codec.ts'
import { count, list, node, record, text } from '../actors/topology/fields.ts'
import { NODES_MAX, oldestKept } from '../actors/topology/clusterState.ts'
import { BY_CHARACTERS_MAX, REQUEST_CHARACTERS_MAX } from '../actors/topology/protocol.ts'
import { SHARD_COUNT_MAX } from './ids.ts'
import { loadsAnswerOf } from './loadReads.ts'
import type { ClusterState, HistoryEvent } from '../actors/topology/clusterState.ts'
import type { MoveProgress } from '../actors/topology/driver.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { LoadsAnswer } from './loadReads.ts'
import type { NodeId } from './ids.ts'
import type { MetaQuestions } from './metaQuestions.ts'

/** Fewer than a proposal's: whoever looks would rather see an older map than wait. */
const ASKED_MAX = 5
/** Whoever led a moment ago, and whom that one names: figures are not worth waiting for. */
const LOADS_ASKED_MAX = 2
/** Events in one answer. */
export const EVENTS_MAX = 100
const WHAT_CHARACTERS_MAX = 1_024

export interface Overview {
  readonly state: ClusterState
  /** Whom the leader takes for dead. */
  readonly lost: readonly NodeId[]
  readonly progress: readonly MoveProgress[]
}

/** What the desk answers. */
export interface HistoryAnswer {
  /** Of the state it is the history of. */
  readonly epoch: number
  /** Newest first. */
  readonly events: readonly HistoryEvent[]
}

export interface History extends HistoryAnswer {
  /** The epoch of the oldest event that is still kept: those of before are forgotten. */
  readonly oldest: number
}

export interface HistoryWish {
  /** Only events of older epochs; 0 for the newest. */
  readonly before: number
  /** 1 to EVENTS_MAX. */
  readonly limit: number
}

export interface MetaReads {
  /** Undefined when no leader answered. */
  readonly overview: (done: (overview: Overview | undefined) => void) => void
  /** What it has gathered about load and copies. */
  readonly loads: (done: (loads: LoadsAnswer | undefined) => void) => void
  readonly history: (wish: HistoryWish, done: (history: History | undefined) => void) => void
}

/** What the desk answers: the state as its bytes. */
export type OverviewAnswer = Omit<Overview, 'state'> & { readonly state: Uint8Array }

export const createMetaReads = ({ ask }: Pick<MetaQuestions, 'ask'>): MetaReads => ({
  overview: (done) => ask({ request: { kind: 'overview' }, askedMax: ASKED_MAX, answerOf: overview }, done),
  loads: (done) => ask({ request: { kind: 'loads' }, askedMax: LOADS_ASKED_MAX, answerOf: loadsAnswerOf }, done),
  history: ({ before, limit }, done) =>
    ask({ request: { kind: 'history', before, limit }, askedMax: ASKED_MAX, answerOf: history }, (answer) => {
      done(answer === undefined ? undefined : { ...answer, oldest: oldestKept(answer.epoch) })
    }),
})

const encodedState: Check<ClusterState> = (value) => {
  const decoded = value instanceof Uint8Array ? decodeState(value) : undefined
  return decoded === undefined || 'reason' in decoded ? undefined : decoded
}
const progress = record<MoveProgress>({ move: count, entriesLeft: count })
const overview = record<Overview>({ state: encodedState, lost: list(node, NODES_MAX), progress: list(progress, SHARD_COUNT_MAX + 1) })
const event = record<HistoryEvent>({
  epoch: count, at: count, by: text(BY_CHARACTERS_MAX), what: text(WHAT_CHARACTERS_MAX), request: text(REQUEST_CHARACTERS_MAX), move: count,
})
const history = record<HistoryAnswer>({ epoch: count, events: list(event, EVENTS_MAX) })
