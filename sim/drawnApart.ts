/**
 * What is drawn beside the rest (options.ts), each from a stream of its own: how the disk tears, whether one call writes and syncs, small
 * limits of queues, snapshots at rest, calamities, files that are lost or rot, and how many there are of everything. A seed that gets none
 * of it is the run that it was before there was this file.
 */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { defaultShardLimits } from '../actors/shard/limits.ts'
import { PAGE_BYTES, SECTOR_BYTES } from '../storage/memoryInode.ts'
import { streamOf } from './stream.ts'
import type { SimOptions } from './options.ts'

/** What is seldom and severe (calamities.ts). */
export const calamityKinds = ['tornPowerLoss', 'longPause', 'longCrash', 'wipe', 'zeroTail'] as const
export type CalamityKind = (typeof calamityKinds)[number]

/** What befalls files beside the log (fileFaults.ts). */
export const fileFaultKinds = ['mapLost', 'mapDamaged', 'mapsLost', 'snapshotLost'] as const
export type FileFaultKind = (typeof fileFaultKinds)[number]

/** A node's own: longer than a run. */
export const LOST_AFTER_MS_DEFAULT = 30_000

type Apart = Numbers & Calamities & FileFaults & Rot & Pick<SimOptions, 'disk' | 'raftLimits' | 'shardLimits'>

export const drawApart = (drawn: SimOptions): Apart => {
  const { seed } = drawn
  const { raftLimits, shardLimits } = drawQueueLimits(drawn)
  const numbers = drawNumbers(drawn)
  const calamities = drawCalamities({ ...drawn, ...numbers })
  const disk = { ...drawn.disk, ...drawTears(seed), hasSyncedWrites: drawSyncedWrites(seed) }
  return {
    ...numbers, ...calamities, ...drawFileFaults({ ...drawn, ...calamities }), ...drawRot(seed), disk, raftLimits,
    shardLimits: { ...shardLimits, ...drawRest(drawn) },
  }
}

/** Most disks tear now and then; a quarter write pages whole. */
const drawTears = (seed: number): Pick<SimOptions['disk'], 'torn' | 'sectorBytes'> => {
  const random = streamOf(seed, 'how disks tear')
  return {
    torn: chance(random, 0.6) ? pick(random, [0.2, 0.5, 1]) ?? 1 : 0,
    sectorBytes: chance(random, 0.75) ? SECTOR_BYTES : PAGE_BYTES,
  }
}

/** Two of three, as on Linux. */
const drawSyncedWrites = (seed: number): boolean => chance(streamOf(seed, 'one call that writes and syncs'), 0.67)

/** A crowd thinks longer: as many operations as from a few, and more at once now and then. */
const CROWD_THINK_MS = 1_000

/** Six nodes, replicas without another, one client or many: each seldom, since they shift all of a run. */
type Numbers = Pick<SimOptions, 'nodes' | 'replicationFactor' | 'workload'>

const drawNumbers = ({ seed, nodes, replicationFactor, workload }: SimOptions): Numbers => {
  const random = streamOf(seed, 'how many of everything')
  const isSix = chance(random, 0.06)
  const isSingle = chance(random, 0.06)
  const crowd = between(random, 16, 40)
  const draw = between(random, 0, 99)
  const clients = { ...workload, ...(draw < 6 ? { clients: 1 } : draw < 12 ? { clients: crowd, thinkMsMean: CROWD_THINK_MS } : {}) }
  return { nodes: isSix ? 6 : nodes, replicationFactor: isSingle ? 1 : replicationFactor, workload: clients }
}

/** Of the seeds in which a silent node is soon taken for lost. */
const LOST_AFTER_MS: readonly [min: number, max: number] = [3_000, 6_000]

type Calamities = Pick<SimOptions, 'calamities' | 'calamityEveryMs' | 'lostAfterMs' | 'nodes'>

/**
 * Two fifths of the seeds have some. Whoever is gone for long, or for good, is replaced only where a silent node is not waited for, and
 * where somebody has no replica yet: there is a node more than a shard has replicas.
 */
