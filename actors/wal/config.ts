/** The log's limits. Every one has a unit in its name. */

export interface WalConfig {
  /** Size of a segment file, 12 KiB to 1 GiB, a multiple of 4 KiB. Bigger: fewer rolls, coarser reclaiming. Default 16 MiB. */
  readonly segmentBytes: number
  /** Most bytes written and synced at once. Bigger: fewer syncs under load, longer ones. Default 4 MiB. */
  readonly groupBytesMax: number
  /** Submitted and not yet durable bytes above which the owner should refuse new writes (`isOverloaded`). Default 64 MiB. */
  readonly walBacklogBytesMax: number
  /** How often an idle log looks whether to seal itself; a seal comes within twice this. Default 45 ms. */
  readonly sealDelayMs: number
  /** How long to wait before a full disk is tried again. Default 500 ms. */
  readonly spaceRetryMs: number
  /**
   * While the disk is full, this much of the last segment is kept for votes and no-ops, and the last sixteenth of it for replicas that come
   * and go. Client entries that a vote may not overtake get half of it at most. Default 1 MiB, at most a quarter of a segment.
   */
  readonly reserveBytes: number
  /**
   * The oldest segment is freed by copying when at most this much in it is live. Above, snapshots are wanted first, up to twice
   * `segmentsWanted`. Default 256 KiB.
   */
  readonly copyForwardBytesMax: number
  /**
   * Segments the log may hold before it begins to free the oldest. Fewer: less disk, a faster start, more snapshots. The log is kept back
   * to the snapshot before the newest; with sixteen busy shards of up to 4 MiB it fills ten. Wanted must be more than that, or shards are
   * asked for snapshots before they are due: in turn (asks.ts), and until each has written two the log grows to one and a half times as
   * much, or further where snapshots take long. Default 12.
   */
  readonly segmentsWanted: number
}

const MIB = 1_048_576

export const walConfigDefaults: WalConfig = {
  segmentBytes: 16 * MIB,
  groupBytesMax: 4 * MIB,
  walBacklogBytesMax: 64 * MIB,
  sealDelayMs: 45,
  spaceRetryMs: 500,
  reserveBytes: MIB,
  copyForwardBytesMax: 262_144,
  segmentsWanted: 12,
}
