/** Holds the invariants of the cluster's map against a node after each of its events. */

import { COMMITTED_MAPS, createCommittedMaps } from './invariants/committedMaps.ts'
import { NAMED_REPLICAS, createNamedReplicas } from './invariants/namedReplicas.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { TopologyStatus } from '../actors/topology/actor.ts'
import type { HostedMeta } from '../topology/hostedMeta.ts'
import type { HostedReplica } from '../topology/hostedReplica.ts'
import type { NodeParts } from '../topology/nodeParts.ts'
import type { MapLedger } from './mapLedger.ts'
import type { Violation } from './watch.ts'

export interface MapWatchInput {
  readonly node: string
  readonly parts: NodeParts
  /** Of the member of the meta group, where it has one. */
  readonly status: TopologyStatus | undefined
}

/** What a node had when it was looked at, and all was well. */
interface Look {
  readonly inForce: ClusterState
  readonly applied: ClusterState | null
  readonly meta: HostedMeta | undefined
  readonly replicas: readonly HostedReplica[]
}

/**
 * The first problem, or null. States and lists of replicas are never changed in place, and what was committed stays committed: of a node
 * that has the very ones it had when all was well nothing can have become wrong.
 */
export const createMapWatch = (ledger: MapLedger): (input: MapWatchInput) => Violation | null => {
  const committedMaps = createCommittedMaps(ledger)
  const namedReplicas = createNamedReplicas(ledger)
  const looks = new Map<string, Look>()
  const problemOf = (node: string, { inForce, applied, meta, replicas }: Look): Violation | null => {
    const wrongMap = committedMaps({ node, inForce, applied })
    if (wrongMap !== null) return { invariant: COMMITTED_MAPS, text: wrongMap }
    const wrongMeta = meta === undefined ? null : namedReplicas({ node, group: 'meta', id: meta.id })
    if (wrongMeta !== null) return { invariant: NAMED_REPLICAS, text: wrongMeta }
    for (const { shard, id } of replicas) {
      const wrong = namedReplicas({ node, group: shard, id })
      if (wrong !== null) return { invariant: NAMED_REPLICAS, text: wrong }
    }
    return null
  }
  return ({ node, parts: { live, host }, status }) => {
    const meta = host.meta()
    if (meta !== undefined && status !== undefined) ledger.follow({ appliedIndex: status.appliedIndex, entryAt: meta.raft.entryAt })
    const look = { inForce: live.state(), applied: status?.state ?? null, meta, replicas: host.all() }
    const before = looks.get(node)
    if (before !== undefined && isSame(before, look)) return null
    const problem = problemOf(node, look)
    if (problem === null) looks.set(node, look)
    return problem
  }
}

const isSame = (a: Look, b: Look): boolean =>
  a.inForce === b.inForce && a.applied === b.applied && a.meta === b.meta && a.replicas === b.replicas
