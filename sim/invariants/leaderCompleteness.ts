/**
 * Leader completeness (Raft, figure 3): whoever becomes leader has every entry that was committed before. Looked
 * at once per leadership, the moment it begins; the rest is log matching.
 */

import type { Invariant, Problem, ReplicaView } from '../view.ts'
import type { GroupLedger } from '../ledger.ts'

export const createLeaderCompleteness = (): Invariant => {
  const judged = new Set<string>()
  return {
    name: 'a leader has everything committed',
    check: (view, ledger) => {
      if (view.role !== 'leader') return null
      const key = `${view.shard} ${view.term}`
      if (judged.has(key)) return null
      judged.add(key)
      return compare(view, ledger)
    },
  }
}

const compare = (view: ReplicaView, { lines }: GroupLedger): Problem => {
  const leads = `${view.id} leads term ${view.term}`
  if (view.lastIndex < lines.length) return `${leads} with ${view.lastIndex} entries; ${lines.length} are committed`
  for (let index = lines.length; index > view.snapshotIndex; index -= 1) {
    const term = view.entryAt(index)?.term
    const committed = lines[index - 1]?.entry.term
    if (term !== committed) return `${leads} with term ${term ?? 'none'} at index ${index}; ${committed ?? 0} is committed`
  }
  return null
}
