/**
 * A recording by time: the world at any moment of it. A copy of the world is kept every CHECKPOINT_EVERY records, so that a step back costs
 * no more than a step forward.
 */

import { isStory } from '../recorder/record.ts'
import { applyRecord, cloneWorld, createWorld } from './world.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { World } from './world.ts'

const CHECKPOINT_EVERY = 2_000

export interface Timeline {
  readonly records: readonly ActorRecord[]
  readonly from: number
  readonly to: number
  /** How many records are no later than this moment. */
  readonly countAt: (at: number) => number
  /** After the first `count` records. */
  readonly worldAfter: (count: number) => World
}

/** `from`: where it begins to be shown; what is older only says how things stood then. */
export const createTimeline = (unsorted: readonly ActorRecord[], from = 0): Timeline => {
  const records = unsorted.toSorted((a, b) => a.at - b.at || a.seq - b.seq)
  const checkpoints: World[] = []
  const world = createWorld()
  records.forEach((record, i) => {
    if (i % CHECKPOINT_EVERY === 0) checkpoints.push(cloneWorld(world))
    applyRecord(world, record)
  })
  return {
    records,
    from: Math.max(from, records[0]?.at ?? 0),
    to: records.at(-1)?.at ?? 0,
    countAt: (at) => {
      let low = 0
      let high = records.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((records[middle]?.at ?? 0) <= at) low = middle + 1
        else high = middle
      }
      return low
    },
    worldAfter: (count) => {
      const nearest = Math.min(Math.floor(count / CHECKPOINT_EVERY), checkpoints.length - 1)
      const then = cloneWorld(checkpoints[nearest] ?? createWorld())
      for (let i = Math.max(0, nearest) * CHECKPOINT_EVERY; i < count; i += 1) {
        const record = records[i]
        if (record !== undefined) applyRecord(then, record)
      }
      return then
    },
  }
}

/** How many records fall into each of `count` equal stretches, and whether a state or a note is among them. */
export const densityOf = ({ records, from, to }: Timeline, count: number): readonly { readonly all: number; readonly story: number }[] => {
  const bins = Array.from({ length: count }, () => ({ all: 0, story: 0 }))
  const width = Math.max(1, to - from) / count
  for (const record of records) {
    const { at } = record
    if (at < from) continue
    const bin = bins[Math.min(count - 1, Math.floor((at - from) / width))]
    if (bin === undefined) continue
    bin.all += 1
    if (isStory(record)) bin.story += 1
  }
  return bins
}
