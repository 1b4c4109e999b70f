/**
 * The mailroom of one node: hands each message to the actor it names, here directly, elsewhere through the post. A message for an actor
 * of this node never becomes a parcel.
 *
 * A parcel that names an actor this node does not have is counted and dropped; so is Raft mail for another replica than the one that is
 * hosted, and mail whose sender is not the node it came from. A request for a shard without a replica here is answered NOT_LEADER,
 * which is certain, unless it came by a slot, where somebody else may be executing it. What does not fit on the way to another node is
 * refused with OVERLOADED.
 */

import { must } from '../actors/kernel/assert.ts'
import { numberIn } from '../bus/address.ts'
import { createPost, isFillingResult } from '../bus/postOffice.ts'
import { createShardSpans } from './shardSpans.ts'
import { silentRecorder } from '../actors/kernel/recorder.ts'
import { traceFields } from '../actors/kernel/trace.ts'
import { isCutOff } from '../actors/shard/operation.ts'
import { isOnNode } from './ids.ts'
import { aboutMessage, actorAt, wireType } from './mailNames.ts'
import type { Recorder } from '../actors/kernel/recorder.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { ActorMessage } from '../bus/messages.ts'
import type { Address, Parcel, Post } from '../bus/post.ts'
import type { LeaderHint } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { ShardSpans } from './shardSpans.ts'
import type { FrontDoors } from './frontDoors.ts'
import type { Journeys } from './journeys.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { RaftMessage } from '../actors/raft/protocol.ts'
import type { BootId, NodeId, ReplicaId, ShardId } from './ids.ts'

/** What a caller is told to wait who asked a node without the shard. */
const RETRY_AFTER_MS = 100

type SignedMail = RaftMessage & { readonly from: ReplicaId; readonly boot?: BootId }
type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>

export interface MailroomOptions {
  readonly node: NodeOptions
  readonly map: () => ClusterMap
  /** The layout level in force. */
  readonly level: () => number
  /** Whether the node's build is one that has layout levels, and with them runs of heartbeats. */
  readonly tellsLevels: (node: NodeId) => boolean
  readonly turn: Turn
  /** Asked for when mail arrives, since they are built after the mailroom that they send through. */
  readonly host: () => ReplicaHost
  readonly doors: () => FrontDoors
  readonly leaderOf: (shard: ShardId) => LeaderHint | null
  readonly journeys: Journeys
  readonly catchUp: () => void
}

export interface Mailroom {
  readonly post: Post
  /** To an actor of any node, this one included. */
  readonly send: (to: NodeId, address: Address, message: ActorMessage, trace?: TraceContext) => void
  /** The span of a request that its shard works on here. */
  readonly traceOf: ShardSpans['contextOf']
  readonly misdirected: () => number
}

interface Sorting {
  readonly options: MailroomOptions
  readonly post: Post
  readonly send: Mailroom['send']
  readonly spans: ShardSpans
  readonly recorder: Recorder
  misdirected: number
}

export const createMailroom = (options: MailroomOptions): Mailroom => {
  const { genesis, boot, ports: { bus, clock, log } } = options.node
  const self = genesis.node
  const post = createPost({
    bus,
    clock,
    cluster: genesis.cluster,
    self,
    bootId: boot,
    isMember: (node) => options.map().nodes.includes(node),
    level: options.level,
    mayPack: options.tellsLevels,
    requestFlush: options.turn.member('post', () => post.flush()),
    onArrival: options.catchUp,
    onParcel: (parcel) => {
      if (parcel.trace !== undefined || recorder.isDetailed()) recordParcel(recorder, 'receive', { ...parcel, peer: parcel.from })
      deliver(sorting, parcel)
    },
    log: log.child({ actor: 'post' }),
  })
  const spans = createShardSpans(self, options.node.ports.tracing)
  const recorder = options.node.ports.recorder ?? silentRecorder
  const send: Mailroom['send'] = (to, address, message, given) => {
    if (to === self) {
      sendHere(sorting, address, message, given)
      return
    }
    const trace = given ?? traceOf(options.journeys, { node: to, address }, message)
    const left = post.send(to, address, message, trace) ? message : tellNotTaken(sorting, { node: to, address }, message)
    if (message.type === 'shard.reply') spans.end({ node: to, address }, left?.type === 'shard.reply' ? left : message)
    if (left !== undefined && (trace !== undefined || recorder.isDetailed())) {
      recordParcel(recorder, 'send', { to: address, message: left, trace, peer: to })
    }
  }
  const sorting: Sorting = { options, post, send, spans, recorder, misdirected: 0 }
  return { post, send, traceOf: spans.contextOf, misdirected: () => sorting.misdirected }
}

