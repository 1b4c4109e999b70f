/** Metrics of tracing itself: how many requests are sampled, and what becomes of their spans. */

import { one } from './family.ts'
import type { Family } from './family.ts'

const outcomes = ['exported', 'failed', 'dropped'] as const

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
    read: ({ traces }) => outcomes.map((outcome) => ({ labels: { outcome }, value: traces[outcome] })),
  },
  {
    name: 'shardkv_spans_waiting', type: 'gauge', help: 'Spans that wait to be sent.',
    read: ({ traces }) => one(traces.waiting),
  },
]
