/**
 * Wall clocks, and what a member makes of them. Whatever is decided in milliseconds goes by monotonic clocks (timing.ts); but these say
 * nothing of the time of day, and stand still while a machine is suspended.
 *
 * **What time a new leader begins with** (`electedClockMs`; the shard's log time, actors/shard/logTime.ts): the latest that a majority of
 * the voters' clocks have reached, by the votes it has. A vote brings its voter's clock; who has not voted, or has refused to, has reached
 * nothing. So no minority of clocks moves it ahead, whoever votes first, and another vote only ever moves it on. Where just a majority has
 * voted the earliest of its clocks decides, be it wrong. So a leader goes on counting votes until it serves, and not longer: log time does
 * not leap while it does. Most of them come while its first entry commits. Where the clocks that it knows differ by so much that one of
 * them must be wrong, and the votes that it lacks would say which, it waits for these, for a minimum election timeout at most
 * (`isClockAwaited`).
 *
 * **When the machine was suspended** (`compareClocks`): the wall clock, once it is right again, has gained on the monotonic one. Rounds
 * sent until then carry no lease any more (readIndex.ts). And log time, which runs with the monotonic clock, is late by as much, until the
 * next election sets it right and all that was written meanwhile expires too early. So a leader does not wait for that (checkQuorum.ts).
 */

import { quorumValue } from './quorum.ts'
import { configurationOf } from './state.ts'
import type { RaftCore } from './state.ts'

/** Read together, in milliseconds. */
interface Clocks {
  readonly now: number
  readonly wallMs: number
}

/**
 * By more than this no clock is wrong that a time service looks after, and none leaps; it is also far below a time to live that anybody
 * counts on. Where clocks differ by more an election may take longer, and setting one ahead by more costs an election.
 */
export const CLOCK_ERROR_MS_MAX = 1_000

/** What the wall clock gains between two looks at both, in ms, is a suspend from here on: far above slewing, far below a lease. */
const SUSPEND_MS_MIN = 10

/** By how much the wall clock has leapt since it was last looked at. */
const leapSince = ({ wallAheadMs }: RaftCore, { now, wallMs }: Clocks): number => wallMs - now - wallAheadMs

export const compareClocks = (core: RaftCore, clocks: Clocks): void => {
  const leapMs = leapSince(core, clocks)
  if (leapMs > SUSPEND_MS_MIN) core.leading.suspendedAt = clocks.now
  core.campaign.leapMs = leapAt(core, clocks)
  core.wallAheadMs = clocks.wallMs - clocks.now
}

/**
 * By how much the wall clock has leapt ahead since this member last asked for votes, slewing apart. What it was set back by counts against
 * that, but not for more: it is not known which of the two was right.
 */
export const leapAt = (core: RaftCore, clocks: Clocks): number => {
  const leapMs = leapSince(core, clocks)
  return Math.abs(leapMs) > SUSPEND_MS_MIN ? Math.max(0, core.campaign.leapMs + leapMs) : core.campaign.leapMs
}

/** Now: the time since a vote came is added to what it brought. */
export const electedClockMs = (core: RaftCore): number => core.now + aheadOfMonotonic(core, Number.NEGATIVE_INFINITY)

/** As leader: whether the time depends on the votes that are still to come. */
export const isClockAwaited = (core: RaftCore): boolean => {
  const { electionTicksMin, tickMs } = core.timing
  if (core.leading.isServing || core.now - core.leading.sinceMs >= electionTicksMin * tickMs) return false
  return aheadOfMonotonic(core, Number.POSITIVE_INFINITY) - aheadOfMonotonic(core, Number.NEGATIVE_INFINITY) > CLOCK_ERROR_MS_MAX
}

/** How far a majority of the voters' clocks is ahead of this member's monotonic one, if those without a vote are by `unheard`. */
const aheadOfMonotonic = (core: RaftCore, unheard: number): number => quorumValue(configurationOf(core), (voter) => {
  const vote = core.campaign.votes.get(voter)
  if (vote === undefined) return unheard
  return vote.isGranted ? vote.wallAheadMs : Number.NEGATIVE_INFINITY
})
