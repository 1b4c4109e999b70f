/**
 * Which replica has each group's place on a node, where its map names two: a log holds one replica of a group at a time. And whether the
 * group can do without the one that is there.
 */

import { nodeOf } from './ids.ts'
import type { NamedReplica } from './namedReplicas.ts'
import type { GroupId, NodeId, ReplicaId } from './ids.ts'

/**
 * The one that was ordered last. But what is being undone takes nobody's place: its group goes back to what it was without it, and may
 * need the one that is here. `hosted`: what is here of a group.
 */
export const placesIn = (
  named: readonly NamedReplica[], hosted: (group: GroupId) => ReplicaId | undefined,
): ReadonlyMap<GroupId, ReplicaId> => {
  const places = new Map<GroupId, ReplicaId>()
  for (const { group, id, isUndone } of named) {
    if (!places.has(group) || !isUndone || hosted(group) === id) places.set(group, id)
  }
  return places
}

/** The replicas on other nodes that are there are a majority of all. `isThere`: heard, and not damaged. */
export const hasMajorityWithout = (node: NodeId, replicas: readonly ReplicaId[], isThere: (id: ReplicaId) => boolean): boolean =>
  replicas.filter((id) => nodeOf(id) !== node && isThere(id)).length > replicas.length / 2
