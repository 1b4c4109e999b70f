/**
 * Log matching (Raft, figure 3): two entries with the same index and term are the same entry, and so are all
 * before them.
 *
 * Every entry that appears in any log is registered once with its predecessor's term; by induction over the
 * index that is the whole property. Per replica only what changed since the last look is compared.
 *
 * Not of a replica in quarantine: where the damaged part of its log had written an index anew, the entry before that is what is read again,
 * in front of the later ones. Hence the quarantine: nobody counts on what it holds.
 */

import type { Entry } from '../../actors/raft/protocol.ts'
import type { Invariant, Problem, ReplicaView } from '../view.ts'

interface Registered {
  readonly previousTerm: number | undefined
  readonly entry: Entry
}

export const createLogMatching = (): Invariant => {
  const registered = new Map<string, Registered>()
  /** Per replica and life: the term it had at each index when last looked at. */
  const seen = new Map<string, { life: number; readonly terms: Map<number, number> }>()

  const register = (view: ReplicaView, entry: Entry): Problem => {
    const key = `${view.shard} ${entry.term} ${entry.index}`
    const previousTerm = view.entryAt(entry.index - 1)?.term
    const known = registered.get(key)
    if (known === undefined) {
      registered.set(key, { previousTerm, entry })
      return null
    }
    if (!isSameEntry(known.entry, entry)) return `${view.id}: two entries have index ${entry.index} and term ${entry.term}`
    if (known.previousTerm === undefined) registered.set(key, { previousTerm, entry: known.entry })
    else if (previousTerm !== undefined && previousTerm !== known.previousTerm) {
      return `${view.id}: before index ${entry.index} of term ${entry.term} stands term ${previousTerm}, elsewhere ${known.previousTerm}`
    }
    return null
  }
  const termsOf = (view: ReplicaView): Map<number, number> => {
    const key = `${view.shard} ${view.id}`
    const known = seen.get(key)
    if (known !== undefined && known.life === view.life) return known.terms
    const fresh = new Map<number, number>()
    seen.set(key, { life: view.life, terms: fresh })
    return fresh
  }
  return {
    name: 'logs match',
    check: (view) => {
      if (view.quarantined !== undefined) return null
      const terms = termsOf(view)
      for (let index = view.lastIndex; index > view.snapshotIndex; index -= 1) {
        const entry = view.entryAt(index)
        if (entry === undefined || terms.get(index) === entry.term) return null
        terms.set(index, entry.term)
        const problem = register(view, entry)
        if (problem !== null) return problem
      }
      return null
    },
  }
}

export const isSameEntry = (a: Entry, b: Entry): boolean => {
  if (a === b) return true
  if (a.term !== b.term || a.kind !== b.kind || a.payload.length !== b.payload.length) return false
  if (a.payload === b.payload) return true
  for (let i = 0; i < a.payload.length; i += 1) if (a.payload[i] !== b.payload[i]) return false
  return true
}
