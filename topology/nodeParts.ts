/**
 * The parts of a running node and the wires between them: who hands what to whom. Decides nothing.
 *
 *   client ─▶ gateway ─▶ connection ─▶ shard ─▶ raft ─▶ wal         (gateways and connections: topology/frontDoors.ts)
 *                            │           │        │
 *                            └───────────┴────────┴──▶ post ─▶ other nodes' shards and raft members
 *
 * A message for an actor of this node goes straight to it; only what is for another node becomes a parcel.
 */

import { createTurn } from '../actors/kernel/turn.ts'
import { createAllowance } from '../actors/raft/allowance.ts'
import { raftLimitDefaults } from '../actors/raft/limits.ts'
import { createWal } from '../actors/wal/actor.ts'
import { addressOf } from '../bus/address.ts'
import { byteBudget } from '../bus/budget.ts'
import { createSnapshotFiles } from '../storage/snapshotFiles.ts'
import { createBeacon } from './beacon.ts'
import { createDiskWatch } from './diskWatch.ts'
import { createFrontDoors } from './frontDoors.ts'
import { createJourneys } from './journeys.ts'
import { createMailroom } from './mailroom.ts'
import { createMemoryWatch } from './memoryWatch.ts'
import { createMicroService } from './microService.ts'
import { createNamed } from './namedReplicas.ts'
import { MOVE_BYTES_PER_SECOND_DEFAULT } from './nodeOptions.ts'
import { createReplicaHost } from './replicaHost.ts'
import { timedSnapshots } from './timedSnapshots.ts'
import { nodeOf } from './ids.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { Leadership } from '../actors/raft/actor.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { MoveOrder } from '../actors/topology/protocol.ts'
import type { Wal } from '../actors/wal/actor.ts'
import type { WalNotice } from '../actors/wal/protocol.ts'
import type { ByteBudget } from '../bus/budget.ts'
import type { Post } from '../bus/post.ts'
import type { Micro } from '../gateway/micro.ts'
import type { Beacon, LeaderHint } from './beacon.ts'
import type { DiskWatch } from './diskWatch.ts'
import type { FrontDoors } from './frontDoors.ts'
import type { Journeys } from './journeys.ts'
import type { LiveMap } from './liveMap.ts'
import type { MemoryWatch } from './memoryWatch.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { ReplicaHostPorts } from './replicaHostOptions.ts'
import type { ShardId } from './ids.ts'

export interface NodeParts {
  readonly live: LiveMap
  readonly turn: Turn
  readonly wal: Wal
  readonly diskWatch: DiskWatch
  readonly memoryWatch: MemoryWatch
  readonly host: ReplicaHost
  readonly post: Post
  readonly doors: FrontDoors
  /** What `nats micro` sees of this node. */
  readonly micro: Micro
  readonly beacon: Beacon
  readonly leaderOf: (shard: ShardId) => LeaderHint | null
  /** Parcels that named an actor this node does not have, or a replica it does not host. */
  readonly misdirected: () => number
}

export interface PartsHooks {
  readonly onWalNotice: (notice: WalNotice) => void
  readonly onFailure: (error: unknown) => void
  /** Delivers overdue ticks; called before anything from outside is looked at. */
  readonly catchUp: () => void
  readonly onLeadershipChanged: () => void
  /** A shard that was told to hand over waits for its successor to be named. */
  readonly onShardQuiet: (shard: ShardId) => void
  /** The meta group's leader is here, and orders this of a group's. */
  readonly onOrder: (order: MoveOrder) => void
}

