/**
 * What an answer, or its absence, means for a call: settled, or back to its lane (dispatcher.ts tells the whole way).
 *
 * | what came | the call |
 * |---|---|
 * | a final result | is settled with it |
 * | a definite refusal that passes by itself: NOT_LEADER, OVERLOADED | waits and leaves again |
 * | an indefinite one: NO_QUORUM, TIMEOUT; or nothing at all | the same, under its session and sequence, uncertain from now on |
 * | SESSION_EXPIRED, no copy is open | leaves again under a new session |
 * | SESSION_EXPIRED, a copy is open | fails, indefinite: nobody knows any more |
 */

import { hex64 } from '../actors/kernel/random.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { isWrite, sessionExpiredOf, settleWith, timeoutOf } from './call.ts'
import { enqueue, finishCall, laneOf, rejectCall } from './dispatch.ts'
import { holdWrites, noteSuccess, pauseLane } from './lane.ts'
import { MAP_EVERY_MS_OVERLOADED } from './limits.ts'
import { createSession } from './session.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { Call } from './call.ts'
import type { Dispatch } from './dispatch.ts'
import type { Lane } from './lane.ts'

export const handleResult = (dispatch: Dispatch, call: Call, result: OperationResult): void => {
  const lane = laneOf(dispatch, call)
  if (call.isDone || lane === undefined) return
  if (settleWith(call, result)) {
    if (lane.failures > 0) noteSuccess(lane)
    finishCall(dispatch, call)
    return
  }
  call.problem = result.message ?? result.status
  call.problemStatus = result.status
  call.problemWaitMs = result.retryAfterMs ?? 0
  if (result.status === 'SESSION_EXPIRED') {
    handleExpired(dispatch, lane, call)
    return
  }
  if (result.definite !== true && isWrite(call)) call.isUncertain = true
  const isOverload = result.status === 'OVERLOADED'
  dispatch.map.refresh(isOverload ? MAP_EVERY_MS_OVERLOADED : 0)
  retry(dispatch, lane, { call, floorMs: result.retryAfterMs, isOverload })
}

/** Nobody received its last copy. */
export const handleUnsent = (dispatch: Dispatch, call: Call, problem: string): void => again(dispatch, call, problem)

/** Its last copy may be executed, or may yet be. */
export const handleLost = (dispatch: Dispatch, call: Call, problem: string): void => {
  if (isWrite(call)) call.isUncertain = true
  again(dispatch, call, problem)
}

const again = (dispatch: Dispatch, call: Call, problem: string): void => {
  const lane = laneOf(dispatch, call)
  if (call.isDone || lane === undefined) return
  call.problem = problem
  call.problemStatus = ''
  call.problemWaitMs = 0
  retry(dispatch, lane, { call })
}

/** This copy was not executed, since the session was not there; an earlier one may have been, while it was. */
const handleExpired = (dispatch: Dispatch, lane: Lane, call: Call): void => {
  if (lane.session === call.session) lane.session = createSession(hex64(dispatch.random))
  if (call.code === OpCode.openSession || call.code === OpCode.closeSession || call.isUncertain) {
    rejectCall(dispatch, call, sessionExpiredOf(call))
    return
  }
  call.session = null
  call.sequence = 0
  retry(dispatch, lane, { call })
}

interface Retry {
  readonly call: Call
  readonly floorMs?: number | undefined
  readonly isOverload?: boolean
}

const retry = (dispatch: Dispatch, lane: Lane, { call, floorMs, isOverload = false }: Retry): void => {
  const now = dispatch.clock.now()
  if (isOverload && isWrite(call)) holdWrites(lane, dispatch.random, { now, floorMs })
  else pauseLane(lane, dispatch.random, { now, floorMs, isOverload })
  if (call.deadline <= now) {
    rejectCall(dispatch, call, timeoutOf(call))
    return
  }
  dispatch.counters.retries += 1
  enqueue(dispatch, lane, call)
}
