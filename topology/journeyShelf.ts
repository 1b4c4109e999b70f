/**
 * Journeys in the order of their coming, found by their shard: every wire asks for those of one. Limit: `max`; with one more, the oldest is
 * forgotten.
 */

import type { ShardId } from './ids.ts'

export interface JourneyShelf<Journey> {
  readonly size: () => number
  readonly has: (journey: Journey) => boolean
  readonly oldest: () => Journey | undefined
  /** In the order of their coming. */
  readonly of: (shard: number) => readonly Journey[]
  readonly add: (journey: Journey) => void
  readonly remove: (journey: Journey) => void
}

const nobody: readonly never[] = []

export const createJourneyShelf = <Journey extends { readonly shard: ShardId }>(max: number): JourneyShelf<Journey> => {
  const all = new Set<Journey>()
  const byShard = new Map<number, Set<Journey>>()
  const remove = (journey: Journey): void => {
    if (!all.delete(journey)) return
    const beside = byShard.get(journey.shard)
    beside?.delete(journey)
    if (beside?.size === 0) byShard.delete(journey.shard)
  }
  const oldest = (): Journey | undefined => all.values().next().value
  return {
    size: () => all.size,
    has: (journey) => all.has(journey),
    oldest,
    of: (shard) => {
      const found = byShard.get(shard)
      return found === undefined ? nobody : [...found]
    },
    add: (journey) => {
      const first = oldest()
      if (all.size >= max && first !== undefined) remove(first)
      all.add(journey)
      const beside = byShard.get(journey.shard)
      if (beside === undefined) byShard.set(journey.shard, new Set([journey]))
      else beside.add(journey)
    },
    remove,
  }
}
