/**
 * Nothing ends too early: log time, by which keys and idle sessions end, is no further ahead than the clocks that may move it
 * (actors/raft/wallClocks.ts). The model replays the times that leaders have stamped, so it would replay a wrong one as well.
 *
 * A leader begins with the latest time that a majority of its group's voters have reached: of two or three voters the second furthest ahead
 * at most, of four or five the third, of one its own. When a vote came it reckons from its tick before that, so that log time may be ahead
 * by as much as one. From there it runs with the leader's monotonic clock, which drifts.
 */

import { nodeOf } from '../../topology/ids.ts'
import { SIM_TICK_MS } from '../options.ts'
import { WALL_START_MS } from '../wallClock.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GroupLedger } from '../ledger.ts'
import type { Invariant, ReplicaView } from '../view.ts'

export const createHonestLogTime = (clockRateMax: number): Invariant => {
  /** How far ahead each node's clock has ever been: votes are gathered while clocks jump. */
  const ahead = new Map<NodeId, number>()
  /** The fewest voters that have decided in each group. */
  const fewest = new Map<number, number>()
  /** Lines of each group's ledger that were judged. */
  const judged = new Map<number, number>()

  const note = ({ id, shard, wallOffsetMs, configuration: { voters, outgoing } }: ReplicaView): void => {
    if (wallOffsetMs > 0 && wallOffsetMs > (ahead.get(nodeOf(id)) ?? 0)) ahead.set(nodeOf(id), wallOffsetMs)
    const deciding = Math.max(voters.length, outgoing.length)
    if (deciding > 0) fewest.set(shard, Math.min(deciding, fewest.get(shard) ?? deciding))
  }
  const aheadIn = (shard: number): number => [...ahead.values()].sort((a, b) => b - a)[Math.floor((fewest.get(shard) ?? 0) / 2)] ?? 0
  return {
    name: 'log time is not ahead of the clocks',
    check: (view, { lines }: GroupLedger) => {
      note(view)
      const from = judged.get(view.shard) ?? 0
      if (from === lines.length) return null
      judged.set(view.shard, lines.length)
      const aheadMs = aheadIn(view.shard)
      for (const { entry, committedAt, timeMs } of lines.slice(from)) {
        const tooEarlyMs = timeMs - (WALL_START_MS + (committedAt + SIM_TICK_MS) * (1 + clockRateMax) + aheadMs + 1)
        if (tooEarlyMs > 0) {
          return `log time of shard ${view.shard} is ${timeMs} at index ${entry.index}: ${Math.ceil(tooEarlyMs)} ms ahead of the clocks`
        }
      }
      return null
    },
  }
}
