/**
 * When leaderships move by plan: towards each shard's preferred leader while all is well, away from a node whose disk is full, away
 * from a node that drains, away from a replica that is to leave its group, and to whom a person names.
 *
 *   begin ──▶ shard.handOver ──▶ (the shard drains its slot and answers what it took) ──▶ quiet ──▶ raft.transferLeadership
 *     ▲                                   │ QUIET_MS_MAX                                             │ aborted
 *     └───────────── RETRY_AFTER_MS ──────┴──── given up: the shard serves again ◀───────────────────┘
 *
 * The successor is named when the shard is quiet, not before: it must be fit then (topology/succession.ts) and have the whole log, so that
 * TimeoutNow leaves at once and the pause is one election. A move begins only when there is such a successor, by the look of it, and a
 * quorum whose disks can write their votes.
 *
 * A shard that is not quiet within QUIET_MS_MAX has something in its way: a broker that does not answer, a quorum that does not
 * commit, an entry that the full disk does not take. Towards a preferred or named leader the move is given up: waiting costs nothing. Away
 * from a full disk or a leaving node the transfer is asked for all the same: what waits there would wait for ever, or be lost with
 * the process.
 */

import { nodeOf } from './ids.ts'
import { preferredLeader } from './clusterMap.ts'
import { createSuccession } from './succession.ts'
import type { Beacon } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeId, ReplicaId, ShardId } from './ids.ts'
import type { HostedReplica } from './hostedReplica.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { MoveReason, Purpose } from './succession.ts'

const BALANCE_EVERY_MS = 1_000
/** One of so many leaderships may be on its way to its preferred leader at a time: the share that pauses is as small with many. */
const LED_A_MOVE = 32
/** Between two attempts to move one shard. Not for a node that leaves, which has no time. */
const RETRY_AFTER_MS = 10_000
/** How long a disk is full before its leaderships leave: two of the log's own attempts to find room. */
const FULL_FOR_MS = 1_000
/** The longest a shard takes nothing new, or drains its slot, before its transfer is asked for or given up. */
const QUIET_MS_MAX = 1_000
/** The longest a drain waits for its leaderships to move. */
export const HAND_OVER_MS_MAX = 3_000

export interface Leadership {
  /** Called on every tick while the node serves. */
  readonly onTick: (now: number) => void
  /** The shard is quiet: its successor is named, if it has one now. */
  readonly onQuiet: (shard: ShardId, now: number) => void
  /** The replica here is to leave its group: another leads it first. */
  readonly leave: (shard: ShardId, now: number) => void
  /** A person wants this node to lead the shard. `begun`: it is on its way; the rest says why it is not. */
  readonly transfer: (wish: TransferWish, now: number) => TransferAnswer
  readonly startHandOver: (now: number) => void
  /** Called on every tick while draining; true when nothing more can be handed over or answered, or the time is up. */
  readonly isHandedOver: (now: number) => boolean
}

export interface TransferWish {
  readonly shard: ShardId
  readonly to: NodeId
}

export const transferAnswers = ['begun', 'leads', 'notLeader', 'busy', 'unfit'] as const
/**
 * `busy`: this leadership moves already, or does not serve yet. `unfit`: no quorum could vote, or the node has no replica, has not been
 * heard for a while, lacks entries, is loading its state, or has no room on its disk.
 */
export type TransferAnswer = (typeof transferAnswers)[number]

export interface LeadershipOptions {
  readonly node: NodeId
  readonly map: () => ClusterMap
  readonly host: Pick<ReplicaHost, 'all' | 'of'>
  readonly beacon: Pick<Beacon, 'isSteady' | 'isLoading'>
  /** Its replicas are being moved: leadership is not brought back to one that may be going. */
  readonly isMoving: (shard: ShardId) => boolean
  readonly isDiskFull: () => boolean
  /** While draining: no request comes in any more by another way than a slot, and none waits for its answer. */
  readonly isIdle: () => boolean
}

interface Move extends Purpose {
  reason: MoveReason
  readonly since: number
  /** Raft was asked; it bounds the rest itself, and says when it gives up. */
  isAsked: boolean
}

const isServing = ({ actor }: HostedReplica): boolean => actor.state() === 'leading.serving'
const isHandingOver = ({ actor }: HostedReplica): boolean => actor.state().startsWith('leading.handingOver.')
const isQuiet = ({ actor }: HostedReplica): boolean => actor.state() === 'leading.handingOver.quiet'

