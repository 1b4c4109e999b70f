/** The hosted replica of the meta group: its Raft member and its topology actor, and the wires between them, the log and the snapshots. */

import { createRaftMember } from '../actors/raft/actor.ts'
import { adoptGenesis } from '../actors/topology/clusterState.ts'
import { createTopology } from '../actors/topology/actor.ts'
import { crc32 } from '../storage/crc.ts'
import { META_GROUP } from './ids.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { TopologyActor } from '../actors/topology/actor.ts'
import type { ReplicaId } from './ids.ts'
import type { ReplicaStart } from './hostedReplica.ts'
import type { ReplicaHostOptions } from './replicaHost.ts'

export interface HostedMeta {
  readonly id: ReplicaId
  readonly raft: RaftMember
  readonly actor: TopologyActor
}

export const openMeta = (options: ReplicaHostOptions, start: ReplicaStart): HostedMeta => {
  const { clock, turn, ports, onFailure, snapshots } = options
  const { id } = start
  const actor = createTopology({
    group: META_GROUP,
    state: adoptGenesis(options.genesis),
    ...(options.topologyLimits === undefined ? {} : { limits: options.topologyLimits }),
    log: options.log.child({ actor: 'topology' }),
    ports: {
      raft: (event) => member.send(event),
      snapshots,
      configurationAt: (index) => member.configurationAt(index),
      order: ports.order,
      stateChanged: ports.stateChanged,
    },
    onFailure,
  })
  const member: RaftMember = createRaftMember({
    group: META_GROUP,
    self: id,
    configuration: start.snapshot?.configuration ?? start.configuration,
    recovered: start.recovered,
    snapshot: start.snapshot,
    random: options.random,
    now: clock.now(),
    wallMs: clock.wall(),
    log: options.log.child({ actor: 'raft', shard: 'meta' }),
    isTracing: options.traceMessages,
    ...(options.raftTiming === undefined ? {} : { timing: options.raftTiming }),
    ...(options.raftLimits === undefined ? {} : { limits: options.raftLimits }),
    ports: {
      mail: (to, message) => ports.mail(META_GROUP, id, to, message),
      wal: ports.wal,
      shard: (event) => actor.send(event),
      snapshots,
      requestFlush: turn.member('raft', () => member.send({ type: 'raft.flush', now: clock.now() })),
      crc32,
    },
    onFailure,
  })
  return { id, raft: member, actor }
}