/** What the way of a sampled request has to do with a message that leaves. */
const traceOf = (journeys: Journeys, to: Origin, message: ActorMessage): TraceContext | undefined => {
  switch (message.type) {
    case 'raft': return journeys.mailed(numberIn(to.address, 'raft') ?? -1, to.node, message.message)
    case 'shard.reply': return journeys.answered(to, message)
    case 'shard.request': return undefined
  }
  message satisfies never
  return undefined
}

const sendHere = (sorting: Sorting, to: Address, message: ActorMessage, trace: TraceContext | undefined): void => {
  const { node: { genesis: { node: self } } } = sorting.options
  const shard = trace === undefined ? null : numberIn(to, 'shard') as ShardId | null
  if (message.type === 'shard.reply') {
    sorting.options.journeys.answered({ node: self, address: to }, message)
    sorting.spans.end({ node: self, address: to }, message)
  } else if (message.type === 'shard.request' && trace !== undefined && shard !== null) {
    noteTraced(sorting, { shard, origin: { node: self, address: message.replyTo }, message, trace })
  }
  deliver(sorting, { from: self, to, message })
}

interface Recorded {
  readonly to: Address
  readonly message: ActorMessage
  readonly peer: NodeId
  readonly trace?: TraceContext | undefined
}

const recordParcel = (recorder: Recorder, kind: 'send' | 'receive', { to, message, peer, trace }: Recorded): void => {
  const { actor, shard } = actorAt(to, message, kind)
  recorder.record({
    actor, kind, peer, event: wireType(message), ...(shard === null ? {} : { shard }),
    ...(trace === undefined ? {} : { trace: trace.traceId }), ...aboutMessage(message),
  })
}

const deliver = (sorting: Sorting, parcel: Parcel): void => {
  const { message } = parcel
  switch (message.type) {
    case 'raft': deliverRaft(sorting, parcel, message); return
    case 'shard.request': deliverRequest(sorting, parcel, message); return
    case 'shard.reply': {
      const { type, shard, batch, results } = message
      const now = sorting.options.node.ports.clock.now()
      if (!sorting.options.doors().reply(parcel.to, { type, shard, batch, results, from: parcel.from, now })) sorting.misdirected += 1
      return
    }
  }
  message satisfies never
}

const deliverRaft = (sorting: Sorting, parcel: Parcel, { from, to, message }: Extract<ActorMessage, { type: 'raft' }>): void => {
  const group = numberIn(parcel.to, 'raft')
  const replica = group === null ? undefined : sorting.options.host().memberOf(group)
  if (group === null || replica?.id !== to || !isOnNode(from, parcel.from)) {
    sorting.misdirected += 1
    return
  }
  sorting.options.journeys.heard(group, parcel.from, message, parcel.trace)
  replica.raft.send(signedBy(message, from, parcel.boot))
}

/** Decoded for this member alone, so it is signed in place: a copy of each message cost as much as reading it. */
const signedBy = (message: RaftMessage & { from?: ReplicaId; boot?: BootId }, from: ReplicaId, boot?: BootId): SignedMail => {
  message.from = from
  if (boot !== undefined) message.boot = boot
  return message as SignedMail
}

