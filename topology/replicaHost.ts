/**
 * The replicas of one node: which it hosts follows from the cluster map, and nothing else. Carries local facts between them and the log. Of
 * everything a node does, this part is the same whatever bus it stands on.
 *
 *   named by the map ──▶ adopting ──wal.adopted──▶ open ──no longer named──▶ retiring ──wal.retired──▶ its files are removed
 *                           └── the log holds this replica already ──▲
 *
 * A log is kept by group, not by replica: a replica that comes here after another one of its group begins with a record that voids
 * what the earlier one left, promises included (`wal.adopt`). One that has gone leaves a tombstone (`wal.retire`), so that a map put
 * back from a copy does not bring it to life. Nothing is retired by the map that a node starts from, which may be an old copy, before a
 * newer one was learned or the meta group's leader was read, linearizably, and has none. Nor is what the log holds of a replica that is
 * newer than the map in force: where the file was lost, this node learns old maps first. One that is well and still named makes room for
 * the newer one beside it only once the leader was read: what was ordered may have been undone since. But a replica that its log
 * calls quarantined does so at once: whatever the maps since say, it never votes again, and the newer one waits for its place.
 *
 * A replica is begun only while a move adds it, since whoever has a vote was begun before, and has promised; and a move that promotes it
 * found it caught up, so it was begun before that, too. One that has a vote, or may have, and that the log does not know was lost with
 * its log: it is quarantined. So is one that a damaged log may have held, once: only a generation that did not exist yet when this process
 * started can not have been here. One of the genesis may be in doubt for a while (knownReplicas.ts). Why so: docs/adr/0009-replacement.md.
 */

import { createTickBoard } from '../actors/kernel/tickBoard.ts'
import { initialConfiguration } from '../actors/wal/protocol.ts'
import { chooseSnapshot } from '../storage/snapshotChoice.ts'
import { META_GROUP, generationOf, raftActorOf, replicaId, shardOfGroup, shared } from './ids.ts'
import { createConditions } from './conditions.ts'
import { placesIn } from './places.ts'
import { openMeta } from './hostedMeta.ts'
import { openReplica } from './hostedReplica.ts'
import { hasDoubts, isDoubted } from './doubts.ts'
import { BORN_WITH_THE_GROUP, GENERATION_OF_GENESIS, hasGone, hasOnlyBegun, nothingOf, takeRecovered } from './knownReplicas.ts'
import { bornHereIn, unnamed } from './namedReplicas.ts'
import { tellMap } from './outgrown.ts'
import type { RecoveredGroup, RecoveryReport, WalNotice } from '../actors/wal/protocol.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { Conditions } from './conditions.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { HostTicks, HostedReplica, ReplicaStart } from './hostedReplica.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { DamagedReplica, KnownReplica } from './knownReplicas.ts'
import type { NamedReplica } from './namedReplicas.ts'
import type { ReplicaHostOptions } from './replicaHostOptions.ts'
import type { GroupId, ReplicaId, ShardId } from './ids.ts'

export interface ReplicaHost {
  /** Opens every replica that the map names; `done` once all stand. */
  readonly open: (report: RecoveryReport, done: () => void) => void
  /** A map was learned: what it names newly is opened, what it names no longer is ended. */
  readonly follow: () => void
  /**
   * A linearizable read of the map is wanted: to bound which replicas were here, where log and map have both lost something, to know
   * the map in force for the newest before something ends by it, or because a replica is in doubt.
   */
  readonly asksWhatIsNew: () => boolean
  /** A state that was read, linearizably, in this life: what is ordered from then on has never been here, and what it names never went. */
  readonly noteRead: (state: ClusterState) => void
  /**
   * The map in force was the newest when the meta group's leader was read in this life. It counts until the next map is in force.
   * `isSpared`: the others of the group are a majority without the replica that is here.
   */
  readonly noteNewest: (isSpared: (group: GroupId) => boolean) => void
  /** Those of shards. */
  readonly all: () => readonly HostedReplica[]
  readonly of: (shard: ShardId) => HostedReplica | undefined
  readonly meta: () => HostedMeta | undefined
  /** The Raft member of any group, the meta group's too. */
  readonly memberOf: (group: GroupId) => HostedMember | undefined
  /** Groups of which a replica with a vote is named here that is not open yet, such as one in doubt. */
  readonly missing: () => readonly GroupId[]
  /** Named here, and counting for nothing: quarantined, or gone from the log before the map said so. */
  readonly damaged: () => readonly DamagedReplica[]
  /** Nothing is hosted, and nothing is on its way in or out. */
  readonly isEmpty: () => boolean
  readonly onWalNotice: (notice: WalNotice) => void
  /** Whether the log completes writes: told to every member when it changes, and to those that open meanwhile. */
  readonly noteStalled: Conditions['noteStalled']
  /** What the node is short of: told to every shard's member likewise. */
  readonly noteMemory: Conditions['noteMemory']
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
  /** Quarantined, if at all, for this life alone: its files, or its log, could not be read. */
  isUnread?: boolean
}

