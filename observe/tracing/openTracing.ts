/**
 * Tracing of one node process, put together: the sampling in front, behind it the recorder and, where an endpoint is configured, the spans
 * and their way out. What goes wrong out there is a line in the log, now and then, and a count.
 */

import { joinListeners } from '../../gateway/tracing.ts'
import { OtlpError, openOtlpExporter } from './otlp.ts'
import { createRequestSpans } from './requestSpans.ts'
import { sampling } from './sampling.ts'
import { createSpanDrops } from './spanDrops.ts'
import { createSpanQueue } from './spanQueue.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Logger } from '../../actors/kernel/log.ts'
import type { RequestTracing, TraceListener } from '../../gateway/tracing.ts'
import type { Load, OtlpIdentity } from './otlp.ts'
import type { RequestSpans } from './requestSpans.ts'
import type { SamplingCounts } from './sampling.ts'
import type { TracingSettings } from './settings.ts'
import type { SpanIds } from './span.ts'
import type { DropCounts } from './spanDrops.ts'
import type { SpanCounts, SpanExporter, SpanQueue } from './spanQueue.ts'

/** How long the end of a process waits for its last spans. */
const FLUSH_MS_MAX = 2_000
const TOLD_EVERY_MS = 60_000

export interface TracingCounts extends SamplingCounts, SpanCounts {
  readonly dropped: DropCounts
  /** To be sent. */
  readonly waiting: number
}

export interface ProcessTracing {
  /** With what else listens. */
  readonly join: (recorder: TraceListener) => RequestTracing
  readonly counts: () => TracingCounts
  readonly close: () => Promise<void>
}

export interface TracingOptions extends OtlpIdentity {
  readonly settings: TracingSettings
  readonly clock: Clock
  readonly log: Logger
  readonly ids: SpanIds
  readonly random: () => number
  readonly load: Load
}

/** Some put a key there. */
const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '')

/**
 * Rejects with an OtlpError where a package is not installed that a flag of this node asks for. An endpoint in the environment may be
 * meant for a whole machine: then it is a line in the log, and the node works without.
 */
export const openTracing = async (options: TracingOptions): Promise<ProcessTracing> => {
  const { settings: { otlp, ratioAlone, perSecondMax }, clock, log, ids, random } = options
  const drops = createSpanDrops()
  let queue: SpanQueue | null = null
  const exporter = await exporterOf(options)
  const ratio = exporter === null ? ratioAlone : options.settings.ratio
  if (otlp !== null && exporter !== null) {
    queue = createSpanQueue({ exporter, clock, drops, onProblem: nowAndThen(clock, log) })
    log.info({ actor: 'traces', endpoint: withoutQuery(otlp.url), protocol: otlp.protocol, ratio, perSecondMax }, 'spans are exported')
  }
  let counts = (): SamplingCounts => ({ sampled: 0, limited: 0 })
  let spans: RequestSpans | null = null
  /** Nobody reads the counts of a process that has ended: its log says what was lost with it. */
  const tellLost = (): void => {
    spans?.close()
    const lost = drops.counts().end
    if (lost > 0) log.warn({ actor: 'traces', spans: lost }, 'spans had not been exported when the process ended, and are lost')
  }
  return {
    join: (recorder) => {
      if (queue !== null) spans = createRequestSpans({ clock, ids, sink: queue.add, drops })
      const sampled = sampling(spans === null ? recorder : joinListeners(spans, recorder), { ratio, perSecondMax, clock, ids, random })
      counts = sampled.counts
      return sampled.tracing
    },
    counts: () => ({
      ...counts(), ...(queue?.counts() ?? { exported: 0, failed: 0 }), dropped: drops.counts(), waiting: queue?.waiting() ?? 0,
    }),
    close: () => new Promise((resolve) => {
      if (queue === null) resolve()
      else {
        queue.close(FLUSH_MS_MAX, () => {
          tellLost()
          resolve()
        })
      }
    }),
  }
}

const exporterOf = async (options: TracingOptions): Promise<SpanExporter | null> => {
  const { settings: { otlp, isAsked }, log, load } = options
  if (otlp === null) return null
  try {
    return await openOtlpExporter(otlp, options, load)
  } catch (error) {
    if (isAsked || !(error instanceof OtlpError) || !error.isMissing) throw error
    log.warn({ actor: 'traces', reason: error.message }, 'spans are not exported')
    return null
  }
}

const nowAndThen = (clock: Pick<Clock, 'now'>, log: Logger): ((error: Error) => void) => {
  let toldAt = Number.NEGATIVE_INFINITY
  return ({ message }) => {
    if (clock.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = clock.now()
    log.warn({ actor: 'traces', reason: message }, 'spans could not be exported and are lost')
  }
}
