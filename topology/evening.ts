/**
 * Moves replicas until every node is even: carries its share, rounded down or up (shares.ts).
 *
 * One shift takes a node above its share by more than another is, and brings a replica from the one to the other: by one move, or along
 * a path (a replica of the first node to the second, another one of the second to the third). Only a shift from a node that is above
 * even, or to one that is below, is made: nodes that are even are left alone. The sum over all nodes of (carried - share)^2 falls with
 * every shift, so this ends, never oscillates, and changes nothing when it is done again.
 *
 * Replicas that have not been made yet are shifted for nothing, so they come first; then single moves; then paths, which are needed
 * only where distinctness and zones leave no single move. Of several replicas that could go, one that does not lead goes first.
 */

import { must } from '../actors/kernel/assert.ts'
import { FRACTION_MIN } from './shares.ts'
import type { Board } from './board.ts'

interface Search {
  /** Only replicas that are not yet where they shall go. */
  readonly isFree: boolean
  /** Only single moves. */
  readonly isDirect: boolean
}

interface Step {
  readonly shard: number
  readonly from: number
  readonly to: number
}

const SEARCHES: readonly Search[] = [
  { isFree: true, isDirect: true }, { isFree: true, isDirect: false },
  { isFree: false, isDirect: true }, { isFree: false, isDirect: false },
]

export const even = (board: Board): void => {
  while (SEARCHES.some((search) => shiftOne(board, search))) { /* until no shift is left */ }
}

const shiftOne = (board: Board, search: Search): boolean => {
  const order = board.carried.map((_, node) => node).sort((a, b) => board.excess(b) - board.excess(a) || a - b)
  const least = must(order.at(-1), 'there are nodes')
  const isAnyBelow = order.some((node) => isBelow(board, node))
  const seen = new Set<number>()
  for (const from of order) {
    if (board.excess(from) - board.excess(least) <= 1 + FRACTION_MIN) return false
    if (seen.has(from) || (!isAnyBelow && !isAbove(board, from))) continue
    const path = search.isDirect ? stepFrom(board, search, { from, order }) : pathFrom(board, seen, { search, from })
    if (path !== null && follow(board, path)) return true
  }
  return false
}

const isAbove = ({ carried, shares }: Board, node: number): boolean => (carried[node]?.size ?? 0) > (shares.high[node] ?? 0)
const isBelow = ({ carried, shares }: Board, node: number): boolean => (carried[node]?.size ?? 0) < (shares.low[node] ?? 0)

const improves = (board: Board, from: number, to: number): boolean =>
  board.excess(from) - board.excess(to) > 1 + FRACTION_MIN && (isAbove(board, from) || isBelow(board, to))

/** To the node furthest below its share that a replica of `from` may go to. */
const stepFrom = (
  board: Board, search: Search, { from, order }: { readonly from: number; readonly order: readonly number[] },
): Step[] | null => {
  const shards = movable(board, search, from)
  if (shards.length === 0) return null
  for (let i = order.length - 1; i >= 0; i -= 1) {
    const to = must(order[i], 'the index stays inside')
    if (board.excess(from) - board.excess(to) <= 1 + FRACTION_MIN) return null
    if (!improves(board, from, to)) continue
    const step = bestStep(board, shards, { from, to })
    if (step !== null) return [step]
  }
  return null
}

/**
 * Breadth first. What was reached in vain from a node with more above its share is `seen`, and not looked at again: a node further down
 * would not gain by an end by which that one does not.
 */
const pathFrom = (board: Board, seen: Set<number>, { search, from }: { readonly search: Search; readonly from: number }): Step[] | null => {
  const cameBy = new Map<number, Step>()
  const queue = [from]
  seen.add(from)
  for (const node of queue) {
    const shards = movable(board, search, node)
    const unseen = shards.length === 0 ? [] : board.carried.map((_, to) => to).filter((to) => !seen.has(to))
    const steps = unseen.map((to) => bestStep(board, shards, { from: node, to })).filter((step) => step !== null)
    for (const step of steps) {
      cameBy.set(step.to, step)
      seen.add(step.to)
      queue.push(step.to)
    }
    const end = lightest(board, steps.filter(({ to }) => improves(board, from, to)))
    if (end !== null) return pathTo(cameBy, from, end.to)
  }
  return null
}

const lightest = (board: Board, steps: readonly Step[]): Step | null =>
  steps.reduce<Step | null>((best, step) => (best === null || board.excess(step.to) < board.excess(best.to) ? step : best), null)

const movable = (board: Board, { isFree }: Search, from: number): readonly number[] => {
  const shards = [...must(board.carried[from], 'a node carries shards')]
  return isFree ? shards.filter((shard) => !isKept(board, shard, from)) : shards
}

const bestStep = (board: Board, shards: readonly number[], { from, to }: { readonly from: number; readonly to: number }): Step | null => {
  let best: Step & { readonly cost: number; readonly rank: number } | null = null
  for (const shard of shards) {
    if (!board.canShift(shard, from, to)) continue
    const step = { shard, from, to, cost: costOf(board, { shard, from, to }), rank: board.rank(shard, to) }
    if (best === null || step.cost < best.cost || (step.cost === best.cost && isFirst(step, best))) best = step
  }
  return best
}

interface Ranked {
  readonly rank: number
  readonly shard: number
}

const isFirst = (a: Ranked, b: Ranked): boolean => a.rank < b.rank || (a.rank === b.rank && a.shard < b.shard)

const isKept = ({ before }: Board, shard: number, node: number): boolean => before[shard]?.includes(node) === true

/** Moves that it adds come first, then whether a leader has to hand over before it goes. */
const costOf = (board: Board, { shard, from, to }: Step): number => {
  const moves = (isKept(board, shard, from) ? 1 : 0) + (isKept(board, shard, to) ? 0 : 1)
  return 2 * moves + (board.before[shard]?.[0] === from ? 1 : 0)
}

const pathTo = (cameBy: ReadonlyMap<number, Step>, from: number, to: number): Step[] => {
  const steps: Step[] = []
  for (let at = to; at !== from;) {
    const step = must(cameBy.get(at), 'a path leads back to its start')
    steps.push(step)
    at = step.from
  }
  return steps
}

/** Takes the steps, or none of them where one shard occurs in several and its zones allow only some. */
const follow = (board: Board, path: readonly Step[]): boolean => {
  const taken: Step[] = []
  for (const step of path) {
    if (!board.canShift(step.shard, step.from, step.to)) {
      for (const { shard, from, to } of taken.reverse()) shift(board, { shard, from: to, to: from })
      return false
    }
    shift(board, step)
    taken.push(step)
  }
  return true
}

const shift = (board: Board, { shard, from, to }: Step): void => {
  board.take(shard, from)
  board.put(shard, to)
}
