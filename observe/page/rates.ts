/**
 * What happened in each second of the last minutes: writes that leaders proposed, and how long the logs took to be synced. Reckoned from
 * the batch records of the feed, by the clocks of their nodes.
 */

import type { ActorRecord } from '../recorder/record.ts'

export const SECONDS_KEPT = 120
/** Of the syncs of one second: enough for a percentile. */
const SYNCS_MAX = 1_000

interface Second {
  second: number
  writes: number
  batches: number
  syncs: number[]
}

export interface RateRow {
  readonly second: number
  readonly writes: number
  readonly syncMedianMs: number | null
  readonly syncP99Ms: number | null
}

export interface Rates {
  readonly add: (record: ActorRecord) => void
  /** Whole seconds, up to the one before `nowMs`; a row for each, so that silence shows. */
  readonly rows: (nowMs: number) => readonly RateRow[]
}

export const createRates = (): Rates => {
  const seconds = new Map<number, Second>()
  const at = (ms: number): Second => {
    const second = Math.floor(ms / 1_000)
    const known = seconds.get(second)
    if (known !== undefined) return known
    const fresh: Second = { second, writes: 0, batches: 0, syncs: [] }
    seconds.set(second, fresh)
    if (seconds.size > 2 * SECONDS_KEPT) {
      for (const old of seconds.keys()) if (old < second - SECONDS_KEPT) seconds.delete(old)
    }
    return fresh
  }
  return {
    add: (record) => {
      if (record.kind !== 'batch') return
      if (record.event === 'proposal') {
        const one = at(record.at)
        const operations = record.detail?.['operations']
        one.batches += 1
        one.writes += typeof operations === 'number' ? operations : 1
      } else if (record.event === 'group' && record.micros !== undefined) {
        const { syncs } = at(record.at)
        if (syncs.length < SYNCS_MAX) syncs.push(record.micros)
      }
    },
    rows: (nowMs) => {
      const last = Math.floor(nowMs / 1_000) - 1
      return Array.from({ length: SECONDS_KEPT }, (_, i) => {
        const second = last - SECONDS_KEPT + 1 + i
        const { writes = 0, syncs = [] } = seconds.get(second) ?? {}
        return { second, writes, syncMedianMs: quantile(syncs, 0.5), syncP99Ms: quantile(syncs, 0.99) }
      })
    },
  }
}

/** Of microseconds, in milliseconds; null of nothing. */
const quantile = (micros: readonly number[], share: number): number | null => {
  const sorted = micros.toSorted((a, b) => a - b)
  const one = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return one === undefined ? null : one / 1_000
}
