/**
 * Who should lead, and how leadership is handed over: towards each shard's preferred leader while all is well, and away from a node
 * that drains.
 *
 * A hand-over goes only to a steady node (its beacon was heard for a while) whose log already has everything committed, so that the
 * pause is one round trip. A failed attempt costs an election timeout, hence the wait between attempts of one shard.
 */

import { nodeOf } from './ids.ts'
import { preferredLeader } from './clusterMap.ts'
import type { Beacon } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeId, ReplicaId } from './ids.ts'
import type { HostedReplica, ReplicaHost } from './replicaHost.ts'

const BALANCE_EVERY_MS = 1_000
const RETRY_AFTER_MS = 10_000
/** The longest a drain waits for its leaderships to move. */
export const HAND_OVER_MS_MAX = 3_000

export interface Leadership {
  /** Called on every tick; acts once a second, moving at most one leadership. */
  readonly balance: (now: number) => void
  /** Called on every tick while draining; true when nothing is led here any more or the time is up. */
  readonly isHandedOver: (now: number) => boolean
  readonly startHandOver: (now: number) => void
}

export interface LeadershipOptions {
  readonly node: NodeId
  readonly map: ClusterMap
  readonly host: ReplicaHost
  readonly beacon: Beacon
}

export const createLeadership = ({ node, map, host, beacon }: LeadershipOptions): Leadership => {
  let balancedAt = 0
  let deadline = Number.POSITIVE_INFINITY
  const attemptedAt = new Map<number, number>()

  const isReady = (replica: HostedReplica, to: ReplicaId): boolean => {
    const status = replica.raft.status()
    return (status.matchIndex.get(to) ?? 0) >= status.commitIndex
  }
  const tryTransfer = (replica: HostedReplica, to: ReplicaId, now: number): boolean => {
    if (!beacon.isSteady(nodeOf(to), now) || !isReady(replica, to)) return false
    if (now - (attemptedAt.get(replica.shard) ?? Number.NEGATIVE_INFINITY) < RETRY_AFTER_MS) return false
    attemptedAt.set(replica.shard, now)
    replica.raft.send({ type: 'raft.transferLeadership', to })
    return true
  }
  const bestSuccessor = (replica: HostedReplica, now: number): ReplicaId | undefined => {
    const { matchIndex } = replica.raft.status()
    return (map.replicas[replica.shard] ?? [])
      .filter((other) => nodeOf(other) !== node && beacon.isSteady(nodeOf(other), now))
      .sort((a, b) => (matchIndex.get(b) ?? 0) - (matchIndex.get(a) ?? 0))[0]
  }
  const led = (): HostedReplica[] => host.all().filter((replica) => replica.raft.role() === 'leader')

  return {
    balance: (now) => {
      if (now - balancedAt < BALANCE_EVERY_MS) return
      balancedAt = now
      for (const replica of led()) {
        const preferred = preferredLeader(map, replica.shard)
        if (nodeOf(preferred) !== node && tryTransfer(replica, preferred, now)) return
      }
    },
    startHandOver: (now) => {
      deadline = now + HAND_OVER_MS_MAX
      attemptedAt.clear()
    },
    isHandedOver: (now) => {
      const mine = led()
      let isWorthWaiting = false
      for (const replica of mine) {
        const to = bestSuccessor(replica, now)
        if (to === undefined) continue
        isWorthWaiting = true
        tryTransfer(replica, to, now)
      }
      return !isWorthWaiting || now >= deadline
    },
  }
}
