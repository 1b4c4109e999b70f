/**
 * The first ticks of a node. For its replicas each counts as one, however late it comes.
 *
 * A replica that may be an old copy waits, in ticks, for its node to hear of others (actors/raft/state.ts). A process that stands still as
 * it starts would wake to all of them in one, which is given before the messages that came meanwhile (actors/kernel/ticker.ts).
 */

import type { RaftTiming } from '../actors/raft/timing.ts'
import type { Tick } from '../actors/kernel/ticker.ts'

/** The wait has one more at each of its ends. */
export const createFirstTicks = ({ electionTicksMin }: Pick<RaftTiming, 'electionTicksMin'>): ((tick: Tick) => Tick) => {
  let left = electionTicksMin + 2
  return (tick) => {
    if (left === 0) return tick
    left -= 1
    return { ...tick, ticks: 1 }
  }
}
