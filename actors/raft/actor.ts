/**
 * The shell of one Raft member: carries out what the core decides, through ports, and brings completions back as events.
 *
 * It decides nothing about Raft. What it owns is order where the disk is concerned: received chunks are written one after the
 * other, and an installed snapshot is first verified in its file, then recorded in the log, and only then in force:
 *
 *   raft.installSnapshot ──▶ snapshots.finishReceive ──▶ wal.installSnapshot ──wal.snapshotMarked──▶ raft.snapshotInstalled
 *   raft.restore ──▶ shard.restoring; snapshots.load ──▶ shard.restoreChunk ... shard.restored ──▶ raft.restored ──▶ entries follow
 *
 * The shard gets committed entries only between a `shard.restored` and the next `shard.restoring`, in index order without gaps. The latter
 * comes in the event that asks for the restore: loading waits for its turn, and meanwhile nothing may be done with what was applied.
 */

import { createOwedTicks } from '../kernel/owedTicks.ts'
import { silentRecorder } from '../kernel/recorder.ts'
import { createShell } from '../kernel/shell.ts'
import { createTickBoard } from '../kernel/tickBoard.ts'
import { must } from '../kernel/assert.ts'
import { nodeOf, raftActorOf, shardOfGroup } from '../../topology/ids.ts'
import { createAllowance } from './allowance.ts'
import { catchUpsOf } from './catchUp.ts'
import { canElect } from './diskQuorum.ts'
import { entryAt } from './log.ts'
import { raftLimits } from './limits.ts'
import { raftMachine } from './machine.ts'
import { configurationAt } from './membership.ts'
import { isAcceptedBy } from './presentation.ts'
import { EntryKind } from './protocol.ts'
import { isQuorum } from './quorum.ts'
import { snapshotsInUse } from './retention.ts'
import { configurationOf, createCore, isSole } from './state.ts'
import { stalledIn, statusOf } from './status.ts'
import { dueInTicks, isTickDue } from './timers.ts'
import { raftTiming } from './timing.ts'
import { isUpToDate } from './upToDate.ts'
import type { LogFields, Logger } from '../kernel/log.ts'
import type { Random } from '../kernel/random.ts'
import type { Happening, Recorder } from '../kernel/recorder.ts'
import type { TickBoard } from '../kernel/tickBoard.ts'
import type { GroupId, ReplicaId } from '../../topology/ids.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { SnapshotInfo, SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ShardLocalEvent } from '../shard/protocol.ts'
import type { RecoveredGroup, WalEvent, WalNotice } from '../wal/protocol.ts'
import type { Allowance } from './allowance.ts'
import type { CatchUp } from './catchUp.ts'
import type { RaftLimits } from './limits.ts'
import type {
  Configuration, ConfigurationOrder, Entry, Index, OrderOutcome, RaftEffect, RaftEvent, RaftMessage, RaftRole, Term,
} from './protocol.ts'
import type { RaftCore } from './state.ts'
import type { RaftStatus } from './status.ts'
import type { RaftTiming } from './timing.ts'

/** The newest, and one before it in case it turns out damaged. Beside those that are being sent. */
const SNAPSHOTS_KEPT = 2

export interface RaftPorts {
  readonly mail: (to: ReplicaId, message: RaftMessage) => void
  readonly wal: (event: WalEvent) => void
  readonly shard: (event: ShardLocalEvent) => void
  readonly snapshots: SnapshotStore
  /** Asks for a `raft.flush` at the end of this turn; idempotent within a turn. */
  readonly requestFlush: () => void
  /** Brings a `raft.emit` in a later turn of the event loop, after what waits to be read from sockets. */
  readonly requestEmit: () => void
  /** Checksum of a snapshot chunk. */
  readonly crc32: (bytes: Uint8Array) => number
  readonly instruments?: RaftInstruments | undefined
}

