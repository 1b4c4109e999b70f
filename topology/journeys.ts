/**
 * The way of sampled writes through this node, seen from outside its actors: on the wires between connection, shard, raft and log. It tells
 * the phases (gateway/tracing.ts), and says which messages to other nodes carry the request's trace. It decides nothing, no actor knows of
 * it, and nothing of it is replicated.
 *
 *   leader    arrived ──raft.propose──▶ proposed ──raft.proposed──▶ at an index ──▶ mailed, written, synced here and there ──▶ committed
 *   follower                                     raft.append with a trace ──▶ at an index ──▶ written, synced, acknowledged ──▶ committed
 *
 * What was gathered in a turn becomes one entry, so a shard's next proposal carries whatever arrived there before it. Where a turn's
 * writes exceed one entry, the times may be those of the entry beside its own.
 *
 * A request is answered when a majority has it. Its journey is then kept until every follower that was sent it, and the own disk, have it
 * too, so that the slowest is seen as well.
 *
 * Limits: JOURNEYS_MAX under way and LAGGING_MAX answered; with one more, the oldest is forgotten, and so is who has been answered for
 * longer than LAGGING_MS: its follower is down. Without a sampled request each wire costs one comparison.
 */

import { TRACES_A_MESSAGE_MAX } from '../actors/kernel/trace.ts'
import { createJourneyShelf } from './journeyShelf.ts'
import { raftActorOf, shardOfGroup } from './ids.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { RaftLocalEvent, RaftMessage } from '../actors/raft/protocol.ts'
import type { Origin, ShardLocalEvent, ShardMessage } from '../actors/shard/protocol.ts'
import type { WalEvent, WalNotice } from '../actors/wal/protocol.ts'
import type { JourneyPhase, PassedPhase, RequestTracing } from '../gateway/tracing.ts'
import type { GroupId, NodeId, ShardId } from './ids.ts'

export const JOURNEYS_MAX = 256
export const LAGGING_MAX = 64
export const LAGGING_MS = 10_000
const MICROS_PER_MS = 1_000

interface Journey {
  readonly trace: TraceContext
  readonly shard: ShardId
  /** Of the request as it came to this shard; null on a follower. */
  readonly request: { readonly origin: Origin; readonly batch: number } | null
  /** When what it waits for now began. */
  since: number
  proposal: number
  index: number
  bytes: number
  /** 0: not at the log yet. */
  ticket: number
  submittedAt: number
  isSynced: boolean
  readonly mailed: Map<NodeId, { readonly at: number; readonly context: TraceContext }>
  committedAt: number
}

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>
type ShardReply = Extract<ShardMessage, { type: 'shard.reply' }>

export interface Journeys {
  /** A sampled request has reached its shard here. */
  readonly arrived: (shard: ShardId, origin: Origin, request: ShardRequest, trace: TraceContext) => void
  /** On its way from a shard to its Raft member. */
  readonly toRaft: (shard: ShardId, event: RaftLocalEvent) => void
  /** On its way from a Raft member to its shard; `deliver` hands it over. */
  readonly toShard: (shard: ShardId, event: ShardLocalEvent, deliver: () => void) => void
  readonly toWal: (event: WalEvent) => void
  readonly fromWal: (notice: WalNotice) => void
  /** The log has written and synced a group; its notices follow. */
  readonly groupWritten: (group: { readonly syncMs: number }) => void
  /** The trace that a message to another node's member carries. */
  readonly mailed: (group: GroupId, to: NodeId, message: RaftMessage) => TraceContext | undefined
  readonly heard: (group: GroupId, from: NodeId, message: RaftMessage, trace: TraceContext | undefined) => void
  /** The shard answers; the trace that the answer carries. */
  readonly answered: (to: Origin, reply: ShardReply) => TraceContext | undefined
}

