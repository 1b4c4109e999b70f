/**
 * A few Raft members in one process: the real chart and cores, a network and disks that the test moves by hand, and virtual time.
 *
 * Nothing happens by itself. `stabilize` delivers and writes until nothing is left; a test that cares about an order delivers single
 * messages (`network`), completes single writes (`writeOne`) and lets time pass (`tick`). Every event ends with the checks of
 * raftSafety.ts, so any test that runs members also checks Raft's safety properties.
 *
 * The state machine is a list of the applied payloads as text; its snapshot is that list as JSON.
 */

import { createShell } from '../../actors/kernel/shell.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { createAllowance } from '../../actors/raft/allowance.ts'
import { raftLimits } from '../../actors/raft/limits.ts'
import { termAt } from '../../actors/raft/log.ts'
import { raftMachine } from '../../actors/raft/machine.ts'
import { snapshotsInUse } from '../../actors/raft/retention.ts'
import { createCore } from '../../actors/raft/state.ts'
import { raftTiming } from '../../actors/raft/timing.ts'
import { crc32 } from '../../storage/crc.ts'
import { bootId, replicaId, nodeId, nodeOf } from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'
import {
  applyAppend, applyCompact, applyInstall, chunkRead, copyImage, createRaftDisk, imageLastIndex, isSnapshotOf, keepSnapshot, loseUnsynced,
  recover, snapshotVerified,
} from './raftDisk.ts'
import { createSafety } from './raftSafety.ts'
import { describeMessage } from './raftText.ts'
import { createTicks } from './raftTicks.ts'
import type { Shell } from '../../actors/kernel/shell.ts'
import type {
  Configuration, ConfigurationOrder, Entry, Index, OrderOutcome, ProposalRefusal, RaftEffect, RaftEvent, RaftMessage, Term,
} from '../../actors/raft/protocol.ts'
import type { RaftCore } from '../../actors/raft/state.ts'
import type { Allowance } from '../../actors/raft/allowance.ts'
import type { RaftLimits } from '../../actors/raft/limits.ts'
import type { RaftTiming } from '../../actors/raft/timing.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { RaftDisk } from './raftDisk.ts'
import type { Safety } from './raftSafety.ts'

export interface Mail {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly message: RaftMessage
  /** The sender's life: a receiver that knows a later one drops it, as the envelope's boot id makes the post do. */
  readonly life: number
}

export interface HarnessMember {
  readonly id: ReplicaId
  /** The node's number: member 1 is `n1:1`. */
  readonly number: number
  readonly disk: RaftDisk
  life: number
  isUp: boolean
  core: RaftCore
  shell: Shell<RaftEvent>
  ticks: ReturnType<typeof createTicks>
  isFlushWanted: boolean
  isEmitWanted: boolean
  /** Applied payloads as text, by index - 1; no-ops are ''. */
  applied: string[]
  proposed: Map<number, { readonly term: Term, readonly index: Index }>
  refusedProposals: Map<number, ProposalRefusal>
  /** What was answered to orders, in turn. */
  orderAnswers: OrderOutcome[]
  /** The terms of the transfers that were aborted. */
  abortedTransfers: number[]
  readyReads: Map<number, Index>
  refusedReads: Map<number, string>
  /** Chunks of a snapshot on its way in. */
  received: Uint8Array
  isSnapshotDamaged: boolean
  /** How often another snapshot was asked for, the newest being lost. The test stores it (`snapshot`). */
  snapshotsLost: number
  wallMs: number
  /** What it said last of its voters' clocks, as leader. */
  clockMs: number
  /** What ended the member, if an assertion did. */
  failure: unknown
}

export interface HarnessOptions {
  readonly size?: number
  readonly configuration?: Configuration
  readonly seed?: number
  readonly timing?: Partial<RaftTiming>
  readonly limits?: Partial<RaftLimits>
  /** Shared by several harnesses: groups of one node. */
  readonly allowance?: Allowance
  /** Members start without waiting for each other's acceptance and without the silence of a fresh start. Default true. */
  readonly isWarm?: boolean
  /** Ticks that are not due are given later, as a node does it; otherwise each by itself. Default false. */
  readonly owesTicks?: boolean
  /** The test speaks for the peers of member 1. */
  readonly isScripted?: boolean
  /** A line per thing that happens, for transcripts. */
  readonly onLine?: (line: string) => void
}

