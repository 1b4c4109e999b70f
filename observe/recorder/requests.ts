/**
 * The requests of a node that are worth looking at again: those that failed, those that took long, and those that were merely sampled. The
 * newest of each are kept, their values never: in one list, ten seconds of sampling, or of one client's mistakes, would push out the
 * request that somebody looks for.
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

/** Of those that failed; of others that took SLOW_REQUEST_MS or longer; and of sampled ones of which neither is to be said. */
export const REQUESTS_OF_A_KIND_MAX = 1_024
export const REQUESTS_MAX = 3 * REQUESTS_OF_A_KIND_MAX
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
  const failed = createNewest<KeptRequest>(REQUESTS_OF_A_KIND_MAX)
  const slow = createNewest<KeptRequest>(REQUESTS_OF_A_KIND_MAX)
  const sampled = createNewest<KeptRequest>(REQUESTS_OF_A_KIND_MAX)
  const node = recorder.node

  const keep = (trace: string, { op, shard, key, status, micros }: NotedRequest): void => {
    const shown = displayKey(key)
    const list = !isAnswer(status) ? failed : isSlow(micros) ? slow : sampled
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
      const found = [...sampled.all(), ...slow.all(), ...failed.all()].filter((request) =>
        (!isFailed || !isAnswer(request.status)) && (key === '' || request.key === key)).toReversed()
      return found.toSorted(order === 'slowest' ? (a, b) => b.micros - a.micros : (a, b) => b.at - a.at).slice(0, limit)
    },
  }
}

const isSlow = (micros: number): boolean => micros >= SLOW_REQUEST_MS * MICROS_PER_MS

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

/**
 * All fields at once, though some may be undefined: what is added to an object later has a place of its own beside it, which the ring does
 * not reckon with.
 */
const passedInto = (recorder: NodeRecorder) => ({ trace, phase, actor, shard, micros, term, peer, bytes }: PassedPhase): void =>
  recorder.record({ actor, kind: 'phase', event: phase, shard, trace: trace.traceId, micros, term, peer, bytes } as Happening)
