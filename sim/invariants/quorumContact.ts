/**
 * CheckQuorum (thesis 6.2): a leader that has heard nothing from a quorum over the data path for several
 * election timeouts of its own running time no longer leads. Otherwise it would keep its clients waiting for
 * ever on a side that can not commit.
 */

import { isQuorum } from '../view.ts'
import { nodeOf } from '../../topology/ids.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant } from '../view.ts'

export interface QuorumContactPorts {
  /** Well above the longest election timeout. */
  readonly silenceMsMax: number
  /** Virtual milliseconds that the node has been running, pauses left out, since it last heard a frame from the other. */
  readonly silenceMs: (listener: string, speaker: string) => number
}

export const createQuorumContact = ({ silenceMs, silenceMsMax }: QuorumContactPorts): Invariant => ({
  name: 'a leader is in contact with a quorum',
  check: (view) => {
    if (view.role !== 'leader') return null
    const self = nodeOf(view.id)
    const isHeard = (voter: ReplicaId): boolean => voter === view.id || silenceMs(self, nodeOf(voter)) <= silenceMsMax
    let heard = 0
    for (const voter of view.voters) if (isHeard(voter)) heard += 1
    return isQuorum(heard, view.voters) ? null
      : `${view.id} leads shard ${view.shard} and has heard no quorum for ${silenceMsMax} ms`
  },
})
