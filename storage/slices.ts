/**
 * Slices: the pieces in which snapshots are written, verified and loaded, so that none of it ever holds the loop.
 *
 *   ask ─▶ waiting, first come first served ─▶ one slice ─▶ the rest of the loop ─▶ the next slice
 *
 * - One slice a turn for the whole node. With one a turn for each group, sixteen shards that write at once would make a turn of sixteen.
 *   Each writer or reader has one slice waiting at most, so the queue is a few times as long as the node has groups.
 * - A slice is bounded by work, not by time: a chunk has at most SLICE_ENTRIES_MAX entries and CHUNK_BYTES_MAX bytes
 *   (actors/shard). What that takes depends on the machine, so the number of entries follows what slices took:
 *   halved after one above SLICE_MS_TARGET, raised by a step after one below. Time lost to collection or to other processes counts too: a
 *   machine that is busy gets shorter slices. Loading takes the slices as they were written.
 */

import { SLICE_ENTRIES_MAX } from '../actors/shard/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'

/** What a slice should take at most, in milliseconds: a small part of a tick (100 ms), so that no heartbeat is late for it. */
export const SLICE_MS_TARGET = 2
export const SLICE_ENTRIES_MIN = 64
const SLICE_ENTRIES_STEP = 32

export interface Slices {
  /** Runs `slice` in a later turn, alone; its argument is how many entries it may take. */
  readonly ask: (slice: (entriesMax: number) => void) => void
}

export const createSlices = (clock: Clock): Slices => {
  const waiting: ((entriesMax: number) => void)[] = []
  let entriesMax = SLICE_ENTRIES_MAX / 2

  const runOne = (): void => {
    const slice = waiting.shift()
    if (waiting.length > 0) clock.defer(runOne)
    const beganAt = clock.now()
    slice?.(entriesMax)
    const isSlow = clock.now() - beganAt > SLICE_MS_TARGET
    entriesMax = isSlow
      ? Math.max(SLICE_ENTRIES_MIN, Math.floor(entriesMax / 2))
      : Math.min(SLICE_ENTRIES_MAX, entriesMax + SLICE_ENTRIES_STEP)
  }
  return {
    ask: (slice) => {
      waiting.push(slice)
      if (waiting.length === 1) clock.defer(runOne)
    },
  }
}
