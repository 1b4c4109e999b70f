/**
 * What a replica counted as durable it has at its next start (docs/TESTING.md T4, T5): its recovered log holds the entry that stood at its
 * durable index, and so all before it, or a snapshot that covers it. Where the log was being rewritten when the life ended, that index had
 * been lowered first. Nobody needs to have been promised anything, as for promisesKept.ts. Replicas that damage was put on are excused:
 * they answer for themselves by quarantine.
 */

import type { Invariant } from '../view.ts'

export const createDurableIsKept = (): Invariant => ({
  name: 'what was durable is there at the next start',
  checkStart: (view, _ledger, before) => {
    if (before === undefined || view.isDamaged || view.quarantined !== undefined) return null
    const { durableIndex, durableTerm } = before
    if (durableIndex <= view.snapshotIndex) return null
    const held = view.entryAt(durableIndex)?.term
    if (held !== undefined && held === (durableTerm ?? held)) return null
    return `${view.id} of shard ${view.shard} counted index ${durableIndex} as durable in life ${before.life}, of term`
      + ` ${durableTerm ?? 'unknown'}, and starts with ${held === undefined ? 'nothing' : `term ${held}`} there`
  },
})
