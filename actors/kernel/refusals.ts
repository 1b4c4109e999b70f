/**
 * Counts what was refused, by reason, and says so in the log at most once a second a reason: a flood of bad input must not
 * become a flood of log lines. Reasons are a fixed vocabulary of the caller, never text from outside.
 */

import type { Clock } from './clock.ts'
import type { Logger } from './log.ts'

const LOG_INTERVAL_MS = 1_000

export interface Refusals {
  /** `detail` is a sentence for a person; it must not contain values or secrets. */
  readonly note: (reason: string, detail: string) => void
  readonly counts: () => Readonly<Record<string, number>>
}

interface Row {
  count: number
  loggedCount: number
  loggedAt: number
}

export const createRefusals = (clock: Clock, log: Logger): Refusals => {
  const rows = new Map<string, Row>()
  return {
    note: (reason, detail) => {
      const row = rows.get(reason) ?? { count: 0, loggedCount: 0, loggedAt: Number.NEGATIVE_INFINITY }
      rows.set(reason, row)
      row.count += 1
      const now = clock.now()
      if (now - row.loggedAt < LOG_INTERVAL_MS) return
      log.warn({ reason, detail, times: row.count - row.loggedCount }, 'refused')
      row.loggedAt = now
      row.loggedCount = row.count
    },
    counts: () => Object.fromEntries([...rows].map(([reason, { count }]) => [reason, count])),
  }
}