/** What a member tells of its work, for metrics. */
export interface RaftInstruments {
  /** Who leads the group as this member knows it, empty for nobody: told when its own part in that changes, too. */
  readonly leaderKnown: (group: GroupId, leader: ReplicaId | '', term: Term) => void
  /** An append message with entries leaves for a follower. */
  readonly appendSent: (entries: number) => void
}

export interface RaftMemberOptions {
  readonly group: GroupId
  readonly self: ReplicaId
  /** In force at `snapshot`, or the genesis' when there is none. */
  readonly configuration: Configuration
  readonly recovered: RecoveredGroup
  /** The newest good snapshot that the recovered log vouches for, or null. */
  readonly snapshot: SnapshotInfo | null
  readonly random: Random
  readonly now: number
  readonly wallMs: number
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  /** Writes a line per message at trace; off, messages cost nothing. A function where it changes while the member runs. Default false. */
  readonly isTracing?: boolean | (() => boolean)
  readonly timing?: Partial<RaftTiming>
  readonly limits?: Partial<RaftLimits>
  /** Shared by the groups of a node; without it the group has the limit for itself. */
  readonly allowance?: Allowance
  readonly ports: RaftPorts
  /** In ticks, after a start (timing.ts). Absent: none. */
  readonly firstElectionDelay?: number
  /** Where its ticks are written up. Absent: nowhere; they come as events. */
  readonly ticks?: TickBoard
  /** An error in a member ends the process. */
  readonly onFailure: (error: unknown) => void
}

export interface Leadership {
  readonly leader: ReplicaId | ''
  readonly term: Term
}

export interface RaftMember {
  readonly send: (event: RaftEvent) => void
  /** Orders another membership (reconfiguration.ts). */
  readonly reconfigure: (order: ConfigurationOrder, done: (outcome: OrderOutcome) => void) => void
  /** Says, once a majority has answered a round begun after this call, whether it leads still: what it has committed is the newest then. */
  readonly confirm: (at: { readonly now: number; readonly wallMs: number }, done: (leads: boolean) => void) => void
  /** `wal.snapshotMarked` of this group completes an installation. (`wal.appended` is an event: `send` takes it.) */
  readonly walNotice: (notice: WalNotice) => void
  readonly role: () => RaftRole
  /** A quorum, itself included, has compared what this start presented with what it had been promised. */
  readonly isVouchedFor: () => boolean
  /** The file of its newest snapshot was found damaged, and another is not written yet. */
  readonly isSnapshotLost: () => boolean
  /** It has handed the shard all that had been committed when it first heard a leader, or led, after this start (upToDate.ts). */
  readonly isUpToDate: () => boolean
  /** No configuration in its log has another member: whom the cluster's map concerns (state.ts). */
  readonly isSole: () => boolean
  /** Who leads in which term, as far as this member knows: two fields of `status`, for every request that is forwarded. */
  readonly leadership: () => Leadership
  readonly status: () => RaftStatus
  /** As leader: enough disks move that an election could succeed (diskQuorum.ts). No field of `status`, which is asked far more often. */
  readonly canElect: () => boolean
  /** Its state is being loaded from a snapshot: it could serve nothing as leader. */
  readonly isLoading: () => boolean
  /** As leader: the other voters that said, when last heard, that their disk is full or stalled. Asked at every tick. */
  readonly stalledMembers: () => readonly ReplicaId[]
  /** As leader: how far its new replicas are. */
  readonly catchUps: () => readonly CatchUp[]
  /** What was in force at an applied index. */
  readonly configurationAt: (index: Index) => Configuration
  /** As leader: the snapshots that are being sent to others, by index. Their files must stay. */
  readonly snapshotsInUse: () => readonly Index[]
  /** Undefined outside the log in memory. For invariants and tools. */
  readonly entryAt: (index: Index) => Entry | undefined
  readonly stop: () => void
}

/** The log that was recovered is kept by nobody: the core copies it, and forgets it entry by entry. */
type Kept = Omit<RaftMemberOptions, 'recovered'>

