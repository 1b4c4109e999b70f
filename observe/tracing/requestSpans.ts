/**
 * Spans of sampled requests, made from what the tracing port is told, each when it is over:
 *
 *   kv put                             at the door, from arrival to answer
 *   ├─ connection                      gathered with others of its turn
 *   ├─ shard                           on the leader, from arrival to the shard's answer
 *   │  ├─ propose                      until Raft has it
 *   │  ├─ wal append, wal fsync        the leader's own disk
 *   │  ├─ replicate                    one for each follower, from sending to its acknowledgement
 *   │  │  └─ wal append, wal fsync     that follower's disk, told by it
 *   │  ├─ commit                       until a majority has it
 *   │  └─ apply                        to the state, and answered
 *   └─ reply                           until the answer has left
 *
 * Where one message or one entry serves several sampled requests, each has its own spans, and links to the others'. Nothing is kept but
 * what is open: a span that is over is the sink's. Attributes name operation, shard and a hash of the key; never the key, a value or a
 * header.
 *
 * Limits: OPEN_SPANS_MAX open at a time, above which a request is not sampled; CHILDREN_MAX under each. What there is no room for is
 * counted.
 */

import { SAMPLED, TRACES_A_MESSAGE_MAX } from '../../actors/kernel/trace.ts'
import { isAnswer } from '../../actors/shard/operation.ts'
import { opNames } from '../../gateway/requestNotes.ts'
import { fnv1a32 } from '../../topology/hash.ts'
import { createSpanClock } from './spanClock.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { StatusName } from '../../actors/shard/operation.ts'
import type { ArrivedBatch, ArrivedRequest, KeptNote, PassedPhase, RequestSpan, TraceListener } from '../../gateway/tracing.ts'
import type { FinishedSpan, SpanAttributes, SpanIds } from './span.ts'
import type { SpanDrops } from './spanDrops.ts'

export const OPEN_SPANS_MAX = 4_096
export const CHILDREN_MAX = 64
const MICROS_PER_MS = 1_000

export interface RequestSpansOptions {
  readonly clock: Pick<Clock, 'now' | 'wall'>
  readonly ids: SpanIds
  readonly sink: (span: FinishedSpan) => void
  readonly drops: Pick<SpanDrops, 'add'>
}

export interface RequestSpans extends TraceListener {
  /** The process ends: what is open is given up, and whatever ends afterwards is nothing any more. */
  readonly close: () => void
}

type Attributes = Record<string, string | number>

interface Open {
  readonly name: string
  readonly kind: FinishedSpan['kind']
  readonly context: TraceContext
  readonly parentId: string
  readonly isParentRemote: boolean
  readonly startMs: number
  readonly attributes: Attributes
  readonly links: TraceContext[]
  answeredMs: number
  children: number
}

export const createRequestSpans = ({ clock, ids, sink, drops }: RequestSpansOptions): RequestSpans => {
  const { now, at } = createSpanClock(clock)
  /** By span id. */
  const open = new Map<string, Open>()

  /** Field by field, here and below: spreads cost more than all the rest. */
  const under = ({ traceId, spanId, flags }: TraceContext, child: Child): void => {
    const { name, startMs, endMs, attributes, links, own, isRemote = false } = child
    const parent = open.get(spanId)
    if (parent !== undefined && parent.children >= CHILDREN_MAX) {
      drops.add('children')
      return
    }
    if (parent !== undefined) parent.children += 1
    sink({
      name, kind: 'internal', traceId, spanId: own ?? ids.span(), flags, parentId: spanId, isParentRemote: isRemote,
      startMs: Math.min(startMs, endMs), endMs, attributes, links, isFailed: false,
    })
  }
  const start = ({ name, kind, context, parentId, isParentRemote, attributes, links }: Started): RequestSpan => {
    const entry: Open =
      { name, kind, context, parentId, isParentRemote, attributes, links, startMs: now(), answeredMs: 0, children: 0 }
    open.set(context.spanId, entry)
    return { context, answered: () => answered(entry), end: (status) => ended(entry, status) }
  }
  const answered = (entry: Open): void => { entry.answeredMs = now() }
  /** Not in the span's own function, nor is the above: that one is gone with its request, and what V8 compiled for it. */
  const ended = (entry: Open, status: StatusName): void => {
    const { name, kind, context, parentId, isParentRemote, startMs, answeredMs, attributes, links } = entry
    const { traceId, spanId, flags } = context
    if (!open.has(spanId)) return
    const endMs = now()
    if (answeredMs > 0) under(context, { name: 'reply', startMs: answeredMs, endMs, attributes: none, links: unlinked })
    open.delete(spanId)
    attributes['shardkv.status'] = status
    sink({
      name, kind, traceId, spanId, flags, parentId, isParentRemote,
      startMs: Math.min(startMs, endMs), endMs, attributes, links, isFailed: isFault(status),
    })
  }
  const hasRoom = (): boolean => {
    if (open.size < OPEN_SPANS_MAX) return true
    drops.add('open')
    return false
  }
  return {
    close: () => {
      drops.add('end', open.size)
      open.clear()
    },
    begin: (request) => {
      if (!hasRoom()) return null
      const { op, parent: { traceId, spanId, flags }, isRoot = false } = request
      return start({
        name: nameOf(op), kind: 'server', attributes: aboutRequest(request), links: [],
        context: { traceId, spanId: isRoot ? spanId : ids.span(), flags }, parentId: isRoot ? '' : spanId, isParentRemote: !isRoot,
      })
    },
    beginAtShard: ({ shard, operations, parent, isForwarded }: ArrivedBatch) => {
      const { traceId, spanId, flags, others = [] } = parent
      if (!hasRoom()) return { context: { traceId, spanId, flags }, end: () => {} }
      return start({
        name: 'shard', kind: isForwarded ? 'consumer' : 'internal', links: [...others],
        attributes: { 'shardkv.shard': shard, 'shardkv.operations': operations, 'shardkv.status': '' },
        context: { traceId, spanId: ids.span(), flags }, parentId: spanId, isParentRemote: isForwarded,
      })
    },
    left: (trace) => {
      const all = [trace, ...trace.others ?? []]
      for (const one of all) {
        const entry = open.get(one.spanId)
        if (entry === undefined) continue
        under(one, { name: 'connection', startMs: entry.startMs, endMs: now(), attributes: none, links: unlinked })
        for (const other of all) if (other !== one && entry.links.length < TRACES_A_MESSAGE_MAX) entry.links.push(other)
      }
    },
    openChild: ({ traceId, flags }) => ({ traceId, spanId: ids.span(), flags }),
    passed: (phase) => {
      if (!isAfterwards(phase)) tellPassed(phase, at(phase.endedAt), under)
    },
    noted: (note) => sink(keptSpan(note, { ids, endMs: now(), attributes: aboutRequest(note) })),
  }
}

