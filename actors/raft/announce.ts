/**
 * Tells the shell who leads, as this member sees it: after every change of role, term, leader or settledness, and only then.
 *
 * `clockMs` is for the leader's log time: the lower median of the wall clocks of the voters that elected it, itself included.
 * One clock a day ahead, or a minority of them, moves it nowhere.
 */

import { isSettled } from './readIndex.ts'
import type { RaftCore } from './state.ts'

export const announce = (core: RaftCore): void => {
  const { role, term, leader, reason } = core
  const settled = role === 'leader' && isSettled(core)
  const said = `${role} ${term} ${leader} ${settled}`
  if (said === core.announced) return
  core.announced = said
  const clockMs = role === 'leader' ? electedClockMs(core) : 0
  core.effects.push({ type: 'raft.roleChanged', role, term, leader, settled, clockMs, reason })
}

const electedClockMs = ({ campaign }: RaftCore): number => {
  const clocks = [...campaign.votes.values()].filter(({ isGranted }) => isGranted).map(({ wallMs }) => wallMs).sort((a, b) => a - b)
  return clocks[Math.floor((clocks.length - 1) / 2)] ?? 0
}
