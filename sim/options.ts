/**
 * Everything a run does is drawn here from its seed, in the ranges of TigerBeetle's simulator and beyond.
 *
 * Swarm testing (Groce et al., ISSTA 2012): each seed enables a random subset of fault kinds at random
 * intensities. A run with every fault at once makes little progress, and hides what needs one fault alone for a
 * while.
 */

import { between, chance, createRandom, fraction, pick } from '../actors/kernel/random.ts'
import { raftLimitDefaults } from '../actors/raft/limits.ts'
import { VALUE_BYTES_MAX } from '../actors/shard/operation.ts'
import { byteBudget } from '../bus/budget.ts'
import { SECTOR_BYTES } from '../storage/memoryInode.ts'
import { defaultSettings } from '../topology/nodeOptions.ts'
import { LOST_AFTER_MS_DEFAULT, drawApart } from './drawnApart.ts'
import { streamOf } from './stream.ts'
import type { BalanceLimits } from '../actors/topology/balance.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { RaftTiming } from '../actors/raft/timing.ts'
import type { ShardLimits } from '../actors/shard/limits.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { DiskOptions } from './disk.ts'
import type { CalamityKind, FileFaultKind } from './drawnApart.ts'
import type { NetworkOptions } from './network.ts'

export const faultKinds = [
  'crash', 'powerLoss', 'powerLossOfAll', 'pause', 'partition', 'clog', 'lateBurst', 'wallJump', 'diskStall', 'diskFull', 'syncError',
  'bitFlip', 'drain', 'halfOpen', 'peersLost', 'echo', 'zeroSector', 'misdirectedWrite', 'rollingRestart', 'handOver', 'join', 'leave',
  'reweigh', 'moveByHand', 'cancelMove', 'timeLeap',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** What people change about the map, from a stream of its own (mapChanges.ts). */
export const mapChangeKinds = ['undoDrain', 'forceDrain', 'removeIdle', 'setReplicas', 'rezone'] as const
export type MapChangeKind = (typeof mapChangeKinds)[number]

export interface WorkloadOptions {
  readonly clients: number
  readonly registers: number
  readonly counters: number
  /** Share of keys in the partition form. */
  readonly partitionedKeys: number
  /** Relative weights. */
  readonly weights: { readonly get: number; readonly put: number; readonly cas: number; readonly incr: number; readonly del: number }
  /** Share of mutations with a request id. */
  readonly requestIds: number
  /** Share of mutations in a session of the state machine, once one is open. */
  readonly sessions: number
  /** Share of requests that go through the batch door. */
  readonly batches: number
  /** Keys with a time to live. */
  readonly expiring: number
  /** Share of answered mutations with a request id that are sent once more. */
  readonly repeats: number
  /** Share of acknowledged writes that somebody reads back at once. */
  readonly readsAfterWrites: number
  readonly leaseReads: number
  readonly staleReads: number
  /** Mean pause of a client between two operations, in milliseconds. */
  readonly thinkMsMean: number
  /** Operations a client sends at once. */
  readonly burstMax: number
  /** Operations in all before the liveness phase. */
  readonly operationsMax: number
  readonly timeoutMs: number
  readonly valueBytesMax: number
  /** Share of puts whose value is as long as the broker's byte budget allows, or a little less. */
  readonly largeValues: number
  /** The byte budget. */
  readonly largeValueBytes: number
}

/** Shorter than a node's own, in milliseconds: timings are drawn in ticks, and finer ones interleave more. */
export const SIM_TICK_MS = 50

export interface SimOptions {
  readonly seed: number
  readonly nodes: number
  /** Machines that are there and not in the cluster: some join (faults `join`), some never do. */
  readonly joiners: number
  readonly shards: number
  readonly replicationFactor: number
  /** How long a silent node's replicas are waited for. */
  readonly lostAfterMs: number
  /** By what load is balanced, once it is switched on; absent: nobody asks how much is asked of shards. */
  readonly balance?: BalanceLimits
  /** Whether the broker maps keys to slots; otherwise nodes forward. */
  readonly isMapped: boolean
  /** What the broker takes in one message. */
  readonly maxPayloadBytes: number
  readonly safetyMs: number
  readonly clockRateMax: number
  /** How long what is deferred to a later turn of a node's loop waits for it. */
  readonly turnMs: number
  readonly disk: DiskOptions
  readonly network: NetworkOptions
  readonly workload: WorkloadOptions
  readonly faults: readonly FaultKind[]
  readonly mapChanges: readonly MapChangeKind[]
  /** Mean time between two of them, in milliseconds. */
  readonly mapChangeEveryMs: number
  readonly calamities: readonly CalamityKind[]
  /** Mean time between two of them, in milliseconds. */
  readonly calamityEveryMs: number
  readonly fileFaults: readonly FileFaultKind[]
  /** Mean time between two of them, in milliseconds. */
  readonly fileFaultEveryMs: number
  /** Mean time between two snapshots that rot while their nodes live, in milliseconds; 0: none does. */
  readonly rotEveryMs: number
  /** Faults of all streams by their number, from 0, that are drawn and left out: how a failing run is made smaller (shrink.ts). */
  readonly skippedFaults: readonly number[]
  /** Mean time between two faults, in milliseconds. */
  readonly faultEveryMs: number
  readonly segmentBytes: number
  readonly snapshotLogBytes: number
  /** A wide range lets a new leader appear long before the old one notices that it lost its quorum. */
  readonly raftTiming: Partial<RaftTiming> & Pick<RaftTiming, 'heartbeatTicks' | 'electionTicksMin' | 'electionTicksMax'>
  /** Small ones make snapshots travel, in many pieces, and appends take turns. */
  readonly raftLimits: Partial<RaftLimits>
  /** Small ones make shards refuse what is too much, and write snapshots once they are at rest. */
  readonly shardLimits: Partial<Pick<ShardLimits,
    'pendingOperationsMax' | 'pendingBytesMax' | 'restMs' | 'restBytesMax' | 'restLogBytesMin'>>
  readonly isVerbose: boolean
}

export interface SimOverrides {
  readonly nodes?: number | undefined
  readonly shards?: number | undefined
  readonly safetyMs?: number | undefined
  readonly faults?: readonly FaultKind[] | undefined
  readonly isVerbose?: boolean | undefined
}

const KIB = 1_024
const PAGE_BYTES = 4 * KIB
/** nats-server's default. */
const MAX_PAYLOAD_BYTES_DEFAULT = 1_024 * KIB
const DEFAULT_SAFETY_MS = 20_000

export const drawOptions = (seed: number, overrides: SimOverrides = {}): SimOptions => {
  const random = createRandom(seed)
  const drawn = withTurns(withLeaps(withTopology(withMemory(withPayload(drawBase(seed, random), random), random), random), random), random)
  const { calamities, fileFaults, rotEveryMs, ...apart } = drawApart(drawn)
  const areFaultsDrawn = overrides.faults === undefined
  return {
    ...drawn,
    ...apart,
    nodes: overrides.nodes ?? apart.nodes,
    shards: overrides.shards ?? drawn.shards,
    safetyMs: overrides.safetyMs ?? drawn.safetyMs,
    faults: overrides.faults ?? drawn.faults,
    ...(areFaultsDrawn ? { calamities, fileFaults, rotEveryMs, ...drawMapChanges(drawn) } : {}),
    isVerbose: overrides.isVerbose ?? false,
  }
}

/** Share of seeds in which a kind is enabled: cuts are where leaders are deposed, and what breaks connections hides what cuts them. */
const kindShares: Readonly<Partial<Record<FaultKind, number>>> = {
  partition: 0.7, halfOpen: 0.25, peersLost: 0.25, echo: 0.25, zeroSector: 0.25, misdirectedWrite: 0.25, rollingRestart: 0.2, handOver: 0.3,
}

/** Everything but the broker's payload, which is nats-server's default. */
const drawBase = (seed: number, random: Random): SimOptions => {
  const nodes = pick(random, [3, 3, 3, 4, 5, 5, 7]) ?? 3
  return {
    seed,
    nodes,
    joiners: 0,
    shards: between(random, 1, 4),
    replicationFactor: chance(random, 0.25) ? 5 : 3,
    lostAfterMs: LOST_AFTER_MS_DEFAULT,
    isMapped: chance(random, 0.6),
    maxPayloadBytes: MAX_PAYLOAD_BYTES_DEFAULT,
    safetyMs: DEFAULT_SAFETY_MS,
    clockRateMax: chance(random, 0.5) ? 0.01 : 0,
    turnMs: 0,
    disk: drawDisk(random),
    network: drawNetwork(random),
    workload: drawWorkload(random),
    faults: faultKinds.filter((kind) => kind !== 'timeLeap' && chance(random, kindShares[kind] ?? 0.4)),
    mapChanges: [],
    mapChangeEveryMs: MAP_CHANGE_MS_MIN,
    calamities: [],
    calamityEveryMs: CALAMITY_MS_MIN,
    fileFaults: [],
    fileFaultEveryMs: FILE_FAULT_MS_MIN,
    rotEveryMs: 0,
    skippedFaults: [],
    faultEveryMs: between(random, 700, 4_000),
    segmentBytes: (pick(random, [12, 16, 32, 64]) ?? 16) * KIB,
    snapshotLogBytes: between(random, 1, 32) * KIB,
    raftTiming: drawRaftTiming(random),
    raftLimits: drawRaftLimits(random),
    shardLimits: {},
    isVerbose: false,
  }
}

/**
 * A third of the seeds have machines that join, and people who move things about; in a third of those a silent node is soon taken for
 * lost. The other seeds' members stay as they are.
 */
const withTopology = (base: SimOptions, random: Random): SimOptions => {
  const isElastic = chance(random, 0.34)
  const kinds = elasticKinds.filter(() => chance(random, 0.7))
  const lostAfterMs = chance(random, 0.33) ? between(random, 3_000, 8_000) : LOST_AFTER_MS_DEFAULT
  const joiners = between(random, 1, 2)
  const plain = base.faults.filter((kind) => !elasticKinds.includes(kind))
  if (!isElastic) return { ...base, faults: plain }
  return { ...base, joiners, lostAfterMs, faults: [...plain, ...new Set<FaultKind>(['join', ...kinds])] }
}

const CALAMITY_MS_MIN = 3_000
const FILE_FAULT_MS_MIN = 1_500
const MAP_CHANGE_MS_MIN = 1_000
const MAP_CHANGE_MS_MAX = 4_000

/** In most seeds whose members change anyway. What is drawn here is drawn of the seed anew, so that no other draw is another for it. */
const drawMapChanges = ({ seed, joiners }: SimOptions): Partial<SimOptions> => {
  const random = streamOf(seed, 'which changes of the map')
  if (joiners === 0 || !chance(random, 0.7)) return {}
  return {
    mapChanges: mapChangeKinds.filter(() => chance(random, 0.7)),
    mapChangeEveryMs: between(random, MAP_CHANGE_MS_MIN, MAP_CHANGE_MS_MAX),
  }
}

/** Once a session, or a key with a time to live, is over in all of a run, little is left of what they are there for. */
const withLeaps = (base: SimOptions, random: Random): SimOptions =>
  (chance(random, 0.2) ? { ...base, faults: [...base.faults, 'timeLeap'] } : base)

/**
 * In a fifth of the seeds the nodes' loops are busy, and what is handed on in portions comes in small ones: then a member has committed
 * more than it has applied while it is elected, deposed, asked, paused and killed.
 */
const withTurns = (base: SimOptions, random: Random): SimOptions => {
  if (!chance(random, 0.2)) return base
  return {
    ...base,
    turnMs: pick(random, [2, 10, 40]) ?? 2,
    raftLimits: {
      ...base.raftLimits,
      emitBytesMax: pick(random, [64, 512, 4_096]) ?? 512,
      learnerBytesInFlightMax: pick(random, [512, 8_192, 262_144]) ?? 8_192,
    },
  }
}

/** What people do to the cluster's map. */
export const elasticKinds: readonly FaultKind[] = ['join', 'leave', 'reweigh', 'moveByHand', 'cancelMove']

/** Members come and go, or are replaced when they are silent. */
export const isElastic = ({ joiners, lostAfterMs, faults, mapChanges }: SimOptions): boolean =>
  joiners > 0 || lostAfterMs < LOST_AFTER_MS_DEFAULT || mapChanges.length > 0 || elasticKinds.some((kind) => faults.includes(kind))

/** Half of the seeds have sessions, half the batch door, half keys that expire. */
const withMemory = (base: SimOptions, random: Random): SimOptions => ({
  ...base,
  workload: {
    ...base.workload,
    sessions: chance(random, 0.5) ? pick(random, [0.3, 0.7, 1]) ?? 0.5 : 0,
    batches: chance(random, 0.5) ? pick(random, [0.2, 0.6, 1]) ?? 0.5 : 0,
    expiring: chance(random, 0.5) ? between(random, 1, 3) : 0,
  },
})

/**
 * Half of the seeds have a broker with another payload, from the least a node accepts; a third of all write values up to the byte budget,
 * mostly on small payloads, since hashing megabytes at every eighth index costs most of a run.
 */
const withPayload = (base: SimOptions, random: Random): SimOptions => {
  const largeValues = chance(random, 0.33) ? 0.03 : 0
  const small = [64 * KIB, 64 * KIB, between(random, 64 * KIB, 160 * KIB), between(random, 64 * KIB, 160 * KIB)]
  const isLarge = chance(random, largeValues > 0 ? 0.15 : 0.5)
  const payloads = isLarge ? [base.maxPayloadBytes, 256 * KIB, 512 * KIB] : small
  const maxPayloadBytes = pick(random, payloads) ?? base.maxPayloadBytes
  const { valueBytesMax, frameBytesMax } = byteBudget(maxPayloadBytes)
  const segmentBytesMin = largeValues > 0 ? Math.ceil(frameBytesMax / PAGE_BYTES) * PAGE_BYTES * 4 : 0
  return {
    ...base,
    maxPayloadBytes,
    workload: { ...base.workload, largeValues, largeValueBytes: Math.min(valueBytesMax, VALUE_BYTES_MAX) },
    // The log's groups, half a segment each, must hold the largest entry.
    segmentBytes: Math.max(base.segmentBytes, segmentBytesMin),
    raftLimits: {
      ...base.raftLimits,
      appendBytesMax: Math.min(base.raftLimits.appendBytesMax ?? valueBytesMax, valueBytesMax),
      // Megabytes in pieces of 256 bytes would outlast the liveness phase.
      chunkBytesMax: Math.min(Math.max(base.raftLimits.chunkBytesMax ?? 0, largeValues > 0 ? 16 * KIB : 0), valueBytesMax),
    },
  }
}

/** A third of the seeds have a node's own timing, in shorter ticks. */
const drawRaftTiming = (random: Random): SimOptions['raftTiming'] => {
  const electionTicksMin = pick(random, [5, 10]) ?? 10
  const electionTicksMax = pick(random, [12, 20, 40, 40]) ?? 20
  const drawn = {
    heartbeatTicks: 2, quietHeartbeatTicks: electionTicksMin >> 1, quietAfterTicks: electionTicksMax, electionTicksMin, electionTicksMax,
  }
  return chance(random, 0.33) ? { ...drawn, ...defaultSettings.raftTiming } : drawn
}

/** Where one small append is all that travels at a time, megabytes would wait longer than the liveness phase. */
const WINDOWS_UNCOMMITTED = 64

const drawRaftLimits = (random: Random): Partial<RaftLimits> => {
  const tailEntriesMax = pick(random, [0, 4, 64, 8_192]) ?? 0
  const chunkBytesMax = pick(random, [256, 4_096, 131_072]) ?? 4_096
  const appendBytesMax = pick(random, [256, 8_192, 524_288]) ?? 8_192
  const appendsInFlightMax = pick(random, [1, 4, 64]) ?? 64
  const uncommittedBytesMax = Math.min(raftLimitDefaults.uncommittedBytesMax, WINDOWS_UNCOMMITTED * appendBytesMax * appendsInFlightMax)
  return { tailEntriesMax, chunkBytesMax, appendBytesMax, appendsInFlightMax, uncommittedBytesMax, emitBytesMax: appendBytesMax }
}

const drawDisk = (random: Random): DiskOptions => ({
  syncMsMean: pick(random, [0.2, 0.5, 2, 10]) ?? 0.5,
  keep: chance(random, 0.5) ? 0 : fraction(random) * 0.2,
  capacityBytes: Number.MAX_SAFE_INTEGER,
  torn: 0,
  sectorBytes: SECTOR_BYTES,
  hasSyncedWrites: false,
})

const drawNetwork = (random: Random): NetworkOptions => ({
  loss: chance(random, 0.5) ? 0 : fraction(random) * 0.3,
  duplication: chance(random, 0.5) ? 0 : fraction(random) * 0.5,
  delayMsMean: pick(random, [1, 1, 3, 10, 30, 100]) ?? 1,
  // Beyond 2 s now and then: longer than a process needs to die and come back.
  reorderMsMax: pick(random, [0, 0, 0, 2_000, 2_000, 30_000]) ?? 0,
})

const drawWorkload = (random: Random): WorkloadOptions => ({
  clients: between(random, 2, 8),
  registers: between(random, 1, 8),
  counters: between(random, 1, 4),
  partitionedKeys: fraction(random),
  weights: {
    get: between(random, 1, 6), put: between(random, 1, 4), cas: between(random, 0, 3), incr: between(random, 1, 4),
    del: between(random, 0, 1),
  },
  requestIds: pick(random, [0, 0.3, 0.7, 1]) ?? 0.5,
  repeats: chance(random, 0.5) ? 0.2 : 0,
  readsAfterWrites: fraction(random) * 0.5,
  leaseReads: chance(random, 0.3) ? 0.3 : 0,
  staleReads: chance(random, 0.3) ? 0.2 : 0,
  thinkMsMean: pick(random, [40, 80, 160, 300]) ?? 80,
  burstMax: between(random, 1, 3),
  operationsMax: Number.MAX_SAFE_INTEGER,
  timeoutMs: between(random, 500, 4_000),
  valueBytesMax: pick(random, [16, 64, 512]) ?? 16,
  largeValues: 0,
  largeValueBytes: 0,
  sessions: 0,
  batches: 0,
  expiring: 0,
})

/** One line a person can read. */
export const describeOptions = (options: SimOptions): string => {
  const { network, disk, workload, raftTiming, raftLimits } = options
  return `nodes=${options.nodes}+${options.joiners} shards=${options.shards} replicas=${options.replicationFactor}`
    + ` routing=${options.isMapped ? 'broker' : 'gateway'} election=${raftTiming.electionTicksMin}-${raftTiming.electionTicksMax}`
    + ` loss=${network.loss.toFixed(2)} dup=${network.duplication.toFixed(2)} delay=${network.delayMsMean}ms`
    + ` reorder=${network.reorderMsMax}ms sync=${disk.syncMsMean}ms in=${disk.hasSyncedWrites ? 'one call' : 'two'}`
    + ` keep=${disk.keep.toFixed(2)} torn=${disk.torn}/${disk.sectorBytes}`
    + ` segment=${options.segmentBytes} snapshot=${options.snapshotLogBytes} tail=${raftLimits.tailEntriesMax ?? 0}`
    + ` payload=${options.maxPayloadBytes} large=${workload.largeValues}`
    + ` sessions=${workload.sessions} batches=${workload.batches} expiring=${workload.expiring}`
    + ` clients=${workload.clients} keys=${workload.registers}+${workload.counters}`
    + ` faults=${options.faults.join(',') || 'none'} every=${options.faultEveryMs}ms`
    + (options.mapChanges.length === 0 ? '' : ` map=${options.mapChanges.join(',')} every=${options.mapChangeEveryMs}ms`)
    + (options.calamities.length === 0 ? '' : ` calamities=${options.calamities.join(',')} every=${options.calamityEveryMs}ms`)
    + (options.fileFaults.length === 0 ? '' : ` files=${options.fileFaults.join(',')} every=${options.fileFaultEveryMs}ms`)
    + (options.rotEveryMs === 0 ? '' : ` rot every=${options.rotEveryMs}ms`)
    + (options.shardLimits.restMs === undefined ? '' : ` rest=${options.shardLimits.restMs}ms/${options.shardLimits.restBytesMax}`)
    + (options.shardLimits.pendingOperationsMax === undefined ? '' : ` pending=${options.shardLimits.pendingOperationsMax}`)
}

/** Quick, large, and it forgets all that was not synced. */
export const calmDisk: DiskOptions = {
  syncMsMean: 0.5, keep: 0, capacityBytes: Number.MAX_SAFE_INTEGER, torn: 0, sectorBytes: SECTOR_BYTES, hasSyncedWrites: false,
}

/** Nothing goes wrong by itself and nobody writes: a stage for scenarios that do both by hand. */
export const calmOptions = (seed: number, overrides: Partial<SimOptions> = {}): SimOptions => {
  const drawn = drawBase(seed, createRandom(seed))
  return {
    ...drawn,
    nodes: 3,
    shards: 1,
    replicationFactor: 3,
    isMapped: true,
    clockRateMax: 0,
    raftTiming: { heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20 },
    disk: calmDisk,
    network: { loss: 0, duplication: 0, delayMsMean: 1, reorderMsMax: 0 },
    workload: { ...drawn.workload, clients: 0 },
    faults: [],
    ...overrides,
  }
}
