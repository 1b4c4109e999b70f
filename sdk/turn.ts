/**
 * The end of a turn of the event loop: what waits in the lanes that were touched goes to the links of the leaders, and one frame for
 * each node leaves. And the tick, which finds what is due when no answer does.
 */

import { must } from '../actors/kernel/assert.ts'
import { hex64 } from '../actors/kernel/random.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { blameOpening, createCall, isWrite, refusalFor, timeoutOf } from './call.ts'
import { bytes } from './codec.ts'
import { laneOf, markDirty, noteProblem, reasonFor, rejectCall, scheduleTurn, takeIn } from './dispatch.ts'
import { holdWrites, pauseLane, sweepLane, waitingIn } from './lane.ts'
import { SESSION_REST_MS, SLEEP_MS_MIN, SWEEP_TICKS, TIMEOUT_MS_DEFAULT } from './limits.ts'
import { createLink } from './link.ts'
import { isWorthSending } from './pacing.ts'
import { handleLost, handleResult, handleUnsent } from './results.ts'
import { createSession, hasRoom, isSettled, takeSequence } from './session.ts'
import type { NodeId } from '../topology/ids.ts'
import type { Call } from './call.ts'
import type { Dispatch } from './dispatch.ts'
import type { ShardKvError } from './errors.ts'
import type { Lane } from './lane.ts'
import type { Link } from './link.ts'
import type { ShardSession } from './session.ts'

export const runTurn = (dispatch: Dispatch): void => {
  dispatch.isScheduled = false
  if (dispatch.state === 'closed') return
  const lanes = dispatch.dirty
  dispatch.dirty = []
  const now = dispatch.clock.now()
  const lanesOf = new Map<Link, Lane[]>()
  for (const lane of lanes) {
    const link = linkFor(dispatch, lane, now)
    if (link === null) {
      lane.isDirty = false
      continue
    }
    const own = lanesOf.get(link)
    if (own === undefined) lanesOf.set(link, [lane])
    else own.push(lane)
  }
  for (const [link, own] of lanesOf) sendFrom(dispatch, own, { link, now, room: link.room(now) })
}

/**
 * Lanes that are held back stay dirty: the next turn looks at them again. Where there is no room for all of them, they take turns: the
 * lane that found the last of it comes after those that found none. Reads need no room: they fill nobody's desk, and cost no lane its turn.
 */
