/**
 * What waits for one shard: calls that can leave at once, writes that still need a sequence, and the pause that holds for all of them.
 * A shard has two lanes. Stale reads have one of their own, since they go to any replica, and go on while nobody leads.
 */

import { backoffMs } from './backoff.ts'
import { createSession } from './session.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { ShardId } from '../topology/ids.ts'
import type { Call } from './call.ts'
import type { ShardSession } from './session.ts'

export interface Lane {
  readonly shard: ShardId
  readonly isStale: boolean
  /** Reads, the SDK's own operations, and writes that have their sequence. */
  ready: Call[]
  /** Writes without a sequence, in order. */
  fresh: Call[]
  session: ShardSession
  /** The operation that opens the session, while it is under way. */
  opening: Call | null
  /** By the clock: before that nothing is written, and no session asked for. Reads go on. */
  writesFrom: number
  /** By the clock. */
  pausedUntil: number
  /** The pause is what an overloaded leader asked for: that something sent earlier succeeds does not end it. */
  isHeld: boolean
  /** In a row. */
  failures: number
  /** Which replica is asked: grows with every failure. */
  turn: number
  isDirty: boolean
}

export const createLane = (shard: ShardId, isStale: boolean, input: { readonly client: string; readonly turn: number }): Lane => ({
  shard, isStale, ready: [], fresh: [], session: createSession(input.client), opening: null, writesFrom: 0, pausedUntil: 0,
  isHeld: false, failures: 0, turn: input.turn, isDirty: false,
})

export const waitingIn = (lane: Lane): number => lane.ready.length + lane.fresh.length

interface Pause {
  readonly now: number
  /** What the other side asked for. */
  readonly floorMs?: number | undefined
  readonly isOverload?: boolean
}

/** Failures within one pause are one failure: a frame of a thousand refusals is not a thousand reasons to wait. */
export const pauseLane = (lane: Lane, random: Random, { now, floorMs = 0, isOverload = false }: Pause): void => {
  if (lane.pausedUntil > now) {
    lane.pausedUntil = Math.max(lane.pausedUntil, now + floorMs)
    lane.isHeld ||= isOverload
    return
  }
  lane.isHeld = isOverload
  lane.pausedUntil = now + backoffMs(random, lane.failures, floorMs)
  lane.failures += 1
  lane.turn += 1
}

/** That there is no room for a write, or for its session, is no reason to keep reads waiting. */
export const holdWrites = (lane: Lane, random: Random, { now, floorMs = 0 }: Pause): void => {
  if (lane.writesFrom > now) {
    lane.writesFrom = Math.max(lane.writesFrom, now + floorMs)
    return
  }
  lane.writesFrom = now + backoffMs(random, lane.failures, floorMs)
  lane.failures += 1
}

/** Something succeeded: the leader is there. */
export const noteSuccess = (lane: Lane): void => {
  if (lane.isHeld) lane.failures = 0
  else resumeLane(lane)
}

export const resumeLane = (lane: Lane): void => {
  lane.isHeld = false
  lane.pausedUntil = 0
  lane.failures = 0
}

/** Forgets waiting calls that are done. */
export const sweepLane = (lane: Lane): void => {
  lane.ready = lane.ready.filter(isWaiting)
  lane.fresh = lane.fresh.filter(isWaiting)
}

const isWaiting = ({ isDone }: Call): boolean => !isDone