export const createJourneys = (clock: Pick<Clock, 'now'>, tracing: RequestTracing | undefined): Journeys => {
  const told = tracing?.passed
  if (told === undefined) return noJourneys
  const open = createJourneyShelf<Journey>(JOURNEYS_MAX)
  const lagging = createJourneyShelf<Journey>(LAGGING_MAX)
  let syncMs = 0

  /** Field by field: spreads cost more than all the rest. */
  const tell = ({ trace, shard, request }: Journey, phase: JourneyPhase, more: Partial<PassedPhase> & { readonly since: number }): void => {
    const { since, context, peer, term, bytes, syncMicros, links } = more
    told({
      trace, shard, phase, actor: phase === 'propose' || phase === 'apply' ? `shard/${shard}` : raftActorOf(shard),
      micros: Math.round((clock.now() - since) * MICROS_PER_MS), isFollower: request === null,
      context, peer, term, bytes, syncMicros, links,
    })
  }
  const late = (shard: number): readonly Journey[] => {
    if (lagging.size() === 0) return []
    const since = clock.now() - LAGGING_MS
    let oldest = lagging.oldest()
    while (oldest !== undefined && oldest.committedAt < since) {
      lagging.remove(oldest)
      oldest = lagging.oldest()
    }
    return lagging.of(shard)
  }
  const settle = (journey: Journey): void => {
    if (journey.isSynced && journey.mailed.size === 0) lagging.remove(journey)
  }
  const commit = (journey: Journey): void => {
    if (journey.committedAt > 0) return
    tell(journey, 'commit', { since: journey.since })
    journey.committedAt = clock.now()
  }
  const applied = (journey: Journey): void => {
    tell(journey, 'apply', { since: journey.committedAt })
    open.remove(journey)
    if (!journey.isSynced || journey.mailed.size > 0) lagging.add(journey)
  }

  return {
    arrived: (shard, origin, { batch }, trace) =>
      open.add({ ...journeyAt(trace, shard, clock.now()), request: { origin, batch } }),
    toRaft: (shard, event) => {
      if (event.type !== 'raft.propose' && event.type !== 'raft.read') return
      const waiting = open.of(shard).filter(({ request, proposal }) => request !== null && proposal === 0)
      const sharing = waiting.map(({ trace }) => trace)
      for (const journey of waiting) {
        if (event.type === 'raft.read') {
          journey.proposal = -1
          continue
        }
        tell(journey, 'propose', { since: journey.since, bytes: event.payload.length, links: linksOf(journey, sharing) })
        journey.proposal = event.proposal
        journey.bytes = event.payload.length
        journey.since = clock.now()
      }
    },
    toShard: (shard, event, deliver) => {
      const journeys = event.type === 'raft.proposed' || event.type === 'raft.committed' ? open.of(shard) : []
      if (event.type === 'raft.proposed') {
        for (const journey of journeys) if (journey.proposal === event.proposal) journey.index = event.index
      }
      const last = event.type === 'raft.committed' ? event.entries.at(-1)?.index ?? 0 : 0
      const reached = journeys.filter(({ index }) => index > 0 && index <= last)
      for (const journey of reached) commit(journey)
      deliver()
      for (const journey of reached) if (open.has(journey)) applied(journey)
    },
    toWal: (event) => {
      if (open.size() === 0 || event.type !== 'wal.append') return
      const last = event.entries.at(-1)?.index ?? 0
      for (const journey of open.of(event.group)) {
        if (journey.index === 0 || journey.index > last || journey.ticket !== 0) continue
        journey.ticket = event.ticket
        journey.submittedAt = clock.now()
      }
    },
    fromWal: (notice) => {
      if (open.size() + lagging.size() === 0 || notice.type !== 'wal.appended') return
      for (const journey of [...open.of(notice.group), ...late(notice.group)]) {
        if (journey.isSynced || journey.ticket === 0 || journey.ticket > notice.ticket) continue
        journey.isSynced = true
        tell(journey, 'fsync', {
          since: journey.submittedAt, bytes: journey.bytes, syncMicros: Math.round(syncMs * MICROS_PER_MS),
        })
        settle(journey)
      }
    },
    groupWritten: (group) => { syncMs = group.syncMs },
    mailed: (group, to, message) => {
      if (open.size() === 0) return undefined
      const served = open.of(group).filter(({ index, request, isSynced }) => (request === null
        ? message.type === 'raft.appendAccepted' && isSynced && message.matchIndex >= index
        : message.type === 'raft.append' && holds(message, index)))
      let carried: TraceContext | undefined
      for (const { trace, request, mailed } of served) {
        // What is sent again is the same replication: the follower may have taken the first.
        const context = request === null ? trace : mailed.get(to)?.context ?? tracing?.openChild?.(trace) ?? trace
        if (request !== null && !mailed.has(to)) mailed.set(to, { at: clock.now(), context })
        carried ??= context
      }
      return carried
    },
    heard: (group, from, message, trace) => {
      const shard = shardOfGroup(group)
      if (shard === null) return
      if (message.type === 'raft.append' && trace !== undefined) {
        const index = message.prevIndex + message.entries.length
        open.add({ ...journeyAt(trace, shard, clock.now()), index, bytes: bytesIn(message) })
      } else if (message.type === 'raft.appendAccepted' && open.size() + lagging.size() > 0) {
        for (const journey of [...open.of(shard), ...late(shard)]) {
          const mailed = journey.mailed.get(from)
          if (mailed === undefined || journey.index === 0 || message.matchIndex < journey.index) continue
          journey.mailed.delete(from)
          tell(journey, 'replicate', { since: mailed.at, context: mailed.context, peer: from, term: message.term })
          settle(journey)
        }
      }
    },
    answered: (to, { shard, batch }) => {
      if (open.size() === 0) return undefined
      const journey = open.of(shard).find(({ request }) =>
        request?.batch === batch && request.origin.node === to.node && request.origin.address === to.address)
      if (journey === undefined) return undefined
      if (journey.committedAt > 0) applied(journey)
      else open.remove(journey)
      return journey.trace
    },
  }
}

const noJourneys: Journeys = {
  arrived: () => {}, toRaft: () => {}, toShard: (_shard, _event, deliver) => deliver(), toWal: () => {}, fromWal: () => {},
  groupWritten: () => {}, mailed: () => undefined, heard: () => {}, answered: () => undefined,
}

/** What else is in the same entry. */
const linksOf = ({ trace }: Journey, sharing: readonly TraceContext[]): PassedPhase['links'] =>
  (sharing.length < 2 ? undefined : sharing.filter((other) => other !== trace).slice(0, TRACES_A_MESSAGE_MAX))

const journeyAt = (trace: TraceContext, shard: ShardId, now: number): Journey => ({
  trace, shard, request: null, since: now, proposal: 0, index: 0, bytes: 0, ticket: 0, submittedAt: 0, isSynced: false,
  mailed: new Map(), committedAt: 0,
})

type Append = Extract<RaftMessage, { type: 'raft.append' }>

const holds = ({ prevIndex, entries }: Append, index: number): boolean => index > prevIndex && index <= prevIndex + entries.length

const bytesIn = ({ entries }: Append): number => entries.reduce((sum, { payload }) => sum + payload.length, 0)
