/** Metrics of requests: what came by which door, what it was told, and how long each phase of it took. */

import { OpCode, Status } from '../../actors/shard/operation.ts'
import { STATUSES } from '../instruments.ts'
import { distributions, each, one, secondsOfMicros, tallied } from './family.ts'
import type { Family } from './family.ts'

const doors = ['nats', 'batch'] as const
const hit = OpCode.get * STATUSES + Status.OK
const miss = OpCode.get * STATUSES + Status.NOT_FOUND

/** Totals of a door, beside the reasons for its refusals. */
const notRefusals: ReadonlySet<string> = new Set(['opened', 'closed', 'batches', 'operations', 'refused', 'sessions', 'pendingOperations'])

/** `post.refused.sender` and `gateway.INVALID`: where, and why. */
const refusalIn = (counter: string): { readonly where: string; readonly reason: string } | null => {
  const parts = counter.split('.')
  const [where = '', reason = ''] = [parts[0], parts.at(-1)]
  if (parts.length === 3 && parts[1] === 'refused') return { where, reason }
  return parts.length === 2 && (where === 'gateway' || where === 'batch') && !notRefusals.has(reason) ? { where, reason } : null
}

export const requestFamilies: readonly Family[] = [
  {
    name: 'shardkv_requests_total', type: 'counter', help: 'Operations answered to clients by this node, by door, operation and status.',
    read: ({ records }) => doors.flatMap((door) => tallied(records.doors[door].tally, { door })),
  },
  {
    name: 'shardkv_request_duration_seconds', type: 'histogram', bounds: secondsOfMicros,
    help: 'From a request\'s arrival at a door of this node until its answer, or until it was given up, wherever its shard is led.',
    read: ({ records }) => doors.flatMap((door) => distributions(records.doors[door].took, { door }, records.doors[door].examples)),
  },
  {
    name: 'shardkv_operations_total', type: 'counter', help: 'Operations answered by shards of this node, whatever door they came by.',
    read: ({ records }) => tallied(records.operations),
  },
  {
    name: 'shardkv_phase_duration_seconds', type: 'histogram', bounds: secondsOfMicros,
    help: 'Time of an operation in its shard: gather until it is handed to Raft, raft from there to the answer, shard the whole.',
    read: ({ records }) => (['gather', 'raft', 'shard'] as const).flatMap((phase) => distributions(records[phase], { phase })),
  },
  {
    name: 'shardkv_reads_total', type: 'counter', help: 'Reads answered with a value (hit) or without (miss).',
    read: ({ records: { operations } }) =>
      [...one(operations[hit] ?? 0, { result: 'hit' }), ...one(operations[miss] ?? 0, { result: 'miss' })],
  },
  {
    name: 'shardkv_in_flight_requests', type: 'gauge', help: 'Operations that came by a door of this node and wait for their answer.',
    read: ({ node }) => [...one(node?.doors?.natsWaiting, { door: 'nats' }), ...one(node?.doors?.batchWaiting, { door: 'batch' })],
  },
  {
    name: 'shardkv_connections', type: 'gauge', help: 'Sessions of clients that are open at the batch door.',
    read: ({ node }) => one(node?.doors?.batchSessions),
  },
  {
    name: 'shardkv_connections_opened_total', type: 'counter', help: 'Sessions that were opened at the batch door.',
    read: ({ node }) => one(node?.report.node.counters['batch.opened'] ?? 0),
  },
  {
    name: 'shardkv_connections_closed_total', type: 'counter', help: 'Sessions that were closed, by their client or for silence.',
    read: ({ node }) => one(node?.report.node.counters['batch.closed'] ?? 0),
  },
  {
    name: 'shardkv_batches_total', type: 'counter', help: 'Batches that the batch door let in.',
    read: ({ node }) => one(node?.report.node.counters['batch.batches'] ?? 0),
  },
  {
    name: 'shardkv_refused_total', type: 'counter', help: 'What a door or a radio refused unread or unexecuted, by where and why.',
    read: ({ node }) => Object.entries(node?.report.node.counters ?? {}).flatMap(([counter, value]) => {
      const labels = refusalIn(counter)
      return labels === null ? [] : one(value, labels)
    }),
  },
  {
    name: 'shardkv_raw_requests_lost_total', type: 'counter',
    help: 'Plain requests that ended without a result: told TIMEOUT, forgotten in silence, or answered when nobody waited any more.',
    read: ({ node }) => each(Object.entries(node?.doors?.raw.counters ?? {}), ([how, value]) => ({ labels: { how }, value })),
  },
]
