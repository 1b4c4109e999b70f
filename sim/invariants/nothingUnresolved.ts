/**
 * Nothing is left unresolved once everything is quiet: no client waits, no shard holds an operation whose fate is open, no log has bytes
 * to write, and no leader has entries that will not commit. Looked at once, at the end of a run, after the longest deadline of a request.
 */

import type { Problem, ReplicaView } from '../view.ts'

export const unresolved = (views: readonly ReplicaView[], clientsWaiting: number): Problem => {
  if (clientsWaiting > 0) return `${clientsWaiting} operations of clients are not answered`
  for (const { id, shard, role, pendingOperations, walBacklogBytes, lastIndex, commitIndex } of views) {
    const of = `${id} of shard ${shard} still has`
    if (pendingOperations > 0) return `${of} ${pendingOperations} operations`
    if (walBacklogBytes > 0) return `${of} ${walBacklogBytes} bytes to write`
    if (role === 'leader' && lastIndex > commitIndex) return `${of} ${lastIndex - commitIndex} entries to commit`
  }
  return null
}
