/**
 * What the meta leader does of its own: it sends the orders that are due, and wishes for the next command, one at a time.
 *
 * A step of a move that an answer allows comes first, then cancellations, then new moves, then preferences. Only the epoch it was made for
 * makes a wish valid, so a second one could never take effect beside the first: the next is thought of when the first has been applied.
 */

import { noteReport, ordersDue, stepDue } from './driver.ts'
import { movesOf } from './clusterState.ts'
import { plan } from './plan.ts'
import { propose } from './requests.ts'
import { wantedOf } from './wanted.ts'
import { assert } from '../kernel/assert.ts'
import type { Planned, TopologyCore } from './core.ts'
import type { TopologyEvent, Wish } from './protocol.ts'

type Local<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { type: Type }>

export const becomeLeader = (core: TopologyCore): void => think(core, 0)

export const handleTick = (core: TopologyCore): void => {
  if (core.restTicks > 0) core.restTicks -= 1
  think(core, 1)
}

export const handleReport = (core: TopologyCore, event: Local<'shard.configured'>): void => {
  noteReport(core.driver, event)
  think(core, 0)
}

/** After anything that may have changed the state, an answer, or who is lost. A tick event counts as one, however long it was in coming. */
export const think = (core: TopologyCore, ticks: number): void => {
  for (const order of ordersDue(core.driver, core.state, ticks)) core.effects.push({ type: 'topology.order', order })
  core.planned = planNow(core)
  if (core.isDeciding || core.restTicks > 0) return
  const wish = stepDue(core.driver, core.state) ?? wishOf(core.planned)
  if (wish === null) return
  const { state, wallMs } = core
  const problem = propose(core, { ...wish, expectedEpoch: state.epoch, at: Math.floor(wallMs), by: 'planner', request: '' }, null)
  assert(problem === null, problem ?? '')
  core.isDeciding = true
}

/** The ring is slow to build and depends on little: it is kept while that stays the same. */
const planNow = ({ state, lost, planned, limits }: TopologyCore): Planned => {
  if (planned !== null && planned.state === state && planned.lost === lost) return planned
  const isSame = planned !== null && planned.lost === lost && planned.state.nodes === state.nodes
    && planned.state.replicationFactor === state.replicationFactor && planned.state.meta === state.meta
  const wanted = isSame ? planned.wanted : wantedOf(state, lost)
  return { state, lost, wanted, plan: plan({ state, wanted, lost, limits }) }
}

const wishOf = ({ plan: { cancels, next, preferences } }: Planned): Wish | null => {
  const [cancel] = cancels
  if (cancel !== undefined) return { kind: 'cancel', move: cancel }
  const [first] = next
  if (first !== undefined) return { kind: 'beginMove', group: first.group, add: first.add, remove: first.remove, isPlanned: true }
  return preferences.length === 0 ? null : { kind: 'prefer', preferences }
}

export type Activity = 'watching' | 'planning' | 'moving' | 'paused'

export const activityOf = ({ state, planned }: TopologyCore): Activity => {
  if (state.isPaused) return 'paused'
  if (planned !== null && wishOf(planned) !== null) return 'planning'
  return movesOf(state).length > 0 ? 'moving' : 'watching'
}
