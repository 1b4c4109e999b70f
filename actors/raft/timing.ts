/**
 * The times a Raft member keeps, counted in ticks. A core has no clock: a tick event says how many tick lengths have passed.
 *
 * Rule used throughout: a counter that has reached n proves that n-1 whole ticks have passed, not n, because the first one may
 * have begun just before it was counted. Wherever safety needs a full period (a voter's promise to stick to its leader), the code
 * waits for one tick more.
 */

import { assert } from '../kernel/assert.ts'

export interface RaftTiming {
  /** Length of a tick in milliseconds; must be what the node's ticker uses. Shorter: finer timing, more wake-ups. Default 50. */
  readonly tickMs: number
  /** A leader speaks to every peer at least this often, in ticks. At most half of electionTicksMin. Lower: more messages. Default 2. */
  readonly heartbeatTicks: number
  /**
   * The same once the leader has had nothing to do for quietAfterTicks. At least heartbeatTicks, at most half of electionTicksMin. Higher:
   * an idle node wakes less often, and a lost one costs more of the patience of the others. Default 2: no difference.
   */
  readonly quietHeartbeatTicks: number
  /** Ticks without a proposal or a read after which a leader is quiet. Default 100. */
  readonly quietAfterTicks: number
  /**
   * Ticks without a leader before an election, drawn anew for every attempt between this and electionTicksMax. A voter sticks to
   * a leader it has heard for this long, so the read lease is a little shorter. Lower: faster failover, and more elections
   * that a busy machine or a slow disk provokes. At least 4. Default 10.
   */
  readonly electionTicksMin: number
  /**
   * Upper end of the draw; also how long a started member stays silent, how long a leader goes on without hearing a quorum, and how
   * long a transfer may take. Elections that bring no leader draw from up to four times the range (timers.ts). At least
   * electionTicksMin + 1; the wider the range, the fewer split votes. Default 20.
   */
  readonly electionTicksMax: number
  /** Ticks after which a silent append is taken as lost and sent again. Above a usual fsync plus round trip. Default 4. */
  readonly resendTicks: number
  /** Ticks without progress after which a snapshot transfer starts again from what was acknowledged. Default 20. */
  readonly snapshotRetryTicks: number
  /** Maximum election timeouts with pending entries and none committed before the leader lets another one try. Default 3. */
  readonly commitStallElections: number
  /** Part of the minimum election timeout, in percent, kept back from the read lease for clocks that run differently. Default 10. */
  readonly leaseDriftPercent: number
}

export const raftTimingDefaults: RaftTiming = {
  tickMs: 50,
  heartbeatTicks: 2,
  quietHeartbeatTicks: 2,
  quietAfterTicks: 100,
  electionTicksMin: 10,
  electionTicksMax: 20,
  resendTicks: 4,
  snapshotRetryTicks: 20,
  commitStallElections: 3,
  leaseDriftPercent: 10,
}

/** So a node of a few shards waits no longer than before, and the last of 1,024 groups 3.1 s longer in ticks of 100 ms. */
const FIRST_ELECTIONS_A_TICK = 32

/**
 * Ticks that a member waits beyond its election timeout after a start, by its group's number: where a node with hundreds of groups starts
 * beside others, all their first elections would begin within half a second, and on a busy machine none of them would end within
 * its timeout (test: "first elections of 1,024 groups are spread over seconds"). Whoever hears a leader waits no longer than any
 * other from then on (following.ts).
 */
export const firstElectionDelay = (group: number): number => Math.floor(group / FIRST_ELECTIONS_A_TICK)

/** The defaults with `overrides`, or an AssertionError that names the field that is out of range. */
export const raftTiming = (overrides: Partial<RaftTiming> = {}): RaftTiming => {
  const timing = { ...raftTimingDefaults, ...overrides }
  assert(timing.tickMs > 0, `raft tickMs ${timing.tickMs} is above 0`)
  assert(timing.electionTicksMin >= 4, `raft electionTicksMin ${timing.electionTicksMin} is at least 4`)
  assert(timing.electionTicksMax > timing.electionTicksMin, 'raft electionTicksMax is above electionTicksMin')
  assert(timing.heartbeatTicks >= 1 && timing.heartbeatTicks * 2 <= timing.electionTicksMin,
    `raft heartbeatTicks ${timing.heartbeatTicks} is 1 to half of electionTicksMin`)
  assert(timing.quietHeartbeatTicks >= timing.heartbeatTicks && timing.quietHeartbeatTicks * 2 <= timing.electionTicksMin,
    `raft quietHeartbeatTicks ${timing.quietHeartbeatTicks} is heartbeatTicks to half of electionTicksMin`)
  assert(timing.quietAfterTicks >= 0, `raft quietAfterTicks ${timing.quietAfterTicks} is not below 0`)
  assert(timing.resendTicks >= 1 && timing.snapshotRetryTicks >= 1, 'raft resendTicks and snapshotRetryTicks are at least 1')
  assert(timing.commitStallElections >= 1, 'raft commitStallElections is at least 1')
  assert(timing.leaseDriftPercent >= 0 && timing.leaseDriftPercent < 100, 'raft leaseDriftPercent is 0 to 99')
  return timing
}
