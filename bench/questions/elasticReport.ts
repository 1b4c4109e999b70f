/** What `bench elastic` says: medians over its runs, how many keys moved and how many had to, and the bars. */

import { median } from '../load/measurement.ts'
import { formatTable } from '../report.ts'
import { mebibytes } from '../sampling.ts'
import type { Measurement } from '../load/measurement.ts'
import type { ShardView } from '../../gateway/admin/views.ts'

export interface Phase {
  readonly seconds: number
  readonly load: Measurement
  /** Read by the broker. */
  readonly brokerBytes: number
}

export interface MovedKeys {
  /** Keys that a node has and did not have, over all nodes. */
  readonly keysMoved: number
  /** What had to move: the even share of whoever came, or everything of whoever left. */
  readonly keysIdeal: number
}

export interface Move extends Phase, MovedKeys {
  /** Through the broker beyond the rate of the quiet phase. */
  readonly bytes: number
}

export interface ElasticRun {
  readonly quiet: Phase
  readonly join: Move
  readonly drain: Move
}

export interface MoveSummary {
  readonly phase: 'join' | 'drain'
  /** Medians over the runs, each column for itself. */
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** By the quiet phase of the same run. */
  readonly p99Ratio: number
  readonly keysMoved: number
  readonly keysIdeal: number
  readonly bytes: number
  /** Of all runs: refused with OVERLOADED, failed otherwise or unanswered. */
  readonly refused: number
  readonly failed: number
}

export interface ElasticSummary {
  readonly quiet: { readonly p50Ms: number; readonly p99Ms: number; readonly perSecond: number; readonly unanswered: number }
  readonly moves: readonly MoveSummary[]
}

type Placement = Pick<ShardView, 'replicas'>

const SECONDS_BAR = 60
const P99_BAR = 3
const KEYS_BAR = 1.25

export const movedKeys = (before: readonly Placement[], after: readonly Placement[], keysOf: readonly number[]): MovedKeys => {
  const old = before.map(nodesIn)
  const now = after.map(nodesIn)
  const keysAt = (shard: number): number => keysOf[shard] ?? 0
  const carried = (placement: readonly ReadonlySet<string>[], counts: (shard: number, node: string) => boolean): number =>
    placement.reduce((sum, nodes, shard) => sum + [...nodes].filter((node) => counts(shard, node)).length * keysAt(shard), 0)
  const oldNodes = new Set(old.flatMap((nodes) => [...nodes]))
  const nowNodes = new Set(now.flatMap((nodes) => [...nodes]))
  const left = carried(old, (_, node) => !nowNodes.has(node))
  const came = [...nowNodes].filter((node) => !oldNodes.has(node)).length
  return {
    keysMoved: carried(now, (shard, node) => old[shard]?.has(node) !== true),
    keysIdeal: left + carried(now, () => true) * came / Math.max(1, nowNodes.size),
  }
}

const nodesIn = ({ replicas }: Placement): ReadonlySet<string> => new Set(replicas.map((id) => id.slice(0, id.indexOf(':'))))

export const summaryOf = (runs: readonly ElasticRun[]): ElasticSummary => {
  const middle = (pick: (run: ElasticRun) => number): number => median(runs.map(pick))
  const sum = (pick: (run: ElasticRun) => number): number => runs.reduce((total, run) => total + pick(run), 0)
  return {
    quiet: {
      p50Ms: middle(({ quiet }) => quiet.load.p50Ms),
      p99Ms: middle(({ quiet }) => quiet.load.p99Ms),
      perSecond: middle(({ quiet }) => quiet.load.perSecond),
      unanswered: sum(({ quiet: { load } }) => load.overloaded + load.failed),
    },
    moves: (['join', 'drain'] as const).map((phase) => ({
      phase,
      seconds: middle((run) => run[phase].seconds),
      p50Ms: middle((run) => run[phase].load.p50Ms),
      p99Ms: middle((run) => run[phase].load.p99Ms),
      p99Ratio: middle((run) => run[phase].load.p99Ms / run.quiet.load.p99Ms),
      keysMoved: middle((run) => run[phase].keysMoved),
      keysIdeal: middle((run) => run[phase].keysIdeal),
      bytes: middle((run) => run[phase].bytes),
      refused: sum((run) => run[phase].load.overloaded),
      failed: sum((run) => run[phase].load.failed),
    })),
  }
}

export const tableOf = ({ quiet, moves }: ElasticSummary): string => formatTable(
  ['phase', 'seconds', 'p50 ms', 'p99 ms', 'x quiet', 'refused, failed', 'keys moved', 'ideal', 'x ideal', 'MiB moved'],
  [
    ['quiet', '', quiet.p50Ms.toFixed(2), quiet.p99Ms.toFixed(2), '', quiet.unanswered, '', '', '', ''],
    ...moves.map((move) => [
      move.phase, move.seconds.toFixed(1), move.p50Ms.toFixed(2), move.p99Ms.toFixed(2), move.p99Ratio.toFixed(2),
      `${move.refused}, ${move.failed}`, move.keysMoved, Math.round(move.keysIdeal), keysRatio(move).toFixed(2), mebibytes(move.bytes),
    ]),
  ],
)

const keysRatio = ({ keysMoved, keysIdeal }: MovedKeys): number => keysMoved / Math.max(1, keysIdeal)

/** One line for each bar. */
export const verdictsOf = ({ moves }: ElasticSummary): readonly string[] => moves.flatMap((move) => {
  const { phase, seconds, p99Ratio, refused, failed } = move
  const verdict = (what: string, value: string, { bar, isReached }: { readonly bar: string; readonly isReached: boolean }): string =>
    `${phase}: ${what} ${value}, bar ${bar}: ${isReached ? 'reached' : 'MISSED'}`
  const ratio = keysRatio(move)
  return [
    verdict('took', `${seconds.toFixed(1)} s`, { bar: `under ${SECONDS_BAR} s`, isReached: seconds < SECONDS_BAR }),
    verdict('p99', `${p99Ratio.toFixed(2)} x quiet`, { bar: `under ${P99_BAR}`, isReached: p99Ratio < P99_BAR }),
    verdict('refused or failed', String(refused + failed), { bar: 'none', isReached: refused + failed === 0 }),
    verdict('keys moved', `${ratio.toFixed(2)} of the ideal share`, { bar: `at most ${KEYS_BAR}`, isReached: ratio <= KEYS_BAR }),
  ]
})
