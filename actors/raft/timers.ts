/**
 * Time: a tick reaches every role, and each counts what matters to it. Nothing here decides a change of role; the chart asks
 * `isElectionDue`, `isQuorumLost` and their like before the tick is counted.
 */

import { between } from '../kernel/random.ts'
import { isAnyHeldBack, resumeHeldBack } from './catchUp.ts'
import { isCommitStalled, isLogTimeLate, isQuorumLost, tickCommitStall } from './checkQuorum.ts'
import { electionDueAt, isElectionDue, tickCampaign } from './election.ts'
import { tickTransfer } from './leadershipTransfer.ts'
import { isPresenting, tickPresenting } from './presentation.ts'
import { startRound } from './readIndex.ts'
import { isAnyAwaited, resendToSilent } from './replication.ts'
import { isWaitingAlone, waitedIn } from './state.ts'
import { compareClocks, isClockAwaited } from './wallClocks.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

type Tick = Extract<RaftLocalEvent, { type: 'tick' }>

const HASTY_ELECTIONS = 1
const PATIENCE_MAX = 4

/**
 * Draws a new timeout for every attempt, so that split votes do not repeat (section 5.2).
 *
 * A vote is a round trip and two disk writes. Where these take about as long as the timeout, candidates give up before their votes arrive,
 * or depose each other, and do so for ever (test: "where answers take almost as long as an election timeout, somebody is elected all
 * the same"). So each election in which this member stood and that brought no leader doubles the times, up to four of them. Pre-votes do
 * not count: they change no term, so grants that come late are as good, and a member that was cut off must be quick when it is not
 * any more (test: "members that were all cut off elect within a second of their return").
 */
export const resetElectionTimer = (core: RaftCore): void => {
  const { electionTicksMin, electionTicksMax } = core.timing
  const patience = Math.min(PATIENCE_MAX, 2 ** Math.max(0, core.elections - HASTY_ELECTIONS))
  core.electionTicks = 0
  // One tick more than the minimum: a counter of n proves n - 1 whole ticks, and the read lease needs the whole minimum.
  core.electionTimeout = between(core.random, (electionTicksMin + 1) * patience, electionTicksMax * patience)
}

/** What passes for every role that is not halted. */
export const handleTick = (core: RaftCore, { ticks, now, wallMs }: Tick): void => {
  core.now = now
  core.wallMs = wallMs
  compareClocks(core, { now, wallMs })
  core.electionTicks += ticks
  core.ticksSinceLeader += ticks
  core.freshTicks = Math.max(0, core.freshTicks - waitedIn(core, ticks))
  tickPresenting(core, ticks)
}

export const handleTickAsCampaigner = (core: RaftCore, event: Tick): void => {
  handleTick(core, event)
  tickCampaign(core, event.ticks)
}

export const handleTickAsLeader = (core: RaftCore, event: Tick): void => {
  handleTick(core, event)
  tickCommitStall(core, event.ticks)
  tickTransfer(core, event.ticks)
  resumeHeldBack(core)
  resendToSilent(core, event.ticks)
  core.leading.heartbeatTicks += event.ticks
  core.leading.quietTicks += event.ticks
  if (isHeartbeatDue(core, { ticks: 0, now: core.now })) startRound(core)
}

/** Quiet leaders speak in step, so that those of one node share frames and the ticks between pass without any. */
const isHeartbeatDue = ({ leading, timing }: RaftCore, { ticks, now }: Pick<Tick, 'ticks' | 'now'>): boolean => {
  const heartbeatTicks = leading.heartbeatTicks + ticks
  if (leading.quietTicks + ticks < timing.quietAfterTicks) return heartbeatTicks >= timing.heartbeatTicks
  const isInStep = Math.floor(now / timing.tickMs) % timing.quietHeartbeatTicks === 0
  return heartbeatTicks >= (isInStep ? timing.heartbeatTicks : timing.quietHeartbeatTicks)
}

/**
 * Whether this tick does more than count. One that does not may be given later, together with the next (kernel/owedTicks.ts): every
 * guard of the chart on a tick, and every handler above that may send something, has its line here.
 */
export const isTickDue = (core: RaftCore, tick: Tick): boolean => {
  if (core.role === 'halted') return false
  if (isPresenting(core) || isWaitingAlone(core)) return true
  switch (core.role) {
    case 'leader': return isHeartbeatDue(core, tick) || core.leading.transfer !== null || isAnyAwaited(core)
      || isAnyHeldBack(core) || isQuorumLost(core, tick) || isCommitStalled(core, tick)
      || isLogTimeLate(core, tick) || isClockAwaited(core)
    case 'follower': return isElectionDue(core, tick)
    case 'learner': return false
    // Asks for votes again, and may begin anew.
    case 'preCandidate':
    case 'candidate': return true
  }
  return core.role satisfies never
}

/** No tick of fewer ticks than this is due, as long as no other event comes: a follower that has just heard its leader has time. */
export const dueInTicks = (core: RaftCore): number => {
  if (core.role === 'halted') return Number.POSITIVE_INFINITY
  if (isPresenting(core) || isWaitingAlone(core)) return 1
  switch (core.role) {
    case 'follower': return Math.max(1, electionDueAt(core) - core.electionTicks)
    case 'learner': return Number.POSITIVE_INFINITY
    // Quiet leaders speak in step with the clock, not with the ticks that they were given.
    case 'leader':
    case 'preCandidate':
    case 'candidate': return 1
  }
  return core.role satisfies never
}
