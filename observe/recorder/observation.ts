/**
 * What people may see of the whole cluster through this node: its actors, the feed, recordings. Asks every member, and names those that
 * do not answer. Memory is bounded by a page for each node, however long the recording.
 *
 * A recording has an end, however slowly it is read and however much is recorded meanwhile: with each node it ends at what was the newest
 * record there when its first page was made. By number: clocks are apart, and in an outage perhaps far.
 */

import { traceSubject, traceWildcard } from '../../bus/subjects.ts'
import { createTraceDesk } from './desk.ts'
import { createFeed } from './feed.ts'
import { breachRecord, lossRecord, ringsOf } from './gaps.ts'
import { mergeByTime } from './merge.ts'
import { createWatchers } from './watchers.ts'
import { decodeActors, decodePage, decodeRequests } from './wire.ts'
import type { TraceContext } from '../../actors/kernel/trace.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { TraceDesk, TraceDeskOptions } from './desk.ts'
import type { ActorRecord, RecordKind } from './record.ts'
import type { KeptRequest, RequestsWish } from './requests.ts'
import type { WatchWish, Watcher } from './watchers.ts'
import type { NodeActors, RecordPage } from './wire.ts'

export interface ClusterActors {
  readonly nodes: readonly NodeActors[]
  /** Those that did not answer. */
  readonly missing: readonly string[]
}

export interface RecordingWish {
  /** Milliseconds since 1970; both ends count. */
  readonly from: number
  readonly to: number
  /** Empty: everything. */
  readonly trace: string
  /** Absent: all. */
  readonly kinds?: readonly RecordKind[] | undefined
}

export interface ClusterRecording {
  readonly cluster: string
  readonly madeAt: number
  readonly nodes: readonly string[]
  /** Those that did not answer. Who stops answering later, and what was overwritten meanwhile, is told of by records (gaps.ts). */
  readonly missing: readonly string[]
  /** By time; those of a node in the order of their numbers. */
  readonly records: AsyncIterable<ActorRecord>
}

export interface Observation {
  readonly actors: () => Promise<ClusterActors>
  /** Null: there are too many watchers. */
  readonly watch: (wish: WatchWish) => Watcher | null
  readonly recording: (wish: RecordingWish) => Promise<ClusterRecording>
  readonly requests: (wish: RequestsWish) => Promise<{ readonly requests: readonly KeptRequest[]; readonly missing: readonly string[] }>
  /** One request of this node's own, sampled, by the way that clients' requests go; null when nobody answered. */
  readonly probe: (request: ProbeRequest) => Promise<OperationResult | null>
}

export interface ProbeRequest {
  /** A put is of PROBE_KEY, and of nothing that is anybody's. */
  readonly op: 'put' | 'get'
  /** A binary string. */
  readonly key: string
  /** What decides its shard. */
  readonly hashToken: string
  readonly trace: TraceContext
}

/** What probes write, and let expire. */
export const PROBE_KEY = '__shardkv_probe'

export interface ObservationOptions extends Omit<TraceDeskOptions, 'onWatch'> {
  readonly probe: (request: ProbeRequest, done: (result: OperationResult | null) => void) => void
}

