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
  /** Likewise while memory is short: that lasts until somebody has deleted, and collections have shown it. */
  readonly memoryRetryAfterMs: number
  /**
   * A snapshot is due when the log since the last one exceeds the size of the state it holds, held between these two, in bytes; the first
   * one of a new replica, and the first after a rest, come sooner (`headStart`). Lower replays faster after a crash, and keeps less of the
   * log in memory; higher writes fewer snapshots.
   */
  readonly snapshotLogBytesMin: number
  readonly snapshotLogBytesMax: number
  /** A shard is at rest when at most `restBytesMax` payload bytes were applied in `restMs` milliseconds. Then a snapshot is due, too, when
   *  the log since the last one exceeds `restLogBytesMin` bytes and an eighth of the state. Sooner, and for less: less memory after
   *  bursts; more snapshots between them. */
  readonly restMs: number
  readonly restBytesMax: number
  readonly restLogBytesMin: number
  /** Change announcements of one turn; more are dropped and counted (they are at most once by contract). */
  readonly changesPerTurnMax: number
  /** Payload bytes of entries held while a received snapshot is loaded. Above it the process stops, and recovers from its log. */
  readonly heldEntryBytesMax: number
}

export const defaultShardLimits: ShardLimits = {
  pendingOperationsMax: 16_384,
  pendingBytesMax: 16 * 1_024 * 1_024,
  retryAfterMs: 50,
  memoryRetryAfterMs: 1_000,
  snapshotLogBytesMin: 4 * 1_024 * 1_024,
  snapshotLogBytesMax: 16 * 1_024 * 1_024,
  restMs: 5_000,
  restBytesMax: 16 * 1_024,
  restLogBytesMin: 1_024 * 1_024,
  changesPerTurnMax: 1_024,
  heldEntryBytesMax: 64 * 1_024 * 1_024,
}
