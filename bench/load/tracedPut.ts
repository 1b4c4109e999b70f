/** One batch of PUTs past every place that tells of traces: the door, the wires of its shard's leader, and those of two followers. */

import { OpCode } from '../../actors/shard/operation.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { openBatchSpans } from '../../gateway/batchSpans.ts'
import { noteUnsampled } from '../../gateway/requestNotes.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { createJourneys } from '../../topology/journeys.ts'
import { createShardSpans } from '../../topology/shardSpans.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { RequestTracing } from '../../gateway/tracing.ts'

export interface TracedPutOptions {
  readonly clock: Clock
  readonly leader: RequestTracing | undefined
  readonly followers: readonly (RequestTracing | undefined)[]
  /** In the batch. */
  readonly operations: number
}

const shard = shardId(7)
const self = nodeId('n1')
const peers = [nodeId('n2'), nodeId('n3')]
const origin = { node: self, address: 'connection/a' } as const
const payload = new Uint8Array(128)
const entries = [{ term: 3, index: 12, kind: EntryKind.batch, payload }]
const append = { type: 'raft.append', term: 3, prevTerm: 3, prevIndex: 11, commitIndex: 11, entries } as const
const accepted = { type: 'raft.appendAccepted', term: 3, matchIndex: 12 } as const
const written = { type: 'wal.append', group: shard, ticket: 5, submittedTerm: 3, entries, reserved: false } as const
const synced = { type: 'wal.appended', group: shard, ticket: 5, submittedTerm: 3, lastIndex: 12 } as const

export const createTracedPut = ({ clock, leader, followers, operations }: TracedPutOptions): (() => void) => {
  const placed = Array.from({ length: operations }, (_, i) => ({ shard, operation: { code: OpCode.put, key: `key-${i}`, value: payload } }))
  const result = { status: 'OK', revision: 1 } as const
  const rows = placed.map((_, position) => ({ position, result }))
  const request = {
    type: 'shard.request', replyTo: origin.address, batch: 9, policy: 'direct', term: 3, consistency: 'linearizable',
    operations: placed.map(({ operation }) => operation),
  } as const
  const reply = { type: 'shard.reply', shard, batch: 9, results: placed.map(() => result) } as const
  const journeys = createJourneys(clock, leader)
  const spans = createShardSpans(self, leader)
  const others = followers.map((tracing) => createJourneys(clock, tracing))
  const door = { tracing: leader, instruments: undefined, now: () => clock.now() }

  return () => {
    const opened = openBatchSpans(door, placed, null)
    const trace = opened === null ? undefined : traceOf(placed.map((_, i) => opened.contextOf(i)))
    if (trace !== undefined) {
      leader?.left?.(trace)
      journeys.arrived(shard, origin, request, spans.begin(shard, origin, request, trace))
    }
    journeys.toRaft(shard, { type: 'raft.propose', proposal: 1, payload })
    journeys.toShard(shard, { type: 'raft.proposed', proposal: 1, term: 3, index: 12 }, () => {})
    journeys.toWal(written)
    const carried = peers.map((peer) => journeys.mailed(shard, peer, append))
    journeys.groupWritten({ syncMs: 0.2 })
    journeys.fromWal(synced)
    others.forEach((follower, i) => {
      follower.heard(shard, self, append, carried[i])
      follower.toWal(written)
      follower.groupWritten({ syncMs: 0.2 })
      follower.fromWal(synced)
      follower.mailed(shard, self, accepted)
      follower.toShard(shard, { type: 'raft.committed', entries }, () => {})
    })
    for (const peer of peers) journeys.heard(shard, peer, accepted, undefined)
    journeys.toShard(shard, { type: 'raft.committed', entries }, () => {
      journeys.answered(origin, reply)
      spans.end(origin, reply)
    })
    for (const { position } of rows) {
      opened?.answered(position)
      const asked = placed[position]
      if (asked === undefined || opened?.contextOf(position) !== undefined) continue
      noteUnsampled(leader, { request: asked, status: 'OK', tookMs: 1 })
    }
    opened?.replied(rows)
  }
}

/** As the connection does (actors/connection/batches.ts). */
const traceOf = (traces: readonly (TraceContext | undefined)[]): TraceContext | undefined => {
  const [first, ...others] = traces.filter((trace) => trace !== undefined)
  return first === undefined || others.length === 0 ? first : { ...first, others }
}
