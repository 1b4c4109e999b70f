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
  /** Followers that it was sent to and that have not said that they have it: at most as many as the group has. */
  readonly mailed: Mailed[]
  committedAt: number
}

interface Mailed {
  readonly peer: NodeId
  readonly at: number
  readonly context: TraceContext
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

/**
 * No wire makes a function or a list to find whom it concerns: V8 drops what it compiled for a function when the last such function is
 * gone, and sampled requests are too far apart to hold on to each other's.
 */
export const createJourneys = (clock: Pick<Clock, 'now'>, tracing: RequestTracing | undefined): Journeys => {
  const told = tracing?.passed
  if (told === undefined) return noJourneys
  const open = createJourneyShelf<Journey>(JOURNEYS_MAX)
  const lagging = createJourneyShelf<Journey>(LAGGING_MAX)
  const actorOf = createActorNames()
  let syncMs = 0

  /** Answers when it ended. Field by field: spreads cost more than all the rest. */
  const tell = ({ trace, shard, request }: Journey, phase: JourneyPhase, more: Told): number => {
    const { since, context, peer, term, bytes, syncMicros, links } = more
    const endedAt = clock.now()
    told({
      endedAt, trace, shard, phase, actor: actorOf(shard, phase), micros: Math.round((endedAt - since) * MICROS_PER_MS),
      isFollower: request === null, context, peer, term, bytes, syncMicros, links,
    })
    return endedAt
  }
  const late = (shard: number): readonly Journey[] => {
    if (lagging.size() === 0) return lagging.of(shard)
    const since = clock.now() - LAGGING_MS
    let oldest = lagging.oldest()
    while (oldest !== undefined && oldest.committedAt < since) {
      lagging.remove(oldest)
      oldest = lagging.oldest()
    }
    return lagging.of(shard)
  }
  const settle = (journey: Journey): void => {
    if (journey.isSynced && journey.mailed.length === 0) lagging.remove(journey)
  }
  const commit = (journey: Journey): void => {
    if (journey.committedAt > 0) return
    journey.committedAt = tell(journey, 'commit', { since: journey.since })
  }
  const applied = (journey: Journey): void => {
    tell(journey, 'apply', { since: journey.committedAt })
    open.remove(journey)
    if (!journey.isSynced || journey.mailed.length > 0) lagging.add(journey)
  }
  const propose = (journey: Journey, proposal: number, { bytes, links }: Proposed): void => {
    journey.since = tell(journey, 'propose', { since: journey.since, bytes, links })
    journey.proposal = proposal
    journey.bytes = bytes
  }
  const committed = (shard: ShardId, last: number, deliver: () => void): void => {
    const journeys = open.of(shard)
    for (const journey of journeys) if (isAt(journey, last)) commit(journey)
    deliver()
    for (const journey of journeys) if (isAt(journey, last) && open.has(journey)) applied(journey)
  }
  const synced = (journeys: readonly Journey[], upTo: number): void => {
    for (const journey of journeys) {
      if (journey.isSynced || journey.ticket === 0 || journey.ticket > upTo) continue
      journey.isSynced = true
      tell(journey, 'fsync', { since: journey.submittedAt, bytes: journey.bytes, syncMicros: Math.round(syncMs * MICROS_PER_MS) })
      settle(journey)
    }
  }
  const replicated = (journeys: readonly Journey[], peer: NodeId, { term, matchIndex }: Accepted): void => {
    for (const journey of journeys) {
      const mailed = mailedTo(journey, peer)
      if (mailed === undefined || journey.index === 0 || matchIndex < journey.index) continue
      journey.mailed.splice(journey.mailed.indexOf(mailed), 1)
      tell(journey, 'replicate', { since: mailed.at, context: mailed.context, peer, term })
      settle(journey)
    }
  }

  return {
    arrived: (shard, origin, { batch }, trace) => open.add(journeyAt({ trace, shard, request: { origin, batch } }, clock.now())),
    toRaft: (shard, event) => {
      if (event.type !== 'raft.propose' && event.type !== 'raft.read') return
      const journeys = open.of(shard)
      const sharing = event.type === 'raft.propose' && journeys.length > 1 ? tracesWaiting(journeys) : alone
      for (const journey of journeys) {
        if (!isWaiting(journey)) continue
        if (event.type === 'raft.read') journey.proposal = -1
        else propose(journey, event.proposal, { bytes: event.payload.length, links: linksOf(journey, sharing) })
      }
    },
    toShard: (shard, event, deliver) => {
      if (event.type === 'raft.committed') {
        committed(shard, event.entries.at(-1)?.index ?? 0, deliver)
        return
      }
      if (event.type === 'raft.proposed') {
        for (const journey of open.of(shard)) if (journey.proposal === event.proposal) journey.index = event.index
      }
      deliver()
    },
    toWal: (event) => {
      if (open.size() === 0 || event.type !== 'wal.append') return
      const last = event.entries.at(-1)?.index ?? 0
      for (const journey of open.of(event.group)) {
        if (!isAt(journey, last) || journey.ticket !== 0) continue
        journey.ticket = event.ticket
        journey.submittedAt = clock.now()
      }
    },
    fromWal: (notice) => {
      if (open.size() + lagging.size() === 0 || notice.type !== 'wal.appended') return
      synced(open.of(notice.group), notice.ticket)
      synced(late(notice.group), notice.ticket)
    },
    groupWritten: (group) => { syncMs = group.syncMs },
    mailed: (group, to, message) => {
      if (open.size() === 0) return undefined
      let carried: TraceContext | undefined
      for (const journey of open.of(group)) {
        if (!isServedBy(journey, message)) continue
        const { trace, request, mailed } = journey
        // What is sent again is the same replication: the follower may have taken the first.
        const before = mailedTo(journey, to)
        const context = request === null ? trace : before?.context ?? tracing?.openChild?.(trace) ?? trace
        if (request !== null && before === undefined) mailed.push({ peer: to, at: clock.now(), context })
        carried ??= context
      }
      return carried
    },
    heard: (group, from, message, trace) => {
      const shard = shardOfGroup(group)
      if (shard === null) return
      if (message.type === 'raft.append' && trace !== undefined) {
        const journey = journeyAt({ trace, shard, request: null }, clock.now())
        journey.index = message.prevIndex + message.entries.length
        journey.bytes = bytesIn(message)
        open.add(journey)
      } else if (message.type === 'raft.appendAccepted' && open.size() + lagging.size() > 0) {
        replicated(open.of(shard), from, message)
        replicated(late(shard), from, message)
      }
    },
    answered: (to, { shard, batch }) => {
      for (const journey of open.of(shard)) {
        if (!isOf(journey, to, batch)) continue
        if (journey.committedAt > 0) applied(journey)
        else open.remove(journey)
        return journey.trace
      }
      return undefined
    },
  }
}

const noJourneys: Journeys = {
  arrived: () => {}, toRaft: () => {}, toShard: (_shard, _event, deliver) => deliver(), toWal: () => {}, fromWal: () => {},
  groupWritten: () => {}, mailed: () => undefined, heard: () => {}, answered: () => undefined,
}

/** What only some phases have. */
interface Told extends Pick<PassedPhase, 'context' | 'peer' | 'term' | 'bytes' | 'syncMicros' | 'links'> {
  readonly since: number
}

interface Proposed extends Pick<Told, 'links'> {
  readonly bytes: number
}

/** The same text for all phases of a shard: records keep it. As many as the node has had shards. */
const createActorNames = (): ((shard: ShardId, phase: JourneyPhase) => string) => {
  const names = new Map<ShardId, { readonly ofShard: string; readonly ofRaft: string }>()
  return (shard, phase) => {
    let known = names.get(shard)
    if (known === undefined) {
      known = { ofShard: `shard/${shard}`, ofRaft: raftActorOf(shard) }
      names.set(shard, known)
    }
    return phase === 'propose' || phase === 'apply' ? known.ofShard : known.ofRaft
  }
}

const isWaiting = ({ request, proposal }: Journey): boolean => request !== null && proposal === 0

const isAt = ({ index }: Journey, last: number): boolean => index > 0 && index <= last

const isOf = ({ request }: Journey, { node, address }: Origin, batch: number): boolean =>
  request !== null && request.batch === batch && request.origin.node === node && request.origin.address === address

const isServedBy = ({ index, request, isSynced }: Journey, message: RaftMessage): boolean => (request === null
  ? message.type === 'raft.appendAccepted' && isSynced && message.matchIndex >= index
  : message.type === 'raft.append' && holds(message, index))

const mailedTo = ({ mailed }: Journey, to: NodeId): Mailed | undefined => {
  for (const one of mailed) if (one.peer === to) return one
  return undefined
}

const alone: readonly TraceContext[] = []

const tracesWaiting = (journeys: readonly Journey[]): readonly TraceContext[] => {
  const traces: TraceContext[] = []
  for (const journey of journeys) if (isWaiting(journey)) traces.push(journey.trace)
  return traces
}

/** What else is in the same entry. */
const linksOf = ({ trace }: Journey, sharing: readonly TraceContext[]): PassedPhase['links'] => {
  if (sharing.length < 2) return undefined
  const links: TraceContext[] = []
  for (const other of sharing) if (other !== trace && links.length < TRACES_A_MESSAGE_MAX) links.push(other)
  return links
}

const journeyAt = ({ trace, shard, request }: Pick<Journey, 'trace' | 'shard' | 'request'>, now: number): Journey => ({
  trace, shard, request, since: now, proposal: 0, index: 0, bytes: 0, ticket: 0, submittedAt: 0, isSynced: false, mailed: [],
  committedAt: 0,
})

type Append = Extract<RaftMessage, { type: 'raft.append' }>
type Accepted = Extract<RaftMessage, { type: 'raft.appendAccepted' }>

const holds = ({ prevIndex, entries }: Append, index: number): boolean => index > prevIndex && index <= prevIndex + entries.length

const bytesIn = ({ entries }: Append): number => {
  let bytes = 0
  for (const { payload } of entries) bytes += payload.length
  return bytes
}