const drawCalamities = ({ seed, lostAfterMs, nodes, replicationFactor }: SimOptions): Calamities => {
  const random = streamOf(seed, 'which calamities')
  const calamityEveryMs = between(random, 3_000, 9_000)
  if (!chance(random, 0.4)) return { calamities: [], calamityEveryMs, lostAfterMs, nodes }
  const kinds = calamityKinds.filter(() => chance(random, 0.6))
  const isReplaced = lostAfterMs < LOST_AFTER_MS_DEFAULT || chance(random, 0.4)
  const soon = Math.min(lostAfterMs, between(random, ...LOST_AFTER_MS))
  return isReplaced ? { calamities: kinds, calamityEveryMs, lostAfterMs: soon, nodes: Math.max(nodes, replicationFactor + 1) }
    : { calamities: kinds.filter((kind) => !ofTheLost.includes(kind)), calamityEveryMs, lostAfterMs, nodes }
}

const ofTheLost: readonly CalamityKind[] = ['longCrash', 'wipe']

/** Where the map changes it is worth the most; elsewhere it does when damage is replaced. */
const FILE_FAULT_SHARES = { elastic: 0.5, other: 0.15 }

type FileFaults = Pick<SimOptions, 'fileFaults' | 'fileFaultEveryMs'>

const drawFileFaults = ({ seed, joiners, lostAfterMs }: SimOptions): FileFaults => {
  const random = streamOf(seed, 'which files are lost or damaged')
  const fileFaultEveryMs = between(random, 1_500, 6_000)
  const isElastic = joiners > 0 || lostAfterMs < LOST_AFTER_MS_DEFAULT
  if (!chance(random, isElastic ? FILE_FAULT_SHARES.elastic : FILE_FAULT_SHARES.other)) return { fileFaults: [], fileFaultEveryMs }
  return { fileFaults: fileFaultKinds.filter(() => chance(random, 0.6)), fileFaultEveryMs }
}

type Rot = Pick<SimOptions, 'rotEveryMs'>

/** A sixth of the seeds. */
const drawRot = (seed: number): Rot => {
  const random = streamOf(seed, 'how much rots')
  return { rotEveryMs: chance(random, 0.16) ? between(random, 800, 5_000) : 0 }
}

/** Of what a shard's log weighs at least for a snapshot, as a node's own limits have it. */
const REST_SHARE = defaultShardLimits.restLogBytesMin / defaultShardLimits.snapshotLogBytesMin

/** Two fifths of the seeds, on the scale of their logs; in the others no run is long enough for a megabyte. */
const drawRest = ({ seed, snapshotLogBytes }: SimOptions): SimOptions['shardLimits'] => {
  const random = streamOf(seed, 'snapshots are written at rest')
  if (!chance(random, 0.4)) return {}
  return {
    restLogBytesMin: snapshotLogBytes * REST_SHARE,
    restMs: between(random, 500, defaultShardLimits.restMs),
    restBytesMax: pick(random, [64, 512, defaultShardLimits.restBytesMax]) ?? defaultShardLimits.restBytesMax,
  }
}

/** A fifth of the seeds: what clients send at once is then more than a shard or a leader takes. */
const drawQueueLimits = ({ seed, raftLimits, workload }: SimOptions): Pick<SimOptions, 'raftLimits' | 'shardLimits'> => {
  const random = streamOf(seed, 'limits of queues')
  if (!chance(random, 0.2)) return { raftLimits, shardLimits: {} }
  const largest = Math.max(workload.valueBytesMax, workload.largeValues > 0 ? workload.largeValueBytes : 0)
  return {
    raftLimits: {
      ...raftLimits, uncommittedBytesMax: pick(random, [256, 2_048, 16_384]) ?? 2_048,
      readsWaitingMax: pick(random, [2, 8, 64]) ?? 8, roundsInFlightMax: pick(random, [1, 4]) ?? 4,
    },
    shardLimits: {
      pendingOperationsMax: pick(random, [3, 6, 12]) ?? 6,
      // A key and what an operation carries beside its value have room.
      pendingBytesMax: 2 * largest + (pick(random, [512, 2_048]) ?? 512),
    },
  }
}
