/**
 * Journeys in the order of their coming, found by their shard: every wire asks for those of one, so to ask makes nothing.
 * Limit: `max`; with one more, the oldest is forgotten.
 */

import type { ShardId } from './ids.ts'

export interface JourneyShelf<Journey> {
  readonly size: () => number
  readonly has: (journey: Journey) => boolean
  readonly oldest: () => Journey | undefined
  /** In the order of their coming; stays as it is whatever comes and goes afterwards. */
  readonly of: (shard: number) => readonly Journey[]
  readonly add: (journey: Journey) => void
  readonly remove: (journey: Journey) => void
}

const nobody: readonly never[] = []

export const createJourneyShelf = <Journey extends { readonly shard: ShardId }>(max: number): JourneyShelf<Journey> => {
  const all = new Set<Journey>()
  const byShard = new Map<number, readonly Journey[]>()
  const of = (shard: number): readonly Journey[] => byShard.get(shard) ?? nobody
  const remove = (journey: Journey): void => {
    if (!all.delete(journey)) return
    const beside = of(journey.shard)
    if (beside.length === 1) byShard.delete(journey.shard)
    else byShard.set(journey.shard, beside.filter((other) => other !== journey))
  }
  const oldest = (): Journey | undefined => all.values().next().value
  return {
    size: () => all.size,
    has: (journey) => all.has(journey),
    oldest,
    of,
    add: (journey) => {
      if (all.size >= max) {
        const first = oldest()
        if (first !== undefined) remove(first)
      }
      all.add(journey)
      byShard.set(journey.shard, [...of(journey.shard), journey])
    },
    remove,
  }
}
