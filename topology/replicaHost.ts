/**
 * The replicas of one node: opens each hosted shard's Raft member and shard actor from what the log and the snapshots hold, and carries
 * local facts between them and the log. Of everything a node does, this part is the same whatever bus it stands on.
 */

import { createRaftMember } from '../actors/raft/actor.ts'
import { createShard } from '../actors/shard/actor.ts'
import { initialConfiguration } from '../actors/wal/protocol.ts'
import { must } from '../actors/kernel/assert.ts'
import { crc32 } from '../storage/crc.ts'
import { chooseSnapshot } from '../storage/snapshotChoice.ts'
import { hostedBy } from './clusterMap.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { ShardActor } from '../actors/shard/actor.ts'
import type { RaftMessage } from '../actors/raft/protocol.ts'
import type { RaftTiming } from '../actors/raft/timing.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { ShardLimits } from '../actors/shard/limits.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { RecoveredGroup, RecoveryReport, WalEvent, WalNotice } from '../actors/wal/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { SnapshotInfo, SnapshotStore } from '../storage/snapshotStore.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { GroupId, NodeId, ReplicaId, ShardId } from './ids.ts'

export interface HostedReplica {
  readonly shard: ShardId
  readonly id: ReplicaId
  readonly raft: RaftMember
  readonly actor: ShardActor
}

export interface ReplicaHostPorts {
  readonly mail: (group: GroupId, from: ReplicaId, to: ReplicaId, message: RaftMessage) => void
  readonly wal: (event: WalEvent) => void
  readonly answer: (to: Origin, message: Extract<ShardMessage, { type: 'shard.reply' }>) => void
  readonly serving: (shard: ShardId, serving: boolean, term: number) => void
  readonly drainSlot: (shard: ShardId, done: () => void) => void
  /** The shard waits for Raft to hand its leadership over. */
  readonly quiet: (shard: ShardId) => void
  readonly changed: (key: string, revision: number, code: number) => void
}

export interface ReplicaHostOptions {
  readonly node: NodeId
  readonly map: ClusterMap
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly turn: Turn
  readonly snapshots: SnapshotStore
  readonly entryBytesMax: number
  readonly announceChanges: boolean
  readonly traceMessages: boolean
  readonly raftTiming?: Partial<RaftTiming> | undefined
  readonly raftLimits?: Partial<RaftLimits> | undefined
  readonly shardLimits?: Partial<ShardLimits> | undefined
  readonly ports: ReplicaHostPorts
  readonly onFailure: (error: unknown) => void
}

export interface ReplicaHost {
  /** Opens every hosted replica; `done` once all stand. */
  readonly open: (report: RecoveryReport, done: () => void) => void
  readonly all: () => readonly HostedReplica[]
  readonly of: (group: GroupId) => HostedReplica | undefined
  readonly onWalNotice: (notice: WalNotice) => void
  readonly onTick: (tick: Tick) => void
  readonly stop: () => void
}

