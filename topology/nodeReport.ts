/** Builds a node's report of itself (topology/report.ts) from the parts it is made of. */

import { OpCode } from '../actors/shard/operation.ts'
import { generationOf, nodeOf } from './ids.ts'
import { ownLevels } from './level.ts'
import { healthOf } from './replicaHealth.ts'
import type { ShardMeter } from '../actors/shard/meter.ts'
import type { ClusterNode, ClusterState } from '../actors/topology/clusterState.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { BeaconRadio } from './beaconRadio.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { NodeParts } from './nodeParts.ts'
import type { HostedReplica } from './hostedReplica.ts'
import type { OtherPrefix } from './prefixWatch.ts'
import type { ReadinessFacts } from './readiness.ts'
import type { ReplicaFindings } from './replicaHealth.ts'
import type {
  GossipReport, MemberPlace, MemoryReport, NodeReport, NodeState, NodeVitals, ReplicaHealth, ReplicaReport, Routing, ShardLoad,
} from './report.ts'

export interface ReportInput {
  readonly options: NodeOptions
  readonly map: ClusterMap
  readonly level: number
  readonly members?: readonly ClusterNode[]
  readonly state: NodeState
  readonly routing: Routing
  readonly replicas: readonly HostedReplica[]
  readonly meta: HostedMeta | undefined
  readonly placements: Pick<ClusterState, 'shards' | 'meta'>
  readonly walBytes: number
  readonly walBacklogBytes: number
  readonly diskFull: boolean
  readonly memory?: MemoryReport | null
  readonly counters: Readonly<Record<string, number>>
  readonly gossip?: GossipReport | undefined
  readonly otherPrefixes?: readonly OtherPrefix[]
}

export const reportNode = (input: ReportInput): NodeReport => {
  const { options, map } = input
  const server = options.ports.bus.status().server
  return {
    cluster: map.cluster,
    epoch: map.epoch,
    level: input.level,
    shardCount: map.shardCount,
    members: map.nodes,
    ...(input.members === undefined ? {} : { places: input.members.filter(({ state }) => state !== 'left').map(placeOf) }),
    broker: { url: server.url, version: server.version, routing: input.routing },
    node: {
      id: options.genesis.node,
      pid: options.pid,
      state: input.state,
      bootId: options.boot,
      startedAtMs: options.startedAtMs,
      ...(options.version === undefined ? {} : { version: options.version }),
      ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
      levels: ownLevels,
      wallMs: options.ports.clock.wall(),
      diskFull: input.diskFull,
      ...(input.memory ? { memory: input.memory } : {}),
      walBytes: input.walBytes,
      walBacklogBytes: input.walBacklogBytes,
      ...vitalsOf(options),
      counters: input.counters,
    },
    ...(input.gossip === undefined ? {} : { gossip: input.gossip }),
    ...(input.otherPrefixes?.length ? { otherPrefixes: input.otherPrefixes } : {}),
    ...metaHealthOf(input),
    replicas: input.replicas.map((replica) => reportReplica(replica, input.placements)),
  }
}

/** What a report says of replicas with which something is wrong, and nothing of the others: it costs a hundredth. */
export const ailingIn = (
  { replicas, meta, placements }: Pick<ReportInput, 'replicas' | 'meta' | 'placements'>,
): Pick<ReadinessFacts, 'metaHealth' | 'replicas'> => ({
  ...metaHealthOf({ meta, placements }),
  replicas: replicas.flatMap((replica) => {
    const health = healthOf(findingsOf(replica), placements.shards[replica.shard])
    if (health === null) return []
    const { quarantined } = replica.raft.status()
    return [{ shard: replica.shard, health, ...(quarantined === undefined ? {} : { quarantined }) }]
  }),
})

const metaHealthOf = ({ meta, placements }: Pick<ReportInput, 'meta' | 'placements'>): { readonly metaHealth?: ReplicaHealth } => {
  const health = meta === undefined ? null : healthOf(findingsOf(meta), placements.meta)
  return health === null ? {} : { metaHealth: health }
}

const findingsOf = ({ id, raft, isHurt }: HostedReplica | HostedMeta): ReplicaFindings =>
  ({ id, isQuarantined: raft.role() === 'halted', isSuspect: (isHurt && !raft.isVouchedFor()) || raft.isSnapshotLost() })

const placeOf = ({ id, weight, zone, state }: ClusterNode): MemberPlace => ({ id, weight, zone, isActive: state === 'active' })

const vitalsOf = ({ ports }: NodeOptions): { readonly vitals?: NodeVitals } =>
  (ports.vitals === undefined ? {} : { vitals: ports.vitals.vitals() })

const reportReplica = (replica: HostedReplica, { shards }: ReportInput['placements']): ReplicaReport => {
  const { shard, raft, actor } = replica
  const status = raft.status()
  const health = healthOf(findingsOf(replica), shards[shard])
  const state = actor.status()
  return {
    shard,
    generation: generationOf(replica.id),
    role: status.role,
    state: actor.state(),
    term: status.term,
    leader: status.leader === '' ? '' : nodeOf(status.leader),
    commitIndex: status.commitIndex,
    appliedIndex: state.appliedIndex,
    keys: state.keys,
    revision: state.revision,
    waiting: state.pendingOperations,
    ...loadOf(actor.meter),
    ...(status.quarantined === undefined ? {} : { quarantined: status.quarantined }),
    ...(health === null ? {} : { health }),
    ...(status.role === 'leader' ? { matchIndex: matchesOf(status.matchIndex) } : {}),
  }
}

const loadOf = ({ counts, reads, writes }: ShardMeter): { readonly load?: ShardLoad } => {
  const all = counts.reduce((sum, count) => sum + count, 0)
  const read = counts[OpCode.get] ?? 0
  return all === 0 ? {} : { load: { reads: read, writes: all - read, readMicros: reads.sparse(), writeMicros: writes.sparse() } }
}

const matchesOf = (matches: ReadonlyMap<Parameters<typeof nodeOf>[0], number>): Record<string, number> => {
  const byNode: Record<string, number> = {}
  const newest = new Map<string, number>()
  for (const [replica, index] of matches) {
    const node = nodeOf(replica)
    if ((newest.get(node) ?? 0) > generationOf(replica)) continue
    newest.set(node, generationOf(replica))
    byNode[node] = index
  }
  return byNode
}

export const countersOf = (parts: NodeParts, radio: BeaconRadio | null): Record<string, number> => {
  const { refused, ...counted } = parts.post.counters()
  const counters: Record<string, number> = { ...counted, misdirected: parts.misdirected() }
  for (const [reason, count] of Object.entries(refused)) counters[`post.refused.${reason}`] = count
  for (const [reason, count] of Object.entries(radio?.counters() ?? {})) counters[`beacon.refused.${reason}`] = count
  return { ...counters, ...parts.doors.counters() }
}