interface Hosting {
  readonly options: ReplicaHostOptions
  readonly ticks: HostTicks
  readonly slots: Map<GroupId, Slot>
  /** What the log held at the start, of groups that are not opened yet. */
  readonly recovered: Map<GroupId, RecoveredGroup>
  /** The newest replica of each group that the log knows of here. */
  readonly known: Map<GroupId, KnownReplica>
  /** Groups whose tombstone is older than this process: the one before it may have ended before it had removed their files. */
  readonly leftOver: Set<GroupId>
  damagedNode: string | undefined
  /** The next start may find the log as it was. */
  isLogUnread: boolean
  /** Replicas of this generation and later ones did not exist when this process started. Infinity: not known yet. */
  newFrom: number
  /** Groups of which such a read named the replica that they were born with here: it is in doubt no more. */
  readonly neverLeft: Set<GroupId>
  /** Named, and known by the log to have gone, or on their way out. */
  gone: DamagedReplica[]
  /** A map was learned in this life, or the one of the start was found to be the newest. */
  isFollowing: boolean
  /** Whether the group has a majority without the replica that is here. Null: the map in force was not found to be the newest. */
  isSpared: ((group: GroupId) => boolean) | null
  /** Something ends here as soon as that is known. */
  isWordWanted: boolean
  isStopped: boolean
  readonly conditions: Conditions
  tickets: number
  /** Told once everything that was named at the start stands. */
  opened: (() => void) | null
  /** Those of open slots by their group: asked for every message. */
  readonly byGroup: (HostedReplica | HostedMeta | undefined)[]
  /** The same in the order of the slots, kept from one change of them to the next: every tick asks. Null: to be gathered anew. */
  members: Members | null
}

interface Members {
  readonly all: readonly (HostedReplica | HostedMeta)[]
  readonly shards: readonly HostedReplica[]
}

