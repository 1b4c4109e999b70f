/** The hosted replica of the meta group: its Raft member and its topology actor, and the wires between them, the log and the snapshots. */

import { createRaftMember } from '../actors/raft/actor.ts'
import { createTopology } from '../actors/topology/actor.ts'
import { crc32 } from '../storage/crc.ts'
import { META_GROUP } from './ids.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { TopologyActor } from '../actors/topology/actor.ts'
import type { MetaAnswer, MetaCommand } from '../actors/topology/protocol.ts'
import type { ReplicaId } from './ids.ts'
import type { ReplicaStart } from './hostedReplica.ts'
import type { ReplicaHostOptions } from './replicaHostOptions.ts'

export interface HostedMeta {
  readonly id: ReplicaId
  readonly raft: RaftMember
  readonly actor: TopologyActor
  readonly isHurt: boolean
  /** `done` is called once, unless the replica ends first. */
  readonly ask: (question: MetaQuestion, done: (answer: MetaAnswer) => void) => void
}

export type MetaQuestion =
  | { readonly type: 'meta.read'; readonly isHistoryWanted: boolean }
  | { readonly type: 'meta.propose'; readonly command: MetaCommand }

/** Askers are of this process: answers find them by their number. */
const REPLY_TO = 'node'

export const openMeta = (options: ReplicaHostOptions, start: ReplicaStart): HostedMeta => {
  const { clock, turn, ports, onFailure, snapshots } = options
  const { id } = start
  const origin = { node: options.node, address: REPLY_TO }
  const asked = new Map<number, (answer: MetaAnswer) => void>()
  let lastRequest = 0
  const actor = createTopology({
    group: META_GROUP,
    genesis: options.genesis,
    clock,
    ...(options.topologyLimits === undefined ? {} : { limits: options.topologyLimits }),
    log: options.log.child({ actor: 'topology' }),
    recorder: options.recorder,
    ports: {
      raft: (event) => member.send(event),
      snapshots,
      configurationAt: (index) => member.configurationAt(index),
      snapshotsInUse: () => member.snapshotsInUse(),
      sendOrder: ports.order,
      onState: ports.stateChanged,
      answer: (_to, answer) => {
        const done = asked.get(answer.request)
        asked.delete(answer.request)
        done?.(answer)
      },
      quiet: () => {},
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
    recorder: options.recorder,
    isTracing: options.traceMessages,
    ...(options.raftTiming === undefined ? {} : { timing: options.raftTiming }),
    ...(options.raftLimits === undefined ? {} : { limits: options.raftLimits }),
    ...(options.allowance === undefined ? {} : { allowance: options.allowance }),
    ticks: start.ticks.members,
    ports: {
      mail: (to, message) => ports.mail(META_GROUP, id, to, message),
      wal: ports.wal,
      shard: (event) => actor.send(event),
      snapshots,
      requestFlush: turn.member('raft', () => member.send({ type: 'raft.flush', now: clock.now() })),
      requestEmit: () => clock.defer(() => member.send({ type: 'raft.emit' })),
      crc32,
      instruments: options.instruments?.raft,
    },
    onFailure,
  })
  return {
    id,
    raft: member,
    actor,
    isHurt: start.isHurt,
    ask: (question, done) => {
      lastRequest += 1
      asked.set(lastRequest, done)
      actor.send({ ...question, replyTo: REPLY_TO, request: lastRequest, origin })
    },
  }
}
