/**
 * Old copies of a time when their replica was its group's only voter.
 *
 * The log of such a copy knows of nobody to ask, and would serve old values. The map knows better, as soon as it is heard of. Which of the
 * two is the newer one epochs tell: a configuration carries that of the order which made it (actors/raft/reconfiguration.ts). It can be the
 * log's, too (test: "whom the others have left serves on, though its own map names them still"):
 *   1. Of n1 and n2 a shard is to lose n2. The configuration {n1} is committed; n1 writes a snapshot, which is all that it keeps.
 *   2. n1 dies before it hears that the move is done. Its own map, when it is back, names n1 and n2 as voters.
 *   3. Did it take itself for an old copy then, the shard would be gone.
 */

import { placementOf, replicasAfter } from '../actors/topology/clusterState.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { ClusterState, GroupKey, Placement } from '../actors/topology/clusterState.ts'
import type { HostedMember } from './replicaHost.ts'
import type { GroupId, ReplicaId } from './ids.ts'
import type { NamedReplica } from './namedReplicas.ts'

/**
 * An epoch at which the configuration in force had other members beside this one; null when the map knows of none. Who is being promoted
 * was a learner before, by the group's committed log. A move that leaves it alone may have been carried out already, and from its undoing
 * nobody can tell when it was ordered.
 */
export const othersAt = (state: ClusterState, group: GroupKey, replica: ReplicaId): number | null => {
  const placement = placementOf(state, group)
  if (placement === undefined || !placement.replicas.includes(replica)) return null
  const { move } = placement
  if (placement.replicas.length === 1) return move?.step === 'promoting' ? state.epoch : null
  if (move === null || !isLeftAlone(placement, move, replica)) return state.epoch
  return move.step === 'undoing' ? null : move.orderedAt - 1
}

const isLeftAlone = ({ replicas }: Placement, move: NonNullable<Placement['move']>, replica: ReplicaId): boolean =>
  replicasAfter(replicas, move).join() === replica

/** A member whose log knows of no other, and is of that epoch or older, halts (actors/raft/state.ts). Others are not troubled. */
export const tellMap = (named: readonly NamedReplica[], memberOf: (group: GroupId) => HostedMember | undefined): void => {
  for (const { group, id, othersAt: epoch } of named) {
    const member = memberOf(group)
    if (member?.id === id && member.raft.isSole()) member.raft.send({ type: 'raft.mapInForce', othersAt: epoch })
  }
}

/**
 * For so long since others were first heard members wait for a map that these have: it may not come, or find no room on the disk. Not since
 * the start, for to open a large log can take longer.
 */
const MAP_AWAITED_MS = 10_000

export interface MapWait {
  /** Which map is in force at another node. */
  readonly heard: (theirs: number) => void
  /** Another one is in force here, and members were told so: the newest it need not be (test: "..., and gets an older one first, ..."). */
  readonly noteMap: () => void
}

export const createMapWait = (clock: Pick<Clock, 'now'>, epoch: () => number, members: () => Iterable<HostedMember>): MapWait => {
  let heardAt = Number.POSITIVE_INFINITY
  let newest = 0
  const noteMap = (): void => {
    if (newest <= epoch() || clock.now() - heardAt > MAP_AWAITED_MS) return
    for (const { raft } of members()) if (raft.isSole()) raft.send({ type: 'raft.mapMissed' })
  }
  return {
    heard: (theirs) => {
      heardAt = Math.min(heardAt, clock.now())
      newest = Math.max(newest, theirs)
      noteMap()
    },
    noteMap,
  }
}