const deliverRequest = (sorting: Sorting, { from, to, trace }: Parcel, message: ShardRequest): void => {
  const origin = { node: from, address: message.replyTo }
  const shard = numberIn(to, 'shard') as ShardId | null
  const hosted = shard === null ? undefined : sorting.options.host().of(shard)
  if (trace !== undefined && shard !== null) {
    const own = noteTraced(sorting, { shard, origin, message, trace })
    logForwarded(sorting, { shard, origin, message, trace }, own)
  }
  if (hosted === undefined) refuseUnhosted(sorting, origin, { shard, message })
  else {
    const { type, replyTo, batch, policy, term, consistency, operations } = message
    const { clock } = sorting.options.node.ports
    hosted.actor.send({ type, replyTo, batch, policy, term, consistency, operations, origin, now: clock.now() })
  }
}

/**
 * The post did not take it, as a rule since the outbox for that node is full. Whoever waits for an answer is told at once: a forwarded
 * request has not left this node, and a read whose value does not fit is refused in a message that does, which is returned.
 */
const tellNotTaken = (sorting: Sorting, to: Origin, message: ActorMessage): ActorMessage | undefined => {
  switch (message.type) {
    case 'raft': return undefined
    case 'shard.request': {
      const { replyTo, batch, operations } = message
      const shard = must(numberIn(to.address, 'shard'), 'requests go to shards') as ShardId
      const results = operations.map(() => noRoom)
      deliver(sorting, { from: to.node, to: replyTo, message: { type: 'shard.reply', shard, batch, results } })
      return undefined
    }
    case 'shard.reply': {
      if (!message.results.some(isFillingResult)) return undefined
      const results = message.results.map((result) => (isFillingResult(result) || isCutOff(result) ? noRoomThere : result))
      const refusal = { ...message, results }
      return sorting.post.send(to.node, to.address, refusal) ? refusal : undefined
    }
  }
  message satisfies never
  return undefined
}

const noRoomThere: OperationResult = { status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: RETRY_AFTER_MS }
/** Of what never left. A refusal that takes the room itself has no text: thousands of them would fill what is left for Raft. */
const noRoom: OperationResult = {
  ...noRoomThere,
  message: 'The node has too much on its way to the node that leads the shard: slow down, or ask for fewer large values at a time.',
}

interface TracedBatch {
  readonly shard: ShardId
  readonly origin: Origin
  readonly message: ShardRequest
  readonly trace: TraceContext
}

/** The span of the shard's work for it. */
const noteTraced = ({ options, spans }: Sorting, { shard, origin, message, trace }: TracedBatch): TraceContext => {
  const own = spans.begin(shard, origin, message, trace)
  options.journeys.arrived(shard, origin, message, own)
  return own
}

const logForwarded = ({ options }: Sorting, { shard, origin, message, trace }: TracedBatch, own: TraceContext): void => {
  const fields = { actor: 'shard', shard, from: origin.node, operations: message.operations.length, ...traceFields(own) }
  options.node.ports.log.trace({ ...fields, parent_span_id: trace.spanId }, 'a sampled request arrived from another node')
}

const refuseUnhosted = (
  sorting: Sorting, origin: Origin, { shard, message }: { readonly shard: ShardId | null; readonly message: ShardRequest },
): void => {
  sorting.misdirected += 1
  const { map, leaderOf } = sorting.options
  if (message.policy === 'slot' || shard === null || map().replicas[shard] === undefined) return
  const result = notHosted(leaderOf(shard))
  sorting.send(origin.node, origin.address, {
    type: 'shard.reply', shard, batch: message.batch, results: message.operations.map(() => result),
  })
}

const notHosted = (leader: LeaderHint | null): OperationResult => ({
  status: 'NOT_LEADER',
  revision: 0,
  definite: true,
  retryAfterMs: RETRY_AFTER_MS,
  message: leader === null ? 'This node does not serve the shard: fetch the map again.' : `Node ${leader.node} leads the shard.`,
})
