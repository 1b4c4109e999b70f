/**
 * A replica exists because a committed map named it, for its group and on its node: nothing else makes one. One id is never hosted by
 * two nodes, since it carries its node's name.
 */

import { nodeOf } from '../../topology/ids.ts'
import type { GroupKey } from '../../actors/topology/clusterState.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { MapLedger } from '../mapLedger.ts'
import type { Problem } from '../view.ts'

export interface HostedView {
  readonly node: string
  readonly group: GroupKey
  readonly id: ReplicaId
}

export const NAMED_REPLICAS = 'replicas are those of a committed map'

export const createNamedReplicas = (ledger: MapLedger): (view: HostedView) => Problem => {
  const seen = new Map<ReplicaId, Set<GroupKey>>()
  return ({ node, group, id }) => {
    if (nodeOf(id) !== node) return `node ${node} hosts ${id} of group ${group}`
    const groups = seen.get(id) ?? new Set<GroupKey>()
    seen.set(id, groups)
    if (groups.has(group)) return null
    groups.add(group)
    return ledger.hasNamed(group, id) ? null : `node ${node} hosts ${id} of group ${group}, which no committed map has named`
  }
}
