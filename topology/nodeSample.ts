/**
 * What a node reads of its parts when its metrics are asked for: its report (topology/report.ts), and what is too much or too fast for one.
 * All of it is read, nothing is counted here; what is counted as it happens is in NodeInstruments (topology/nodeOptions.ts).
 */

import { movesOf } from '../actors/topology/clusterState.ts'
import { generationOf, nodeOf } from './ids.ts'
import { connectionsOf } from './readiness.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { ShardCounters } from '../actors/shard/core.ts'
import type { RaftStatus } from '../actors/raft/status.ts'
import type { BusStatus } from '../bus/port.ts'
import type { FrontDoors } from './frontDoors.ts'
import type { HostedReplica } from './hostedReplica.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { Connections } from './readiness.ts'
import type { NodeParts } from './nodeParts.ts'
import type { NodeReport } from './report.ts'

export interface GroupSample {
  /** A shard's number, or `meta`. */
  readonly group: string
  readonly term: number
  readonly isLeader: boolean
  readonly hasLeader: boolean
  readonly isQuarantined: boolean
  readonly commitIndex: number
  /** Entries here that are not committed yet. */
  readonly uncommitted: number
  /** Entries committed and not handed to the state machine yet. */
  readonly unapplied: number
  /** As leader: entries that each other member lacks on its disk, by node. */
  readonly lag: ReadonlyMap<string, number>
  readonly configurationEpoch: number
}

export interface ShardSample {
  readonly shard: number
  readonly pendingBytes: number
  readonly snapshotIndex: number
  readonly sessions: number
  readonly undecodable: number
  readonly counters: Readonly<ShardCounters>
}

/** What a connection has published and the broker has not confirmed. */
export interface Outstanding {
  readonly connection: 'data' | 'doors' | 'control'
  readonly bytes: number
  readonly bytesMax: number
}

export interface NodeSample {
  readonly report: NodeReport
  readonly connections: Connections & { readonly control: boolean }
  readonly outstanding: readonly Outstanding[]
  readonly groups: readonly GroupSample[]
  readonly shards: readonly ShardSample[]
  /** Null until the log is being opened. */
  readonly doors: ReturnType<FrontDoors['depths']> | null
  /** Moves of the cluster map in force here, by step. */
  readonly moves: ReadonlyMap<string, number>
  readonly isPaused: boolean
}

export interface SampleInput {
  readonly report: NodeReport
  readonly ports: Pick<NodeOptions['ports'], 'bus' | 'doorsBus' | 'controlBus'>
  readonly parts: NodeParts | null
  readonly state: ClusterState
}

export const sampleNode = ({ report, ports, parts, state }: SampleInput): NodeSample => {
  const replicas = parts?.host.all() ?? []
  const meta = parts?.host.meta()
  const groups = replicas.map(({ shard, raft, actor }) => groupSample(String(shard), raft.status(), actor.status().appliedIndex))
  if (meta !== undefined) {
    const status = meta.raft.status()
    groups.push(groupSample('meta', status, status.emittedIndex))
  }
  const buses = [['data', ports.bus], ['doors', ports.doorsBus], ['control', ports.controlBus]] as const
  return {
    report, connections: { ...connectionsOf(ports), control: ports.controlBus.status().connected },
    outstanding: buses.map(([connection, bus]) => outstandingOf(connection, bus.status())),
    groups, shards: replicas.map(shardSample), doors: parts?.doors.depths() ?? null,
    moves: movesByStep(state), isPaused: state.isPaused,
  }
}

const outstandingOf = (connection: Outstanding['connection'], { outstandingBytes, outstandingBytesMax }: BusStatus): Outstanding =>
  ({ connection, bytes: outstandingBytes, bytesMax: outstandingBytesMax })

const groupSample = (group: string, status: RaftStatus, appliedIndex: number): GroupSample => ({
  group,
  term: status.term,
  isLeader: status.role === 'leader',
  hasLeader: status.leader !== '',
  isQuarantined: status.quarantined !== undefined,
  commitIndex: status.commitIndex,
  uncommitted: status.lastIndex - status.commitIndex,
  unapplied: Math.max(0, status.commitIndex - appliedIndex),
  lag: lagOf(status),
  configurationEpoch: status.configuration.epoch,
})

/** Of two replicas of one node, in the middle of a move, the newer counts. */
const lagOf = ({ matchIndex, lastIndex }: RaftStatus): ReadonlyMap<string, number> => {
  const newest = new Map<string, number>()
  const lag = new Map<string, number>()
  for (const [replica, index] of matchIndex) {
    const node = nodeOf(replica)
    if ((newest.get(node) ?? 0) > generationOf(replica)) continue
    newest.set(node, generationOf(replica))
    lag.set(node, lastIndex - index)
  }
  return lag
}

const shardSample = ({ shard, actor }: HostedReplica): ShardSample => {
  const { pendingBytes, snapshotIndex, sessions, undecodable, counters } = actor.status()
  return { shard, pendingBytes, snapshotIndex, sessions, undecodable, counters }
}

const movesByStep = (state: ClusterState): ReadonlyMap<string, number> => {
  const steps = new Map<string, number>()
  for (const { move: { step } } of movesOf(state)) steps.set(step, (steps.get(step) ?? 0) + 1)
  return steps
}
