/**
 * A metric family: a name, what it means, and how its values are read from a node. Families are tables (the files beside this one), so that
 * what a node exposes can be listed, documented and compared without running it.
 *
 * Histograms have powers of two as bounds, since those are exact in the log-linear buckets they are read from (actors/kernel/histogram.ts).
 */

import { OpCode, Status } from '../../actors/shard/operation.ts'
import { CODES, STATUSES, TIME_EXPONENTS } from '../instruments.ts'
import type { Histogram } from '../../actors/kernel/histogram.ts'
import type { NodeSample } from '../../topology/nodeSample.ts'
import type { Example, Records, Tally } from '../instruments.ts'
import type { TracingCounts } from '../tracing/openTracing.ts'

export type Labels = Readonly<Record<string, string | number>>

export interface Scalar {
  readonly labels: Labels
  readonly value: number
}

export interface Distribution {
  readonly labels: Labels
  readonly of: Histogram
  /** By the power of two that is the bucket's bound. */
  readonly examples?: ReadonlyMap<number, Example>
}

/** What there is to read: the process always, the node once it is built. */
export interface Readings {
  readonly records: Records
  readonly process: ProcessReadings
  readonly node: NodeSample | null
  readonly traces: TracingCounts
}

export interface ProcessReadings {
  readonly version: string
  readonly cpuSeconds: number
  readonly startSeconds: number
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number; readonly external: number }
  readonly loopDelayMicros: Histogram
  /** That could not be written, of all targets together. */
  readonly lostLogLines: number
}

interface Named {
  /** Counters end in `_total`, units come last. */
  readonly name: string
  readonly help: string
}

export type Family =
  | (Named & { readonly type: 'counter' | 'gauge'; readonly read: (from: Readings) => readonly Scalar[] })
  | (Named & { readonly type: 'histogram'; readonly bounds: Bounds; readonly read: (from: Readings) => readonly Distribution[] })

export interface Bounds {
  /** Of two: the first bound and the last. */
  readonly exponents: readonly [number, number]
  /** What one unit of the histogram is of the unit of the metric. */
  readonly scale: number
  /** Whole numbers below a bound are at most one less. */
  readonly isWhole: boolean
}

export const secondsOfMicros: Bounds = { exponents: TIME_EXPONENTS, scale: 1e-6, isWhole: false }
/** 1 to 4,095. */
export const wholeNumbers: Bounds = { exponents: [1, 12], scale: 1, isWhole: true }
/** 1 KiB to 1 GiB. */
export const bytes: Bounds = { exponents: [10, 30], scale: 1, isWhole: false }

/** None where nothing is known. */
export const one = (value: number | boolean | null | undefined, labels: Labels = {}): readonly Scalar[] =>
  (value === null || value === undefined ? [] : [{ labels, value: Number(value) }])

/** One value for each of a list of things. */
export const each = <T>(list: Iterable<T> | undefined, read: (item: T) => Scalar): readonly Scalar[] => Array.from(list ?? [], read)

const names = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]))
const statuses = Object.keys(Status)

export const operationName = (code: number): string => names.get(code) ?? 'none'

/** The counts above 0: most pairs of an operation and a status never happen. */
export const tallied = (tally: Tally, more: Labels = {}): readonly Scalar[] => {
  const scalars: Scalar[] = []
  for (let code = 0; code < CODES; code += 1) {
    for (let status = 0; status < STATUSES; status += 1) {
      const value = tally[code * STATUSES + status] ?? 0
      if (value > 0) scalars.push({ labels: { ...more, op: operationName(code), status: statuses[status] ?? '' }, value })
    }
  }
  return scalars
}

/** The operations that have happened. */
export const distributions = (
  byOperation: readonly Histogram[], more: Labels = {}, examples: readonly ReadonlyMap<number, Example>[] = [],
): readonly Distribution[] => byOperation.flatMap((of, code) => {
  if (of.sparse().length === 0) return []
  const found = examples[code]
  return [{ labels: { ...more, op: operationName(code) }, of, ...(found === undefined ? {} : { examples: found }) }]
})
