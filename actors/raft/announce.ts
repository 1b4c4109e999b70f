/**
 * Tells the shell who leads, as this member sees it: after every change of role, term, leader or settledness, and only then.
 *
 * `clockMs` is for the leader's log time (wallClocks.ts): what is said last, with its settledness, knows the most votes.
 */

import { electedClockMs } from './wallClocks.ts'
import type { RaftCore } from './state.ts'

export const announce = (core: RaftCore): void => {
  const { role, term, leader, reason } = core
  const settled = role === 'leader' && core.leading.isServing
  const said = `${role} ${term} ${leader} ${settled}`
  if (said === core.announced) return
  core.announced = said
  const clockMs = role === 'leader' ? electedClockMs(core) : 0
  core.effects.push({ type: 'raft.roleChanged', role, term, leader, settled, clockMs, reason })
}
