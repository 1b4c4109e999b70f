/**
 * The requests of a node that are worth looking at again: those that took long or failed, and those that were merely sampled. The newest of
 * each are kept, their values never: in one list, ten seconds of sampling would push out the request that somebody looks for.
 *
 * It is also the recorder's ear at the tracing port: a sampled request's phases become records with its trace id. Of one that was not
 * sampled and is kept all the same there is one record, its reply.
 */

import { isAnswer } from '../../actors/shard/operation.ts'
import { SLOW_REQUEST_MS } from '../../gateway/requestNotes.ts'
import { displayKey } from './keyText.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Happening } from '../../actors/kernel/recorder.ts'
import type { StatusName } from '../../actors/shard/operation.ts'
import type { ArrivedRequest, NotedRequest, PassedPhase, RequestSpan, TraceListener } from '../../gateway/tracing.ts'
import type { NodeRecorder } from './recorder.ts'

/** That took SLOW_REQUEST_MS or longer, or failed; sampled or not. */
export const NOTABLE_REQUESTS_MAX = 1_024
/** Sampled ones of which nothing else is to be said. */
export const SAMPLED_REQUESTS_MAX = 1_024
export const REQUESTS_MAX = NOTABLE_REQUESTS_MAX + SAMPLED_REQUESTS_MAX
const MICROS_PER_MS = 1_000

export interface KeptRequest {
  readonly trace: string
  /** When it was answered, by the node's clock. */
  readonly at: number
  readonly node: string
  readonly op: string
  readonly shard: number
  readonly status: StatusName
  readonly micros: number
  readonly key: string
}

export interface RequestsWish {
  readonly order: 'slowest' | 'newest'
  readonly isFailed: boolean
  /** Empty: any. As `displayKey` writes it. */
  readonly key: string
  readonly limit: number
}

export interface RequestRecorder {
  readonly tracing: TraceListener
  readonly kept: (wish: RequestsWish) => readonly KeptRequest[]
}

export interface RequestRecorderOptions {
  readonly recorder: NodeRecorder
  readonly clock: Pick<Clock, 'now' | 'wall'>
}

export const createRequestRecorder = ({ recorder, clock }: RequestRecorderOptions): RequestRecorder => {
  const notable = createNewest<KeptRequest>(NOTABLE_REQUESTS_MAX)
  const sampled = createNewest<KeptRequest>(SAMPLED_REQUESTS_MAX)
  const node = recorder.node

  const keep = (trace: string, { op, shard, key, status, micros }: NotedRequest): void => {
    const shown = displayKey(key)
    const list = isNotable(status, micros) ? notable : sampled
    list.push({ trace, at: clock.wall(), node, op, shard, status, micros, key: shown })
    recorder.record({ actor: 'door', kind: 'phase', event: 'reply', shard, trace, micros, detail: { op, status, key: shown } })
  }
  const begin = ({ op, shard, key, parent }: ArrivedRequest): RequestSpan => {
    const since = clock.now()
    recorder.record({ actor: 'door', kind: 'phase', event: 'arrive', shard, trace: parent.traceId, detail: { op, key: displayKey(key) } })
    return {
      context: parent,
      end: (status) => keep(parent.traceId, { op, shard, key, status, micros: microsSince(since) }),
    }
  }
  const microsSince = (since: number): number => Math.round((clock.now() - since) * MICROS_PER_MS)
  return {
    tracing: {
      begin, beginAtShard: ({ parent }) => ({ context: parent, end: () => {} }), passed: passedInto(recorder),
      noted: (note) => keep(note.trace.traceId, note),
    },
    kept: ({ order, isFailed, key, limit }) => {
      const found = [...sampled.all(), ...notable.all()].filter((request) =>
        (!isFailed || !isAnswer(request.status)) && (key === '' || request.key === key)).toReversed()
      return found.toSorted(order === 'slowest' ? (a, b) => b.micros - a.micros : (a, b) => b.at - a.at).slice(0, limit)
    },
  }
}

const isNotable = (status: StatusName, micros: number): boolean => micros >= SLOW_REQUEST_MS * MICROS_PER_MS || !isAnswer(status)

/** Cut back only when there are twice as many: what is too old goes at once, not one by one. */
const createNewest = <T>(countMax: number): { readonly push: (one: T) => void; readonly all: () => readonly T[] } => {
  let list: T[] = []
  return {
    push: (one) => {
      list.push(one)
      if (list.length > 2 * countMax) list = list.slice(-countMax)
    },
    all: () => list.slice(-countMax),
  }
}

const passedInto = (recorder: NodeRecorder) => ({ trace, phase, actor, shard, micros, term, peer, bytes }: PassedPhase): void => {
  const happening: { -readonly [Name in keyof Happening]: Happening[Name] } =
    { actor, kind: 'phase', event: phase, shard, trace: trace.traceId, micros }
  if (term !== undefined) happening.term = term
  if (peer !== undefined) happening.peer = peer
  if (bytes !== undefined) happening.bytes = bytes
  recorder.record(happening)
}
