/** One hosted replica of a shard: its Raft member and its shard actor, and the wires between them, the log and the snapshots. */

import { createRaftMember } from '../actors/raft/actor.ts'
import { firstElectionDelay } from '../actors/raft/timing.ts'
import { createShard } from '../actors/shard/actor.ts'
import { crc32 } from '../storage/crc.ts'
import { fnv1a32, mix32 } from './hash.ts'
import type { TickBoard } from '../actors/kernel/tickBoard.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { ShardActor } from '../actors/shard/actor.ts'
import type { Configuration } from '../actors/raft/protocol.ts'
import type { RecoveredGroup } from '../actors/wal/protocol.ts'
import type { SnapshotInfo } from '../storage/snapshotStore.ts'
import type { ReplicaId, ShardId } from './ids.ts'
import type { ReplicaHostOptions } from './replicaHostOptions.ts'

export interface HostedReplica {
  readonly shard: ShardId
  readonly id: ReplicaId
  readonly raft: RaftMember
  readonly actor: ShardActor
  /** Files of it were found damaged when it was opened, and it does without them. */
  readonly isHurt: boolean
}

export interface ReplicaStart {
  readonly id: ReplicaId
  /** In force before the log and the snapshot say otherwise. */
  readonly configuration: Configuration
  readonly recovered: RecoveredGroup
  readonly snapshot: SnapshotInfo | null
  /** Snapshots that do not verify were among its files. */
  readonly isHurt: boolean
  readonly ticks: HostTicks
}

/** Members first: what their time brings a shard comes before the shard's own. */
export interface HostTicks {
  readonly members: TickBoard
  readonly shards: TickBoard
}

/** Below a half. Any numbers that differ will do; these are the same after a restart, and in a replayed simulation. */
const headStartOf = (id: ReplicaId, shard: ShardId): number => mix32(fnv1a32(`${id}/${shard}`)) / 2 ** 33

export const openReplica = (options: ReplicaHostOptions, shard: ShardId, start: ReplicaStart): HostedReplica => {
  const { clock, turn, ports, journeys, onFailure } = options
  const { id } = start
  const actor = createShard({
    shard,
    self: id,
    clock,
    log: options.log.child({ actor: 'shard', shard }),
    recorder: options.recorder,
    ...(options.shardLimits === undefined ? {} : { limits: options.shardLimits }),
    entryBytesMax: options.entryBytesMax,
    announceChanges: options.announceChanges,
    headStart: headStartOf(id, shard),
    ticks: start.ticks.shards,
    ports: {
      answer: ports.answer,
      traceOf: (to, batch) => ports.traceOf?.(shard, to, batch),
      raft: (event) => {
        journeys?.toRaft(shard, event)
        member.send(event)
      },
      snapshots: options.snapshots,
      configurationAt: (index) => member.configurationAt(index),
      snapshotsInUse: () => member.snapshotsInUse(),
      serving: (serving, term) => ports.serving(shard, serving, term),
      // What the slot delivered in this turn is still with the connection: its stage comes first.
      drainSlot: (drain) => ports.drainSlot(shard, turn.member('shard', () => actor.send({ type: 'shard.slotDrained', drain }))),
      quiet: () => ports.quiet(shard),
      changed: ports.changed,
      requestFlush: turn.member('shard', () => actor.send({ type: 'shard.flush', now: clock.now() })),
      instruments: options.instruments?.shard,
    },
    onFailure,
  })
  const member: RaftMember = createRaftMember({
    group: shard,
    self: id,
    configuration: start.snapshot?.configuration ?? start.configuration,
    recovered: start.recovered,
    snapshot: start.snapshot,
    random: options.random,
    now: clock.now(),
    wallMs: clock.wall(),
    log: options.log.child({ actor: 'raft', shard }),
    recorder: options.recorder,
    isTracing: options.traceMessages,
    ...(options.raftTiming === undefined ? {} : { timing: options.raftTiming }),
    ...(options.raftLimits === undefined ? {} : { limits: options.raftLimits }),
    ...(options.allowance === undefined ? {} : { allowance: options.allowance }),
    firstElectionDelay: firstElectionDelay(shard),
    ticks: start.ticks.members,
    ports: {
      mail: (to, message) => ports.mail(shard, id, to, message),
      wal: ports.wal,
      shard: (event) => {
        if (journeys === undefined) actor.send(event)
        else journeys.toShard(shard, event, () => actor.send(event))
      },
      snapshots: options.snapshots,
      requestFlush: turn.member('raft', () => member.send({ type: 'raft.flush', now: clock.now() })),
      requestEmit: () => clock.defer(() => member.send({ type: 'raft.emit' })),
      crc32,
      instruments: options.instruments?.raft,
    },
    onFailure,
  })
  return { shard, id, raft: member, actor, isHurt: start.isHurt }
}