/** What the shell remembers between events. */
interface Running {
  readonly options: Kept
  readonly core: RaftCore
  readonly send: (event: RaftEvent) => void
  readonly fail: (error: unknown) => void
  /** Chunks waiting for the write before them. */
  readonly writes: EffectOf<'raft.writeChunk'>[]
  isWriting: boolean
  /** Verified, waiting for its record in the log. */
  installing: SnapshotInfo | null
  /** What `raft.restore` loads. */
  newest: SnapshotInfo | null
  ticket: number
  /** Who waits for an answer to an order, in turn. */
  readonly orders: ((outcome: OrderOutcome) => void)[]
  /** Reads of its own, by number: negative, since the shard counts upwards. */
  readonly confirmations: Map<number, (leads: boolean) => void>
  lastConfirmation: number
  isStopped: boolean
}

type EffectOf<Type extends RaftEffect['type']> = Extract<RaftEffect, { type: Type }>

export const createRaftMember = ({ recovered, ...options }: RaftMemberOptions): RaftMember => {
  const { self, configuration, snapshot, random, now, wallMs, ports } = options
  const limits = raftLimits(options.limits)
  const timing = raftTiming(options.timing)
  const core = createCore({
    self, configuration, recovered, snapshot, random, now, wallMs, crc32: ports.crc32, timing, limits,
    allowance: options.allowance ?? createAllowance(limits.moveBytesPerSecond, timing.tickMs),
    ...(options.firstElectionDelay === undefined ? {} : { firstElectionDelay: options.firstElectionDelay }),
  })
  const running: Running = {
    options, core,
    send: (event) => owed.send(event),
    fail: (error) => {
      if (!running.isStopped) options.onFailure(error)
    },
    writes: [], isWriting: false, installing: null, newest: snapshot, ticket: 0, orders: [],
    confirmations: new Map(), lastConfirmation: 0, isStopped: false,
  }
  const shell = createShell({
    machine: raftMachine,
    input: { core },
    effects: core.effects,
    perform: (effect: RaftEffect) => perform(running, effect),
    onFailure: options.onFailure,
    recording: { recorder: options.recorder ?? silentRecorder, actor: raftActorOf(options.group), about: () => aboutMember(running) },
  })
  const owed = createOwedTicks<RaftEvent>({
    board: options.ticks ?? createTickBoard(),
    isDue: (tick) => isTickDue(core, tick),
    dueInTicks: () => dueInTicks(core),
    give: shell.send,
  })
  return {
    send: owed.send,
    reconfigure: (order, done) => {
      running.orders.push(done)
      running.send({ type: 'raft.reconfigure', order })
    },
    confirm: (at, done) => {
      running.lastConfirmation -= 1
      running.confirmations.set(running.lastConfirmation, done)
      running.send({ type: 'raft.read', read: running.lastConfirmation, lease: false, ...at })
    },
    walNotice: (notice) => handleWalNotice(running, notice),
    role: () => core.role,
    isVouchedFor: () => isQuorum(configurationOf(core), (voter) => voter === core.self || isAcceptedBy(core, voter)),
    isSnapshotLost: () => core.snapshotDoubt === 'lost',
    isUpToDate: () => isUpToDate(core),
    isSole: () => isSole(core),
    leadership: () => core,
    isLoading: () => core.isRestoring && core.role !== 'halted',
    stalledMembers: () => stalledIn(core),
    status: () => statusOf(core),
    canElect: () => core.role === 'leader' && canElect(core),
    catchUps: () => catchUpsOf(core),
    configurationAt: (index) => configurationAt(core.membership, index),
    snapshotsInUse: () => snapshotsInUse(core),
    entryAt: (index) => entryAt(core.log, index),
    stop: () => {
      running.isStopped = true
      owed.leave()
      shell.stop()
    },
  }
}

