/**
 * The wires between the actors of one node, as the simulator hears them. In production sampled requests are followed there
 * (topology/journeys.ts); here the invariants hear what a shard asks of its Raft member, what members submit to the log, and the answers.
 * The meta group's actor and its member have no such wire between them; what that member submits to the log is heard.
 */

import { createJourneys } from '../topology/journeys.ts'
import type { RaftLocalEvent } from '../actors/raft/protocol.ts'
import type { ShardLocalEvent } from '../actors/shard/protocol.ts'
import type { WalEvent, WalNotice } from '../actors/wal/protocol.ts'
import type { Journeys } from '../topology/journeys.ts'

/** Each is told before whom it is for. */
export interface WireListener {
  readonly asks: (shard: number, event: RaftLocalEvent) => void
  readonly answers: (shard: number, event: ShardLocalEvent) => void
  readonly submits: (event: WalEvent) => void
  readonly notices: (notice: WalNotice) => void
}

export const createWires = ({ asks, answers, submits, notices }: WireListener): Journeys => ({
  ...createJourneys({ now: () => 0 }, undefined),
  toRaft: asks,
  toShard: (shard, event, deliver) => {
    answers(shard, event)
    deliver()
  },
  toWal: submits,
  fromWal: notices,
})
