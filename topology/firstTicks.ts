/**
 * The first ticks of a node. For its replicas each counts as one, however late it comes.
 *
 * A replica that may be an old copy waits, in ticks, for its node to hear of others (actors/raft/state.ts). A process that stands still as
 * it starts would wake to all of them in one, which is given before the messages that came meanwhile (actors/kernel/ticker.ts).
 */

import { raftTimingDefaults } from '../actors/raft/timing.ts'
import type { Tick } from '../actors/kernel/ticker.ts'

/** The wait, and one at each of its ends. */
const FIRST_TICKS = raftTimingDefaults.electionTicksMin + 2

export const createFirstTicks = (): ((tick: Tick) => Tick) => {
  let left = FIRST_TICKS
  return (tick) => {
    if (left === 0) return tick
    left -= 1
    return { ...tick, ticks: 1 }
  }
}
