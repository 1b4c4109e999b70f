/**
 * Who may lead a shard instead of this node. A successor must be steady (its beacon was heard for a while, and it serves), its state must
 * not be loading still, as its beacon says, since nothing is answered from it until then, and its disk must have room, as the heartbeat
 * answers of its replicas say: writes would be refused there.
 *
 * A disk counts as having room only ROOM_FOR_MS after it was last noted to be full or stalled, or one that fills, is compacted and fills
 * again would take leaderships to and fro.
 */

import { nodeOf } from './ids.ts'
import { preferredLeader } from './clusterMap.ts'
import type { Beacon } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeId, ReplicaId } from './ids.ts'
import type { HostedReplica } from './hostedReplica.ts'

/** Ten seconds since the last report, which may have come up to a second after anybody looked (leadership.ts). */
const ROOM_FOR_MS = 11_000

/**
 * Why a leadership moves: to its preferred node, away from a full disk, from a node that leaves, from a replica that is to go, or because a
 * person says so.
 */
export type MoveReason = 'balance' | 'disk' | 'drain' | 'removal' | 'hand'

export interface Purpose {
  readonly reason: MoveReason
  /** Whom the person named; nobody else will do. */
  readonly to?: NodeId
}

export interface Succession {
  /** Called once a second, and before anything is decided, with the replicas that lead here: remembers whose disk is full or stalled. */
  readonly note: (led: readonly HostedReplica[], now: number) => void
  /**
   * Who may succeed: the preferred leader first, so that leadership does not move again, then whoever has most of the log. A node that
   * leaves is content with those whose disk is full when there is no other; one that is loading would not take over (raft/election.ts).
   */
  readonly heirs: (replica: HostedReplica, purpose: Purpose, now: number) => readonly ReplicaId[]
}

export interface SuccessionOptions {
  readonly node: NodeId
  readonly map: () => ClusterMap
  readonly beacon: Pick<Beacon, 'isSteady' | 'isLoading'>
}

export const createSuccession = ({ node, map, beacon }: SuccessionOptions): Succession => {
  const stalledAt = new Map<NodeId, number>()
  const hasRoom = (replica: ReplicaId, now: number): boolean =>
    now - (stalledAt.get(nodeOf(replica)) ?? Number.NEGATIVE_INFINITY) >= ROOM_FOR_MS
  const candidates = ({ shard }: HostedReplica, { reason, to }: Purpose): readonly ReplicaId[] => {
    if (reason === 'balance') return [preferredLeader(map(), shard)]
    const all = map().replicas[shard] ?? []
    return reason === 'hand' ? all.filter((other) => nodeOf(other) === to) : all
  }
  return {
    note: (led, now) => {
      for (const { raft } of led) for (const member of raft.stalledMembers()) stalledAt.set(nodeOf(member), now)
    },
    heirs: (replica, purpose, now) => {
      const { matchIndex } = replica.raft.status()
      const preferred = preferredLeader(map(), replica.shard)
      const rank = (other: ReplicaId): number => (other === preferred ? Number.POSITIVE_INFINITY : matchIndex.get(other) ?? 0)
      const steady = candidates(replica, purpose).filter((other) =>
        nodeOf(other) !== node && beacon.isSteady(nodeOf(other), now) && !beacon.isLoading(replica.shard, other))
      const roomy = steady.filter((other) => hasRoom(other, now))
      const fit = roomy.length === 0 && purpose.reason === 'drain' ? steady : roomy
      return fit.toSorted((a, b) => rank(b) - rank(a))
    },
  }
}
