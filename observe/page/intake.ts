/**
 * Between the feed and the page: what arrives waits here for the next frame, which takes a bounded part of it. So the page stays at hand
 * however much happens: above WAITING_MAX the oldest are dropped, and counted.
 */

import { withoutOldestTraffic } from './newest.ts'
import type { ActorRecord } from '../recorder/record.ts'

/** Records that wait for their frame. */
export const WAITING_MAX = 20_000
/** Records that one frame takes. */
export const FRAME_RECORDS_MAX = 2_000

export interface Intake {
  readonly push: (records: readonly ActorRecord[]) => void
  /** What this frame takes, in order. */
  readonly take: () => readonly ActorRecord[]
  readonly waiting: () => number
  readonly dropped: () => number
}

export const createIntake = (): Intake => {
  let waiting: readonly ActorRecord[] = []
  let dropped = 0
  return {
    push: (records) => {
      const all = waiting.concat(records)
      waiting = withoutOldestTraffic(all, WAITING_MAX)
      dropped += all.length - waiting.length
    },
    take: () => {
      const taken = waiting.slice(0, FRAME_RECORDS_MAX)
      waiting = waiting.slice(FRAME_RECORDS_MAX)
      return taken
    },
    waiting: () => waiting.length,
    dropped: () => dropped,
  }
}
