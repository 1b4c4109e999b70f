/**
 * The limits of one shard replica. Limits that decide what an entry does (dedup, sessions, expiry) are constants beside their code:
 * they must be equal on every replica, so they are no configuration.
 */

export interface ShardLimits {
  /** Operations accepted and not yet answered, reads and writes. Above it: OVERLOADED. Higher rides out longer stalls, with more memory. */
  readonly pendingOperationsMax: number
  /** Encoded bytes of those operations. Above it: OVERLOADED. */
  readonly pendingBytesMax: number
  /** What a refused caller is told to wait, in milliseconds. */
  readonly retryAfterMs: number
  /** A snapshot is due when the log since the last one exceeds the state's size, held between these two, in bytes. Lower replays
   *  faster after a crash; higher writes fewer snapshots. */
  readonly snapshotLogBytesMin: number
  readonly snapshotLogBytesMax: number
  /** Change announcements of one turn; more are dropped and counted (they are at most once by contract). */
  readonly changesPerTurnMax: number
  /** Payload bytes of entries held while a received snapshot is loaded. Above it the process stops, and recovers from its log. */
  readonly heldEntryBytesMax: number
}

export const defaultShardLimits: ShardLimits = {
  pendingOperationsMax: 16_384,
  pendingBytesMax: 16 * 1_024 * 1_024,
  retryAfterMs: 50,
  snapshotLogBytesMin: 4 * 1_024 * 1_024,
  snapshotLogBytesMax: 16 * 1_024 * 1_024,
  changesPerTurnMax: 1_024,
  heldEntryBytesMax: 64 * 1_024 * 1_024,
}
