/** Holds the invariants of the cluster's map against a node after each of its events. */

import { COMMITTED_MAPS, createCommittedMaps } from './invariants/committedMaps.ts'
import { NAMED_REPLICAS, createNamedReplicas } from './invariants/namedReplicas.ts'
import type { TopologyStatus } from '../actors/topology/actor.ts'
import type { NodeParts } from '../topology/nodeParts.ts'
import type { MapLedger } from './mapLedger.ts'
import type { Violation } from './watch.ts'

export interface MapWatchInput {
  readonly node: string
  readonly parts: NodeParts
  /** Of the member of the meta group, where it has one. */
  readonly status: TopologyStatus | undefined
}

/** The first problem, or null. */
export const createMapWatch = (ledger: MapLedger): (input: MapWatchInput) => Violation | null => {
  const committedMaps = createCommittedMaps(ledger)
  const namedReplicas = createNamedReplicas(ledger)
  return ({ node, parts: { live, host }, status }) => {
    const meta = host.meta()
    if (meta !== undefined && status !== undefined) ledger.follow({ appliedIndex: status.appliedIndex, entryAt: meta.raft.entryAt })
    const wrongMap = committedMaps({ node, inForce: live.state(), applied: status?.state ?? null })
    if (wrongMap !== null) return { invariant: COMMITTED_MAPS, text: wrongMap }
    const wrongMeta = meta === undefined ? null : namedReplicas({ node, group: 'meta', id: meta.id })
    if (wrongMeta !== null) return { invariant: NAMED_REPLICAS, text: wrongMeta }
    for (const { shard, id } of host.all()) {
      const wrong = namedReplicas({ node, group: shard, id })
      if (wrong !== null) return { invariant: NAMED_REPLICAS, text: wrong }
    }
    return null
  }
}
