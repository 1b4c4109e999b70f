/** Moves, plans and changes in words. */

import { table } from '../table.ts'
import { bytesText, countText } from '../units.ts'
import type { ChangeAnswer, Move, PlanAnswer, PlannedMove } from '../../gateway/admin/views.ts'

export const groupText = (group: number | 'meta'): string => (group === 'meta' ? 'meta' : String(group))

/** `n1:1 -> n4:7`, `+n4:7`, `-n1:1`. */
export const changeText = ({ add, remove }: Pick<PlannedMove, 'add' | 'remove'>): string => {
  if (add === null) return `-${remove ?? ''}`
  return remove === null ? `+${add}` : `${remove} -> ${add}`
}

export const entriesText = (entries: number | null): string => (entries === null ? '-' : String(entries))

export const copiedText = ({ bytes }: Move): string =>
  (bytes === null ? '-' : `${bytesText(bytes.done)} of ${bytesText(bytes.total)}`)

export const rateText = ({ bytes }: Move): string => (bytes === null ? '-' : `${bytesText(bytes.perSecond)}/s`)

export const etaText = ({ bytes }: Move): string => (bytes === null || bytes.secondsLeft === null ? '-' : `${bytes.secondsLeft} s`)

export const movesTable = (moves: readonly Move[]): string => (moves.length === 0 ? 'no move is under way' : table(
  ['MOVE', 'SHARD', 'CHANGE', 'STEP', 'COPIED', 'RATE', 'ENDS IN', 'ENTRIES LEFT'],
  moves.map((move) => [
    String(move.id), groupText(move.group), changeText(move), move.step, copiedText(move), rateText(move), etaText(move),
    entriesText(move.entriesLeft),
  ]),
  { numeric: [0, 4, 5, 6, 7] },
))

export const moveFields = (move: Move): readonly (string | number)[] =>
  [
    move.id, groupText(move.group), move.add ?? '-', move.remove ?? '-', move.step, entriesText(move.entriesLeft),
    move.bytes?.done ?? '-', move.bytes?.total ?? '-', move.bytes?.perSecond ?? '-', move.bytes?.secondsLeft ?? '-',
  ]

export const planTable = (plan: PlanAnswer): string => {
  const { moves, underWay, cancels, preferences, blocked, heldBack, isPaused } = plan
  const lines: string[] = []
  if (moves.length > 0) {
    lines.push(table(['SHARD', 'CHANGE', 'MAY BEGIN'], moves.map((move) => [
      groupText(move.group), changeText(move), plan.next.some((next) => isSame(next, move)) ? 'now' : '',
    ])), '')
  }
  lines.push(`${moves.length} moves to come, ${underWay} under way, at epoch ${plan.epoch}${localText(plan)}`)
  if (cancels.length > 0) lines.push(`pointless, to be undone: ${cancels.join(', ')}`)
  if (preferences.length > 0) lines.push(`${preferences.length} shards will prefer another leader`)
  if (blocked.length > 0) {
    lines.push(`without a majority of live, undamaged replicas, and so not touched: ${blocked.map(groupText).join(', ')}`)
    lines.push('start the nodes that are down; what else can be done is in docs/OPERATIONS.md, "Damaged replicas"')
  }
  if (heldBack.length > 0) lines.push(heldBackText(plan))
  lines.push(balanceText(plan))
  if (isPaused) lines.push('the cluster is paused: "shardkv plan --apply" or "shardkv resume" lets moves begin')
  return lines.join('\n')
}

export const heldBackText = ({ heldBack, heldBackBy }: Pick<PlanAnswer, 'heldBack' | 'heldBackBy'>): string =>
  `held back, with a replica on a draining node: ${heldBack.map(groupText).join(', ')}; too few would be left while `
  + `${heldBackBy.join(', ')} is lost: bring that back, or "shardkv member drain --force" it, too, or add a node`

const balanceText = ({ balance: { isOn, nodes } }: PlanAnswer): string => {
  if (!isOn) return 'load moves nothing: "shardkv cluster balance on" lets it'
  const total = nodes.reduce((sum, node) => sum + node.operationsPerSecond, 0)
  const weights = nodes.reduce((sum, node) => sum + node.weight, 0)
  if (total === 0) return 'load: not known, or none'
  return `load, a second: ${nodes.map(({ id, weight, operationsPerSecond }) =>
    `${id} ${countText(operationsPerSecond)} (${((operationsPerSecond * weights) / weight / total).toFixed(2)} of even)`).join(', ')}`
}

const isSame = (a: PlannedMove, b: PlannedMove): boolean => a.group === b.group && a.add === b.add && a.remove === b.remove

/** Said only where it is not the truth of the moment. */
export const localText = ({ consistency }: { readonly consistency: string }): string =>
  (consistency === 'local' ? ' (of this node\'s own map: the meta group\'s leader could not be reached)' : '')

/** A node of an earlier version says no cost. */
type ChangeAnswered = Omit<ChangeAnswer, 'cost'> & Partial<Pick<ChangeAnswer, 'cost'>>

export const outcomeText = ({ outcome, epoch, move, cost = null }: ChangeAnswered, { done, next }: Words): string => {
  if (outcome === 'unchanged') return `it was so already (epoch ${epoch})`
  const about = move === null ? '' : `, move ${move}`
  return [`${done} (epoch ${epoch}${about})`, ...(cost === null ? [] : [costText(cost)]), ...(next === undefined ? [] : [next])]
    .join('\n')
}

export const costText = (cost: string): string => `what it costs: ${cost}`

interface Words {
  readonly done: string
  readonly next?: string
}