export const createNodeParts = (options: NodeOptions, live: LiveMap, hooks: PartsHooks): NodeParts => {
  const { genesis, boot, ports: { bus, doorsBus, clock } } = options
  const self = genesis.node
  const turn = createTurn(clock)
  const diskWatch = createDiskWatch()
  const beacon = createBeacon({ node: self, boot, startedAtMs: options.startedAtMs, prefix: options.settings.prefix })
  const budget = byteBudget(Math.min(bus.status().maxPayloadBytes, doorsBus.status().maxPayloadBytes))
  const journeys = options.ports.journeys ?? createJourneys(clock, options.ports.tracing)
  const wal = openWal(options, { turn, journeys, hooks })
  const leaderOf = (shard: ShardId): LeaderHint | null => bestHint(beacon.leaderOf(shard, clock.now()), host.of(shard)?.raft.leadership())
  const mailroom = createMailroom({
    node: options, map: live.map, level: () => live.state().level, tellsLevels: (to) => beacon.tellsLevels(to, clock.now()), turn,
    host: () => host, doors: () => doors, leaderOf, journeys, catchUp: hooks.catchUp,
  })
  const host = openHost({ options, live, turn, budget, journeys, hooks }, {
    mail: (group, from, to, message) => mailroom.send(nodeOf(to), addressOf('raft', group), { type: 'raft', from, to, message }),
    wal: (event) => {
      diskWatch.submitted(event, clock.now())
      journeys.toWal(event)
      wal.send(event)
    },
    answer: (to, message) => mailroom.send(to.node, to.address, message),
    traceOf: mailroom.traceOf,
    serving: (shard, isServing) => {
      doors.setServing(shard, isServing)
      hooks.onLeadershipChanged()
    },
    drainSlot: (shard, done) => doors.drainSlot(shard, done),
    quiet: hooks.onShardQuiet,
    changed: (key, revision, code) => doors.announce(key, revision, code),
    ended: (shard) => {
      doors.setServing(shard, false)
      hooks.onLeadershipChanged()
    },
    order: hooks.onOrder,
    stateChanged: live.learn,
  })
  const doors = createFrontDoors({
    node: options,
    map: live.map,
    turn,
    budget,
    leaderOf,
    send: (shard, to, message, trace) => mailroom.send(to === '' ? self : to, addressOf('shard', shard), message, trace),
    catchUp: hooks.catchUp,
    isOverloaded: wal.isOverloaded,
    onFailure: hooks.onFailure,
  })
  const memoryWatch = createMemoryWatch({
    gauge: options.ports.memory, log: options.ports.log, changed: host.noteMemory,
    storedBytes: () => host.all().reduce((bytes, { actor }) => bytes + actor.status().keyBytes, 0),
  })
  const micro = createMicroService({
    node: options, map: live.map(), meters: () => host.all().map(({ actor }) => actor.meter), doorCounters: doors.counters,
  })
  return {
    live, turn, wal, diskWatch, memoryWatch, host, post: mailroom.post, doors, micro, beacon, leaderOf, misdirected: mailroom.misdirected,
  }
}

/** The newer term wins between what this node's replica knows and what a beacon said. */
const bestHint = (hint: LeaderHint | null, known: Leadership | undefined): LeaderHint | null => {
  if (known === undefined || known.leader === '') return hint
  if (hint !== null && hint.term > known.term) return hint
  return { node: nodeOf(known.leader), term: known.term }
}

interface HostInput {
  readonly options: NodeOptions
  readonly live: LiveMap
  readonly turn: Turn
  readonly budget: ByteBudget
  readonly journeys: Journeys
  readonly hooks: PartsHooks
}

const openHost = ({ options, live, turn, budget, journeys, hooks }: HostInput, ports: ReplicaHostPorts): ReplicaHost => {
  const { genesis, ports: { clock, random, log, recorder, fileSystem, instruments }, settings } = options
  const namedIn = createNamed(genesis)
  return createReplicaHost({
    node: genesis.node,
    genesis,
    named: () => namedIn(live.state()),
    nextGeneration: () => (live.isFromFile() ? live.state().nextGeneration : null),
    unknownFrom: () => live.state().nextGeneration,
    clock,
    random,
    log,
    recorder,
    journeys,
    turn,
    snapshots: timedSnapshots(
      createSnapshotFiles({ fileSystem, clock, level: () => live.state().level }), clock, instruments?.snapshots,
    ),
    instruments,
    entryBytesMax: budget.frameBytesMax,
    announceChanges: settings.announceChanges,
    traceMessages: settings.traceMessages,
    raftTiming: { tickMs: settings.tickMs, ...settings.raftTiming },
    raftLimits: { ...sendable(budget), ...settings.raftLimits },
    allowance: createAllowance(settings.raftLimits?.moveBytesPerSecond ?? MOVE_BYTES_PER_SECOND_DEFAULT, settings.tickMs),
    shardLimits: settings.shardLimits,
    topologyLimits: settings.topologyLimits,
    ports,
    onFailure: hooks.onFailure,
  })
}

/**
 * What a member sends must fit a message of this broker, whatever its payload is: an append or a chunk that no frame can carry would be
 * dropped and sent again for ever (docs/TESTING.md T23). Test: "on a broker with a small payload a follower that was away catches up".
 */
const sendable = ({ valueBytesMax, frameBytesMax }: ByteBudget): Partial<RaftLimits> => ({
  proposalBytesMax: frameBytesMax,
  appendBytesMax: Math.min(raftLimitDefaults.appendBytesMax, valueBytesMax),
  chunkBytesMax: Math.min(raftLimitDefaults.chunkBytesMax, valueBytesMax),
})

const openWal = ({ ports, settings }: NodeOptions, { turn, journeys, hooks }: Pick<HostInput, 'turn' | 'journeys' | 'hooks'>): Wal => {
  const wal: Wal = createWal({
    fileSystem: ports.fileSystem,
    clock: ports.clock,
    log: ports.log.child({ actor: 'wal' }),
    recorder: ports.recorder,
    ...(settings.wal === undefined ? {} : { config: settings.wal }),
    onGroupWritten: (group) => {
      ports.vitals?.noteSync(group.tookMs)
      ports.instruments?.groupWritten(group)
      journeys.groupWritten(group)
    },
    onNotice: (notice) => {
      journeys.fromWal(notice)
      hooks.onWalNotice(notice)
    },
    onFailure: hooks.onFailure,
    requestFlush: turn.member('wal', () => wal.flush()),
  })
  return wal
}
