/**
 * The post: gathers messages for other nodes during a turn and sends one frame per node at its end.
 *
 *   send ─▶ frame encoder of the node ─▶ flush ─▶ skv.<cluster>.node.<to>.<self>
 *   skv.<cluster>.node.<self>.* ─▶ sender? member? cluster? boot? ─▶ decode ─▶ onParcel
 *
 * - Outgoing bytes are bounded per destination: what the broker has not confirmed counts as in flight, and above
 *   PARCEL_BYTES_IN_FLIGHT_MAX messages are dropped and counted, what clients fill it with before that. Raft repeats what matters;
 *   of a request or of values that were read the sender is told, and tells the client. The broker is asked for a confirmation only
 *   once a quarter of the limit is in flight: below that nothing depends on the answer.
 * - Incoming frames are refused, never half taken, unless everything about them is right. A sender's boot id that is new
 *   supersedes the one before, whose late frames are then dropped: a node that restarted must not be heard twice.
 *   Boot ids have no order, so a first frame may be mistaken for a newer one (below, `isCurrentBoot`).
 * - A message that serves a sampled request leaves at once, in a frame of its own whose envelope carries the trace context. What does not
 *   fit with these 25 bytes leaves without them: a trace never costs a message.
 * - Every refusal is counted by reason and logged at most once a second per reason.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import { byteBudget } from './budget.ts'
import { clusterHashOf, openEnvelope } from './envelope.ts'
import { createFrameEncoder, decodeFrame } from './codec/frame.ts'
import { createRefusalLog } from './refusalLog.ts'
import { FIRST_LEVEL } from '../topology/level.ts'
import { nodeSubject, nodeWildcard, senderOf } from './subjects.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { BootId, ClusterId, NodeId } from '../topology/ids.ts'
import type { FrameEncoder, FrameMessage } from './codec/frame.ts'
import type { ActorMessage } from './messages.ts'
import type { Bus, Inbound } from './port.ts'
import type { Post, PostCounters, PostHandler } from './post.ts'

/** Bytes on their way to one node that the broker has not confirmed: eight full frames of a broker with the default payload. */
export const PARCEL_BYTES_IN_FLIGHT_MAX = 8 * 1_024 * 1_024
/** Of that, what clients may fill: the rest is Raft's, which keeps its leaders by it, and for refusals. */
const CLIENTS_SHARE = 7 / 8
/** Of a value in an answer, from which on it counts as filling. What a write answers is shorter. */
const FILLING_VALUE_BYTES = 64
/** Incarnations of one sender that are remembered as over. */
const SUPERSEDED_BOOTS_MAX = 16
/** Silence of a sender's current incarnation, in milliseconds, after which a superseded one that speaks is taken back. */
const CURRENT_SILENCE_MS = 1_000

export interface PostLimits {
  readonly parcelBytesInFlightMax: number
}

export interface PostOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly bootId: BootId
  readonly isMember: (node: NodeId) => boolean
  /** The layout level in force, which may rise; left out, the first. */
  readonly level?: () => number
  /**
   * Whether the node knows runs of heartbeats (codec/heartbeats.ts): one that does not would refuse their frames. Asked for every frame.
   * Default: never.
   */
  readonly mayPack?: (to: NodeId) => boolean
  /** Asks for `flush` at the end of this turn. */
  readonly requestFlush: () => void
  /** Called when a frame has arrived, before its parcels are handed out. */
  readonly onArrival?: () => void
  readonly onParcel: PostHandler
  readonly log: Logger
  readonly limits?: Partial<PostLimits>
}

interface Destination {
  /** Writes frames of `level`. */
  encoder: FrameEncoder
  level: number
  /** In the encoder, waiting for the flush. */
  bytesGathered: number
  /** Published and not confirmed by the broker. */
  bytesInFlight: number
}

interface Sender {
  boot: BootId
  heardAt: number
  superseded: readonly BootId[]
}

type Counts = { -readonly [Name in keyof Omit<PostCounters, 'refused'>]: number }

