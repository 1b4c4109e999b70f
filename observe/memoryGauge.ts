/**
 * How much of its memory this process uses, and how much of that lives (observe/memoryRoom.ts).
 *
 * What lives is what was used right after the last major collection, or later, whichever is least: buffers are freed beside the
 * program some time after it. Before the first collection everything lives. Growth since is counted as used, not as living: V8 collects
 * before it is much (halfway to the heap's limit, 64 MiB of buffers).
 *
 * The process's use is reckoned from what V8 has, and not measured: memory of freed buffers is kept by the allocator, which
 * gives it to the next ones, so that the resident size hardly ever falls. Measured with values of 4,000 bytes: 430 MiB when 200 MiB were
 * stored, and as much when all were deleted again, with 67 MiB of buffers left. It is told beside the rest.
 */

import { createBallast } from './ballast.ts'
import { watchMajorCollections } from './majorCollections.ts'
import { createMemoryReadings } from './memoryReadings.ts'
import type { Ballast } from './ballast.ts'
import type { MemoryReadings } from './memoryReadings.ts'
import type { MemoryUses } from './memoryRoom.ts'

const MIB = 1_048_576
/** Code, stacks, threads. */
const NATIVE_BYTES = 48 * MIB
/** What the allocator takes for a byte that V8 has, as measured with values of 64 KiB. */
const RESIDENT_PER_BYTE = 1.125

export interface MemoryGauge {
  readonly uses: () => MemoryUses
  /** Major collections since the start. */
  readonly collections: () => number
  /** Called a few times: V8 collects soon (ballast.ts). A process that merely deletes may not know for hours that it has room. */
  readonly nudge: () => void
  readonly stop: () => void
}

export interface GaugeSources {
  readonly read: () => MemoryReadings
  /** Ends with the result. */
  readonly watch: (collected: () => void) => () => void
  readonly ballast: Ballast
}

type Living = Pick<MemoryReadings, 'heapUsedBytes' | 'externalBytes'>

export const createMemoryGauge = (
  { read, watch, ballast }: GaugeSources = { read: createMemoryReadings(), watch: watchMajorCollections, ballast: createBallast() },
): MemoryGauge => {
  let collections = 0
  let floor: Living | null = null
  const readings = (): MemoryReadings => {
    const found = read()
    return { ...found, externalBytes: Math.max(0, found.externalBytes - ballast.bytes()) }
  }
  const stop = watch(() => {
    collections += 1
    floor = readings()
    ballast.drop()
  })
  return {
    uses: () => {
      const now = readings()
      if (floor !== null) floor = lower(floor, now)
      return usesOf(now, floor ?? now)
    },
    collections: () => collections,
    nudge: ballast.add,
    stop,
  }
}

const lower = (a: Living, b: Living): Living =>
  ({ heapUsedBytes: Math.min(a.heapUsedBytes, b.heapUsedBytes), externalBytes: Math.min(a.externalBytes, b.externalBytes) })

const usesOf = (now: MemoryReadings, living: Living): MemoryUses => {
  const resident = (bytes: number): number => Math.min(now.residentBytes, Math.round(NATIVE_BYTES + bytes * RESIDENT_PER_BYTE))
  return {
    heap: { liveBytes: living.heapUsedBytes, usedBytes: now.heapUsedBytes, limitBytes: now.heapLimitBytes },
    process: {
      liveBytes: resident(living.heapUsedBytes + living.externalBytes),
      usedBytes: resident(now.heapTotalBytes + now.externalBytes),
      limitBytes: now.processLimitBytes, residentBytes: now.residentBytes,
    },
  }
}
