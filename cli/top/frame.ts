/**
 * What `shardkv top` shows at one moment: two rounds of reports, and what happened between them.
 *
 * Counters belong to a process: what a node's counters say is compared with what the same process said before (by its boot id). A
 * shard's operations are the sum over all nodes, since its leader may have moved in between.
 */

import { differenceOf, quantileOf, sumOf, totalOf } from '../../actors/kernel/histogram.ts'
import { mergeReports } from '../status/merge.ts'
import type { SparseCounts } from '../../actors/kernel/histogram.ts'
import type { NodeReport, ShardLoad } from '../../topology/report.ts'

/** Operations of one kind: how many a second, and how long they took from the leader's receipt to its answer; null without any. */
export interface Flow {
  readonly perSecond: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

export interface NodeRow {
  readonly id: string
  readonly state: string
  readonly leads: number
  readonly reads: Flow
  readonly writes: Flow
  /** Of one core; null when the node did not say. */
  readonly cpuPercent: number | null
  readonly rssBytes: number | null
  readonly loopP99Ms: number | null
  readonly syncP99Ms: number | null
  /** Submitted to the log and not yet durable. */
  readonly walBacklogBytes: number
}

export interface ShardRow {
  readonly id: number
  readonly leader: string | null
  readonly term: number
  readonly keys: number
  readonly reads: Flow
  readonly writes: Flow
  /** Operations accepted by the leader and not answered. */
  readonly waiting: number
  /** Entries by which the slowest replica is behind; null when no leader says. */
  readonly lagEntries: number | null
}

export interface Frame {
  readonly cluster: string
  readonly broker: string
  readonly routing: string
  /** The broker is too small for a node's answer, which leaves its loads out: rates are too low. */
  readonly isShortened: boolean
  readonly seconds: number
  readonly reads: Flow
  readonly writes: Flow
  readonly nodes: readonly NodeRow[]
  readonly shards: readonly ShardRow[]
}

/** What happened on one node, or to one shard. */
interface Delta {
  readonly reads: SparseCounts
  readonly writes: SparseCounts
}

/** Null when no node has answered. */
export const frameOf = (before: readonly NodeReport[], after: readonly NodeReport[], seconds: number): Frame | null => {
  const status = mergeReports(after)
  if (status === undefined) return null
  const reports = after.filter(({ cluster }) => cluster === status.cluster)
  const pairs = reports.map((report) => ({ report, earlier: before.find(({ node }) => node.bootId === report.node.bootId) }))
  const deltasOf = ({ report, earlier }: (typeof pairs)[number]): ReadonlyMap<number, Delta> => new Map(
    earlier === undefined || earlier.shortened !== undefined ? [] : report.replicas.map(({ shard, load }) =>
      [shard, deltaOf(earlier.replicas.find((one) => one.shard === shard)?.load, load)]))
  const deltas = pairs.map(deltasOf)
  const flow = (pick: keyof Delta, of: readonly (Delta | undefined)[]): Flow =>
    flowOf(sumOf(of.flatMap((delta) => (delta === undefined ? [] : [delta[pick]]))), seconds)
  const all = deltas.flatMap((byShard) => [...byShard.values()])
  return {
    cluster: status.cluster,
    broker: `nats-server ${status.broker.version}`,
    routing: status.broker.routing,
    isShortened: reports.some(({ shortened }) => shortened !== undefined),
    seconds,
    reads: flow('reads', all),
    writes: flow('writes', all),
    nodes: status.nodes.map(({ id, state }) => {
      const at = pairs.findIndex(({ report }) => report.node.id === id)
      const own = [...deltas[at]?.values() ?? []]
      const leads = status.shards.filter(({ leader }) => leader === id).length
      return { id, state, leads, reads: flow('reads', own), writes: flow('writes', own), ...vitalsOf(pairs[at], seconds) }
    }),
    shards: status.shards.map(({ id, leader, term, commitIndex, replicas }) => {
      const own = deltas.map((byShard) => byShard.get(id))
      const replica = reports.find(({ node }) => node.id === leader)?.replicas.find(({ shard }) => shard === id)
      const matches = replicas.flatMap(({ matchIndex }) => (matchIndex === null ? [] : [matchIndex]))
      return {
        id, leader, term, keys: replica?.keys ?? 0, reads: flow('reads', own), writes: flow('writes', own), waiting: replica?.waiting ?? 0,
        lagEntries: matches.length === 0 ? null : Math.max(0, commitIndex - Math.min(...matches)),
      }
    }),
  }
}

const deltaOf = (earlier: ShardLoad | undefined, later: ShardLoad | undefined): Delta => ({
  reads: differenceOf(later?.readMicros ?? [], earlier?.readMicros ?? []),
  writes: differenceOf(later?.writeMicros ?? [], earlier?.writeMicros ?? []),
})

const flowOf = (micros: SparseCounts, seconds: number): Flow => {
  const total = totalOf(micros)
  const at = (share: number): number | null => (total === 0 ? null : quantileOf(micros, share) / 1_000)
  return { perSecond: total / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

type Vitals = Pick<NodeRow, 'cpuPercent' | 'rssBytes' | 'loopP99Ms' | 'syncP99Ms' | 'walBacklogBytes'>

const vitalsOf = (pair: { readonly report: NodeReport; readonly earlier: NodeReport | undefined } | undefined, seconds: number): Vitals => {
  const now = pair?.report.node.vitals
  const then = pair?.earlier?.node.vitals
  const syncs = differenceOf(now?.syncMicros ?? [], then?.syncMicros ?? [])
  return {
    cpuPercent: now === undefined || then === undefined ? null : (now.cpuMs - then.cpuMs) / (seconds * 10),
    rssBytes: now?.rssBytes ?? null,
    loopP99Ms: now?.loopDelayMs.p99 ?? null,
    syncP99Ms: totalOf(syncs) === 0 ? null : quantileOf(syncs, 0.99) / 1_000,
    walBacklogBytes: pair?.report.node.walBacklogBytes ?? 0,
  }
}
