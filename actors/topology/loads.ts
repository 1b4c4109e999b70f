/**
 * How much is asked of every shard, as nodes tell it: rates, smoothed, and sizes. What is known here informs the planner of the meta
 * group's leader, and is forgotten with its leadership; only committed commands change anything.
 *
 *   a node's counters, every few seconds ──difference of two answers of one process──▶ a rate ──smoothed──▶ the shard's load
 *
 * A rate is the shard's, not its leader's: it stays known when the leadership moves. The next answer of the new leader is where counting
 * begins anew, so nothing is counted twice.
 */

import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { GroupKey } from './clusterState.ts'

/** Counters of a shard that the node leads: they grow while the process lives. */
export interface ShardFigures {
  readonly shard: ShardId
  /** Answered. */
  readonly operations: number
  /** Payload of applied entries. */
  readonly writtenBytes: number
  readonly keys: number
  /** What the keys weigh, about. */
  readonly keyBytes: number
}

/** How far a new replica is, as its group's leader knows. */
export interface CatchUpFigures {
  readonly group: GroupKey
  readonly replica: ReplicaId
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface NodeFigures {
  readonly node: NodeId
  /** Of the process: counters of two processes are not compared. */
  readonly boot: string
  /** That process' monotonic clock. */
  readonly atMs: number
  readonly shards: readonly ShardFigures[]
  readonly catchUps: readonly CatchUpFigures[]
}

export interface ShardLoad {
  /** A second. */
  readonly operations: number
  readonly writtenBytes: number
  readonly keys: number
  readonly keyBytes: number
  /** The clock of whoever gathers: when the first rate was known, and the newest. */
  readonly sinceMs: number
  readonly atMs: number
}

export interface CatchUpRate {
  readonly doneBytes: number
  readonly totalBytes: number
  readonly bytesPerSecond: number
}

export interface Loads {
  readonly told: Map<NodeId, NodeFigures>
  readonly shards: Map<ShardId, ShardLoad>
  readonly catchUps: Map<ReplicaId, CatchUpRate>
}

/** A change of load is seen to two thirds after this time. More: calmer, later. */
const SMOOTHING_MS = 45_000
/** The same for the speed of a copy, which people watch. */
const COPY_SMOOTHING_MS = 3_000

export const createLoads = (): Loads => ({ told: new Map(), shards: new Map(), catchUps: new Map() })

export const noteFigures = (loads: Loads, figures: NodeFigures, now: number): void => {
  const known = loads.told.get(figures.node)
  const before = known?.boot === figures.boot && known.atMs < figures.atMs ? known : undefined
  loads.told.set(figures.node, figures)
  const elapsedMs = before === undefined ? 0 : figures.atMs - before.atMs
  const counted = new Map(before?.shards.map((row) => [row.shard, row]))
  for (const row of figures.shards) noteShard(loads, { row, before: counted.get(row.shard), elapsedMs }, now)
  noteCatchUps(loads, before, figures, elapsedMs)
}

interface Sample {
  readonly row: ShardFigures
  readonly before: ShardFigures | undefined
  readonly elapsedMs: number
}

const noteShard = ({ shards }: Loads, { row, before, elapsedMs }: Sample, now: number): void => {
  if (before === undefined || elapsedMs <= 0) return
  const known = shards.get(row.shard)
  const rate = (name: 'operations' | 'writtenBytes'): number =>
    smoothed(known?.[name], (Math.max(0, row[name] - before[name]) * 1_000) / elapsedMs, elapsedMs / SMOOTHING_MS)
  shards.set(row.shard, {
    operations: rate('operations'), writtenBytes: rate('writtenBytes'), keys: row.keys, keyBytes: row.keyBytes,
    sinceMs: known?.sinceMs ?? now, atMs: now,
  })
}

const noteCatchUps = ({ catchUps }: Loads, before: NodeFigures | undefined, { catchUps: rows }: NodeFigures, elapsedMs: number): void => {
  const replicas = new Set(rows.map(({ replica }) => replica))
  for (const { replica } of before?.catchUps ?? []) if (!replicas.has(replica)) catchUps.delete(replica)
  const counted = new Map(before?.catchUps.map((row) => [row.replica, row]))
  for (const { replica, doneBytes, totalBytes } of rows) {
    const from = counted.get(replica)
    const rate = from === undefined || elapsedMs <= 0 ? undefined : (Math.max(0, doneBytes - from.doneBytes) * 1_000) / elapsedMs
    const known = from === undefined ? undefined : catchUps.get(replica)?.bytesPerSecond
    const bytesPerSecond = rate === undefined ? 0 : smoothed(known, rate, elapsedMs / COPY_SMOOTHING_MS)
    catchUps.set(replica, { doneBytes, totalBytes, bytesPerSecond })
  }
}

/** `weight`: the time between samples, in units of the smoothing. The first sample is taken whole. */
const smoothed = (known: number | undefined, sample: number, weight: number): number =>
  (known === undefined ? sample : known + ((sample - known) * weight) / (1 + weight))