const perform = (running: Running, effect: RaftEffect): void => {
  const { ports, group } = running.options
  switch (effect.type) {
    case 'raft.flushWanted': ports.requestFlush(); return
    case 'raft.emitWanted': ports.requestEmit(); return
    case 'raft.send': mail(running, effect); return
    case 'wal.append': append(running, effect); return
    case 'wal.compact': ports.wal({ type: 'wal.compact', group, mark: { index: effect.index, term: effect.term } }); return
    case 'raft.readReady':
    case 'raft.readRefused': answerRead(running, effect); return
    case 'raft.committed':
    case 'raft.proposed':
    case 'raft.proposalRefused':
    case 'raft.transferAborted': ports.shard(effect); return
    case 'raft.orderAnswered': must(running.orders.shift(), 'an answer has an order')(effect.outcome); return
    case 'raft.roleChanged': changeRole(running, effect); return
    case 'raft.readChunk': readChunk(running, effect); return
    case 'raft.verifySnapshot': verifySnapshot(running, effect); return
    case 'raft.snapshotLost': ports.shard({ type: 'shard.snapshotLost' }); return
    case 'raft.writeChunk':
      running.writes.push(effect)
      writeNext(running)
      return
    case 'raft.installSnapshot': finishReceive(running, effect); return
    case 'raft.restore': restore(running, effect); return
    case 'raft.quarantine': quarantine(running, effect); return
  }
  effect satisfies never
}

const answerRead = ({ options, confirmations }: Running, effect: EffectOf<'raft.readReady' | 'raft.readRefused'>): void => {
  const own = confirmations.get(effect.read)
  if (own === undefined) options.ports.shard(effect)
  else {
    confirmations.delete(effect.read)
    own(effect.type === 'raft.readReady')
  }
}

const append = ({ options }: Running, { ticket, submittedTerm, hardState, entries }: EffectOf<'wal.append'>): void => {
  const { group, ports } = options
  const reserved = isReserved(entries)
  if (hardState === undefined) ports.wal({ type: 'wal.append', group, ticket, submittedTerm, entries, reserved })
  else ports.wal({ type: 'wal.append', group, ticket, submittedTerm, hardState, entries, reserved })
}

/**
 * Terms, votes and no-ops may use the space kept back when the disk is full: without them not even reads go on. Configurations too:
 * without them no shard leaves the full disk.
 */
const isReserved = (entries: readonly Entry[]): boolean => entries.every(({ kind }) => kind !== EntryKind.batch)

const mail = ({ options }: Running, { to, message }: EffectOf<'raft.send'>): void => {
  if (isOn(options.isTracing)) options.log.trace({ to, message: summaryOf(message) }, message.type)
  if (message.type === 'raft.append' && message.entries.length > 0) options.ports.instruments?.appendSent(message.entries.length)
  options.ports.mail(to, message)
}

const isOn = (isTracing: RaftMemberOptions['isTracing']): boolean => (typeof isTracing === 'function' ? isTracing() : isTracing === true)

/** The message without its bytes. */
const summaryOf = (message: RaftMessage): LogFields => {
  if (message.type === 'raft.append') return { ...message, entries: message.entries.length }
  if (message.type === 'raft.snapshotChunk') return { ...message, bytes: message.bytes.length }
  return { ...message }
}

/** What a record of this member says beside its state. */
const aboutMember = ({ options, core }: Running): Pick<Happening, 'shard' | 'term' | 'detail'> => {
  const { term, leader, reason, commitIndex } = core
  const shard = shardOfGroup(options.group)
  return { ...(shard === null ? {} : { shard }), term, detail: { leader: leader === '' ? '' : nodeOf(leader), reason, commitIndex } }
}

const changeRole = ({ options, core }: Running, effect: EffectOf<'raft.roleChanged'>): void => {
  const { role, term, leader, settled, clockMs, reason } = effect
  options.log.info({ role, term, leader, settled, reason }, 'raft role changed')
  if (settled || role === 'follower') noteLeader(options, effect)
  options.ports.instruments?.leaderKnown(options.group, leader, term)
  options.ports.shard({
    type: 'raft.roleChanged', role, term, leaderNode: leader === '' ? '' : nodeOf(leader), settled, clockMs, now: core.now,
  })
}