export const createObservation = (options: ObservationOptions): Observation & { readonly stop: () => void } => {
  const { bus, clock, cluster, self, recorder, members } = options
  const desk = createTraceDesk({ ...options, onWatch: (detail, from) => feed.lease({ detail, isOwn: from === self }) })
  const feed = createFeed({ bus, clock, recorder, subject: traceSubject(cluster, self), frameBytesMax: desk.frameBytesMax })
  const watchers = createWatchers({
    bus, clock, recorder, members, subject: traceWildcard(cluster),
    renew: (detail) => { for (const node of members()) desk.tell(node, { kind: 'watch', detail }) },
  })
  return {
    actors: async () => {
      const answers = await Promise.all(members().map(async (node) => ({ node, answer: await actorsOf(desk, node) })))
      return {
        nodes: answers.map(({ answer }) => answer).filter((answer) => answer !== undefined),
        missing: answers.filter(({ answer }) => answer === undefined).map(({ node }) => node),
      }
    },
    watch: watchers.open,
    recording: async (wish) => {
      const firsts = await Promise.all(members().map(async (node) => ({ node, first: await nextPage(desk, node, { ...wish, after: 0 }) })))
      const there = firsts.flatMap(({ node, first }) => (first === undefined ? [] : [{ node, first }]))
      const madeAt = clock.wall()
      return {
        cluster, madeAt,
        nodes: there.map(({ node }) => node),
        missing: firsts.filter(({ first }) => first === undefined).map(({ node }) => node),
        records: mergeByTime(there.map(({ node, first }) => recordsOf(desk, node, { ...wish, madeAt }, first))),
      }
    },
    requests: async (wish) => {
      const answers = await Promise.all(members().map(async (node) => ({ node, answer: await requestsOf(desk, node, wish) })))
      const all = answers.flatMap(({ answer = [] }) => answer)
      const sorted = all.toSorted((a, b) => (wish.order === 'slowest' ? b.micros - a.micros : b.at - a.at))
      return {
        requests: sorted.slice(0, wish.limit), missing: answers.filter(({ answer }) => answer === undefined).map(({ node }) => node),
      }
    },
    probe: (request) => new Promise((resolve) => { options.probe(request, resolve) }),
    stop: () => {
      watchers.stop()
      feed.stop()
      desk.stop()
    },
  }
}

const actorsOf = (desk: TraceDesk, node: NodeId): Promise<NodeActors | undefined> => new Promise((resolve) => {
  desk.ask(node, { kind: 'actors' }, (answer) => resolve(answer === undefined ? undefined : decodeActors(answer)))
})

type Requests = readonly KeptRequest[] | undefined

const requestsOf = (desk: TraceDesk, node: NodeId, wish: RequestsWish): Promise<Requests> => new Promise((resolve) => {
  desk.ask(node, { kind: 'requests', ...wish }, (answer) => resolve(answer === undefined ? undefined : decodeRequests(answer)))
})

const nextPage = (desk: TraceDesk, node: NodeId, wish: RecordingWish & { readonly after: number }): Promise<RecordPage | undefined> =>
  new Promise((resolve) => {
    desk.ask(node, { kind: 'page', ...wish }, (answer) => resolve(answer === undefined ? undefined : decodePage(answer)))
  })

/**
 * A node that falls silent in the middle, or starts anew and has forgotten, ends its part: what it had is there, and a record that says so
 * (gaps.ts), whatever kinds are asked for. So does one that drops records faster than they are read, where they would have been.
 */
async function* recordsOf(
  desk: TraceDesk, node: NodeId, wish: RecordingWish & { readonly madeAt: number }, first: RecordPage,
): AsyncGenerator<ActorRecord, void> {
  const losses = createLosses(node, wish, first)
  let page = first
  let after = 0
  let at = wish.madeAt
  let records = 0
  for (;;) {
    yield* losses(page, { after, at: records === 0 ? null : at })
    for (const record of page.records) {
      if (record.seq > first.newest) return
      if (wish.kinds?.includes(record.kind) === false) continue
      at = record.at
      records += 1
      yield record
    }
    if (page.next === null || page.next >= first.newest) return
    const next = await nextPage(desk, node, { ...wish, after: page.next })
    if (next === undefined || next.begunAt !== first.begunAt) {
      yield breachRecord({ node, at, records, seq: page.next + 1 })
      return
    }
    after = page.next
    page = next
  }
}

interface Reached {
  /** The number of the last record that was looked at; 0: none was. */
  readonly after: number
  /** When the last one was that is in the recording; null: there is none. */
  readonly at: number | null
}

/** What a page lacks, told once: records that the one before did not reach, or that the wished time begins before. */
const createLosses = (node: NodeId, { kinds, from }: RecordingWish, { begunAt }: RecordPage) => {
  const told = { story: 0, traffic: 0 }
  const rings = ringsOf(kinds)
  return ({ overwritten, records }: RecordPage, { after, at }: Reached): readonly ActorRecord[] => rings.flatMap((ring) => {
    const lost = overwritten[ring]
    if (lost === null || lost.seq <= Math.max(after, told[ring]) || lost.at < from || (after === 0 && from === 0)) return []
    told[ring] = lost.seq
    // Never behind the record that follows.
    const since = at ?? Math.min(Math.max(from, begunAt), lost.at, records[0]?.at ?? lost.at)
    return [lossRecord({ node, ring, at: since, seq: after + 1, until: lost.at })]
  })
}
