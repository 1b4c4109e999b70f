/**
 * What only grows: a replica's term, commit and applied indexes within a life (promisesKept.ts says what must
 * outlive it); a leader's match indexes within a leadership. And applied never passes committed, committed never
 * passes the log.
 */

import type { Invariant, Problem, ReplicaView } from '../view.ts'

type Past = Pick<ReplicaView, 'life' | 'term' | 'role' | 'commitIndex' | 'appliedIndex' | 'matchIndex'>

export const createGrowth = (): Invariant => {
  const past = new Map<string, Past>()
  return {
    name: 'terms, commits and matches only grow',
    check: (view) => {
      const key = `${view.shard} ${view.id}`
      const before = past.get(key)
      const { life, term, role, commitIndex, appliedIndex } = view
      past.set(key, { life, term, role, commitIndex, appliedIndex, matchIndex: new Map(view.matchIndex) })
      return checkOrder(view) ?? (before === undefined ? null : checkGrowth(before, view))
    },
  }
}

const checkOrder = (view: ReplicaView): Problem => {
  if (view.appliedIndex > view.commitIndex) return `${view.id} applied ${view.appliedIndex} and committed ${view.commitIndex}`
  if (view.commitIndex > view.lastIndex) return `${view.id} committed ${view.commitIndex}; its log ends at ${view.lastIndex}`
  return null
}

const checkGrowth = (before: Past, view: ReplicaView): Problem => {
  const fell = (what: string, from: number, to: number): string => `${view.id} of shard ${view.shard}: ${what} fell from ${from} to ${to}`
  if (view.life !== before.life) return null
  if (view.term < before.term) return fell('term', before.term, view.term)
  if (view.commitIndex < before.commitIndex) return fell('commit index', before.commitIndex, view.commitIndex)
  if (view.appliedIndex < before.appliedIndex) return fell('applied index', before.appliedIndex, view.appliedIndex)
  if (view.role !== 'leader' || before.role !== 'leader' || view.term !== before.term) return null
  for (const [peer, index] of before.matchIndex) {
    const now = view.matchIndex.get(peer) ?? 0
    // Zero is no step back but a verdict: that member forgot what it promised, and counts for nothing.
    if (now < index && now > 0) return fell(`match index of ${peer}`, index, now)
  }
  return null
}