type Started = Omit<Open, 'startMs' | 'answeredMs' | 'children'>

interface Child extends Pick<FinishedSpan, 'name' | 'startMs' | 'endMs' | 'attributes' | 'links'> {
  /** The id that others know it by already. */
  readonly own?: string | undefined
  /** What it is below is another node's. */
  readonly isRemote?: boolean
}

const none: SpanAttributes = {}
const unlinked: readonly TraceContext[] = []

/** With the status's place, which is taken when it ends. */
const aboutRequest = ({ op, shard, key }: Pick<ArrivedRequest, 'op' | 'shard' | 'key'>): Attributes => ({
  'db.system.name': 'shardkv', 'db.operation.name': op, 'shardkv.shard': shard,
  'shardkv.key_hash': fnv1a32(key).toString(16).padStart(8, '0'), 'shardkv.status': '',
})

/** What a follower commits and applies, it does when the request is long answered: that says nothing of the request. */
const isAfterwards = ({ phase, isFollower }: PassedPhase): boolean => isFollower === true && (phase === 'commit' || phase === 'apply')

const tellPassed = (phase: PassedPhase, endMs: number, under: (trace: TraceContext, child: Child) => void): void => {
  const { trace, phase: name, micros, isFollower: isRemote = false, context, links = unlinked } = phase
  const attributes = attributesOf(phase)
  const startMs = endMs - micros / MICROS_PER_MS
  if (name !== 'fsync') {
    under(trace, { name, startMs, endMs, attributes, links, own: context?.spanId, isRemote })
    return
  }
  const syncAtMs = endMs - Math.min(micros, phase.syncMicros ?? 0) / MICROS_PER_MS
  under(trace, { name: 'wal append', startMs, endMs: syncAtMs, attributes, links, isRemote })
  under(trace, { name: 'wal fsync', startMs: syncAtMs, endMs, attributes, links, isRemote })
}

/**
 * As little as will do, since most of what a span costs is what it says: the shard stands on the shard's own span, a follower's are below
 * the `replicate` that names it, and the entry's size stands where the entry is made.
 */
const attributesOf = ({ phase, term, peer, bytes }: PassedPhase): SpanAttributes => {
  if (phase === 'propose' && bytes !== undefined) return { 'shardkv.bytes': bytes }
  return phase === 'replicate' && peer !== undefined && term !== undefined ? { 'shardkv.term': term, 'shardkv.peer': peer } : none
}

const names: ReadonlyMap<string, string> = new Map([...opNames.values()].map((op) => [op, `kv ${op}`]))

/** The same text for all of an operation's spans. */
const nameOf = (op: string): string => names.get(op) ?? `kv ${op}`

interface Keeping {
  readonly ids: SpanIds
  readonly endMs: number
  readonly attributes: SpanAttributes
}

const keptSpan = (
  { op, status, micros, trace: { traceId, spanId }, isRoot }: KeptNote, { ids, endMs, attributes }: Keeping,
): FinishedSpan => ({
  name: nameOf(op), kind: 'server', startMs: endMs - micros / MICROS_PER_MS, endMs, links: unlinked, isFailed: isFault(status),
  traceId, spanId: isRoot ? spanId : ids.span(), flags: SAMPLED, parentId: isRoot ? '' : spanId, isParentRemote: !isRoot,
  attributes: { ...attributes, 'shardkv.status': status, 'shardkv.kept': isAnswer(status) ? 'slow' : 'failed' },
})

/** What the cluster is to blame for; INVALID and its like are the caller's. */
const isFault = (status: StatusName): boolean => faults.has(status)
const faults: ReadonlySet<StatusName> = new Set(['INTERNAL', 'TIMEOUT', 'NO_QUORUM', 'OVERLOADED', 'NO_SPACE'])
