/** Replicas, logs and views made by hand, for invariants to judge. */

import { createShardLedger } from '../../sim/ledger.ts'
import { nodeId, replicaId } from '../../topology/ids.ts'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ShardLedger } from '../../sim/ledger.ts'
import type { ReplicaView } from '../../sim/view.ts'

export const a = replicaId(nodeId('a'), 1)
export const b = replicaId(nodeId('b'), 1)
export const c = replicaId(nodeId('c'), 1)
export const d = replicaId(nodeId('d'), 1)
export const voters: readonly ReplicaId[] = [a, b, c]

export const entry = (index: number, term: number, text = ''): Entry => ({ index, term, kind: 0, payload: new TextEncoder().encode(text) })
/** Entries of the given terms, from index 1. */
export const log = (...terms: number[]): Entry[] => terms.map((term, i) => entry(i + 1, term))

export const view = (id: ReplicaId, entries: readonly Entry[], more: Partial<ReplicaView> = {}): ReplicaView => ({
  id, shard: 0, life: 1, isDamaged: false, hasDamagedDisk: false, wallOffsetMs: 0,
  role: 'follower', term: entries.at(-1)?.term ?? 0, vote: '', quarantined: undefined,
  commitIndex: 0, lastIndex: entries.length, lastTerm: entries.at(-1)?.term ?? 0, snapshotIndex: 0, voters,
  configuration: { epoch: 0, voters, outgoing: [], learners: [] },
  entryAt: (index) => entries[index - 1], matchIndex: new Map(), appliedIndex: 0, durableIndex: 0, durableTerm: undefined,
  revision: 0, keys: 0, undecodable: 0, isServing: false, pendingOperations: 0, pendingBytes: 0, walBacklogBytes: 0,
  stateHash: () => 'hash', ...more,
})

export const ledgerOf = (entries: readonly Entry[]): ShardLedger => {
  const ledger = createShardLedger(0)
  for (const each of entries) ledger.commit(each, 0)
  return ledger
}
export const none = ledgerOf([])