export interface Harness {
  readonly members: readonly HarnessMember[]
  readonly network: Mail[]
  readonly safety: Safety
  readonly now: () => number
  readonly member: (number: number) => HarnessMember
  readonly send: (number: number, event: RaftEvent) => void
  /** Messages for which this says false are lost when delivered. */
  setRoute: (allows: (mail: Mail) => boolean) => void
  readonly deliver: (mail: Mail) => void
  /** Delivers the first message in flight; false when there is none. */
  readonly deliverOne: () => boolean
  readonly writeOne: (number: number) => boolean
  readonly flush: (number: number) => void
  /** Delivers, writes and flushes, until nothing is left. Members in `frozenDisks` complete no write. */
  readonly stabilize: () => void
  readonly frozenDisks: Set<number>
  /** Moves time by a tick for every member that is up, `count` times, settling after each. */
  readonly tick: (count?: number) => void
  readonly tickOnly: (number: number, ticks: number) => void
  /** Makes the member campaign now, everybody having lost sight of the leader, and settles. */
  readonly campaign: (number: number) => void
  /** Lets the member's election timer run out, and nobody else's. */
  readonly expire: (number: number) => void
  readonly propose: (number: number, text: string) => number
  readonly read: (number: number, lease?: boolean) => number
  /** Orders the member to change its group, and says what it answered. */
  readonly order: (number: number, order: ConfigurationOrder) => OrderOutcome
  readonly crash: (number: number) => void
  readonly restart: (number: number) => void
  /** Stores a snapshot of what the member has applied. */
  readonly snapshot: (number: number) => void
  readonly leader: () => HarnessMember
  readonly advance: (ms: number) => void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const idOf = (number: number): ReplicaId => replicaId(nodeId(`n${number}`), 1)
export const numberOf = (replica: ReplicaId): number => Number(nodeOf(replica).slice(1))

interface World {
  readonly options: HarnessOptions
  readonly configuration: Configuration
  readonly timing: RaftTiming
  readonly members: HarnessMember[]
  readonly network: Mail[]
  readonly safety: Safety
  readonly lives: Map<string, number>
  allows: (mail: Mail) => boolean
  now: number
  counter: number
  /** Effects carried out so far. */
  performed: number
  /** Nobody makes a line that nobody hears. */
  say: (line: () => string) => void
}

export const createHarness = (options: HarnessOptions = {}): Harness => {
  const ids = Array.from({ length: options.size ?? 3 }, (_, i) => idOf(i + 1))
  const configuration = options.configuration ?? { epoch: 0, voters: ids, outgoing: [], learners: [] }
  const world: World = {
    options, configuration, timing: raftTiming(options.timing), members: [], network: [], lives: new Map(),
    safety: createSafety(options.isScripted ?? false), allows: () => true, now: 1_000, counter: 0, performed: 0,
    say: (line) => options.onLine?.(line()),
  }
  for (let number = 1; number <= ids.length; number += 1) world.members.push(createMember(world, number))
  if (options.isWarm ?? true) for (const member of world.members) warm(world, member)
  return harnessOf(world)
}

/** As if it had run for a while: everybody has accepted everybody, and the silence of a start is over. */
const warm = (world: World, member: HarnessMember): void => {
  const { core } = member
  for (const peer of world.members) if (peer !== member) core.presenting.accepted.add(peer.id)
  core.presenting.ticks = Number.POSITIVE_INFINITY
  core.freshTicks = 0
  core.electionTimeout = world.timing.electionTicksMax
}

const createMember = (world: World, number: number): HarnessMember => {
  const member = {
    id: idOf(number), number, disk: createRaftDisk(), life: 0, isUp: false, isFlushWanted: false, isEmitWanted: false, applied: [],
    proposed: new Map(), refusedProposals: new Map(), orderAnswers: [], abortedTransfers: [],
    readyReads: new Map(), refusedReads: new Map(), received: new Uint8Array(0), isSnapshotDamaged: false, snapshotsLost: 0,
    wallMs: 1_700_000_000_000, clockMs: 0,
  } as unknown as HarnessMember
  start(world, member)
  return member
}

const start = (world: World, member: HarnessMember): void => {
  const { disk, number } = member
  const mark = disk.durable.mark
  const stored = disk.snapshots.findLast(({ index, term }) => index >= mark.index && termOnDisk(disk, index) === term)
  const snapshot = stored === undefined ? null : { index: stored.index, term: stored.term, totalBytes: stored.bytes.length }
  member.life += 1
  member.isUp = true
  member.isFlushWanted = false
  member.isEmitWanted = false
  member.applied = []
  member.core = createCore({
    self: member.id,
    configuration: stored?.configuration ?? world.configuration,
    recovered: recover(disk, 0),
    snapshot,
    timing: world.timing,
    limits: raftLimits(world.options.limits),
    allowance: world.options.allowance ?? createAllowance(raftLimits(world.options.limits).moveBytesPerSecond, world.timing.tickMs),
    random: createRandom((world.options.seed ?? 1) * 1_000 + number * 10 + member.life),
    crc32: (bytes) => crc32(bytes),
    now: world.now,
    wallMs: member.wallMs + world.now,
  })
  const { core } = member
  member.shell = createShell({
    machine: raftMachine,
    input: { core },
    effects: core.effects,
    perform: (effect: RaftEffect) => perform(world, member, effect),
    onFailure: (error) => {
      member.failure = error
    },
  })
  member.ticks = createTicks(member, { isOwed: world.options.owesTicks === true, performed: () => world.performed })
  world.safety.started(member)
}

const termOnDisk = ({ durable }: RaftDisk, index: Index): Term | undefined =>
  index === durable.mark.index ? durable.mark.term : durable.entries[index - durable.mark.index - 1]?.term

const dispatch = (world: World, member: HarnessMember, event: RaftEvent): void => {
  if (!member.isUp) return
  member.ticks.send(event)
  // Thrown here, not where it happens: xstate reports what an observer throws later, to nobody.
  if (member.failure !== undefined) throw member.failure
  world.safety.check(member, world.members)
}

const perform = (world: World, member: HarnessMember, effect: RaftEffect): void => {
  world.performed += 1
  switch (effect.type) {
    case 'raft.flushWanted': member.isFlushWanted = true; return
    case 'raft.emitWanted': member.isEmitWanted = true; return
    case 'raft.send':
      world.safety.sent(member, effect.to, effect.message)
      world.network.push({ from: member.id, to: effect.to, message: effect.message, life: member.life })
      return
    case 'wal.append': write(world, member, effect); return
    case 'wal.compact':
      applyCompact(member.disk.written, effect.index, effect.term)
      applyCompact(member.disk.durable, effect.index, effect.term)
      return
    case 'raft.committed': apply(world, member, effect.entries); return
    case 'raft.proposed': member.proposed.set(effect.proposal, effect); return
    case 'raft.proposalRefused': member.refusedProposals.set(effect.proposal, effect.reason); return
    case 'raft.readReady': member.readyReads.set(effect.read, effect.index); world.safety.readReady(member, effect); return
    case 'raft.readRefused': member.refusedReads.set(effect.read, effect.reason); return
    case 'raft.orderAnswered': member.orderAnswers.push(effect.outcome); return
    case 'raft.transferAborted': member.abortedTransfers.push(effect.term); return
    case 'raft.roleChanged':
      member.clockMs = effect.clockMs
      world.say(() => roleLine(member, effect))
      return
    case 'raft.snapshotLost': member.snapshotsLost += 1; return
    case 'raft.quarantine': member.disk.durable.quarantined = effect.reason; return
    default: performSnapshot(world, member, effect)
  }
}

const roleLine = (member: HarnessMember, { role, term, settled, reason }: Extract<RaftEffect, { type: 'raft.roleChanged' }>): string => {
  const leader = member.core.leader === '' ? '-' : numberOf(member.core.leader)
  return `${member.number} is ${role}${settled ? ' settled' : ''} term=${term} leader=${leader} (${reason})`
}

const write = (world: World, member: HarnessMember, effect: Extract<RaftEffect, { type: 'wal.append' }>): void => {
  const { disk } = member
  applyAppend(disk.written, effect)
  const { ticket, submittedTerm } = effect
  const lastIndex = imageLastIndex(disk.written)
  disk.writes.push({
    ticket,
    apply: (image) => applyAppend(image, effect),
    done: () => dispatch(world, member, { type: 'wal.appended', ticket, submittedTerm, lastIndex }),
  })
}

const apply = (world: World, member: HarnessMember, entries: readonly Entry[]): void => {
  for (const entry of entries) {
    world.safety.applied(member, entry, world.members)
    member.applied[entry.index - 1] = decoder.decode(entry.payload)
    world.say(() => `${member.number} applies ${entry.index}/${entry.term}${textOf(entry)}`)
  }
}

const textOf = ({ kind, payload }: Entry): string => {
  if (kind === EntryKind.configuration) return ' configuration'
  return payload.length === 0 ? '' : ` ${decoder.decode(payload)}`
}

type SnapshotEffect = Extract<RaftEffect, {
  type: 'raft.readChunk' | 'raft.verifySnapshot' | 'raft.writeChunk' | 'raft.installSnapshot' | 'raft.restore'
}>

/** Snapshot files answer in a later event, like writes. */
const performSnapshot = (world: World, member: HarnessMember, effect: SnapshotEffect): void => {
  const { disk } = member
  const later = (done: () => void): void => {
    disk.writes.push({ ticket: 0, apply: () => {}, done })
  }
  switch (effect.type) {
    case 'raft.readChunk': later(() => dispatch(world, member, chunkRead(disk, effect))); return
    case 'raft.verifySnapshot': later(() => dispatch(world, member, snapshotVerified(disk, effect))); return
    case 'raft.writeChunk':
      later(() => {
        const { offset, bytes, snapshotIndex } = effect
        if (offset === 0) member.received = new Uint8Array(0)
        member.received = new Uint8Array([...member.received.slice(0, offset), ...bytes])
        dispatch(world, member, { type: 'raft.chunkWritten', snapshotIndex, nextOffset: member.received.length })
      })
      return
    case 'raft.installSnapshot': later(() => verifyReceived(world, member, effect)); return
    case 'raft.restore': later(() => {
      const snapshot = must(disk.snapshots.find(({ index }) => index === effect.index), 'the snapshot to restore is there')
      member.applied = (JSON.parse(decoder.decode(snapshot.bytes)) as { applied: string[] }).applied
      world.safety.restored(member, effect.index, effect.term)
      world.say(() => `${member.number} restores ${effect.index}/${effect.term}`)
      dispatch(world, member, { type: 'raft.restored', index: effect.index })
    })
  }
}

/** The whole file is verified, then its record is written to the log, then it takes force. */
const verifyReceived = (world: World, member: HarnessMember, effect: Extract<SnapshotEffect, { type: 'raft.installSnapshot' }>): void => {
  const { disk, core } = member
  const { snapshotIndex, snapshotTerm, totalBytes } = effect
  const isWhole = member.received.length === totalBytes && isSnapshotOf(member.received, snapshotIndex, snapshotTerm)
  if (member.isSnapshotDamaged || !isWhole) {
    member.isSnapshotDamaged = false
    dispatch(world, member, { type: 'raft.snapshotDamaged', snapshotIndex, reason: 'damaged' })
    return
  }
  const { configuration } = JSON.parse(decoder.decode(member.received)) as { configuration: Configuration }
  keepSnapshot(disk, snapshotsInUse(core), { index: snapshotIndex, term: snapshotTerm, configuration, bytes: member.received })
  applyInstall(disk.written, snapshotIndex, snapshotTerm)
  disk.writes.push({
    ticket: 0,
    apply: (image) => applyInstall(image, snapshotIndex, snapshotTerm),
    done: () => dispatch(world, member, {
      type: 'raft.snapshotInstalled', index: snapshotIndex, term: snapshotTerm, totalBytes, configuration,
    }),
  })
}

const deliver = (world: World, mail: Mail): void => {
  const { from, to, message, life } = mail
  const found = world.members.find(({ id }) => id === to)
  const line = (): string => `${numberOf(from)}->${numberOf(to)} ${describeMessage(message)}`
  if (found?.isUp === false || !world.allows(mail)) {
    world.say(() => `${line()} (lost)`)
    return
  }
  const receiver = must(found, `${to} is a member`)
  const link = `${from} ${to} ${receiver.life}`
  if (life < (world.lives.get(link) ?? 0)) return
  world.lives.set(link, life)
  world.say(line)
  dispatch(world, receiver, { ...message, from, boot: bootId(life.toString(16).padStart(16, '0')) })
}

const writeOne = (member: HarnessMember): boolean => {
  const next = member.isUp ? member.disk.writes.shift() : undefined
  if (next === undefined) return false
  next.apply(member.disk.durable)
  next.done()
  return true
}

const flush = (world: World, member: HarnessMember): boolean => {
  const { isUp, isFlushWanted, isEmitWanted } = member
  if (!isUp || !(isFlushWanted || isEmitWanted)) return false
  if (isFlushWanted) member.isFlushWanted = false
  else member.isEmitWanted = false
  dispatch(world, member, isFlushWanted ? { type: 'raft.flush', now: world.now } : { type: 'raft.emit' })
  return true
}

const stabilize = (world: World, frozen: ReadonlySet<number>): void => {
  for (let steps = 0; steps < 100_000; steps += 1) {
    let isMoving = false
    for (const member of world.members) {
      isMoving = flush(world, member) || isMoving
      if (!frozen.has(member.number)) isMoving = writeOne(member) || isMoving
    }
    const mail = world.network.shift()
    if (mail !== undefined) deliver(world, mail)
    else if (!isMoving) return
  }
  throw new Error('the members do not come to rest')
}

const crash = (world: World, member: HarnessMember): void => {
  member.isUp = false
  member.shell.stop()
  loseUnsynced(member.disk)
  world.say(() => `${member.number} crashes`)
}

const storeSnapshot = (world: World, member: HarnessMember): void => {
  const { core, disk } = member
  const index = core.emittedIndex
  const term = termAt(core.log, index) ?? core.log.base.term
  const isLost = core.snapshotDoubt === 'lost'
  if (index === 0 || disk.snapshots.some((known) => known.index > index || (known.index === index && !isLost))) return
  const configuration = core.membership.history.findLast((row) => row.index <= index)?.configuration ?? world.configuration
  const bytes = encoder.encode(JSON.stringify({ applied: member.applied.slice(0, index), configuration, at: [index, term] }))
  keepSnapshot(disk, snapshotsInUse(core), { index, term, configuration, bytes })
  dispatch(world, member, { type: 'raft.snapshotStored', index, term, totalBytes: bytes.length })
}

const harnessOf = (world: World): Harness => {
  const member = (number: number): HarnessMember => must(world.members[number - 1], `member ${number} exists`)
  const frozenDisks = new Set<number>()
  const settle = (): void => stabilize(world, frozenDisks)
  const expire = (number: number): void => {
    const { core } = member(number)
    core.electionTicks = core.electionTimeout
    tickMember(member(number), 0)
  }
  const clocksOf = ({ wallMs }: HarnessMember) => ({ now: world.now, wallMs: wallMs + world.now })
  const tickMember = (target: HarnessMember, ticks: number): void =>
    dispatch(world, target, { type: 'tick', ticks, ...clocksOf(target) })
  return {
    members: world.members,
    network: world.network,
    safety: world.safety,
    frozenDisks,
    now: () => world.now,
    member,
    send: (number, event) => dispatch(world, member(number), event),
    setRoute: (allows) => {
      world.allows = allows
    },
    deliver: (mail) => deliver(world, mail),
    deliverOne: () => {
      const mail = world.network.shift()
      if (mail !== undefined) deliver(world, mail)
      return mail !== undefined
    },
    writeOne: (number) => writeOne(member(number)),
    flush: (number) => { flush(world, member(number)) },
    stabilize: settle,
    tick: (count = 1) => {
      for (let i = 0; i < count; i += 1) {
        world.now += world.timing.tickMs
        for (const each of world.members) tickMember(each, 1)
        settle()
      }
    },
    tickOnly: (number, ticks) => tickMember(member(number), ticks),
    campaign: (number) => {
      for (const each of world.members) each.core.ticksSinceLeader = Number.POSITIVE_INFINITY
      expire(number)
      settle()
    },
    expire,
    propose: (number, text) => {
      world.counter += 1
      dispatch(world, member(number), { type: 'raft.propose', proposal: world.counter, payload: encoder.encode(text) })
      return world.counter
    },
    read: (number, lease = false) => {
      world.counter += 1
      world.safety.readAsked(world.counter)
      dispatch(world, member(number), { type: 'raft.read', read: world.counter, ...clocksOf(member(number)), lease })
      return world.counter
    },
    order: (number, order) => {
      dispatch(world, member(number), { type: 'raft.reconfigure', order })
      return must(member(number).orderAnswers.at(-1), 'an order is answered at once')
    },
    crash: (number) => crash(world, member(number)),
    restart: (number) => {
      world.say(() => `${number} starts`)
      copyImage(member(number).disk.durable, member(number).disk.written)
      start(world, member(number))
    },
    snapshot: (number) => storeSnapshot(world, member(number)),
    leader: () => must(world.members.filter(({ isUp, core }) => isUp && core.role === 'leader')
      .sort((a, b) => b.core.term - a.core.term)[0], 'there is a leader'),
    advance: (ms) => {
      world.now += ms
    },
  }
}
