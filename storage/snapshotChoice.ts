/**
 * Which snapshot a replica starts from: the newest good one that the log vouches for, that is at or above the group's compaction
 * mark and not beyond its last entry, with the term the log has there. A verified file beyond the log is an installation that
 * crashed before its record was durable; it has no force. When the log begins at a mark and no good snapshot reaches it,
 * entries are missing that this replica once acknowledged: it is quarantined.
 */

import type { RecoveredGroup } from '../actors/wal/protocol.ts'
import type { Done } from './fileSystem.ts'
import type { SnapshotInfo, SnapshotStore } from './snapshotStore.ts'

export interface SnapshotChoice {
  readonly recovered: RecoveredGroup
  readonly snapshot: SnapshotInfo | null
  readonly damaged: readonly string[]
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
    if (snapshot !== null || recovered.snapshot.index === 0) {
      done(null, { recovered, snapshot, damaged: found.damaged })
      return
    }
    const reason = `no good snapshot reaches the log's beginning at index ${recovered.snapshot.index}`
    done(null, { recovered: { ...recovered, quarantined: recovered.quarantined ?? reason }, snapshot: null, damaged: found.damaged })
  })
}

const isVouchedFor = (candidate: SnapshotInfo, { snapshot: mark, entries }: RecoveredGroup): boolean => {
  if (candidate.index < mark.index) return false
  if (candidate.index === mark.index) return candidate.term === mark.term
  return entries[candidate.index - mark.index - 1]?.term === candidate.term
}
