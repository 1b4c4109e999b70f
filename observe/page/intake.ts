/**
 * Between the feed and the page: what arrives waits here for the next frame, which takes a bounded part of it. So the page stays at hand
 * however much happens: above WAITING_MAX the oldest are dropped, and counted.
 */

import type { ActorRecord } from '../recorder/record.ts'

/** Records that wait for their frame. */
const WAITING_MAX = 20_000
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
  let waiting: ActorRecord[] = []
  let dropped = 0
  return {
    push: (records) => {
      waiting = waiting.concat(records)
      let excess = waiting.length - WAITING_MAX
      if (excess <= 0) return
      // States and notes are what a picture is made of, and few: traffic goes first.
      const kept = waiting.filter(({ kind }) => {
        if (excess === 0 || kind === 'state' || kind === 'note') return true
        excess -= 1
        return false
      }).slice(-WAITING_MAX)
      dropped += waiting.length - kept.length
      waiting = kept
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
