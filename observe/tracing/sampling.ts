/**
 * Which requests are sampled, decided once, where they arrive (head sampling): all that say so themselves, and a share of those that say
 * nothing. Who says that it is not sampled is not. Both kinds together are at most so many a second: a client that marks every request
 * costs a node no more than one that marks a few. A probe is asked for by hand and passes.
 *
 * Drawing costs a subtraction and a comparison a request: how many are skipped until the next is drawn ahead (geometrically, so that each
 * has the same chance). At a ratio of 0 there is nothing to call.
 *
 * A request that was not sampled and is kept all the same, because it failed or took long, keeps its caller's trace or gets one here, so
 * that everybody who keeps it calls it by the same name.
 *
 * Limits: `perSecondMax` are sampled a second, and KEPT_PER_SECOND_MAX of the others kept.
 */

import { SAMPLED, isSampled } from '../../actors/kernel/trace.ts'
import { createPerSecond } from './perSecond.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { RequestTracing, TraceListener } from '../../gateway/tracing.ts'
import type { SpanIds } from './span.ts'

/** Of those that were not sampled: a node that refuses thousands a second has other things to do than to remember each. */
export const KEPT_PER_SECOND_MAX = 100

export interface SamplingOptions {
  /** Of requests that come without a trace, from 0 to 1. */
  readonly ratio: number
  readonly perSecondMax: number
  readonly clock: Pick<Clock, 'now'>
  readonly ids: SpanIds
  /** From 0 to 1, without 1. */
  readonly random: () => number
}

export interface Sampling {
  readonly tracing: RequestTracing
  readonly counts: () => SamplingCounts
}

export interface SamplingCounts {
  readonly sampled: number
  /** Sampled but for the limit. */
  readonly limited: number
}

export const sampling = (inner: TraceListener, { ratio, perSecondMax, clock, ids, random }: SamplingOptions): Sampling => {
  const counts = { sampled: 0, limited: 0 }
  const isWithinLimit = createPerSecond(clock, perSecondMax)
  const mayStart = (): boolean => {
    if (isWithinLimit()) return true
    counts.limited += 1
    return false
  }
  const mayKeep = createPerSecond(clock, KEPT_PER_SECOND_MAX)
  const newTrace = (): TraceContext => ({ traceId: ids.trace(), spanId: ids.span(), flags: SAMPLED })
  const gap = (): number => (ratio >= 1 ? 1 : 1 + Math.floor(Math.log1p(-random()) / Math.log1p(-ratio)))
  let left = ratio > 0 ? gap() : 0
  const draw = (): TraceContext | null => {
    left -= 1
    if (left > 0) return null
    left = gap()
    return mayStart() ? newTrace() : null
  }
  const tracing: RequestTracing = {
    ...inner,
    ...(ratio > 0 ? { draw } : {}),
    begin: (request) => {
      if (!isSampled(request.parent)) return null
      if (request.isRoot !== true && request.isProbe !== true && !mayStart()) return null
      const span = inner.begin(request)
      if (span !== null) counts.sampled += 1
      return span
    },
    noted: (request) => {
      if (mayKeep()) inner.noted?.({ ...request, trace: request.trace ?? newTrace(), isRoot: request.trace === undefined })
    },
  }
  return { tracing, counts: () => counts }
}
