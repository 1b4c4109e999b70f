/**
 * Which snapshot a replica starts from: the newest good one that the log vouches for, that is at or above the group's compaction
 * mark and not beyond its last entry, with the term the log has there. A verified file beyond the log is an installation that
 * crashed before its record was durable; it has no force. When the log begins at a mark and no good snapshot reaches it,
 * entries are missing that this replica once acknowledged: it is quarantined, and its log remembers that (topology/replicaHost.ts).
 *
 * So it is when the log knows nothing of the group at all, not even a term, and a snapshot is there: whoever got one had heard its leader's
 * term, and submitted it to the log, before the first byte of it. The log of that life is gone, and its votes with it. (A node that dies
 * in its very first moments may have the file and not yet the term: that replica, which has promised nothing, is then replaced in vain.)
 */

import type { RecoveredGroup } from '../actors/wal/protocol.ts'
import type { Done } from './fileSystem.ts'
import type { SnapshotInfo, SnapshotStore, SnapshotsFound } from './snapshotStore.ts'

export interface SnapshotChoice {
  readonly recovered: RecoveredGroup
  readonly snapshot: SnapshotInfo | null
  readonly damaged: readonly string[]
  /** As the store found them (SnapshotsFound). */
  readonly isUnread?: true
}

export const chooseSnapshot = (
  snapshots: SnapshotStore,
  recovered: RecoveredGroup,
  done: Done<SnapshotChoice>,
): void => {
  snapshots.list(recovered.group, (error, found) => {
    if (error !== null) {
      done(error, { recovered, snapshot: null, damaged: [] })
      return
    }
    const snapshot = found.good.find((candidate) => isVouchedFor(candidate, recovered)) ?? null
    const quarantined = recovered.quarantined ?? (snapshot === null ? missing(recovered, found) : undefined)
    const { damaged, isUnread } = found
    const chosen = { recovered: quarantined === undefined ? recovered : { ...recovered, quarantined }, snapshot, damaged }
    done(null, isUnread === undefined ? chosen : { ...chosen, isUnread })
  })
}

/** What says that something is missing, where the log vouches for no snapshot. */
const missing = (recovered: RecoveredGroup, { good, damaged }: SnapshotsFound): string | undefined => {
  const { index } = recovered.snapshot
  if (index > 0) return `no good snapshot reaches the log's beginning at index ${index}`
  if (!isUnknown(recovered) || good.length + damaged.length === 0) return undefined
  return 'the log holds nothing of the group, and a snapshot of it is here: the log of the replica that had it is gone'
}

const isUnknown = ({ hardState, entries, replica }: RecoveredGroup): boolean =>
  hardState.term === 0 && entries.length === 0 && replica === undefined

const isVouchedFor = (candidate: SnapshotInfo, { snapshot: mark, entries }: RecoveredGroup): boolean => {
  if (candidate.index < mark.index) return false
  if (candidate.index === mark.index) return candidate.term === mark.term
  return entries[candidate.index - mark.index - 1]?.term === candidate.term
}
