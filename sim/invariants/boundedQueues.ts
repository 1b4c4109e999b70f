/**
 * Every queue has a limit. The limits are the product's own; the simulator's load is far below them, so
 * what grows towards one is a leak.
 */

import type { Invariant, Problem, ReplicaView } from '../view.ts'

const PENDING_OPERATIONS_MAX = 16_384
const PENDING_BYTES_MAX = 16 * 1_024 * 1_024
const WAL_BACKLOG_BYTES_MAX = 64 * 1_024 * 1_024
/** Entries not yet covered by a snapshot: the simulator's snapshots come every few kilobytes. */
const LOG_ENTRIES_MAX = 20_000

export const createBoundedQueues = (): Invariant => ({
  name: 'queues are bounded',
  check: (view) => over(view, 'pending operations', [view.pendingOperations, PENDING_OPERATIONS_MAX])
    ?? over(view, 'pending bytes', [view.pendingBytes, PENDING_BYTES_MAX])
    ?? over(view, 'log backlog bytes', [view.walBacklogBytes, WAL_BACKLOG_BYTES_MAX])
    ?? over(view, 'log entries since the snapshot', [view.lastIndex - view.snapshotIndex, LOG_ENTRIES_MAX]),
})

const over = (view: ReplicaView, what: string, [value, limit]: readonly [number, number]): Problem =>
  (value <= limit ? null : `${view.id} of shard ${view.shard} has ${value} ${what}; the limit is ${limit}`)
