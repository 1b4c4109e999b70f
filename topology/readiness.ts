/**
 * Whether this node is ready: whoever restarts nodes one by one may go on to the next, and whoever hands out its address may.
 *
 *   starting ──it serves, the broker is there, and every replica has caught up──▶ ready ──(see below)──▶ not ready ──▶ ready
 *
 * A replica has caught up when it has applied what its group's leader said was committed after this process had started (actors/raft/
 * upToDate.ts): before that the next node's restart may take from its shard the majority that has it. The meta group's counts as
 * well, and so does one that is not open yet, such as one in doubt (docs/adr/0009-replacement.md). Two kinds are not waited for:
 * - one that is damaged counts for nothing in any majority, and is replaced by another; the warnings name it;
 * - one that a move has brought here has no vote yet, and may copy for hours.
 *
 * Once all have, that is over for this process: later lag is load, and would have every node of a busy cluster come and go. From then on a
 * node is not ready while it drains, while the broker is away, and while a shard has had no leader for LEADERLESS_MS_MAX: an election is
 * over by then, and what has no majority must lose no other node. Not so the meta group: without it nothing moves, and shards serve.
 */

import { META_GROUP } from './ids.ts'
import { otherPrefixText } from './prefixWatch.ts'
import type { Placement, ClusterState } from '../actors/topology/clusterState.ts'
import type { Readiness } from '../gateway/health.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { HostedReplica } from './hostedReplica.ts'
import type { GroupId, ReplicaId, ShardId } from './ids.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { MemoryReport, NodeReport, ReplicaReport } from './report.ts'
import type { ReplicaHost } from './replicaHost.ts'

/** Once it was ready; before that at every tick. */
const LOOK_EVERY_MS = 1_000
/** Some failed elections. */
const LEADERLESS_MS_MAX = 10_000

/** What keeps this node's replicas from being ready. */
export interface Gaps {
  /** Not caught up since the start. */
  readonly behind: readonly GroupId[]
  readonly leaderless: readonly ShardId[]
}

export interface GapsWatch {
  /** Called on every tick from when all replicas that the map names at the start are open. */
  readonly onTick: (now: number) => void
  /** As of the last look, a second ago at most; null before the first. */
  readonly known: () => Gaps | null
}

export interface GapsWatchOptions {
  readonly host: Pick<ReplicaHost, 'all' | 'meta' | 'missing'>
  /** Of the map in force. */
  readonly placements: () => Pick<ClusterState, 'shards' | 'meta'>
}

type Member = Pick<HostedReplica | HostedMeta, 'id' | 'raft'>

export const createGapsWatch = ({ host, placements }: GapsWatchOptions): GapsWatch => {
  /** By group, the replica that has caught up. */
  const upToDate = new Map<GroupId, ReplicaId>()
  let leaderlessSince: ReadonlyMap<ShardId, number> = new Map()
  let lookedAt = Number.NEGATIVE_INFINITY
  let isStarted = false
  let known: Gaps | null = null

  const isBehind = (group: GroupId, { id, raft }: Member): boolean => {
    if (upToDate.get(group) !== id && raft.isUpToDate()) upToDate.set(group, id)
    return upToDate.get(group) !== id
  }
  const behindOf = (shards: readonly HostedReplica[]): readonly GroupId[] => {
    const meta = host.meta()
    const groups: GroupId[] = shards.filter((replica) => isBehind(replica.shard, replica)).map(({ shard }) => shard)
    return meta !== undefined && isWaitedFor(meta, placements().meta) && isBehind(META_GROUP, meta) ? [...groups, META_GROUP] : groups
  }

  return {
    onTick: (now) => {
      if (isStarted && now - lookedAt < LOOK_EVERY_MS) return
      lookedAt = now
      const shards = host.all().filter((replica) => isWaitedFor(replica, placements().shards[replica.shard]))
      const behind = isStarted ? [] : [...behindOf(shards), ...host.missing()]
      leaderlessSince = new Map(shards.filter(({ raft }) => raft.leadership().leader === '')
        .map(({ shard }) => [shard, leaderlessSince.get(shard) ?? now]))
      const patienceMs = isStarted ? LEADERLESS_MS_MAX : 0
      known = { behind, leaderless: [...leaderlessSince].filter(([, since]) => now - since >= patienceMs).map(([shard]) => shard) }
      isStarted ||= behind.length === 0
    },
    known: () => known,
  }
}

