/**
 * The replicas of one node: which it hosts follows from the cluster map, and nothing else. Carries local facts between them and the log. Of
 * everything a node does, this part is the same whatever bus it stands on.
 *
 *   named by the map ──▶ adopting ──wal.adopted──▶ open ──no longer named──▶ retiring ──wal.retired──▶ its files are removed
 *                           └── the log holds this replica already ──▲
 *
 * A log is kept by group, not by replica: a replica that comes here after another one of its group begins with a record that voids
 * what the earlier one left, promises included (`wal.adopt`). One that has gone leaves a tombstone (`wal.retire`), so that a map put
 * back from a copy does not bring it to life. Nothing is retired before a map was learned in this life: the file a node starts from
 * may be an old copy, and nothing is deleted because something else is missing (P8).
 */

import { initialConfiguration } from '../actors/wal/protocol.ts'
import { chooseSnapshot } from '../storage/snapshotChoice.ts'
import { META_GROUP, generationOf, replicaId } from './ids.ts'
import { openMeta } from './hostedMeta.ts'
import { openReplica } from './hostedReplica.ts'
import type { RaftMessage } from '../actors/raft/protocol.ts'
import type { RaftTiming } from '../actors/raft/timing.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { ShardLimits } from '../actors/shard/limits.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { TopologyLimits } from '../actors/topology/core.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { MoveOrder } from '../actors/topology/protocol.ts'
import type { Genesis, RecoveredGroup, RecoveryReport, WalEvent, WalNotice } from '../actors/wal/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { SnapshotStore } from '../storage/snapshotStore.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { HostedReplica, ReplicaStart } from './hostedReplica.ts'
import type { GroupId, NodeId, ReplicaId, ShardId } from './ids.ts'

/** A replica that the map names for this node. `voters`: its group's as it was born, or as the map had them when this replica came. */
export interface NamedReplica {
  readonly group: GroupId
  readonly id: ReplicaId
  readonly voters: readonly ReplicaId[]
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
  /** The replica here has ended. */
  readonly ended: (shard: ShardId) => void
  /** The meta group's leader orders this of a group's. */
  readonly order: (order: MoveOrder) => void
  /** The meta group has decided. */
  readonly stateChanged: (state: ClusterState) => void
}

export interface ReplicaHostOptions {
  readonly node: NodeId
  readonly genesis: Genesis
  /** What the map names for this node now. */
  readonly named: () => readonly NamedReplica[]
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
  readonly topologyLimits?: Partial<TopologyLimits> | undefined
  readonly ports: ReplicaHostPorts
  readonly onFailure: (error: unknown) => void
}

export interface ReplicaHost {
  /** Opens every replica that the map names; `done` once all stand. */
  readonly open: (report: RecoveryReport, done: () => void) => void
  /** A map was learned: what it names newly is opened, what it names no longer is ended. */
  readonly follow: () => void
  /** Those of shards. */
  readonly all: () => readonly HostedReplica[]
  readonly of: (shard: ShardId) => HostedReplica | undefined
  readonly meta: () => HostedMeta | undefined
  /** The Raft member of any group, the meta group's too. */
  readonly memberOf: (group: GroupId) => HostedMember | undefined
  /** Nothing is hosted, and nothing is on its way in or out. */
  readonly isEmpty: () => boolean
  readonly onWalNotice: (notice: WalNotice) => void
  readonly onTick: (tick: Tick) => void
  readonly stop: () => void
}

/** A Raft member and the actor that its log is for. */
export type HostedMember = Pick<HostedReplica | HostedMeta, 'id' | 'raft'>

/** What this node has of a group: a replica in one of the states above. */
interface Slot {
  readonly named: NamedReplica
  state: 'adopting' | 'opening' | 'open' | 'retiring'
  /** Of the wal event whose answer is awaited. */
  ticket: number
  member: HostedReplica | HostedMeta | null
}

interface KnownReplica {
  readonly generation: number
  readonly isRemoved: boolean
}

interface Hosting {
  readonly options: ReplicaHostOptions
  readonly slots: Map<GroupId, Slot>
  /** What the log held at the start, of groups that are not opened yet. */
  readonly recovered: Map<GroupId, RecoveredGroup>
  /** The newest replica of each group that the log knows of here. */
  readonly known: Map<GroupId, KnownReplica>
  damagedNode: string | undefined
  /** A map was learned in this life. */
  isFollowing: boolean
  isStopped: boolean
  tickets: number
  /** Told once everything that was named at the start stands. */
  opened: (() => void) | null
}

