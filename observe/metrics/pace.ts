/**
 * How often the metrics are written down: it takes the thread that Raft runs on, tens of milliseconds at a thousand shards, and scrapers
 * may be several, or in a loop. Whoever asks gets what is read after he asked, and waits while the node rests from the time before: so
 * many times as long as that took that all of them together have a twentieth of the thread. Who waits for the same format gets the
 * same text.
 *
 *   ask ──▶ read and write ──▶ rest ──▶ ...
 *   ask, ask, ask ────────────────────▶ read and write, once
 */

import type { MetricsText } from '../../gateway/metrics.ts'
import type { Clock } from '../../actors/kernel/clock.ts'

const REST_TIMES = 19
/** A scraper gives up after ten seconds, or after less. */
const REST_MS_MAX = 1_000

export type Render = (isOpenMetrics: boolean) => Promise<MetricsText>

export const paced = (render: Render, clock: Pick<Clock, 'now' | 'after'>): Render => {
  /** By format, the one that has not begun. */
  const waiting = new Map<boolean, Promise<MetricsText>>()
  let last: Promise<unknown> = Promise.resolve()
  let restsUntil = Number.NEGATIVE_INFINITY

  const turn = async (isOpenMetrics: boolean): Promise<MetricsText> => {
    const restMs = restsUntil - clock.now()
    if (restMs > 0) await new Promise<void>((over) => { clock.after(restMs, over) })
    waiting.delete(isOpenMetrics)
    const startedAt = clock.now()
    try {
      return await render(isOpenMetrics)
    } finally {
      restsUntil = clock.now() + Math.min(REST_MS_MAX, REST_TIMES * (clock.now() - startedAt))
    }
  }
  return (isOpenMetrics) => {
    const shared = waiting.get(isOpenMetrics)
    if (shared !== undefined) return shared
    const next = last.then(() => turn(isOpenMetrics))
    last = next.catch(() => {})
    waiting.set(isOpenMetrics, next)
    return next
  }
}
