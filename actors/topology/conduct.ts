/**
 * What the leader of the meta group does by itself: looks for a difference between where replicas are and where they should be, begins
 * moves, and leads each through its steps (plan.ts, driver.ts).
 *
 * One command of its own at a time: each is made for the epoch it was thought of, and the next one is thought of when that is decided.
 * Every step is derived from the state, so a new leader goes on where the last one stopped, and repeats at worst an order.
 */

import { encodeCommand } from './codec.ts'
import { movesOf } from './clusterState.ts'
import { OWN_COMMAND, isLeading, propose } from './core.ts'
import { noteReport, ordersDue, stepDue } from './driver.ts'
import { plan } from './plan.ts'
import { wantedOf } from './wanted.ts'
import type { TopologyCore } from './core.ts'
import type { Plan } from './plan.ts'
import type { MetaCommand, TopologyEvent, Wish } from './protocol.ts'

/** Who asks, in the history. */
const BY = 'balance'

type Event<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { readonly type: Type }>

/** Also for whoever wants to see it before it is carried out. */
export const planOf = ({ state, lost, limits }: TopologyCore): Plan => plan({ state, lost, limits, wanted: wantedOf(state, lost) })

export const handleTick = (core: TopologyCore, { now, wallMs }: Event<'tick'>): void => {
  core.now = now
  core.wallMs = wallMs
  if (!isLeading(core)) return
  for (const order of ordersDue(core.driver, core.state, 1)) core.effects.push({ type: 'topology.order', order })
  conduct(core)
}

export const handleReported = (core: TopologyCore, { report }: Event<'topology.reported'>): void => {
  if (!isLeading(core)) return
  noteReport(core.driver, report)
  conduct(core)
}

export const handleLost = (core: TopologyCore, { nodes }: Event<'topology.lost'>): void => {
  core.lost = nodes
}

const conduct = (core: TopologyCore): void => {
  if (core.isDeciding) return
  const wish = stepDue(core.driver, core.state) ?? nextWish(planOf(core))
  if (wish === null) return
  core.isDeciding = true
  const { state, wallMs } = core
  const command: MetaCommand = { ...wish, expectedEpoch: state.epoch, at: Math.max(0, Math.floor(wallMs)), by: BY, request: '' }
  propose(core, OWN_COMMAND, encodeCommand(command))
}

const nextWish = ({ cancels, next, preferences }: Plan): Wish | null => {
  const [cancel] = cancels
  if (cancel !== undefined) return { kind: 'cancel', move: cancel }
  const [move] = next
  if (move !== undefined) return { kind: 'beginMove', ...move, isPlanned: true }
  return preferences.length > 0 ? { kind: 'prefer', preferences } : null
}

export const isPaused = ({ state }: TopologyCore): boolean => state.isPaused

export const isMoving = ({ state }: TopologyCore): boolean => movesOf(state).length > 0