export const createReplicaHost = (options: ReplicaHostOptions): ReplicaHost => {
  const hosting: Hosting = {
    options, slots: new Map(), recovered: new Map(), known: new Map(), leftOver: new Set(),
    damagedNode: undefined, isLogUnread: false, newFrom: 0, neverLeft: new Set(), gone: [], isFollowing: false, isSpared: null,
    isWordWanted: false, isStopped: false, conditions: createConditions(() => membersOf(hosting).all), tickets: 0, opened: null,
    byGroup: Array.from({ length: META_GROUP + 1 }), members: null, ticks: { members: createTickBoard(), shards: createTickBoard() },
  }
  const members = (): readonly (HostedReplica | HostedMeta)[] => membersOf(hosting).all
  const memberOf = (group: GroupId): HostedReplica | HostedMeta | undefined => (group <= META_GROUP ? hosting.byGroup[group] : undefined)
  const of = (shard: ShardId): HostedReplica | undefined => shardIn(memberOf(shard))
  return {
    open: (report, done) => {
      noteReport(hosting, report)
      hosting.newFrom = options.nextGeneration() ?? Number.POSITIVE_INFINITY
      hosting.opened = done
      if (hasDoubts(hosting)) {
        options.log.warn({ actor: 'node' }, 'the map is lost, and the log lacks replicas of the genesis: the meta group is asked')
      }
      review(hosting)
    },
    asksWhatIsNew: () => hosting.isWordWanted || hasDoubts(hosting)
      || (hosting.damagedNode !== undefined && hosting.newFrom === Number.POSITIVE_INFINITY),
    noteRead: (state) => {
      hosting.newFrom = Math.min(hosting.newFrom, state.nextGeneration)
      for (const group of bornHereIn(state, options.node)) hosting.neverLeft.add(group)
      // The map in force was the newest until now. If it is so still, that is said next (`noteNewest`).
      hosting.isSpared = null
      review(hosting)
    },
    follow: () => hear(hosting, null),
    noteNewest: (isSpared) => hear(hosting, isSpared),
    all: () => membersOf(hosting).shards,
    of,
    meta: () => metaIn(memberOf(META_GROUP)),
    memberOf,
    missing: () => missingIn(hosting),
    damaged: () => [...quarantinedIn(hosting), ...hosting.gone],
    isEmpty: () => hosting.slots.size === 0,
    onWalNotice: (notice) => {
      switch (notice.type) {
        case 'wal.appended': memberOf(notice.group)?.raft.send(notice); return
        case 'wal.snapshotMarked': memberOf(notice.group)?.raft.walNotice(notice); return
        case 'wal.quarantined':
          memberOf(notice.group)?.raft.walNotice(notice)
          review(hosting)
          return
        case 'wal.snapshotWanted': memberOf(notice.group)?.actor.send({ type: 'shard.snapshotWanted' }); return
        case 'wal.adopted': onAdopted(hosting, notice); return
        case 'wal.retired': onRetired(hosting, notice); return
        case 'wal.spaceChanged': hosting.conditions.noteFull(notice.full); return
        case 'wal.recovered':
        case 'wal.closed':
        case 'wal.failed': return
      }
      notice satisfies never
    },
    noteStalled: hosting.conditions.noteStalled,
    noteMemory: hosting.conditions.noteMemory,
    onTick: (tick) => {
      hosting.ticks.members.pass(tick)
      hosting.ticks.shards.pass(tick)
      metaIn(memberOf(META_GROUP))?.actor.send({ type: 'tick', now: tick.now, wallMs: tick.wallMs })
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

const membersOf = (hosting: Hosting): Members => {
  if (hosting.members !== null) return hosting.members
  const all = [...hosting.slots.values()].map(({ member }) => member).filter((member) => member !== null)
  hosting.members = { all, shards: all.map(shardIn).filter((replica) => replica !== undefined) }
  return hosting.members
}

const setMember = (hosting: Hosting, slot: Slot, member: Slot['member']): void => {
  slot.member = member
  hosting.byGroup[slot.named.group] = member ?? undefined
  hosting.members = null
}

const shardIn = (member: HostedReplica | HostedMeta | undefined): HostedReplica | undefined =>
  (member !== undefined && 'shard' in member ? member : undefined)

const metaIn = (member: HostedReplica | HostedMeta | undefined): HostedMeta | undefined =>
  (member !== undefined && !('shard' in member) ? member : undefined)

const noteReport = (hosting: Hosting, { groups, damagedNode, isUnread }: RecoveryReport): void => {
  hosting.damagedNode = damagedNode
  hosting.isLogUnread = isUnread === true
  for (const [group, recovered] of groups) {
    hosting.recovered.set(group, recovered)
    hosting.known.set(group, recovered.replica ?? BORN_WITH_THE_GROUP)
    // Damage may hide that a newer one was begun, whose files they are.
    if (recovered.replica?.isRemoved === true && damagedNode === undefined) hosting.leftOver.add(group)
  }
}

const hear = (hosting: Hosting, isSpared: Hosting['isSpared']): void => {
  hosting.isFollowing = true
  hosting.isSpared = isSpared
  tellMap(hosting.options.named(), (group) => hosting.byGroup[group])
  review(hosting)
}

/** Brings what is hosted towards what is named. Called again whenever something it waited for has happened. */
const review = (hosting: Hosting): void => {
  if (hosting.isStopped) return
  begin(hosting)
  endReplaced(hosting)
  if (hosting.isFollowing || hosting.opened === null) endUnnamed(hosting)
  hosting.gone = goneIn(hosting)
  if (isDamageReplaced(hosting)) hosting.options.ports.wal({ type: 'wal.damageReplaced' })
  tellOpened(hosting)
}

/**
 * Nothing that was harmed is hosted any more, nor about to be replaced: what the log has of it has served its last. A map from before
 * replicas that may have been here does not name them, and says nothing of it.
 */
const isDamageReplaced = (hosting: Hosting): boolean => {
  const { damagedNode, slots, options, newFrom } = hosting
  if (options.unknownFrom() < newFrom) return false
  if (damagedNode === undefined || [...slots.values()].some((slot) => slot.state !== 'open' || isQuarantined(slot))) return false
  return options.named().every(({ group, id, isAdded }) => !isAdded && slots.get(group)?.named.id === id)
}

const begin = (hosting: Hosting): void => {
  const named = hosting.options.named()
  // Nor is another one begun in the place of one in doubt: what is ordered may have been undone since, and it may be a good one.
  const doubted = new Set(named.filter((each) => isDoubted(hosting, each)).map(({ group }) => group))
  for (const each of named) if (!hosting.slots.has(each.group) && !doubted.has(each.group)) beginOne(hosting, each)
}

const beginOne = (hosting: Hosting, named: NamedReplica): void => {
  const generation = generationOf(named.id)
  const known = hosting.known.get(named.group)
  if (hasGone(hosting.known, named)) {
    hosting.options.log.warn({ actor: 'node', group: named.group, replica: named.id, known: known?.generation },
      'the log knows that this replica has gone: a newer map is waited for')
    return
  }
  const isHeld = known?.generation === generation || generation === GENERATION_OF_GENESIS
  // The group goes back to what it was without it. Should the undoing have come too late, a newer map names it with its vote.
  if (named.isUndone && !isHeld) return
  if (isHeld || !mayBegin(hosting, named)) openFromLog(hosting, named)
  else adopt(hosting, named)
}

const missingIn = ({ options, slots, known }: Hosting): readonly GroupId[] => options.named().filter((named) =>
  !named.isAdded && !named.isUndone && !hasGone(known, named) && (slots.get(named.group)?.state ?? 'opening') === 'opening')
  .map(({ group }) => group)

/**
 * Whatever stands in its place meanwhile: when what was ordered there is cancelled the group is again without it, and the planner must not
 * learn that a second later than the group (test: "says that it has gone, all the while that another is in its place").
 */
const goneIn = (hosting: Hosting): DamagedReplica[] => {
  const { options, slots } = hosting
  const isLeaving = ({ group, id }: NamedReplica): boolean => {
    const slot = slots.get(group)
    return slot?.named.id === id && slot.state === 'retiring'
  }
  return options.named().filter((named) => hasGone(hosting.known, named) || isLeaving(named)).map(({ group, id }) => ({ group, id }))
}

/** A damaged log may have lost the record of a replica that was here: nobody can know, so only one that is new since then begins. */
const mayBegin = ({ damagedNode, newFrom }: Hosting, { id, isAdded }: NamedReplica): boolean =>
  isAdded && (damagedNode === undefined || generationOf(id) >= newFrom)

const openFromLog = (hosting: Hosting, named: NamedReplica): void => {
  const slot: Slot = { named, state: 'opening', ticket: 0, member: null }
  hosting.slots.set(named.group, slot)
  const found = takeRecovered(hosting, named)
  if (hasOnlyBegun(found)) clear(hosting, named.group, () => openWith(hosting, slot, found))
  else openWith(hosting, slot, found)
}

const openWith = (hosting: Hosting, slot: Slot, found: RecoveredGroup): void => {
  const { options } = hosting
  const { named } = slot
  chooseSnapshot(options.snapshots, found, (error, { recovered, snapshot, damaged, isUnread }) => {
    if (hosting.isStopped) return
    if (error !== null) {
      options.onFailure(error)
      return
    }
    for (const file of damaged) {
      options.log.warn({ actor: 'shard', shard: named.group, file }, 'a snapshot does not verify and is not used')
    }
    // The log learns what the files alone say: the next start may find them otherwise. One that could not be read says nothing: where the
    // way to all disks fails for a moment, a majority would be given up for good, with every byte in its place.
    const isOfFiles = found.quarantined === undefined
    slot.isUnread = isOfFiles ? isUnread === true : hosting.isLogUnread
    const reason = slot.isUnread ? undefined : recovered.quarantined
    if (reason !== undefined && isOfFiles) {
      options.log.error({ actor: 'node', group: named.group, reason }, 'this replica is quarantined by what its files say')
      options.ports.wal({ type: 'wal.quarantine', group: named.group, ticket: slot.ticket, reason })
    }
    start(hosting, slot, { recovered, snapshot, isHurt: damaged.length > 0 })
  })
}

const start = (hosting: Hosting, slot: Slot, from: Pick<ReplicaStart, 'recovered' | 'snapshot' | 'isHurt'>): void => {
  const { group, id, voters } = slot.named
  const begin = { id: shared(id), configuration: initialConfiguration(voters.map(shared)), ticks: hosting.ticks, ...from }
  const member = group === META_GROUP ? openMeta(hosting.options, begin) : openReplica(hosting.options, group as ShardId, begin)
  setMember(hosting, slot, member)
  if (member.raft.isSole()) tellMap(hosting.options.named(), (told) => (told === group ? member : undefined))
  hosting.conditions.tell(member)
  slot.state = 'open'
  review(hosting)
}

/** One that begins waits for the log, on a full disk for long: the others do not wait for it. */
const tellOpened = (hosting: Hosting): void => {
  if (hosting.opened === null || [...hosting.slots.values()].some(({ state }) => state === 'opening')) return
  const done = hosting.opened
  hosting.opened = null
  endUnnamed(hosting)
  done()
}

const adopt = (hosting: Hosting, named: NamedReplica): void => {
  hosting.tickets += 1
  hosting.slots.set(named.group, { named, state: 'adopting', ticket: hosting.tickets, member: null })
  hosting.options.log.info({ actor: 'node', group: named.group, replica: named.id }, 'a replica begins here')
  note(hosting, named, 'begins here')
  const generation = generationOf(named.id)
  hosting.known.set(named.group, { generation, isRemoved: false })
  hosting.options.ports.wal({ type: 'wal.adopt', group: named.group, generation, ticket: hosting.tickets })
}

const note = ({ options }: Hosting, { group, id }: NamedReplica, event: string): void => {
  const shard = shardOfGroup(group)
  const place = shard === null ? {} : { shard }
  options.recorder?.record({ actor: raftActorOf(group), kind: 'note', event, detail: { replica: id }, ...place })
}

type Answered = Extract<WalNotice, { readonly type: 'wal.adopted' | 'wal.retired' }>

/** Files of an earlier replica go before the new one may write its own. */
const onAdopted = (hosting: Hosting, { group, ticket }: Answered): void => {
  const slot = hosting.slots.get(group)
  if (slot?.state !== 'adopting' || slot.ticket !== ticket) return
  clear(hosting, group, () => start(hosting, slot, { recovered: nothingOf(group), snapshot: null, isHurt: false }))
}

const placesOf = ({ options, slots }: Hosting): ReadonlyMap<GroupId, ReplicaId> =>
  placesIn(options.named(), (group) => slots.get(group)?.named.id)

/** What never votes again makes room for the one that was ordered in its place. */
const endReplaced = (hosting: Hosting): void => {
  // A big map takes a while to be gone through, and damage is rare.
  if (quarantinedIn(hosting).length === 0) return
  const places = placesOf(hosting)
  for (const slot of hosting.slots.values()) {
    const { group, id } = slot.named
    const isForGood = isQuarantined(slot) && slot.isUnread !== true
    if (isForGood && generationOf(places.get(group) ?? id) > generationOf(id)) retire(hosting, slot)
  }
}

const isQuarantined = ({ state, member }: Slot): boolean => state === 'open' && member?.raft.role() === 'halted'

const quarantinedIn = ({ slots }: Hosting): DamagedReplica[] =>
  [...slots.values()].filter(isQuarantined).map(({ named: { group, id } }) => ({ group, id }))

const endUnnamed = (hosting: Hosting): void => {
  const { options, slots, known } = hosting
  const named = placesOf(hosting)
  hosting.isWordWanted = false
  for (const slot of slots.values()) {
    const { group, id } = slot.named
    if (slot.state !== 'open' || named.get(group) === id) continue
    const isNamed = options.named().some((each) => each.group === group && each.id === id)
    if (isNamed ? mayMakeRoom(hosting, group) : mayEnd(hosting)) retire(hosting, slot)
  }
  // What the log holds of groups that moved away while this node was down, and what files are left of those before.
  for (const [group, { generation, isRemoved }] of known) {
    if (slots.has(group) || named.has(group) || generation >= options.unknownFrom()) continue
    if (isRemoved && !hosting.leftOver.has(group)) continue
    if (!mayEnd(hosting)) continue
    hosting.leftOver.delete(group)
    const slot: Slot = { named: unnamed(group, replicaId(options.node, generation)), state: 'open', ticket: 0, member: null }
    slots.set(group, slot)
    const end = isRemoved ? leave : retire
    end(hosting, slot)
  }
}

/** What the map names no longer: by any that was learned, or by the one of the start, once that is known for the newest. */
const mayEnd = (hosting: Hosting): boolean => isSureOf(hosting, hosting.isFollowing)

/**
 * What the map still names, beside the one that takes its place: by the newest map alone. And where the others are no majority nobody can
 * commit the one that is to come: to end it could only lose what it holds.
 */
const mayMakeRoom = (hosting: Hosting, group: GroupId): boolean => isSureOf(hosting, hosting.isSpared?.(group) === true)

/** Without a certain word the meta group's leader is asked for one. */
const isSureOf = (hosting: Hosting, isSure: boolean): boolean => {
  hosting.isWordWanted ||= !isSure
  return isSure
}

const retire = (hosting: Hosting, slot: Slot): void => {
  const { group, id } = slot.named
  const { ports, log } = hosting.options
  log.info({ actor: 'node', group, replica: id }, 'a replica ends here: the map names it no longer')
  note(hosting, slot.named, 'ends here: the map names it no longer')
  slot.member?.raft.stop()
  slot.member?.actor.stop()
  setMember(hosting, slot, null)
  slot.state = 'retiring'
  hosting.tickets += 1
  slot.ticket = hosting.tickets
  if (group !== META_GROUP) ports.ended(group as ShardId)
  ports.wal({ type: 'wal.retire', group, generation: generationOf(id), ticket: slot.ticket })
}

const onRetired = (hosting: Hosting, { group, ticket }: Answered): void => {
  const slot = hosting.slots.get(group)
  if (slot?.state === 'retiring' && slot.ticket === ticket) leave(hosting, slot)
}

/** Its tombstone is durable. */
const leave = (hosting: Hosting, slot: Slot): void => {
  const { group } = slot.named
  slot.state = 'retiring'
  clear(hosting, group, () => {
    hosting.slots.delete(group)
    hosting.recovered.delete(group)
    hosting.known.set(group, { generation: generationOf(slot.named.id), isRemoved: true })
    review(hosting)
  })
}

/** Nothing waits for a file that can not be removed: it would end the node at each start (snapshotStore.ts says why it may stay). */
const clear = (hosting: Hosting, group: GroupId, done: () => void): void => {
  hosting.options.snapshots.clear(group, (error) => {
    if (hosting.isStopped) return
    if (error !== null) hosting.options.log.warn({ actor: 'node', group, err: error }, 'files of a replica that has gone are not removed')
    done()
  })
}