/** The end of an election, in words: who won it, as its winner and as each of the others sees it. */
const noteLeader = ({ group, recorder }: Kept, { term, leader, settled }: EffectOf<'raft.roleChanged'>): void => {
  if (leader === '') return
  const shard = shardOfGroup(group)
  const event = settled ? `serves as leader of ${shard === null ? 'the meta group' : `shard ${shard}`}` : `follows ${nodeOf(leader)}`
  recorder?.record({ actor: raftActorOf(group), kind: 'note', event, peer: nodeOf(leader), term, ...(shard === null ? {} : { shard }) })
}

const quarantine = (running: Running, { reason }: EffectOf<'raft.quarantine'>): void => {
  const { options } = running
  running.ticket += 1
  options.recorder?.record({ actor: raftActorOf(options.group), kind: 'note', event: 'is quarantined', detail: { reason } })
  options.log.error({ reason }, 'this replica is quarantined: replace it under a new replica id')
  options.ports.wal({ type: 'wal.quarantine', group: options.group, ticket: running.ticket, reason })
}

const readChunk = ({ options, send }: Running, effect: EffectOf<'raft.readChunk'>): void => {
  const { to, snapshotIndex, snapshotTerm, offset, lengthMax } = effect
  const { snapshots, crc32 } = options.ports
  snapshots.readRange(options.group, snapshotIndex, snapshotTerm, offset, lengthMax, (error, bytes) => {
    const failure = error ?? (bytes.length < lengthMax ? endsEarly(offset + bytes.length) : null)
    if (failure === null) {
      send({ type: 'raft.chunkRead', to, snapshotIndex, offset, crc: crc32(bytes), bytes })
      return
    }
    options.log.warn({ err: failure, snapshotIndex, to }, 'a snapshot could not be read for a transfer')
    send({ type: 'raft.chunkReadFailed', to, snapshotIndex })
  })
}

/**
 * No more is asked for than the file had when it was stored. What a shorter one gives would pass for a piece: its peer writes nothing, says
 * that it has what it had, and is asked again, for ever.
 */
const endsEarly = (at: number): FileError =>
  Object.assign(new Error(`the file ends at ${at}, where it went on when it was stored`), { code: 'EDAMAGED' })

const verifySnapshot = (running: Running, { index, term }: EffectOf<'raft.verifySnapshot'>): void => {
  const { options: { group, log, ports, recorder }, send } = running
  ports.snapshots.verify(group, index, term, (error, isGood) => {
    // Of a replica that has ended the file may be gone by now, and that is no damage.
    if (running.isStopped) return
    if (error !== null) log.warn({ err: error, index }, 'whether a snapshot here still verifies could not be found out')
    else if (isGood) log.info({ index }, 'a snapshot that another replica found damaged verifies here: the damage is on the way, or there')
    else {
      log.error({ index, term }, 'a snapshot here does not verify any more: its disk is failing; another one is written')
      recorder?.record({ actor: raftActorOf(group), kind: 'note', event: 'found its snapshot damaged', term, detail: { index } })
    }
    send({ type: 'raft.snapshotVerified', index, isGood })
  })
}

const writeNext = (running: Running): void => {
  const { options, send, writes } = running
  // Of a replica that has ended nothing is written any more: its files are about to go, and another may take its place.
  if (running.isWriting || running.isStopped) return
  const effect = writes.shift()
  if (effect === undefined) return
  running.isWriting = true
  const { snapshotIndex, snapshotTerm, offset, bytes } = effect
  options.ports.snapshots.receive(options.group, snapshotIndex, snapshotTerm, offset, bytes, (error, nextOffset) => {
    running.isWriting = false
    if (error === null) send({ type: 'raft.chunkWritten', snapshotIndex, nextOffset })
    else refuseSnapshot(running, snapshotIndex, error)
    writeNext(running)
  })
}

