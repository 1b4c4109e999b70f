/** Refusals in words: what is wrong, and what would be possible instead. */

import { nodeOf } from '../../topology/ids.ts'
import { activeNodes, nodeIn } from './clusterState.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ClusterNode, ClusterState, GroupKey } from './clusterState.ts'
import type { RefusalReason, Refused } from './protocol.ts'

/** Names listed in a message. */
const NAMES_MAX = 5

export const refused = (state: ClusterState, reason: RefusalReason, message: string): Refused =>
  ({ kind: 'refused', reason, epoch: state.epoch, message })

export const isRefused = (value: object): value is Refused => 'kind' in value && value.kind === 'refused'

export const groupText = (group: GroupKey): string => (group === 'meta' ? 'the meta group' : `shard ${group}`)

export const namesText = (names: readonly string[]): string => {
  if (names.length === 0) return 'none'
  const shown = names.slice(0, NAMES_MAX).join(', ')
  return names.length > NAMES_MAX ? `${shown} and ${names.length - NAMES_MAX} more` : shown
}

/** The node, if it is known and has not left. */
export const presentNode = (state: ClusterState, id: string): ClusterNode | Refused => {
  const node = nodeIn(state, id)
  if (node === undefined) {
    return refused(state, 'unknownNode', `there is no node "${id}"; there are ${namesText(state.nodes.map((known) => known.id))}`)
  }
  if (node.state === 'left') return refused(state, 'nodeLeft', `node ${id} has left the cluster: add it again first`)
  return node
}

/** Active nodes without a replica of the group, sorted. */
export const nodesWithout = (state: ClusterState, replicas: readonly ReplicaId[]): string[] => {
  const taken = new Set(replicas.map(nodeOf))
  return activeNodes(state).filter(({ id }) => !taken.has(id)).map(({ id }) => id)
}
