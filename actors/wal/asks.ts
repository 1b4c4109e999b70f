/**
 * The log's decisions, part six: who is asked for a snapshot, and when.
 *
 * What a group has in the oldest segment lives until the group has written two snapshots (raft/compaction.ts). Were all groups asked
 * whenever they are found in the way, the shards of all nodes would write snapshots at the same time, over and over until the segment has
 * gone. So they are asked in turn, as the log grows:
 *
 *    asked   a   b   c   a   b   c      three groups that are in the way
 *    log     ├───────────┼──────────    a round: a quarter of `segmentsWanted` segments
 *
 * Two rounds would just do while the log grows by `segmentsWanted` segments. It is four: a snapshot takes time, and some asks are in vain.
 * A group that is being restored, has applied nothing since its last snapshot, or is gone, costs the others its turn and no more, and is
 * asked again in the next round. Nobody is asked twice in one.
 *
 * The pace is that of all groups that were in the way lately, not of those that are. Once they have written their snapshots one after the
 * other, each segment waits for a few, and those have not a whole round but only until the next segment is full: at a pace of their
 * own the log would become several times as long as it is to be.
 *
 * A full disk stops the log, so the pace would stop, too. There all that are in the way may be asked whenever the disk is found full: when
 * it becomes so, and at every retry.
 *
 * Nothing of this outlives the process: the next one begins with the first ask of a round.
 */

import { notify } from './core.ts'
import type { GroupState, WalCore } from './core.ts'

/** How often each group may be asked while the log grows by as much as it is to hold. */
const ROUNDS = 4

/** A group with so many live bytes in segments that should have gone. */
interface Pin { readonly state: GroupState; readonly bytes: number }

/**
 * The log has grown. What was due and not asked for, since nothing was in the way, is one ask at most: else a log that gets beyond its
 * limit after a long time would ask everybody at once. One big write may be worth several.
 */
export const growAsks = (core: WalCore, bytes: number): void => {
  const { segmentBytes, segmentsWanted } = core.config
  const rounds = bytes * ROUNDS / (segmentBytes * segmentsWanted)
  core.rounds += rounds
  core.asksDue = (core.isFull ? core.asksDue : Math.min(core.asksDue, 1)) + rounds * core.groupsAsked
}

/** The disk is full, or still is. */
export const oweAllAsks = (core: WalCore): void => {
  core.asksDue = core.groups.size
}

/** Asks those whose turn it is. Asks that are due and find nobody whose turn it is are forgotten. */
export const askForSnapshots = (core: WalCore): void => {
  const found = inTheWay(core)
  core.groupsAsked = countAsked(core, found)
  const count = Math.floor(core.asksDue)
  if (count < 1) return
  core.asksDue -= count
  const asked = found.filter(({ state }) => core.isFull || core.rounds - state.askedAt >= 1)
  // Asked at the same time, or never: then the biggest stays first.
  asked.sort((a, b) => (a.state.askedAt === b.state.askedAt ? 0 : a.state.askedAt - b.state.askedAt))
  for (const { state } of asked.slice(0, count)) {
    state.askedAt = core.rounds
    notify(core, { type: 'wal.snapshotWanted', group: state.group })
  }
}

/** The biggest first, until the rest is small enough to be copied. */
const inTheWay = (core: WalCore): Pin[] => {
  const through = lastBeyondWanted(core)
  const pins: Pin[] = []
  let rest = 0
  for (const state of core.groups.values()) {
    let bytes = 0
    for (const [segment, row] of state.rows) if (segment <= through) bytes += row.bytes
    if (bytes > 0) pins.push({ state, bytes })
    rest += bytes
  }
  const found: Pin[] = []
  for (const pin of pins.sort((a, b) => b.bytes - a.bytes)) {
    if (rest <= core.config.copyForwardBytesMax) break
    rest -= pin.bytes
    found.push(pin)
  }
  return found
}

const lastBeyondWanted = ({ segments, config, isFull }: WalCore): number => {
  const beyond = isFull ? 1 : segments.length - config.segmentsWanted
  return segments[beyond - 1]?.segment ?? 0
}

/** Those in the way, and those that were asked while the log grew by as much as it is to hold. */
const countAsked = (core: WalCore, found: readonly Pin[]): number => {
  const isLately = ({ askedAt }: GroupState): boolean => core.rounds - askedAt < ROUNDS
  let count = 0
  for (const state of core.groups.values()) if (isLately(state)) count += 1
  for (const { state } of found) if (!isLately(state)) count += 1
  return count
}