export const createPost = (options: PostOptions): Post => {
  const { bus, self, onParcel } = options
  const counts: Counts = {
    framesSent: 0, messagesSent: 0, framesReceived: 0, droppedFull: 0, droppedDisconnected: 0, droppedTooLarge: 0,
  }
  const refusals = createRefusalLog(options.clock, options.log, 'a frame from another node was refused')
  const drops = createRefusalLog(options.clock, options.log, 'messages to another node were dropped')
  const outbox = createOutbox(options, counts, (reason, detail) => drops.note(reason, detail))
  const checkFrame = createFrameCheck(options)
  const subscription = bus.subscribe(nodeWildcard(options.cluster, self), (inbound) => {
    const checked = checkFrame(inbound)
    if (!checked.ok) {
      refusals.note(checked.refusal, checked.detail)
      return
    }
    counts.framesReceived += 1
    options.onArrival?.()
    const { from, boot, trace } = checked
    for (const { to, message } of checked.messages) {
      onParcel(trace === undefined ? { from, boot, to, message } : { from, boot, to, message, trace })
    }
  })

  return {
    send: (to, address, message, trace) => {
      assert(to !== self, 'mail for an actor of this node does not go through the post')
      const isTaken = outbox.add(to, { to: address, message }, trace)
      options.requestFlush()
      return isTaken
    },
    flush: outbox.flush,
    noteMembers: outbox.noteMembers,
    counters: () => ({ ...counts, refused: refusals.counts() }),
    close: () => {
      subscription.unsubscribe()
      outbox.close()
    },
  }
}

interface Outbox {
  readonly add: (to: NodeId, message: FrameMessage, trace?: TraceContext) => boolean
  readonly flush: () => void
  readonly noteMembers: () => void
  readonly close: () => void
}

/** Values that were read, and what is to be done for somebody else: as much as clients ask for. */
const isFilling = (message: ActorMessage): boolean => {
  switch (message.type) {
    case 'raft': return false
    case 'shard.request': return true
    case 'shard.reply': return message.results.some(isFillingResult)
  }
  message satisfies never
  return false
}

/** Whether an answer without it would be a small message. */
export const isFillingResult = ({ value }: OperationResult): boolean => value !== undefined && value.length > FILLING_VALUE_BYTES

const createOutbox = (options: PostOptions, counts: Counts, onDropped: (reason: string, detail: string) => void): Outbox => {
  const { bus } = options
  const bytesMax = options.limits?.parcelBytesInFlightMax ?? PARCEL_BYTES_IN_FLIGHT_MAX
  const levelNow = options.level ?? (() => FIRST_LEVEL)
  const destinations = new Map<NodeId, Destination>()
  let isConfirming = false
  let isClosed = false

  const publish = (to: NodeId, frame: Uint8Array, messages: number): void => {
    const destination = must(destinations.get(to), 'a frame was gathered for it')
    destination.bytesGathered = 0
    const outcome = bus.publish(nodeSubject(options.cluster, to, options.self), frame)
    if (outcome === 'sent') {
      destination.bytesInFlight += frame.length
      counts.framesSent += 1
      counts.messagesSent += messages
      return
    }
    if (outcome === 'disconnected') counts.droppedDisconnected += messages
    else if (outcome === 'full') counts.droppedFull += messages
    else counts.droppedTooLarge += messages
    onDropped(outcome, `${frame.length} bytes for ${to}`)
  }

  const encoderOf = (to: NodeId, trace?: TraceContext): FrameEncoder => {
    const { maxPayloadBytes } = bus.status()
    return createFrameEncoder({
      from: options.self,
      to,
      level: levelNow(),
      envelope: { boot: options.bootId, clusterHash: clusterHashOf(options.cluster), ...(trace === undefined ? {} : { trace }) },
      bytesTarget: Math.min(byteBudget(maxPayloadBytes).frameBytesMax, maxPayloadBytes),
      bytesMax: maxPayloadBytes,
      mayPack: () => options.mayPack?.(to) ?? false,
      onFrame: (frame, messages) => publish(to, frame, messages),
    })
  }
  /** What was gathered leaves as it was begun. */
  const raiseTo = (destination: Destination, to: NodeId, level: number): void => {
    destination.level = level
    destination.encoder.seal()
    destination.encoder = encoderOf(to)
  }
  const openDestination = (to: NodeId): Destination => {
    const known = destinations.get(to)
    const level = levelNow()
    if (known !== undefined) {
      if (known.level !== level) raiseTo(known, to, level)
      return known
    }
    const destination: Destination = { encoder: encoderOf(to), level, bytesGathered: 0, bytesInFlight: 0 }
    destinations.set(to, destination)
    return destination
  }
  /** False when it does not fit beside its trace context. What was gathered before it leaves before it. */
  const sendTraced = (destination: Destination, to: NodeId, { to: address, message }: FrameMessage, trace: TraceContext): boolean => {
    const encoder = encoderOf(to, trace)
    if (encoder.add(address, message) === 'tooLarge') return false
    destination.encoder.seal()
    encoder.seal()
    return true
  }

  /** Every frame published before this call is off the books once the broker answers, or once the connection is lost with them. */
  const confirm = (): void => {
    if (isConfirming || isClosed) return
    const asked = [...destinations.values()].map((destination) => [destination, destination.bytesInFlight] as const)
    if (!asked.some(([, bytes]) => bytes > bytesMax / 4)) return
    isConfirming = true
    bus.flush(() => {
      isConfirming = false
      for (const [destination, bytes] of asked) destination.bytesInFlight = Math.max(0, destination.bytesInFlight - bytes)
      confirm()
    })
  }

  return {
    add: (to, framed, trace) => {
      const { to: address, message } = framed
      const destination = openDestination(to)
      const waiting = destination.bytesInFlight + destination.bytesGathered
      if (waiting >= (isFilling(message) ? bytesMax * CLIENTS_SHARE : bytesMax)) {
        counts.droppedFull += 1
        onDropped('full', `${waiting} bytes are in flight to ${to}`)
        return false
      }
      if (trace !== undefined && sendTraced(destination, to, framed, trace)) return true
      const bytes = destination.encoder.add(address, message)
      if (bytes === 'tooLarge') {
        counts.droppedTooLarge += 1
        onDropped('tooLarge', `a ${message.type} for ${address} of ${to}`)
        return false
      }
      destination.bytesGathered += bytes
      return true
    },
    flush: () => {
      for (const { encoder } of destinations.values()) encoder.seal()
      confirm()
    },
    noteMembers: () => {
      for (const [to, { encoder }] of destinations) {
        if (options.isMember(to)) continue
        encoder.seal()
        destinations.delete(to)
      }
    },
    close: () => {
      isClosed = true
      destinations.clear()
    },
  }
}

