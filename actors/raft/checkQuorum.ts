/**
 * When a leader gives up by itself.
 *
 * - No quorum has answered a round sent within the last maximum election timeout (thesis 6.2, CheckQuorum). By then every
 *   follower that lost this leader has begun to elect another. The age counts from when the round was sent: after a pause the
 *   first tick, which comes before any message (kernel/ticker.ts), shows a leader as old as it is, and it steps down before it
 *   serves anything.
 * - Entries wait, and for several election timeouts none has been emitted and no snapshot transfer to a voter has advanced: its data
 *   path or its disk is stuck while its heartbeats pass. (A learner's transfer says nothing: no commit waits for it.)
 *   Another leader may do better, unless so many members report a stalled disk that no quorum is left without one.
 * - Its wall clock has leapt ahead by more than CLOCK_ERROR_MS_MAX: its machine was suspended, or the clock was set. Either way log time,
 *   which goes by the monotonic clock, is late, and the longer it leads the more is written with too early an end. Where its peers slept
 *   as well (one machine, a laptop), or it has none, nobody else asks for the election that sets it right.
 *   Not while most disks are stalled.
 * - It is not a voter of the configuration that has committed (thesis 4.2.2).
 */

import { canElect } from './diskQuorum.ts'
import { lastIndexOf } from './log.ts'
import { configurationIndex, isVoter } from './membership.ts'
import { quorumSentAt } from './readIndex.ts'
import { configurationOf } from './state.ts'
import { CLOCK_ERROR_MS_MAX, leapAt } from './wallClocks.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Tick = Extract<RaftLocalEvent, { type: 'tick' }>

export const isQuorumLost = (core: RaftCore, { now }: Tick): boolean => {
  const contactAt = Math.max(core.leading.sinceMs, quorumSentAt(core))
  return now - contactAt > core.timing.electionTicksMax * core.timing.tickMs
}

export const isCommitStalled = (core: RaftCore, { ticks }: Tick): boolean => {
  if (lastIndexOf(core.log) === core.emittedIndex || core.isRestoring) return false
  const { commitStallElections, electionTicksMax } = core.timing
  return core.leading.stalledTicks + ticks > commitStallElections * electionTicksMax && canElect(core)
}

/** Where it leapt by so much since the votes were asked for; not where no election could succeed: nothing commits then. */
export const isTooLate = (core: RaftCore, leapMs: number): boolean => leapMs > CLOCK_ERROR_MS_MAX && canElect(core)

export const isLogTimeLate = (core: RaftCore, tick: Tick): boolean => isTooLate(core, leapAt(core, tick))

export const tickCommitStall = (core: RaftCore, ticks: number): void => {
  const isWaiting = lastIndexOf(core.log) > core.emittedIndex && !core.isRestoring
  core.leading.stalledTicks = isWaiting ? core.leading.stalledTicks + ticks : 0
}

export const isRemoved = (core: RaftCore): boolean =>
  !isVoter(configurationOf(core), core.self) && core.commitIndex >= configurationIndex(core.membership)
