/** The ways in which a failing run may become simpler (shrink.ts), the most helpful to a reader first. */

import { LOST_AFTER_MS_DEFAULT } from './drawnApart.ts'
import type { SimOptions, WorkloadOptions } from './options.ts'

export interface Simplification {
  readonly what: string
  /** Null when the options are as simple as this makes them. */
  readonly simplify: (options: SimOptions) => SimOptions | null
}

const NODES_MIN = 3

const workload = (options: SimOptions, change: Partial<WorkloadOptions>): SimOptions =>
  ({ ...options, workload: { ...options.workload, ...change } })

/** Halves the distance of a number to its least. */
const fewer = (what: keyof WorkloadOptions, min: number): Simplification => ({
  what: `fewer ${what}`,
  simplify: (options) => {
    const now = options.workload[what]
    if (typeof now !== 'number' || now <= min) return null
    return workload(options, { [what]: min + Math.floor((now - min) / 2) })
  },
})

const without = (what: keyof WorkloadOptions): Simplification => ({
  what: `no ${what}`,
  simplify: (options) => (options.workload[what] === 0 ? null : workload(options, { [what]: 0 })),
})

const calmer = (what: keyof SimOptions['network'], least: number): Simplification => ({
  what: `a network with ${what} ${least}`,
  simplify: (options) => (options.network[what] === least ? null : { ...options, network: { ...options.network, [what]: least } }),
})

export const simplifications: readonly Simplification[] = [
  { what: 'one shard', simplify: (options) => (options.shards === 1 ? null : { ...options, shards: 1 }) },
  {
    what: 'fewer nodes',
    simplify: (options) => (options.nodes <= NODES_MIN ? null
      : { ...options, nodes: options.nodes - 1, replicationFactor: Math.min(options.replicationFactor, NODES_MIN) }),
  },
  fewer('clients', 1),
  fewer('burstMax', 1),
  fewer('operationsMax', 1),
  fewer('registers', 1),
  fewer('counters', 1),
  calmer('loss', 0),
  calmer('duplication', 0),
  calmer('reorderMsMax', 0),
  calmer('delayMsMean', 1),
  without('largeValues'),
  without('sessions'),
  without('batches'),
  without('expiring'),
  without('repeats'),
  without('requestIds'),
  without('leaseReads'),
  without('staleReads'),
  without('readsAfterWrites'),
  without('partitionedKeys'),
  { what: 'no calamities', simplify: (options) => (options.calamities.length === 0 ? null : { ...options, calamities: [] }) },
  { what: 'no lost files', simplify: (options) => (options.fileFaults.length === 0 ? null : { ...options, fileFaults: [] }) },
  { what: 'no snapshots that rot', simplify: (options) => (options.rotEveryMs === 0 ? null : { ...options, rotEveryMs: 0 }) },
  {
    what: 'fewer machines that join',
    simplify: (options) => (options.joiners === 0 ? null : { ...options, joiners: options.joiners - 1 }),
  },
  {
    what: 'nobody taken for lost',
    simplify: (options) => (options.lostAfterMs >= LOST_AFTER_MS_DEFAULT ? null : { ...options, lostAfterMs: LOST_AFTER_MS_DEFAULT }),
  },
  { what: 'loops that are never busy', simplify: (options) => (options.turnMs === 0 ? null : { ...options, turnMs: 0 }) },
  {
    what: 'the usual limits of members',
    simplify: (options) => (Object.keys(options.raftLimits).length === 0 ? null : { ...options, raftLimits: {} }),
  },
  {
    what: 'the usual limits of shards',
    simplify: (options) => (Object.keys(options.shardLimits).length === 0 ? null : { ...options, shardLimits: {} }),
  },
  { what: 'no changes of the map', simplify: (options) => (options.mapChanges.length === 0 ? null : { ...options, mapChanges: [] }) },
  { what: 'equal clocks', simplify: (options) => (options.clockRateMax === 0 ? null : { ...options, clockRateMax: 0 }) },
  { what: 'a broker that routes', simplify: (options) => (options.isMapped ? null : { ...options, isMapped: true }) },
  {
    what: 'a log that writes, then syncs',
    simplify: (options) => (options.disk.hasSyncedWrites ? { ...options, disk: { ...options.disk, hasSyncedWrites: false } } : null),
  },
  {
    what: 'power loss that takes everything unsynced',
    simplify: (options) => (options.disk.keep === 0 && options.disk.torn === 0 ? null
      : { ...options, disk: { ...options.disk, keep: 0, torn: 0 } }),
  },
]
