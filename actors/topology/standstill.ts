/**
 * Moves that stand still: their target has a full disk, or their group no leader, and nobody can say for how long. Each keeps its group
 * and its nodes busy, but none of the cluster's places (plan.ts): four of them would keep every lost replica from being replaced.
 *
 * A copy goes on as long as its leader tells of more than ever before: of bytes, or of the log. A copy that begins again and again is none
 * that goes on. Every other step takes seconds, and is judged by its age alone. Whom this takes wrongly for standing still costs one
 * copy more beside the others; it is never cancelled for that.
 *
 * What a meta leader knows of it, it has seen itself: the next one waits anew.
 */

import { movesOf } from './clusterState.ts'
import { matchOfMove } from './driver.ts'
import type { ClusterState, MoveId, MoveOfGroup } from './clusterState.ts'
import type { Driver } from './driver.ts'
import type { Loads } from './loads.ts'

/** Some retries of everything. Less: a slow copy is taken for none; more: what could begin waits longer. */
export const STILL_MS = 180_000

interface Watched {
  /** Of the step. */
  readonly epoch: number
  /** The most that was ever told of in it. */
  bytes: number
  index: number
  sinceMs: number
}

export interface Standstill {
  readonly watched: Map<MoveId, Watched>
  still: readonly MoveId[]
}

export interface Sight {
  readonly state: ClusterState
  readonly driver: Driver
  readonly loads: Loads
  /** Monotonic, in milliseconds. */
  readonly now: number
}

export const createStandstill = (): Standstill => ({ watched: new Map(), still: [] })

/** The same list as before, as long as it names the same moves. */
export const standingStill = (standstill: Standstill, sight: Sight): readonly MoveId[] => {
  const { watched } = standstill
  const moves = movesOf(sight.state)
  const under = new Set(moves.map(({ move }) => move.id))
  for (const id of watched.keys()) if (!under.has(id)) watched.delete(id)
  const still = moves.filter((found) => sight.now - look(watched, found, sight) >= STILL_MS).map(({ move }) => move.id)
  if (still.join() !== standstill.still.join()) standstill.still = still
  return standstill.still
}

/** Since when it stands still. */
const look = (watched: Map<MoveId, Watched>, { move }: MoveOfGroup, { driver, loads, now }: Sight): number => {
  const bytes = move.add === null ? 0 : loads.catchUps.get(move.add)?.doneBytes ?? 0
  const index = matchOfMove(driver, move)
  const known = watched.get(move.id)
  if (known?.epoch !== move.orderedAt) {
    watched.set(move.id, { epoch: move.orderedAt, bytes, index, sinceMs: now })
    return now
  }
  if (move.step === 'adding' && (bytes > known.bytes || index > known.index)) known.sinceMs = now
  known.bytes = Math.max(known.bytes, bytes)
  known.index = Math.max(known.index, index)
  return known.sinceMs
}