type CheckedFrame =
  | {
    readonly ok: true; readonly from: NodeId; readonly boot: BootId; readonly messages: readonly FrameMessage[]
    readonly trace?: TraceContext
  }
  | { readonly ok: false; readonly refusal: string; readonly detail: string }

const createFrameCheck = (options: PostOptions): (inbound: Inbound) => CheckedFrame => {
  const { self, isMember } = options
  const clusterHash = clusterHashOf(options.cluster)
  const senders = new Map<NodeId, Sender>()
  return ({ subject, data }) => {
    const from = senderOf(subject) as NodeId
    if (from === self || !isMember(from)) return refuse('sender', `${subject} does not end in another member's name`)
    const opened = openEnvelope(data)
    if (!opened.ok) return refuse(opened.refusal, `${from}: ${opened.detail}`)
    if (opened.envelope.clusterHash !== clusterHash) return refuse('cluster', `${from} belongs to another cluster`)
    const decoded = decodeFrame(opened.body, { from, self })
    if (!decoded.ok) return refuse('malformed', `${from}: ${decoded.reason}`)
    const heard = { boot: opened.envelope.boot, now: options.clock.now() }
    if (!isCurrentBoot(senders, from, heard)) return refuse('supersededBoot', `${from} has restarted since it sent this`)
    const { boot, trace } = opened.envelope
    const frame = { ok: true, from, boot, messages: decoded.messages } as const
    return trace === undefined ? frame : { ...frame, trace }
  }
}

/**
 * Which of a sender's incarnations is alive can only be guessed from what arrives:
 * 1. C starts and hears B's new incarnation. A frame of B's old one, late in the network, arrives: C never heard that boot id.
 * 2. Taken for a restart, it supersedes the living one, whose frames C would then refuse for ever.
 * So a superseded incarnation that still speaks while the current one is silent is taken back. An old one's last frames never meet that
 * silence: a living node's heartbeats are far closer together (test: "a living incarnation that a late frame superseded is taken back").
 */
const isCurrentBoot = (senders: Map<NodeId, Sender>, from: NodeId, heard: { readonly boot: BootId; readonly now: number }): boolean => {
  const { boot, now } = heard
  const sender = senders.get(from)
  if (sender === undefined) {
    senders.set(from, { boot, heardAt: now, superseded: [] })
    return true
  }
  if (sender.boot !== boot) {
    if (sender.superseded.includes(boot) && now - sender.heardAt < CURRENT_SILENCE_MS) return false
    sender.superseded = [sender.boot, ...sender.superseded.filter((other) => other !== boot)].slice(0, SUPERSEDED_BOOTS_MAX)
    sender.boot = boot
  }
  sender.heardAt = now
  return true
}

const refuse = (refusal: string, detail: string): CheckedFrame => ({ ok: false, refusal, detail })
