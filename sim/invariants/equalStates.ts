/**
 * Equal state at equal index: every replica that has applied an index reports the revision and the number of
 * keys that the model has there, and whenever a hash is taken, the same hash as whoever was at that index
 * before. The hash covers everything replicated, the table of request ids included.
 */

import type { Invariant, Problem, ReplicaView } from '../view.ts'
import type { GroupLedger } from '../ledger.ts'

/** Hashing passes over the whole state, so it is done at every so many indexes, the same ones on every replica. */
const HASH_EVERY = 8

export const createEqualStates = (): Invariant => {
  const hashes = new Map<string, { readonly hash: string; readonly by: string }>()
  const lastApplied = new Map<string, string>()

  const checkHash = (view: ReplicaView): Problem => {
    const key = `${view.shard} ${view.appliedIndex}`
    const hash = view.stateHash()
    const known = hashes.get(key)
    if (known === undefined) hashes.set(key, { hash, by: view.id })
    return known === undefined || known.hash === hash ? null
      : `${view.id} and ${known.by} differ after index ${view.appliedIndex} of shard ${view.shard}`
  }
  return {
    name: 'equal state at equal index',
    check: (view, ledger) => {
      const key = `${view.shard} ${view.id}`
      const at = `${view.life} ${view.appliedIndex}`
      if (lastApplied.get(key) === at || view.appliedIndex === 0) return null
      lastApplied.set(key, at)
      return checkModel(view, ledger) ?? (view.appliedIndex % HASH_EVERY === 0 ? checkHash(view) : null)
    },
  }
}

const checkModel = (view: ReplicaView, { lines }: GroupLedger): Problem => {
  const line = lines[view.appliedIndex - 1]
  if (line === undefined) return `${view.id} applied index ${view.appliedIndex} of shard ${view.shard}; ${lines.length} are committed`
  if (view.undecodable > 0) return `${view.id} met a committed payload that does not decode`
  if (view.revision === line.revision && view.keys === line.keys) return null
  return `${view.id} has revision ${view.revision} and ${view.keys} keys after index ${view.appliedIndex} of shard ${view.shard};`
    + ` the log says ${line.revision} and ${line.keys}`
}