export const createReplicaHost = (options: ReplicaHostOptions): ReplicaHost => {
  const replicas = new Map<GroupId, HostedReplica>()
  const everyRaft = (visit: (raft: RaftMember) => void): void => {
    for (const replica of replicas.values()) visit(replica.raft)
  }

  const openAll = (report: RecoveryReport, done: () => void): void => {
    const hosted = hostedBy(options.map, options.node)
    let waiting = hosted.length
    if (waiting === 0) done()
    for (const { shard, replica } of hosted) {
      const recovered = recoveredOf(report, shard)
      chooseSnapshot(options.snapshots, recovered, (error, choice) => {
        if (error !== null) {
          options.onFailure(error)
          return
        }
        for (const name of choice.damaged) {
          options.log.warn({ actor: 'shard', shard, file: name }, 'a snapshot does not verify and is not used')
        }
        replicas.set(shard, openReplica(options, { shard, id: replica, recovered: choice.recovered, snapshot: choice.snapshot }))
        waiting -= 1
        if (waiting === 0) done()
      })
    }
  }

  return {
    open: openAll,
    all: () => [...replicas.values()],
    of: (group) => replicas.get(group),
    onWalNotice: (notice) => {
      switch (notice.type) {
        case 'wal.appended': replicas.get(notice.group)?.raft.send(notice); return
        case 'wal.snapshotMarked':
        case 'wal.quarantined': replicas.get(notice.group)?.raft.walNotice(notice); return
        case 'wal.snapshotWanted': replicas.get(notice.group)?.actor.send({ type: 'shard.snapshotWanted' }); return
        case 'wal.spaceChanged':
          for (const { actor } of replicas.values()) actor.send(notice)
          everyRaft((raft) => raft.send({ type: 'wal.stalled', stalled: notice.full }))
          return
        case 'wal.adopted':
        case 'wal.retired':
        case 'wal.recovered':
        case 'wal.closed':
        case 'wal.failed': return
      }
      notice satisfies never
    },
    onTick: ({ ticks, now, wallMs }) => {
      everyRaft((raft) => raft.send({ type: 'tick', ticks, now, wallMs }))
      for (const { actor } of replicas.values()) actor.send({ type: 'tick', now, wallMs })
    },
    stop: () => {
      for (const { raft, actor } of replicas.values()) {
        raft.stop()
        actor.stop()
      }
    },
  }
}

/** A group the log does not know has never promised anything, unless the log is damaged: then nobody can know. */
const recoveredOf = ({ groups, damagedNode }: RecoveryReport, group: GroupId): RecoveredGroup => groups.get(group) ?? {
  group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [],
  ...(damagedNode === undefined ? {} : { quarantined: damagedNode }),
}

interface ReplicaStart {
  readonly shard: ShardId
  readonly id: ReplicaId
  readonly recovered: RecoveredGroup
  readonly snapshot: SnapshotInfo | null
}

const openReplica = (options: ReplicaHostOptions, start: ReplicaStart): HostedReplica => {
  const { clock, turn, ports, onFailure } = options
  const { shard, id } = start
  const genesis = initialConfiguration(must(options.map.replicas[shard], 'a hosted shard is in the map'))
  const actor = createShard({
    shard,
    self: id,
    clock,
    log: options.log.child({ actor: 'shard', shard }),
    ...(options.shardLimits === undefined ? {} : { limits: options.shardLimits }),
    entryBytesMax: options.entryBytesMax,
    announceChanges: options.announceChanges,
    ports: {
      answer: ports.answer,
      raft: (event) => member.send(event),
      snapshots: options.snapshots,
      configurationAt: () => member.status().configuration,
      serving: (serving, term) => ports.serving(shard, serving, term),
      // What the slot delivered in this turn is still with the connection: its stage comes first.
      drainSlot: (drain) => ports.drainSlot(shard, turn.member('shard', () => actor.send({ type: 'shard.slotDrained', drain }))),
      quiet: () => ports.quiet(shard),
      changed: ports.changed,
      requestFlush: turn.member('shard', () => actor.send({ type: 'shard.flush', now: clock.now() })),
    },
    onFailure,
  })
  const member: RaftMember = createRaftMember({
    group: shard,
    self: id,
    configuration: start.snapshot?.configuration ?? genesis,
    recovered: start.recovered,
    snapshot: start.snapshot,
    random: options.random,
    now: clock.now(),
    wallMs: clock.wall(),
    log: options.log.child({ actor: 'raft', shard }),
    isTracing: options.traceMessages,
    ...(options.raftTiming === undefined ? {} : { timing: options.raftTiming }),
    ...(options.raftLimits === undefined ? {} : { limits: options.raftLimits }),
    ports: {
      mail: (to, message) => ports.mail(shard, id, to, message),
      wal: ports.wal,
      shard: (event) => actor.send(event),
      snapshots: options.snapshots,
      requestFlush: turn.member('raft', () => member.send({ type: 'raft.flush', now: clock.now() })),
      crc32,
    },
    onFailure,
  })
  return { shard, id, raft: member, actor }
}
