/**
 * The tracing port of a node: what becomes of a sampled request, told at the points where it happens. Behind it is
 * observe/tracing/sampling.ts, which decides what is sampled and what else is kept, and behind that are those who listen
 * (observe/tracing/requestSpans.ts for OpenTelemetry, observe/recorder/requests.ts for the recorder; `joinListeners` lets several).
 */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { StatusName } from '../actors/shard/operation.ts'
import type { ShardId } from '../topology/ids.ts'

export interface RequestSpan {
  /** What work done for this span elsewhere is a child of. */
  readonly context: TraceContext
  /** Its result is there: what follows until `end` is the reply. */
  readonly answered?: () => void
  readonly end: (status: StatusName) => void
}

/** A request at a front door. */
export interface ArrivedRequest {
  readonly op: string
  readonly shard: ShardId
  /** A binary string. */
  readonly key: string
  readonly parent: TraceContext
  /** Its trace begins here: `parent` is what `draw` gave, and nobody else's span. */
  readonly isRoot?: boolean
  /** Somebody asked for this very request to be seen: no limit holds it back. */
  readonly isProbe?: boolean
}

/** A batch of requests, at least one of them sampled, at the shard that is to execute it: of this node, or forwarded by another. */
export interface ArrivedBatch {
  readonly shard: ShardId
  readonly operations: number
  readonly parent: TraceContext
  readonly isForwarded: boolean
}

/** What a write goes through behind the door, on the shard's leader and on its followers. */
export type JourneyPhase = 'propose' | 'fsync' | 'replicate' | 'commit' | 'apply'

/** It has ended just now, and took `micros`. */
export interface PassedPhase {
  /** By the node's monotonic clock, in milliseconds. */
  readonly endedAt: number
  readonly trace: TraceContext
  readonly phase: JourneyPhase
  /** `raft/7`, `shard/7`. */
  readonly actor: string
  readonly shard: ShardId
  readonly micros: number
  /** Told by a follower: the request was answered elsewhere, perhaps before. */
  readonly isFollower?: boolean | undefined
  readonly term?: number | undefined
  /** replicate: the follower on whose disk it is. */
  readonly peer?: string | undefined
  readonly bytes?: number | undefined
  /** fsync: of `micros`, the sync itself; before it comes the wait for the log, and the write where that is a call of its own. */
  readonly syncMicros?: number | undefined
  /** What was given as context for what others did in it (`openChild`). */
  readonly context?: TraceContext | undefined
  /** Of other sampled requests that the same entry serves. */
  readonly links?: readonly TraceContext[] | undefined
}

/** A request without a sampled trace that took long, or failed. */
export interface NotedRequest {
  readonly op: string
  readonly shard: ShardId
  readonly key: string
  readonly status: StatusName
  readonly micros: number
  /** What its caller said of its trace. */
  readonly parent?: TraceContext | undefined
}

/** One that is kept, and what all who keep it call it: its caller's trace, or one that was drawn when it ended, and a span of its own. */
export interface KeptNote extends NotedRequest {
  readonly trace: TraceContext
}

export interface RequestTracing {
  /** For a request that comes without a trace: one of its own when it is to be sampled, else null. Absent: none is. */
  readonly draw?: () => TraceContext | null
  /** Null when it is not sampled. */
  readonly begin: (request: ArrivedRequest) => RequestSpan | null
  readonly beginAtShard: (batch: ArrivedBatch) => RequestSpan
  /** The request left its connection for its shard, with the others that `trace` names. */
  readonly left?: (trace: TraceContext) => void
  /** The context of something that is told of when it ends, and that others have a part in before. */
  readonly openChild?: (parent: TraceContext) => TraceContext
  readonly passed?: (phase: PassedPhase) => void
  /** What it is called by those who keep it; undefined when nobody does, since too many were within the second. */
  readonly noted?: (request: NotedRequest) => TraceContext | undefined
}

/** Hears of sampled and kept requests only: whoever asks has decided. */
export interface TraceListener extends Omit<RequestTracing, 'draw' | 'noted'> {
  readonly noted?: (note: KeptNote) => void
}

/** The first one's span is the parent of what is done elsewhere. */
export const joinListeners = (first: TraceListener, second: TraceListener): TraceListener => ({
  begin: (request) => joined(first.begin(request), second.begin(request)),
  beginAtShard: (batch) => both(first.beginAtShard(batch), second.beginAtShard(batch)),
  left: (trace) => {
    first.left?.(trace)
    second.left?.(trace)
  },
  openChild: (parent) => first.openChild?.(parent) ?? parent,
  passed: (phase) => {
    first.passed?.(phase)
    second.passed?.(phase)
  },
  noted: (request) => {
    first.noted?.(request)
    second.noted?.(request)
  },
})

const joined = (one: RequestSpan | null, other: RequestSpan | null): RequestSpan | null => {
  if (one === null || other === null) return one ?? other
  return both(one, other)
}

const both = (one: RequestSpan, other: RequestSpan): RequestSpan => ({
  context: one.context,
  answered: () => {
    one.answered?.()
    other.answered?.()
  },
  end: (status) => {
    one.end(status)
    other.end(status)
  },
})