/** Its vote counts, or may. */
const isWaitedFor = ({ id, raft }: Member, placement: Placement | undefined): boolean => {
  const role = raft.role()
  const move = placement?.move
  // Once the configuration has dropped the replica that goes, nobody sends it anything, until the map says so too.
  const hasNoVote = move?.remove === id || (move?.add === id && move.step !== 'promoting')
  return role !== 'halted' && !(role === 'learner' && hasNoVote)
}

export interface Connections {
  readonly data: boolean
  readonly doors: boolean
}

/** `isAskingForPrefix`: whether another is served may still turn out (topology/prefixWatch.ts). */
interface Connected extends Connections {
  readonly isAskingForPrefix?: boolean
}

export const connectionsOf = ({ bus, doorsBus }: Pick<NodeOptions['ports'], 'bus' | 'doorsBus'>): Connections =>
  ({ data: bus.status().connected, doors: doorsBus.status().connected })

/** What readiness reads of a report. */
export interface ReadinessFacts extends Pick<NodeReport, 'otherPrefixes' | 'metaHealth'> {
  readonly broker: Pick<NodeReport['broker'], 'routing'>
  readonly node: Pick<NodeReport['node'], 'state' | 'diskFull'> & { readonly memory?: Pick<MemoryReport, 'shortage'> | undefined }
  readonly replicas: readonly Pick<ReplicaReport, 'shard' | 'quarantined' | 'health'>[]
}

const shortWarnings = {
  heap: 'NO_SPACE: the heap is nearly full, what grows is refused until enough is deleted or --max-old-space-size is higher',
  process: 'NO_SPACE: memory is nearly used up, what grows is refused until enough is deleted or the machine or container has more; '
    + 'where much was deleted already, a restart gives it back',
} as const

export const readinessOf = (report: ReadinessFacts, connected: Connected, gaps: Gaps | null): Readiness => {
  const waitingFor: string[] = []
  const warnings: string[] = []
  if (!connected.data) waitingFor.push('the broker')
  if (!connected.doors) waitingFor.push('the connection of the front doors to the broker')
  if (report.node.state !== 'serving') waitingFor.push(`the node to serve (it is ${report.node.state})`)
  if (connected.isAskingForPrefix) waitingFor.push('the other members to say which prefix they serve')
  waitingFor.push(...(gaps === null ? ['its replicas to be looked at'] : missingIn(gaps)))
  if (report.node.diskFull) warnings.push('NO_SPACE: the disk is full, writes are refused until there is room')
  const shortage = report.node.memory?.shortage
  if (shortage) warnings.push(shortWarnings[shortage])
  if (report.broker.routing === 'mismatch') warnings.push('the broker routes keys to the wrong shards')
  warnings.push(...(report.otherPrefixes ?? []).map(otherPrefixText))
  for (const { shard, quarantined, health } of report.replicas) {
    if (quarantined !== undefined) warnings.push(`shard ${shard} is quarantined: ${quarantined}`)
    if (health === 'suspect' || health === 'repairing') warnings.push(`shard ${shard} is ${health}`)
  }
  if (report.metaHealth !== undefined) warnings.push(`the meta group's replica is ${report.metaHealth}`)
  return { ready: waitingFor.length === 0, waitingFor, warnings }
}

const missingIn = ({ behind, leaderless }: Gaps): string[] => {
  const missing: string[] = []
  const led = behind.filter((group) => group !== META_GROUP && !leaderless.some((shard) => shard === group))
  if (leaderless.length > 0) missing.push(`a leader of shards ${leaderless.join(', ')}`)
  if (led.length > 0) missing.push(`the replicas here of shards ${led.join(', ')} to catch up`)
  if (behind.includes(META_GROUP)) missing.push("the meta group's replica here to catch up")
  return missing
}
