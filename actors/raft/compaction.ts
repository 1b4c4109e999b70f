/**
 * A local snapshot is verified and durable: the log before it may go, here and on disk.
 *
 * On disk the log is kept back to the snapshot *before* this one. Two snapshots are kept, in case the newer turns out damaged, and the
 * older is of use only with the log that continues it. One that was lost is none of the two (ownSnapshot.ts). In memory a bounded tail
 * stays for peers that are a little behind, since a snapshot transfer costs the whole state, and more for those that are being sent one
 * (retention.ts).
 */

import { assert } from '../kernel/assert.ts'
import { isReplacement } from './ownSnapshot.ts'
import { compactLog, isTooMuchKept } from './retention.ts'
import { giveUpKept, replaceTransfers } from './snapshotTransfer.ts'
import type { RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

export const handleSnapshotStored = (core: RaftCore, event: Extract<RaftLocalEvent, { type: 'raft.snapshotStored' }>): void => {
  const { index, term, totalBytes } = event
  const previous = core.snapshot
  // Nor while a snapshot takes force: the log's mark must not pass it. The next snapshot of this member makes up for it.
  if ((index <= (previous?.index ?? 0) && !isReplacement(core, event)) || core.following.isInstalling) return
  assert(index <= core.emittedIndex, `a snapshot at ${index} holds only what was applied, up to ${core.emittedIndex}`)
  const wasLost = core.snapshotDoubt === 'lost'
  core.snapshot = { index, term, totalBytes }
  core.snapshotDoubt = null
  if (previous !== null && !wasLost) core.effects.push({ type: 'wal.compact', index: previous.index, term: previous.term })
  for (const progress of core.leading.progress.values()) if (isTooMuchKept(core, progress, index)) giveUpKept(core, progress)
  if (previous !== null && wasLost) replaceTransfers(core, previous.index)
  compactLog(core)
}
