/**
 * What clients asked of the cluster in the last seconds: requests a second and how long they took, for each operation, over all nodes and
 * for each node whose door they came by. Reckoned from what nodes say of their doors since their start, every time they are asked.
 */

import { byName } from './picture.ts'
import { differenceOf, quantileOf, sumOf, totalOf } from '../../actors/kernel/histogram.ts'
import type { SparseCounts } from '../../actors/kernel/histogram.ts'
import type { NodeActors } from '../recorder/wire.ts'

/** Long enough for a percentile, short enough to be now. */
export const LOAD_WINDOW_MS = 10_000

export interface Load {
  readonly op: string
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
}

export interface OpLoads extends Load {
  /** By the node whose door they came by; who had none is not in it. */
  readonly nodes: readonly (Load & { readonly node: string })[]
}

export interface Loads {
  readonly add: (answers: readonly NodeActors[]) => void
  /** The busiest first. */
  readonly rows: () => readonly OpLoads[]
}

type Reading = Pick<NodeActors, 'node' | 'at' | 'operations'>

interface Part {
  readonly node: string
  readonly op: string
  readonly seconds: number
  readonly micros: SparseCounts
}

export const createLoads = (): Loads => {
  const readings = new Map<string, Reading[]>()
  return {
    add: (answers) => {
      const there = new Set(answers.map(({ node }) => node))
      for (const node of readings.keys()) if (!there.has(node)) readings.delete(node)
      for (const { node, at, operations } of answers) {
        const known = readings.get(node)?.filter((reading) => reading.at < at && reading.at >= at - LOAD_WINDOW_MS) ?? []
        readings.set(node, [...known, { node, at, operations }])
      }
    },
    rows: () => rowsOf([...readings.values()].flatMap(partsOf)),
  }
}

/** Between the first reading and the last. Who has been asked but once says nothing yet. */
const partsOf = (readings: readonly Reading[]): readonly Part[] => {
  const [first, last] = [readings[0], readings.at(-1)]
  if (first === undefined || last === undefined || last.at <= first.at) return []
  return last.operations.map(({ op, micros }) => {
    const before = first.operations.find((one) => one.op === op)?.micros ?? []
    return { node: last.node, op, seconds: (last.at - first.at) / 1_000, micros: differenceOf(micros, before) }
  }).filter(({ micros }) => micros.length > 0)
}

const rowsOf = (parts: readonly Part[]): readonly OpLoads[] =>
  [...new Set(parts.map(({ op }) => op))].map((op): OpLoads => {
    const own = parts.filter((part) => part.op === op).toSorted((a, b) => byName(a.node, b.node))
    const nodes = own.map((part) => ({ node: part.node, ...loadOf(op, [part]) }))
    return { ...loadOf(op, own), nodes }
  }).toSorted((a, b) => b.perSecond - a.perSecond)

const loadOf = (op: string, parts: readonly Part[]): Load => {
  const micros = sumOf(parts.map((part) => part.micros))
  return {
    op,
    perSecond: parts.reduce((sum, part) => sum + totalOf(part.micros) / part.seconds, 0),
    medianMs: quantileOf(micros, 0.5) / 1_000,
    p99Ms: quantileOf(micros, 0.99) / 1_000,
  }
}
