/** Metrics of tracing itself: how many requests are sampled, and what becomes of their spans. */

import { dropReasons } from '../tracing/spanDrops.ts'
import { each, one } from './family.ts'
import type { Family, Readings } from './family.ts'

const droppedIn = ({ traces: { dropped } }: Readings): number => dropReasons.reduce((sum, reason) => sum + dropped[reason], 0)

export const traceFamilies: readonly Family[] = [
  {
    name: 'shardkv_traces_sampled_total', type: 'counter', help: 'Requests that were sampled where they arrived at this node.',
    read: ({ traces }) => one(traces.sampled),
  },
  {
    name: 'shardkv_traces_limited_total', type: 'counter',
    help: 'Requests that were to be sampled and were not, since the second had its share.',
    read: ({ traces }) => one(traces.limited),
  },
  {
    name: 'shardkv_spans_total', type: 'counter',
    help: 'Spans by what became of them: taken by the receiver, not taken, or dropped before.',
    read: (from) => [
      ...one(from.traces.exported, { outcome: 'exported' }), ...one(from.traces.failed, { outcome: 'failed' }),
      ...one(droppedIn(from), { outcome: 'dropped' }),
    ],
  },
  {
    name: 'shardkv_spans_dropped_total', type: 'counter',
    help: 'Dropped ones by why: too many wait, too many are open, too many are below one, or the process ended.',
    read: ({ traces: { dropped } }) => each(dropReasons, (reason) => ({ labels: { reason }, value: dropped[reason] })),
  },
  {
    name: 'shardkv_spans_waiting', type: 'gauge', help: 'Spans that wait to be sent.',
    read: ({ traces }) => one(traces.waiting),
  },
]
