/**
 * What the meta leader does of its own: it sends the orders that are due, and wishes for the next command, one at a time.
 *
 * A step of a move that an answer allows comes first, then a raise of the layout level, then cancellations, then preferences (there are
 * none before the moves are done, but for leaders that drain), then new moves, and last, when nothing else is left to do, what the load
 * asks for (balance.ts). Only the epoch it was made for makes a wish valid, so a second one could never take effect beside the first: the
 * next is thought of when the first has been applied.
 */

import { balanceStep, createBalanceMemory, firstStepAt, lastStepIn } from './balance.ts'
import { noteReport, ordersDue, stepDue } from './driver.ts'
import { movesOf } from './clusterState.ts'
import { raiseDue } from './levels.ts'
import { plan } from './plan.ts'
import { propose } from './requests.ts'
import { standingStill } from './standstill.ts'
import { wantedOf } from './wanted.ts'
import { assert } from '../kernel/assert.ts'
import type { MoveId } from './clusterState.ts'
import type { Planned, TopologyCore } from './core.ts'
import type { TopologyEvent, Wish } from './protocol.ts'

type Local<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { type: Type }>

export const becomeLeader = (core: TopologyCore): void => {
  core.balance = createBalanceMemory(firstStepAt(core.state, core.limits.balance.restMs, core.now, core.wallMs))
  think(core, 0)
}

export const handleTick = (core: TopologyCore): void => {
  if (core.restTicks > 0) core.restTicks -= 1
  think(core, 1)
}

export const handleReport = (core: TopologyCore, event: Local<'shard.configured'>): void => {
  noteReport(core.driver, event)
  think(core, 0)
}

/** After anything that may have changed the state, an answer, who is lost, or what is damaged. A tick event counts as one, however late. */
export const think = (core: TopologyCore, ticks: number): void => {
  for (const order of ordersDue(core.driver, core.state, ticks)) core.effects.push({ type: 'topology.order', order })
  core.planned = planNow(core, standingStill(core.standstill, core))
  if (core.isDeciding || core.restTicks > 0) return
  const due = stepDue(core.driver, core.state) ?? raiseDue(core.state, core.told) ?? wishOf(core.planned)
  const { wish, by } = due === null ? balanced(core, core.planned) : { wish: due, by: 'planner' }
  if (wish === null) return
  const { state, wallMs } = core
  const problem = propose(core, { ...wish, expectedEpoch: state.epoch, at: Math.floor(wallMs), by, request: '' }, null)
  assert(problem === null, problem ?? '')
  core.isDeciding = true
}

const balanced = ({ balance, state, lost, loads, limits, now }: TopologyCore, { plan: { all } }: Planned) => {
  const isAtRest = !state.isPaused && all.length === 0 && movesOf(state).length === 0
  const step = isAtRest ? balanceStep(balance, { state, lost, loads, limits: limits.balance, now }) : null
  return step ?? { wish: null, by: '' }
}

/**
 * What is wanted is slow to find and depends on little: it is kept while that stays the same. What the load has moved is part of it: kept
 * from before such a step, it would have the planner undo the step. So is what a person has moved, which nobody can but under a pause: when
 * it ends what is wanted is what the plan that was shown meanwhile was made from (topology/adminViews.ts).
 */
const planNow = ({ state, lost, damaged, planned, limits }: TopologyCore, still: readonly MoveId[]): Planned => {
  if (planned?.state === state && planned.lost === lost && planned.damaged === damaged && planned.still === still) return planned
  const isSame = planned !== null && !planned.state.isPaused && planned.lost === lost && planned.state.nodes === state.nodes
    && planned.state.replicationFactor === state.replicationFactor && planned.state.meta === state.meta
    && lastStepIn(planned.state)?.epoch === lastStepIn(state)?.epoch
  const wanted = isSame ? planned.wanted : wantedOf(state, lost)
  return { state, lost, damaged, still, wanted, plan: plan({ state, wanted, lost, damaged, still, limits }) }
}

const wishOf = ({ plan: { cancels, next, preferences } }: Planned): Wish | null => {
  const [cancel] = cancels
  if (cancel !== undefined) return { kind: 'cancel', move: cancel }
  if (preferences.length > 0) return { kind: 'prefer', preferences }
  const [first] = next
  return first === undefined ? null : { kind: 'beginMove', group: first.group, add: first.add, remove: first.remove, isPlanned: true }
}

export type Activity = 'watching' | 'planning' | 'moving' | 'paused'

export const activityOf = ({ state, planned }: TopologyCore): Activity => {
  if (state.isPaused) return 'paused'
  if (planned !== null && wishOf(planned) !== null) return 'planning'
  return movesOf(state).length > 0 ? 'moving' : 'watching'
}
