/**
 * Every queue has a limit, and what a shard and a leader hold never passes theirs: operations that were taken and are not answered, and
 * what a leader has appended in its term and not committed. A fifth of the seeds draw limits that their clients reach (drawnApart.ts).
 *
 * A log and its backlog are bounded by what is refused and by snapshots, which come every few kilobytes here: those numbers are far above
 * what a run can need, so what grows towards them is a leak.
 */

import { EntryKind } from '../../actors/raft/protocol.ts'
import type { Invariant, Problem, ReplicaView } from '../view.ts'

export interface QueueLimits {
  readonly pendingOperationsMax: number
  readonly pendingBytesMax: number
  /** Payload bytes; one entry alone may have more. */
  readonly uncommittedBytesMax: number
}

const WAL_BACKLOG_BYTES_MAX = 64 * 1_024 * 1_024
const LOG_ENTRIES_MAX = 20_000

export const createBoundedQueues = ({ pendingOperationsMax, pendingBytesMax, uncommittedBytesMax }: QueueLimits): Invariant => ({
  name: 'queues are bounded',
  // Asked after every event: a sentence is made of it only when there is something to say.
  check: (view) => {
    const { pendingOperations, pendingBytes } = view
    if (pendingOperations > pendingOperationsMax) return over(view, `${pendingOperations} pending operations`, pendingOperationsMax)
    if (pendingBytes > pendingBytesMax) return over(view, `${pendingBytes} pending bytes`, pendingBytesMax)
    const uncommitted = uncommittedBytes(view)
    if (uncommitted > uncommittedBytesMax) return over(view, `${uncommitted} uncommitted bytes`, uncommittedBytesMax)
    if (view.walBacklogBytes > WAL_BACKLOG_BYTES_MAX) return over(view, `${view.walBacklogBytes} log backlog bytes`, WAL_BACKLOG_BYTES_MAX)
    const entries = view.lastIndex - view.snapshotIndex
    return entries <= LOG_ENTRIES_MAX ? null : over(view, `${entries} log entries since the snapshot`, LOG_ENTRIES_MAX)
  },
})

/**
 * Of a leader, what it has taken from clients in its term and not committed; 0 for a single entry. What it found in its log is not its
 * own doing: another leader may have known more of it to be committed.
 */
const uncommittedBytes = ({ role, term, commitIndex, lastIndex, entryAt }: ReplicaView): number => {
  if (role !== 'leader') return 0
  let bytes = 0
  let entries = 0
  for (let index = lastIndex; index > commitIndex; index -= 1) {
    const entry = entryAt(index)
    if (entry === undefined || entry.term !== term) break
    if (entry.kind !== EntryKind.batch) continue
    bytes += entry.payload.length
    entries += 1
  }
  return entries > 1 ? bytes : 0
}

const over = ({ id, shard }: ReplicaView, what: string, limit: number): Problem =>
  `${id} of shard ${shard} has ${what}; the limit is ${limit}`