const finishReceive = (running: Running, effect: EffectOf<'raft.installSnapshot'>): void => {
  const { options } = running
  const { snapshotIndex, snapshotTerm, totalBytes } = effect
  options.ports.snapshots.finishReceive(options.group, snapshotIndex, snapshotTerm, totalBytes, (error, info) => {
    if (running.isStopped) return
    if (error !== null) {
      refuseSnapshot(running, snapshotIndex, error)
      return
    }
    running.installing = info
    running.ticket += 1
    options.ports.wal({
      type: 'wal.installSnapshot', group: options.group, ticket: running.ticket, mark: { index: info.index, term: info.term },
    })
  })
}

/** Expected, and what the leader is told; anything else ends the process. Without a descriptor it waits as without space. */
const snapshotRefusals: Readonly<Record<string, 'damaged' | 'noSpace'>> = {
  EDAMAGED: 'damaged', ENEWER: 'damaged', ENOSPC: 'noSpace', EDQUOT: 'noSpace', EMFILE: 'noSpace', ENFILE: 'noSpace',
}

const refuseSnapshot = (running: Running, snapshotIndex: Index, error: FileError): void => {
  const reason = snapshotRefusals[error.code ?? '']
  if (reason === undefined) {
    running.fail(error)
    return
  }
  running.options.log.warn({ snapshotIndex, reason, err: error }, 'a received snapshot can not be used; it is sent again')
  running.send({ type: 'raft.snapshotDamaged', snapshotIndex, reason })
}

const handleWalNotice = (running: Running, notice: WalNotice): void => {
  const { options, core, installing } = running
  if (notice.type !== 'wal.snapshotMarked' || notice.group !== options.group || running.isStopped) return
  if (installing === null || notice.mark.index !== installing.index) return
  running.installing = null
  running.newest = installing
  const { index, term, totalBytes, configuration } = installing
  options.log.info({ index, term, totalBytes }, 'a snapshot from the leader is installed')
  const event = 'installed a snapshot of the leader'
  options.recorder?.record({ actor: raftActorOf(options.group), kind: 'note', event, term, bytes: totalBytes, detail: { index } })
  running.send({ type: 'raft.snapshotInstalled', index, term, totalBytes, configuration })
  options.ports.snapshots.prune(options.group, { newest: SNAPSHOTS_KEPT, through: index, inUse: snapshotsInUse(core) }, (error) => {
    if (error !== null) options.log.warn({ err: error }, 'old snapshots could not be removed')
  })
}

const restore = (running: Running, { index, term }: EffectOf<'raft.restore'>): void => {
  const { ports, log } = running.options
  const info = must(running.newest, 'a restore names a snapshot this member has')
  ports.shard({ type: 'shard.restoring' })
  ports.snapshots.load(info, (bytes) => {
    if (!running.isStopped) ports.shard({ type: 'shard.restoreChunk', bytes })
  }, (error) => {
    if (running.isStopped) return
    if (error === null) {
      log.info({ index, term }, 'the state is loaded from a snapshot')
      ports.shard({ type: 'shard.restored', index, term })
      running.send({ type: 'raft.restored', index })
    } else failRestore(running, index, error)
  })
}

/**
 * The file verified when it was chosen, or received, and does not any more. Where the others are a quorum they have what it held, and this
 * replica alone is given up: a process that ended would take those of all other groups along. Else the next start looks for an older one.
 */
const failRestore = ({ core, fail, send }: Running, index: Index, error: FileError): void => {
  const isDamage = error.code === 'EDAMAGED' || error.code === 'ENOENT'
  const haveOthers = isQuorum(configurationOf(core), (voter) => voter !== core.self)
  if (isDamage && haveOthers) send({ type: 'raft.halt', reason: `its snapshot at ${index} went bad before it was loaded` })
  else fail(error)
}