export const createLeadership = ({ node, map, host, beacon, isMoving, isDiskFull, isIdle }: LeadershipOptions): Leadership => {
  const succession = createSuccession({ node, map, beacon })
  const moves = new Map<ShardId, Move>()
  const attemptedAt = new Map<ShardId, number>()
  let balancedAt = 0
  let fullSince = Number.POSITIVE_INFINITY
  let deadline = Number.POSITIVE_INFINITY

  const led = (): HostedReplica[] => host.all().filter(({ raft }) => raft.role() === 'leader')

  const begin = (replica: HostedReplica, purpose: Purpose, now: number): void => {
    moves.set(replica.shard, { ...purpose, since: now, isAsked: false })
    attemptedAt.set(replica.shard, now)
    replica.actor.send({ type: 'shard.handOver' })
  }
  const maybeBegin = (replica: HostedReplica, reason: MoveReason, now: number): boolean => {
    if (moves.has(replica.shard) || !isServing(replica)) return false
    if (now - (attemptedAt.get(replica.shard) ?? Number.NEGATIVE_INFINITY) < RETRY_AFTER_MS) return false
    return beginIfFit(replica, { reason }, now)
  }
  const beginIfFit = (replica: HostedReplica, purpose: Purpose, now: number): boolean => {
    const { raft } = replica
    if (!raft.canElect() || readyHeir(replica, { ...purpose, index: raft.status().commitIndex }, now) === undefined) return false
    begin(replica, purpose, now)
    return true
  }
  const readyHeir = (
    replica: HostedReplica, { index, ...purpose }: Purpose & { readonly index: number }, now: number,
  ): ReplicaId | undefined => {
    const { matchIndex } = replica.raft.status()
    return succession.heirs(replica, purpose, now).find((heir) => (matchIndex.get(heir) ?? 0) >= index)
  }
  const successor = (replica: HostedReplica, move: Move, now: number): ReplicaId | undefined =>
    readyHeir(replica, { ...move, index: replica.raft.status().lastIndex }, now)

  const maybeTransfer = (replica: HostedReplica, move: Move, now: number): void => {
    const to = successor(replica, move, now)
    if (to === undefined) return
    move.isAsked = true
    replica.raft.send({ type: 'raft.transferLeadership', to })
  }
  const review = (replica: HostedReplica, move: Move, now: number): void => {
    if (!isHandingOver(replica)) {
      moves.delete(replica.shard)
      return
    }
    if (!move.isAsked && isQuiet(replica)) maybeTransfer(replica, move, now)
    if (move.isAsked || now - move.since < QUIET_MS_MAX) return
    const isUrgent = move.reason !== 'balance' && move.reason !== 'hand' && !isQuiet(replica) && successor(replica, move, now) !== undefined
    if (isUrgent) replica.actor.send({ type: 'shard.handOverNow' })
    else if (move.reason !== 'drain') replica.actor.send({ type: 'shard.serveAgain' })
  }
  const reviewMoves = (now: number): void => {
    if (moves.size > 0) succession.note(led(), now)
    for (const [shard, move] of moves) {
      const replica = host.of(shard)
      // A replica may leave this node, or its file be found damaged, in the middle of a move. It must not count as one under way for ever.
      if (replica === undefined) moves.delete(shard)
      else review(replica, move, now)
    }
  }

  const leaveFullDisk = (now: number): void => {
    fullSince = isDiskFull() ? Math.min(fullSince, now) : Number.POSITIVE_INFINITY
    if (now - fullSince < FULL_FOR_MS) return
    succession.note(led(), now)
    for (const replica of led()) maybeBegin(replica, 'disk', now)
  }
  /** Few at a time: every move is a short pause for its shard's clients. */
  const balance = (now: number): void => {
    if (now - balancedAt < BALANCE_EVERY_MS) return
    const replicas = led()
    const movesMax = Math.max(1, Math.floor(replicas.length / LED_A_MOVE))
    succession.note(replicas, now)
    if (moves.size >= movesMax) return
    balancedAt = now
    for (const replica of replicas) {
      if (moves.size >= movesMax) return
      if (isMoving(replica.shard) || nodeOf(preferredLeader(map(), replica.shard)) === node) continue
      maybeBegin(replica, 'balance', now)
    }
  }
  /** There is somebody to hand it to, or somebody to answer. */
  const isWaitedFor = (replica: HostedReplica, now: number): boolean =>
    succession.heirs(replica, { reason: 'drain' }, now).length > 0 || isServing(replica) || (isHandingOver(replica) && !isQuiet(replica))

  return {
    onTick: (now) => {
      reviewMoves(now)
      leaveFullDisk(now)
      balance(now)
    },
    onQuiet: (shard, now) => {
      const replica = host.of(shard)
      const move = moves.get(shard)
      if (replica !== undefined && move !== undefined) maybeTransfer(replica, move, now)
    },
    leave: (shard, now) => {
      const replica = host.of(shard)
      succession.note(led(), now)
      if (replica !== undefined) maybeBegin(replica, 'removal', now)
    },
    transfer: ({ shard, to }, now) => {
      const replica = host.of(shard)
      if (replica?.raft.role() !== 'leader') return 'notLeader'
      if (to === node) return 'leads'
      if (moves.has(shard) || !isServing(replica)) return 'busy'
      succession.note(led(), now)
      return beginIfFit(replica, { reason: 'hand', to }, now) ? 'begun' : 'unfit'
    },
    startHandOver: (now) => {
      deadline = now + HAND_OVER_MS_MAX
      for (const move of moves.values()) move.reason = 'drain'
      for (const replica of led()) if (isServing(replica)) begin(replica, { reason: 'drain' }, now)
    },
    isHandedOver: (now) => {
      succession.note(led(), now)
      reviewMoves(now)
      for (const replica of led()) if (isServing(replica)) begin(replica, { reason: 'drain' }, now)
      return now >= deadline || (isIdle() && !led().some((replica) => isWaitedFor(replica, now)))
    },
  }
}
