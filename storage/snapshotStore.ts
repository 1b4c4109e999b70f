/**
 * The snapshot store port: files of one consistent cut of a group's state (format in docs/WAL_FORMAT.md, "Snapshots").
 *
 * A snapshot counts only when its whole file verifies. It is written to a temporary name, synced, verified, renamed, and the
 * directory synced; the two newest of a group are kept, and what is being sent. Implementation: storage/snapshotFiles.ts.
 */

import type { Configuration, Index, Term } from '../actors/raft/protocol.ts'
import type { SnapshotChunks } from '../actors/shard/protocol.ts'
import type { Cancel } from '../actors/kernel/clock.ts'
import type { GroupId } from '../topology/ids.ts'
import type { Done } from './fileSystem.ts'

export interface SnapshotInfo {
  readonly group: GroupId
  readonly index: Index
  readonly term: Term
  /** The membership in force at `index`. */
  readonly configuration: Configuration
  /** Size of the file: what a transfer sends. */
  readonly totalBytes: number
}

export type SnapshotHeader = Omit<SnapshotInfo, 'totalBytes'>

/** What a file is named by. */
export type Identity = Pick<SnapshotInfo, 'group' | 'index' | 'term'>

/** Where one is kept until it has its name. */
export type TemporaryPath = (identity: Identity) => { readonly directory: string; readonly temporary: string }

interface Unpublished {
  readonly temporary: string
  readonly expected: Identity
  /** Asked once it is verified. */
  readonly isCancelled?: () => boolean
}

/** Verifies a temporary file whole and gives it its name. */
export type Publish = (unpublished: Unpublished, done: Done<SnapshotInfo>) => void

export interface SnapshotsFound {
  readonly good: readonly SnapshotInfo[]
  readonly damaged: readonly string[]
  /** Of the damaged some could not be read, and nobody knows what is in them: a later start may find them good. */
  readonly isUnread?: true
}

export interface SnapshotsKept {
  /** So many of the newest at or below `through`. */
  readonly newest: number
  /**
   * What the log has reached: files beyond it are of an installation that crashed, or of an earlier life. The log does not vouch for them,
   * so they count for nothing, and stay until it has passed them.
   */
  readonly through: Index
  /** Older ones that are being sent to somebody, by their indexes. */
  readonly inUse: readonly Index[]
}

export interface SnapshotStore {
  /**
   * Pulls `chunks` a slice at a time, one slice per turn of the loop whatever the number of groups (storage/slices.ts). The result is
   * verified and durable.
   */
  readonly write: (header: SnapshotHeader, chunks: SnapshotChunks, done: Done<SnapshotInfo>) => Cancel
  /** Raw bytes of a snapshot file, for a transfer. ENOENT when that snapshot is gone. */
  readonly readRange: (group: GroupId, index: Index, term: Term, offset: number, lengthMax: number, done: Done<Uint8Array>) => void
  /**
   * Appends a received piece to the temporary file of (group, index, term); offset 0 starts it anew, and ends whatever else the group
   * was receiving. The result is the contiguous length.
   */
  readonly receive: (group: GroupId, index: Index, term: Term, offset: number, bytes: Uint8Array, done: Done<number>) => void
  /**
   * Verifies the received file whole, renames and syncs it. An error with code 'EDAMAGED' when it does not verify (the file is
   * removed), 'ENEWER' when it is of a later layout than the level in force (likewise).
   */
  readonly finishReceive: (group: GroupId, index: Index, term: Term, totalBytes: number, done: Done<SnapshotInfo>) => void
  /** The chunks as they were given to `write`, in order, one slice per turn, then `done`. */
  readonly load: (info: SnapshotInfo, onChunk: (bytes: Uint8Array) => void, done: Done) => void
  /**
   * Whether the file is still what was written: false where it does not verify, can not be read, or is gone. An error where that could
   * not be found out, since no descriptor was left (the result is then true: nothing speaks against the file).
   */
  readonly verify: (group: GroupId, index: Index, term: Term, done: Done<boolean>) => void
  /**
   * Every snapshot of the group that verifies, newest first. Damaged ones are left out and named in `damaged`; nothing is deleted. An error
   * where one could not be looked at, for want of a descriptor or of the right to: it may be good.
   */
  readonly list: (group: GroupId, done: Done<SnapshotsFound>) => void
  /** Removes every snapshot of the group that is not to be kept, left-over temporary files, and what is received up to `through`. */
  readonly prune: (group: GroupId, kept: SnapshotsKept, done: Done) => void
  /**
   * Removes every file of the group, also what it is receiving: its replica here is gone for good. All that can be removed is, whatever the
   * error. What stays harms nobody: no start builds on it unless the log holds the very entry that it ends with.
   */
  readonly clear: (group: GroupId, done: Done) => void
}
