/**
 * A replica applies nothing that its own disk does not hold: a snapshot of such a state could become durable before the log that it
 * continues (actors/raft/commit.ts). A quorum may have committed it meanwhile; this member waits for its own disk.
 */

import type { Invariant } from '../view.ts'

export const createAppliedIsDurable = (): Invariant => ({
  name: 'applied is durable',
  check: ({ id, shard, appliedIndex, durableIndex }) => (appliedIndex <= durableIndex ? null
    : `${id} of shard ${shard} applied ${appliedIndex}; its disk holds ${durableIndex}`),
})