export const createReplicaHost = (options: ReplicaHostOptions): ReplicaHost => {
  const hosting: Hosting = {
    options, slots: new Map(), recovered: new Map(), known: new Map(), damagedNode: undefined, isFollowing: false, isStopped: false,
    tickets: 0, opened: null,
  }
  const members = (): (HostedReplica | HostedMeta)[] =>
    [...hosting.slots.values()].map(({ member }) => member).filter((member) => member !== null)
  const memberOf = (group: GroupId): HostedReplica | HostedMeta | undefined => hosting.slots.get(group)?.member ?? undefined
  const of = (shard: ShardId): HostedReplica | undefined => shardIn(memberOf(shard))
  return {
    open: (report, done) => {
      noteReport(hosting, report)
      hosting.opened = done
      review(hosting)
    },
    follow: () => {
      hosting.isFollowing = true
      review(hosting)
    },
    all: () => members().map(shardIn).filter((replica) => replica !== undefined),
    of,
    meta: () => metaIn(memberOf(META_GROUP)),
    memberOf,
    isEmpty: () => hosting.slots.size === 0,
    onWalNotice: (notice) => {
      switch (notice.type) {
        case 'wal.appended': memberOf(notice.group)?.raft.send(notice); return
        case 'wal.snapshotMarked':
        case 'wal.quarantined': memberOf(notice.group)?.raft.walNotice(notice); return
        case 'wal.snapshotWanted': memberOf(notice.group)?.actor.send({ type: 'shard.snapshotWanted' }); return
        case 'wal.adopted': onAdopted(hosting, notice); return
        case 'wal.retired': onRetired(hosting, notice); return
        case 'wal.spaceChanged':
          for (const { actor } of members()) actor.send(notice)
          for (const { raft } of members()) raft.send({ type: 'wal.stalled', stalled: notice.full })
          return
        case 'wal.recovered':
        case 'wal.closed':
        case 'wal.failed': return
      }
      notice satisfies never
    },
    onTick: ({ ticks, now, wallMs }) => {
      for (const { raft } of members()) raft.send({ type: 'tick', ticks, now, wallMs })
      for (const { actor } of members()) actor.send({ type: 'tick', now, wallMs })
    },
    stop: () => {
      hosting.isStopped = true
      for (const { raft, actor } of members()) {
        raft.stop()
        actor.stop()
      }
    },
  }
}

const shardIn = (member: HostedReplica | HostedMeta | undefined): HostedReplica | undefined =>
  (member !== undefined && 'shard' in member ? member : undefined)

const metaIn = (member: HostedReplica | HostedMeta | undefined): HostedMeta | undefined =>
  (member !== undefined && !('shard' in member) ? member : undefined)

const noteReport = (hosting: Hosting, { groups, damagedNode }: RecoveryReport): void => {
  hosting.damagedNode = damagedNode
  for (const [group, recovered] of groups) {
    hosting.recovered.set(group, recovered)
    hosting.known.set(group, recovered.replica ?? BORN_WITH_THE_GROUP)
  }
}

const GENERATION_OF_GENESIS = 1
/** A log that says nothing of it holds the replica that its group was born with. */
const BORN_WITH_THE_GROUP: KnownReplica = { generation: GENERATION_OF_GENESIS, isRemoved: false }

/** Brings what is hosted towards what is named. Called again whenever something it waited for has happened. */
const review = (hosting: Hosting): void => {
  if (hosting.isStopped) return
  begin(hosting)
  if (hosting.isFollowing) endUnnamed(hosting)
  tellOpened(hosting)
}

const begin = (hosting: Hosting): void => {
  for (const named of hosting.options.named()) if (!hosting.slots.has(named.group)) beginOne(hosting, named)
}

const beginOne = (hosting: Hosting, named: NamedReplica): void => {
  const generation = generationOf(named.id)
  const known = hosting.known.get(named.group) ?? { generation: 0, isRemoved: false }
  if (known.generation > generation || (known.generation === generation && known.isRemoved)) {
    hosting.options.log.warn({ actor: 'node', group: named.group, replica: named.id, known: known.generation },
      'the log knows that this replica has gone: a newer map is waited for')
    return
  }
  // A damaged log may have lost the record of a replica that was here: nobody can know, so it is opened as the log has it, quarantined.
  const isDamaged = hosting.damagedNode !== undefined
  if (known.generation === generation || generation === GENERATION_OF_GENESIS || isDamaged) openFromLog(hosting, named)
  else adopt(hosting, named)
}

