/**
 * Notices that a node is short of memory, and that it is no longer. The shards that it leads refuse then whatever would grow, and go on
 * with the rest; their leaderships stay. On a follower the same data would grow on, since it takes what its leader sends: a
 * leadership that left for want of memory would take the limit away, and not the shortage.
 *
 * What was deleted is known to be gone only after a major collection, and a node that refuses what grows may come to none. So the watch
 * asks for one: when the shards have let go of a good deal since the last, and now and then anyway, for whatever else was let go of.
 */

import { shortageOf } from '../observe/memoryRoom.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { MemoryShortage } from '../actors/shard/protocol.ts'
import type { MemoryGauge } from '../observe/memoryGauge.ts'
import type { MemoryReport } from './report.ts'

const LOOK_EVERY_MS = 200
/** Of the limit: a tenth of what lies between short and fine. */
const FREED_SHARE = 0.01
const COLLECT_EVERY_MS_MIN = 5_000
const COLLECT_EVERY_MS_MAX = 30_000

export interface MemoryWatch {
  readonly onTick: (now: number) => void
  /** As of the last look; null before the first, and where nothing is measured. */
  readonly report: () => MemoryReport | null
}

export interface MemoryWatchOptions {
  /** Absent: nothing is measured, and there is always enough. */
  readonly gauge: Pick<MemoryGauge, 'uses' | 'collections' | 'nudge'> | undefined
  /** What the keys of all shards here weigh. */
  readonly storedBytes: () => number
  readonly log: Logger
  readonly changed: (shortage: MemoryShortage | null) => void
}

/** V8 counts buffers that one collection finds dead as gone when the next one begins. */
const COLLECTIONS = 2

/** Since when it is counted what is let go of: a collection, and the most that was stored since. */
interface Mark {
  readonly collections: number
  readonly at: number
  storedBytes: number
}

export const createMemoryWatch = ({ gauge, storedBytes, log, changed }: MemoryWatchOptions): MemoryWatch => {
  let lookedAt = Number.NEGATIVE_INFINITY
  let report: MemoryReport | null = null
  let mark: Mark | null = null
  const look = (meter: NonNullable<MemoryWatchOptions['gauge']>): void => {
    const uses = meter.uses()
    const before = report?.shortage ?? null
    const shortage = shortageOf(uses, before)
    report = { ...uses, shortage }
    if (shortage === before) return
    tell(log, report, before)
    changed(shortage)
  }
  const maybeCollect = (meter: NonNullable<MemoryWatchOptions['gauge']>, shortage: MemoryShortage, now: number): void => {
    const stored = storedBytes()
    const collections = meter.collections()
    if (mark === null || collections - mark.collections >= COLLECTIONS) mark = { collections, at: now, storedBytes: stored }
    mark.storedBytes = Math.max(mark.storedBytes, stored)
    const isMuchFreed = mark.storedBytes - stored > (report?.[shortage].limitBytes ?? 0) * FREED_SHARE
    if (now - mark.at >= (isMuchFreed ? COLLECT_EVERY_MS_MIN : COLLECT_EVERY_MS_MAX)) meter.nudge()
  }
  return {
    onTick: (now) => {
      if (gauge === undefined || now - lookedAt < LOOK_EVERY_MS) return
      lookedAt = now
      look(gauge)
      const shortage = report?.shortage ?? null
      if (shortage === null) mark = null
      else maybeCollect(gauge, shortage, now)
    },
    report: () => report,
  }
}

const tell = (log: Logger, report: MemoryReport, before: MemoryShortage | null): void => {
  const { shortage } = report
  const { liveBytes, usedBytes, limitBytes } = report[shortage ?? before ?? 'heap']
  const { residentBytes } = report.process
  const fields = { actor: 'node', shortage: shortage ?? 'none', liveBytes, usedBytes, limitBytes, residentBytes }
  if (shortage === null) log.info(fields, 'there is memory again: what grows is taken')
  else log.warn(fields, 'memory is short: what grows is refused by the shards that are led here')
}
