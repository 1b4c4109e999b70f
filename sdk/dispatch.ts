/**
 * The state of one connection, and the small steps that everything above it is made of: a call waits, is woken, is settled.
 *
 * In flight means from `submit` to the settling of the promise, wherever the call waits meanwhile: in a lane (lane.ts), the draft of
 * this turn, or a batch of a link (link.ts). `calls` has them all, so that each is settled in time whatever happens to the place it is in.
 */

import { OpCode } from '../actors/shard/operation.ts'
import { resumeLane } from './lane.ts'
import { completeSequence } from './session.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Bus } from '../bus/port.ts'
import type { NodeId } from '../topology/ids.ts'
import type { Call } from './call.ts'
import type { ShardKvError } from './errors.ts'
import type { InFlight } from './inFlight.ts'
import type { Lane } from './lane.ts'
import type { Link, LinkCounters } from './link.ts'
import type { MapFollower, RoutingMap } from './map.ts'
import type { Signals } from './signals.ts'

export interface DispatchLimits {
  /** Operations without a result. Above it: OverloadedError. */
  readonly operationsMax: number
  /** Their keys and values. Above it: OverloadedError. */
  readonly bytesMax: number
}

export interface DispatchCounters extends LinkCounters {
  /** Copies of operations that were sent again, or will be. */
  retries: number
  /** Calls refused because a limit of this connection was reached. */
  overloaded: number
  /** Exactly-once sessions opened. */
  sessions: number
}

export interface ClientOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly random: Random
  readonly prefix: string
  /** A subject of this connection's own under the inbox prefix: answers come to `<inbox>.<number of the link>.<sequence>.<token>`. */
  readonly inbox: string
  /** What nobody can guess, and no call gave before: who hears one answer must not know where the next will come to. */
  readonly newToken: () => string
  readonly limits: DispatchLimits
}

export interface Dispatch extends ClientOptions {
  readonly counters: DispatchCounters
  readonly map: MapFollower
  readonly signals: Signals
  /** Whether an mget, mput or mdel is under way: keys of it may wait that are no calls yet. */
  readonly hasLists: () => boolean
  readonly links: Map<NodeId, Link>
  /** Whose doors the broker does not let this user knock at, as far as it has said so on this connection. */
  readonly deniedNodes: Set<NodeId>
  /** By their number in the inbox. */
  readonly numberedLinks: Link[]
  /** Two for each shard, leaders' first; empty before the first map. */
  lanes: Lane[]
  routing: RoutingMap | null
  /** Lanes with something that may leave at the end of this turn. */
  dirty: Lane[]
  /** All that are in flight. */
  readonly calls: InFlight
  /** Runs the end of a turn. */
  readonly run: () => void
  readonly startTicking: () => void
  isScheduled: boolean
  isTicking: boolean
  ticks: number
  /** By the clock. */
  tickDueAt: number
  /** The last tick came so late that it judged nothing. */
  hasSlept: boolean
  isConnected: boolean
  state: 'open' | 'closing' | 'closed'
  bytes: number
  /** What stood in the way last, for messages; empty once the broker is there again. */
  problem: string
  /** When it did, by the clock. */
  problemAt: number
  /** Why there are no new calls, once there are none. */
  closedBecause: string
  /** Called once each when nothing is in flight. */
  idle: (() => void)[]
  /** Called once each with the first map, or with what made it impossible. */
  starting: ((error: ShardKvError | null) => void)[]
}

export const laneOf = (dispatch: Dispatch, call: Call): Lane | undefined => {
  const isStale = call.code === OpCode.get && call.consistency === 'stale'
  return dispatch.lanes[isStale ? dispatch.lanes.length / 2 + call.shard : call.shard]
}

/** Does nothing once the connection is closed: no turn follows any more. */
export const markDirty = (dispatch: Dispatch, lane: Lane): void => {
  if (dispatch.state === 'closed') return
  if (!lane.isDirty) {
    lane.isDirty = true
    dispatch.dirty.push(lane)
  }
  scheduleTurn(dispatch)
}

export const scheduleTurn = (dispatch: Dispatch): void => {
  if (dispatch.isScheduled) return
  dispatch.isScheduled = true
  dispatch.clock.defer(dispatch.run)
}

/** Does nothing once the connection is closed: nobody would settle the call, and whoever waits for the last one would wait for ever. */
export const takeIn = (dispatch: Dispatch, call: Call): void => {
  if (dispatch.state === 'closed') return
  dispatch.calls.add(call)
  dispatch.bytes += call.bytes
}

/** A write gets its sequence when it first leaves, and keeps it. */
export const enqueue = (dispatch: Dispatch, lane: Lane, call: Call): void => {
  if (call.code === OpCode.get || call.sequence > 0) lane.ready.push(call)
  else lane.fresh.push(call)
  markDirty(dispatch, lane)
}

export const noteProblem = (dispatch: Dispatch, problem: string): void => {
  dispatch.problem = problem
  dispatch.problemAt = dispatch.clock.now()
}

/**
 * What kept a call from leaving that has no reason of its own; empty when nothing is known. What stood in the way before the call began
 * may be hours old; what did since may still, even if calls succeed on other shards.
 */
export const reasonFor = ({ isConnected, problem, problemAt }: Dispatch, { deadline, timeoutMs }: Call): string => {
  if (!isConnected) return BROKER_AWAY
  return problemAt >= deadline - timeoutMs ? problem : ''
}

export const BROKER_AWAY = 'the broker is not connected'

export const wakeLane = (dispatch: Dispatch, lane: Lane): void => {
  resumeLane(lane)
  lane.writesFrom = 0
  markDirty(dispatch, lane)
}

export const rejectCall = (dispatch: Dispatch, call: Call, error: ShardKvError): void => {
  if (call.isDone) return
  call.reject(error)
  finishCall(dispatch, call)
}

/** The caller has been told. Only now may the shard forget the write's result (session.ts). */
export const finishCall = (dispatch: Dispatch, call: Call): void => {
  call.isDone = true
  if (dispatch.calls.remove(call)) dispatch.bytes -= call.bytes
  const lane = laneOf(dispatch, call)
  if (call.session !== null && isOfSession(call)) {
    completeSequence(call.session, call.sequence)
    if (lane !== undefined && lane.fresh.length > 0) markDirty(dispatch, lane)
  }
  tellIfIdle(dispatch)
  // At the end: what a caller's signal throws leaves nothing undone.
  dispatch.signals.forget(call)
}

/** Nobody waits for what is still in flight: the opening of a session is for writes, which are in flight themselves. */
export const isIdle = ({ calls, hasLists }: Dispatch): boolean => {
  if (hasLists()) return false
  return !calls.some(({ code }) => code !== OpCode.openSession)
}

export const tellIfIdle = (dispatch: Dispatch): void => {
  if (dispatch.idle.length === 0 || !isIdle(dispatch)) return
  const waiting = dispatch.idle
  dispatch.idle = []
  for (const done of waiting) done()
}

/** The sequence of a session's own operations is no request's. */
const isOfSession = ({ code }: Call): boolean => code !== OpCode.openSession && code !== OpCode.closeSession
