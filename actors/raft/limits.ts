/** What a Raft member may hold or send at most. Every queue of the actor has its limit here, with the unit in the name. */

import { assert } from '../kernel/assert.ts'

export interface RaftLimits {
  /** Payload bytes of one proposal. Above, it is refused as `tooLarge`. The node's byte budget decides it. Default 640 KiB. */
  readonly proposalBytesMax: number
  /**
   * Payload bytes in one append message; a single entry above it still travels, alone. It must leave room for the rest of a frame
   * under the broker's payload. Bigger: faster catch-up, longer head-of-line blocking. Default 512 KiB.
   */
  readonly appendBytesMax: number
  /** Appends sent to one peer and not yet answered. More hides a longer round trip; each may have to be sent again. Default 64. */
  readonly appendsInFlightMax: number
  /** Payload bytes sent to one peer and not yet answered. Default 4 MiB. */
  readonly bytesInFlightMax: number
  /**
   * The same for a learner. Its node writes them to the log that it shares with the shards it leads:
   * more is a longer wait for those. Less: slower moves, where a round trip is long: a copy comes no faster than this in one, and a shard
   * that is written faster never gets it. One append to a learner has at most a quarter of it. Default 256 KiB.
   */
  readonly learnerBytesInFlightMax: number
  /**
   * Payload bytes of committed entries that the shard applies in one go; a single entry above it still comes, alone. More: fewer
   * turns for a member that catches up, and longer ones, in which its node answers nobody. Default 64 KiB.
   */
  readonly emitBytesMax: number
  /**
   * Payload bytes in the leader's log and not yet committed. Above, proposals are refused (`tooManyUncommitted`); a single one above it
   * still goes, alone. It bounds how long a proposal waits behind others. Default 32 MiB.
   */
  readonly uncommittedBytesMax: number
  /** Reads that wait for a confirmation round. Above, they are refused. Default 4,096. */
  readonly readsWaitingMax: number
  /** Confirmation rounds begun for reads and not yet confirmed. Above, reads wait for the next round. 1 to 512. Default 256. */
  readonly roundsInFlightMax: number
  /** Entries kept in memory behind the newest snapshot, for slow followers. More: fewer snapshot transfers. Default 8,192. */
  readonly tailEntriesMax: number
  /** Payload bytes kept in memory behind the newest snapshot, by every group of a node. More: fewer snapshot transfers. Default 1 MiB. */
  readonly tailBytesMax: number
  /**
   * Payload bytes of the log kept in memory for a peer that is sent a snapshot, until it has caught up, beside as many as that snapshot has
   * bytes. Above, its copy begins again. More: room for slower disks that verify it, and more memory meanwhile. Default 64 MiB.
   */
  readonly transferLogBytesMax: number
  /** Entries a learner may lack when it becomes a voter. More: sooner; a group that needs its vote at once waits longer. Default 256. */
  readonly promotionLagMax: number
  /**
   * Bytes of snapshots and entries that a node sends to new replicas in a second, all its groups together, at most (allowance.ts). Lower:
   * clients notice moves less, and moves take longer. Default 32 MiB.
   */
  readonly moveBytesPerSecond: number
  /** Bytes of a snapshot chunk. Must fit the broker's payload with its frame. Default 128 KiB. */
  readonly chunkBytesMax: number
  /** Snapshot chunks asked from the disk or sent, and not yet acknowledged, per peer. Default 4. */
  readonly chunksInFlightMax: number
}

const KIB = 1_024
const MIB = 1_048_576

export const raftLimitDefaults: RaftLimits = {
  proposalBytesMax: 640 * KIB,
  appendBytesMax: 512 * KIB,
  appendsInFlightMax: 64,
  bytesInFlightMax: 4 * MIB,
  learnerBytesInFlightMax: 256 * KIB,
  emitBytesMax: 64 * KIB,
  uncommittedBytesMax: 32 * MIB,
  readsWaitingMax: 4_096,
  roundsInFlightMax: 256,
  tailEntriesMax: 8_192,
  tailBytesMax: MIB,
  transferLogBytesMax: 64 * MIB,
  promotionLagMax: 256,
  moveBytesPerSecond: 32 * MIB,
  chunkBytesMax: 128 * KIB,
  chunksInFlightMax: 4,
}

/** The defaults with `overrides`, or an AssertionError that names the field that is out of range. */
export const raftLimits = (overrides: Partial<RaftLimits> = {}): RaftLimits => {
  const limits = { ...raftLimitDefaults, ...overrides }
  for (const [name, value] of Object.entries(limits)) {
    assert(Number.isSafeInteger(value) && value >= (name.startsWith('tail') ? 0 : 1), `raft ${name} ${value} is a positive whole number`)
  }
  assert(limits.roundsInFlightMax <= 512, `raft roundsInFlightMax ${limits.roundsInFlightMax} is at most 512`)
  return limits
}
