/** The tables of docs/SCALE.md, in Markdown. */

import type { Measurement } from './measure.ts'

const MS_PER_SECOND = 1_000

export const scaleTable = (rows: readonly Measurement[]): string => table([
  'nodes', 'weather', 'messages per node and s', 'one node suspects another, per min', 'false deaths', 'first knows, s', 'all know, s',
  'a leave is known to all, s', 'is back for all, s',
], rows.map((row) => [
  row.condition.nodes, row.condition.name, row.messagesPerSecond.toFixed(1), perNodeMinute(row.suspicions, row),
  row.falseDeaths, spread(row.firstDeath), spread(row.allDeaths), spread(row.convergence), spread(row.returns),
]))

export const comparisonTable = (rows: readonly Measurement[]): string => table([
  'protocol', 'false deaths', 'of those among healthy nodes', 'first knows, s', 'all know, s', 'messages per node and s',
], rows.map((row) => [
  row.condition.name, row.falseDeaths, row.falseDeathsAmongHealthy, spread(row.firstDeath), spread(row.allDeaths),
  row.messagesPerSecond.toFixed(1),
]))

/** Each verdict of each observer counts: divided by observers and observed. */
const perNodeMinute = (count: number, { condition: { nodes, windowMs } }: Measurement): string =>
  (count / nodes / nodes / (windowMs / (60 * MS_PER_SECOND))).toFixed(2)

export const medianOf = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** `median (max)`. */
const spread = (values: readonly number[]): string => {
  const seconds = (ms: number): string => (ms / MS_PER_SECOND).toFixed(1)
  return values.length === 1 ? seconds(medianOf(values)) : `${seconds(medianOf(values))} (${seconds(Math.max(...values))})`
}

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