const sendFrom = (dispatch: Dispatch, lanes: readonly Lane[], passage: Passage): void => {
  const { link, now } = passage
  if (!isWorthSending(sum(lanes.map(waitingIn)), link.inFlight(now))) {
    dispatch.dirty.push(...lanes)
    return
  }
  const cut: Lane[] = []
  for (const lane of lanes) {
    if (passage.room <= 0 && !lane.ready.some((call) => mayPass(passage, call))) {
      dispatch.dirty.push(lane)
      continue
    }
    const foundRoom = passage.room > 0
    gather(dispatch, lane, passage)
    lane.isDirty = passage.room <= 0 && waitingIn(lane) > 0
    if (lane.isDirty) (foundRoom ? cut : dispatch.dirty).push(lane)
  }
  dispatch.dirty.push(...cut)
  link.flush(now)
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

/** Something was answered, or time has passed: what was held back may leave. */
export const wakeHeld = (dispatch: Dispatch): void => {
  if (dispatch.dirty.length > 0) scheduleTurn(dispatch)
}

/** The link that takes the lane's calls now; null when they wait, be it for a pause, a leader or a door session. */
const linkFor = (dispatch: Dispatch, lane: Lane, now: number): Link | null => {
  if (!dispatch.isConnected || lane.pausedUntil > now || waitingIn(lane) === 0) return null
  const targets = targetsOf(dispatch, lane)
  if (targets.length === 0) {
    noteTrouble(dispatch, `no leader of shard ${lane.shard} is known`)
    pauseLane(lane, dispatch.random, { now })
    return null
  }
  for (const node of targets) {
    const link = dispatch.links.get(node) ?? openLink(dispatch, node)
    if (link.isReady(now)) return link
  }
  return null
}

/** The leader; for stale reads all replicas, in the order in which they are to be tried. */
const targetsOf = ({ routing }: Dispatch, lane: Lane): readonly NodeId[] => {
  const leader = routing?.leaders[lane.shard]?.node
  if (!lane.isStale) return leader === undefined ? [] : [leader]
  const replicas = routing?.replicas[lane.shard] ?? []
  return replicas.map((_, i) => must(replicas[(lane.turn + i) % replicas.length], 'it is within the list'))
}

/** The map is fetched again, at its own pace. */
export const noteTrouble = (dispatch: Dispatch, problem: string): void => {
  noteProblem(dispatch, problem)
  dispatch.map.refresh()
}

const openLink = (dispatch: Dispatch, node: NodeId): Link => {
  const link = createLink(node, {
    ...dispatch,
    inbox: `${dispatch.inbox}.${dispatch.numberedLinks.length}`,
    onResult: (call, result) => { handleResult(dispatch, call, result) },
    onUnsent: (call, problem) => { handleUnsent(dispatch, call, problem) },
    onLost: (call, problem) => { handleLost(dispatch, call, problem) },
    onOpen: () => { wakeWaiting(dispatch) },
    onTrouble: (problem) => { noteTrouble(dispatch, problem) },
  }, dispatch.counters)
  dispatch.links.set(node, link)
  dispatch.numberedLinks.push(link)
  return link
}

export const wakeWaiting = (dispatch: Dispatch): void => {
  for (const lane of dispatch.lanes) if (waitingIn(lane) > 0) markDirty(dispatch, lane)
}

interface Passage {
  readonly link: Link
  readonly now: number
  /** Bytes that may still leave. */
  room: number
}

const mayPass = ({ room }: Passage, call: Call): boolean => room > 0 || !isWrite(call)

const pass = (passage: Passage, call: Call): void => {
  passage.room -= call.bytes
  passage.link.add(call)
}

const isTooSoon = ({ writesFrom }: Lane, call: Call, { now }: Passage): boolean => isWrite(call) && now < writesFrom

/** Reads do not wait behind a write that leaves again and finds no room. */
const gather = (dispatch: Dispatch, lane: Lane, passage: Passage): void => {
  const { ready } = lane
  lane.ready = []
  for (const call of ready) {
    if (!mayPass(passage, call) || isTooSoon(lane, call, passage)) lane.ready.push(call)
    else if (!call.isDone) pass(passage, call)
  }
  if (lane.fresh.length > 0 && passage.room > 0 && passage.now >= lane.writesFrom) gatherWrites(dispatch, lane, passage)
}

/** Writes leave under the lane's session, as many as its window and the node have room for; without a session, that is opened first. */
const gatherWrites = (dispatch: Dispatch, lane: Lane, passage: Passage): void => {
  const session = sessionFor(dispatch, lane, passage)
  if (session.state !== 'open') return
  const { fresh } = lane
  let taken = 0
  while (taken < fresh.length && passage.room > 0 && hasRoom(session)) {
    const call = must(fresh[taken], 'it is within the list')
    taken += 1
    if (call.isDone) continue
    call.session = session
    call.sequence = takeSequence(session)
    pass(passage, call)
  }
  session.usedAt = passage.now
  lane.fresh = taken === fresh.length ? [] : fresh.slice(taken)
}

const sessionFor = (dispatch: Dispatch, lane: Lane, { link, now }: Passage): ShardSession => {
  const { session } = lane
  const isRested = session.state === 'open' && isSettled(session) && now - session.usedAt >= SESSION_REST_MS
  if (isRested) lane.session = createSession(hex64(dispatch.random))
  if (lane.session.state === 'new') link.add(openSession(dispatch, lane, now))
  return lane.session
}

/** Repeating it does no harm, so it may be sent as often as it takes. */
const openSession = (dispatch: Dispatch, lane: Lane, now: number): Call => {
  const { session } = lane
  session.state = 'opening'
  dispatch.counters.sessions += 1
  const opening = ownCall(dispatch, lane, {
    code: OpCode.openSession,
    timeoutMs: TIMEOUT_MS_DEFAULT,
    now,
    resolve: () => {
      session.state = 'open'
      session.usedAt = dispatch.clock.now()
      lane.opening = null
      markDirty(dispatch, lane)
    },
    reject: (error) => {
      session.state = 'new'
      lane.opening = null
      endOpening(dispatch, lane, { opening, error })
    },
  })
  lane.opening = opening
  return opening
}

interface EndedOpening {
  readonly opening: Call
  readonly error: ShardKvError
}

/** A refusal is the answer to all that waited. After anything else they wait on, and another opening leaves after a pause. */
const endOpening = (dispatch: Dispatch, lane: Lane, { opening, error }: EndedOpening): void => {
  const waiting = lane.fresh.filter(({ isDone }) => !isDone)
  for (const call of waiting) {
    const refusal = refusalFor(call, error)
    if (refusal !== null) rejectCall(dispatch, call, refusal)
    else if (opening.problem !== '') blameOpening(call, opening)
  }
  lane.fresh = lane.fresh.filter(({ isDone }) => !isDone)
  if (lane.fresh.length === 0) return
  holdWrites(lane, dispatch.random, { now: dispatch.clock.now(), floorMs: error.retryAfterMs })
  markDirty(dispatch, lane)
}

/** An operation of the SDK itself on the lane's session. It counts as in flight like any other. */
export const ownCall = (
  dispatch: Dispatch,
  lane: Lane,
  input: Pick<Call, 'code' | 'timeoutMs' | 'resolve' | 'reject'> & { readonly now: number },
): Call => {
  const { session, shard } = lane
  const call = createCall({
    ...input, name: session.client, key: '', shard, value: undefined, ifRevision: undefined, ttlMs: undefined,
    consistency: 'linearizable', decode: bytes.decode, signal: undefined, trace: '',
  }, input.now)
  call.session = session
  call.sequence = 1
  takeIn(dispatch, call)
  return call
}

/**
 * Whether this process did nothing for a while, as one that was stopped, or computed: Node calls timers that are overdue before it reads
 * what has come, and that may be the very answer. Never twice in a row, so that a process that is always late keeps its timeouts.
 */
const notesSleep = (dispatch: Dispatch, now: number): boolean => {
  dispatch.hasSlept = !dispatch.hasSlept && now - dispatch.tickDueAt >= SLEEP_MS_MIN
  // Then no deadline waits for the fifth tick.
  if (dispatch.hasSlept) dispatch.ticks = SWEEP_TICKS - 1
  return dispatch.hasSlept
}

export const runTick = (dispatch: Dispatch): void => {
  const now = dispatch.clock.now()
  if (notesSleep(dispatch, now)) return
  dispatch.ticks += 1
  dispatch.map.onTick(now)
  for (const link of dispatch.numberedLinks) link.onTick(now)
  for (const lane of dispatch.lanes) if (lane.pausedUntil <= now && waitingIn(lane) > 0) markDirty(dispatch, lane)
  wakeHeld(dispatch)
  if (dispatch.ticks % SWEEP_TICKS === 0) expireCalls(dispatch, now)
}

/** A write that waits for its session, or for room in it. */
const isUnnumbered = (call: Call): boolean => isWrite(call) && call.sequence === 0

const expireCalls = (dispatch: Dispatch, now: number): void => {
  for (const call of dispatch.calls.all()) {
    if (call.deadline > now) continue
    const opening = isUnnumbered(call) ? laneOf(dispatch, call)?.opening ?? null : null
    if (opening !== null && opening.problem !== '') blameOpening(call, opening)
    else if (call.problem === '' && !call.isSent) call.problem = reasonFor(dispatch, call)
    rejectCall(dispatch, call, timeoutOf(call))
  }
  for (const lane of dispatch.lanes) sweepLane(lane)
  for (const link of dispatch.numberedLinks) link.sweep()
}