const openFromLog = (hosting: Hosting, named: NamedReplica): void => {
  const slot: Slot = { named, state: 'opening', ticket: 0, member: null }
  hosting.slots.set(named.group, slot)
  const { options } = hosting
  chooseSnapshot(options.snapshots, takeRecovered(hosting, named.group), (error, { recovered, snapshot, damaged }) => {
    if (hosting.isStopped) return
    if (error !== null) {
      options.onFailure(error)
      return
    }
    for (const file of damaged) {
      options.log.warn({ actor: 'shard', shard: named.group, file }, 'a snapshot does not verify and is not used')
    }
    start(hosting, slot, { recovered, snapshot })
  })
}

/** A group the log does not know has never promised anything, unless the log is damaged: then nobody can know. */
const takeRecovered = ({ recovered, damagedNode }: Hosting, group: GroupId): RecoveredGroup => {
  const found = recovered.get(group)
  recovered.delete(group)
  return found ?? { ...nothingOf(group), ...(damagedNode === undefined ? {} : { quarantined: damagedNode }) }
}

const nothingOf = (group: GroupId): RecoveredGroup =>
  ({ group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] })

const start = (hosting: Hosting, slot: Slot, from: Pick<ReplicaStart, 'recovered' | 'snapshot'>): void => {
  const { group, id, voters } = slot.named
  const begin = { id, configuration: initialConfiguration(voters), ...from }
  slot.member = group === META_GROUP ? openMeta(hosting.options, begin) : openReplica(hosting.options, group as ShardId, begin)
  slot.state = 'open'
  review(hosting)
}

/** One that begins waits for the log, on a full disk for long: the others do not wait for it. */
const tellOpened = (hosting: Hosting): void => {
  if (hosting.opened === null || [...hosting.slots.values()].some(({ state }) => state === 'opening')) return
  const done = hosting.opened
  hosting.opened = null
  done()
}

const adopt = (hosting: Hosting, named: NamedReplica): void => {
  hosting.tickets += 1
  hosting.slots.set(named.group, { named, state: 'adopting', ticket: hosting.tickets, member: null })
  hosting.options.log.info({ actor: 'node', group: named.group, replica: named.id }, 'a replica begins here')
  const generation = generationOf(named.id)
  hosting.known.set(named.group, { generation, isRemoved: false })
  hosting.options.ports.wal({ type: 'wal.adopt', group: named.group, generation, ticket: hosting.tickets })
}

type Answered = Extract<WalNotice, { readonly type: 'wal.adopted' | 'wal.retired' }>

/** Files of an earlier replica go before the new one may write its own. */
const onAdopted = (hosting: Hosting, { group, ticket }: Answered): void => {
  const slot = hosting.slots.get(group)
  if (slot?.state !== 'adopting' || slot.ticket !== ticket) return
  clear(hosting, group, () => start(hosting, slot, { recovered: nothingOf(group), snapshot: null }))
}

const endUnnamed = (hosting: Hosting): void => {
  const { options, slots, known } = hosting
  const named = new Map(options.named().map((each) => [each.group, each.id]))
  for (const slot of slots.values()) if (slot.state === 'open' && named.get(slot.named.group) !== slot.named.id) retire(hosting, slot)
  // What the log holds of groups that moved away while this node was down.
  for (const [group, { generation, isRemoved }] of known) {
    if (isRemoved || slots.has(group) || named.has(group)) continue
    const slot: Slot = { named: { group, id: replicaId(options.node, generation), voters: [] }, state: 'open', ticket: 0, member: null }
    slots.set(group, slot)
    retire(hosting, slot)
  }
}

const retire = (hosting: Hosting, slot: Slot): void => {
  const { group, id } = slot.named
  const { ports, log } = hosting.options
  log.info({ actor: 'node', group, replica: id }, 'a replica ends here: the map names it no longer')
  slot.member?.raft.stop()
  slot.member?.actor.stop()
  slot.member = null
  slot.state = 'retiring'
  hosting.tickets += 1
  slot.ticket = hosting.tickets
  if (group !== META_GROUP) ports.ended(group as ShardId)
  ports.wal({ type: 'wal.retire', group, generation: generationOf(id), ticket: slot.ticket })
}

const onRetired = (hosting: Hosting, { group, ticket }: Answered): void => {
  const slot = hosting.slots.get(group)
  if (slot?.state !== 'retiring' || slot.ticket !== ticket) return
  clear(hosting, group, () => {
    hosting.slots.delete(group)
    hosting.recovered.delete(group)
    hosting.known.set(group, { generation: generationOf(slot.named.id), isRemoved: true })
    review(hosting)
  })
}

const clear = (hosting: Hosting, group: GroupId, done: () => void): void => {
  hosting.options.snapshots.clear(group, (error) => {
    if (hosting.isStopped) return
    if (error === null) done()
    else hosting.options.onFailure(error)
  })
}
