/**
 * Counts refusals by reason and logs each reason at most once a second, with how many there were since the last line: a peer that
 * sends rubbish at full speed must not fill the disk with complaints. Reasons come from a fixed list, never from input.
 */

import { traceFields } from '../actors/kernel/trace.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'

const LOG_INTERVAL_MS = 1_000

export interface RefusalLog {
  /** `trace`: of the request that is refused, when it is sampled. */
  readonly note: (reason: string, detail: string, trace?: TraceContext) => void
  readonly counts: () => Readonly<Record<string, number>>
}

interface Row {
  count: number
  unlogged: number
  loggedAt: number
}

export const createRefusalLog = (clock: Clock, log: Logger, message: string): RefusalLog => {
  const rows = new Map<string, Row>()
  return {
    note: (reason, detail, trace) => {
      const row = rows.get(reason) ?? { count: 0, unlogged: 0, loggedAt: Number.NEGATIVE_INFINITY }
      rows.set(reason, row)
      row.count += 1
      row.unlogged += 1
      const now = clock.now()
      if (now - row.loggedAt < LOG_INTERVAL_MS) return
      log.warn({ reason, detail, count: row.unlogged, total: row.count, ...traceFields(trace) }, message)
      row.unlogged = 0
      row.loggedAt = now
    },
    counts: () => Object.fromEntries([...rows].map(([reason, row]) => [reason, row.count])),
  }
}
