/**
 * The post: actor messages between nodes. Messages for one node leave together, once per turn of the event loop, in one NATS
 * message (`skv.<cluster>.node.<to>.<from>`); messages for an actor of this process never touch the broker.
 */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { BootId, NodeId } from '../topology/ids.ts'
import type { ActorMessage } from './messages.ts'

export type Address = string

export interface Parcel {
  readonly from: NodeId
  readonly to: Address
  readonly message: ActorMessage
  /** The process it came from; absent where it never left this one. */
  readonly boot?: BootId
  /** Of the sampled request this message serves, from the frame it came in. */
  readonly trace?: TraceContext
}

export type PostHandler = (parcel: Parcel) => void

export interface PostCounters {
  readonly framesSent: number
  readonly messagesSent: number
  readonly framesReceived: number
  /** Dropped because the outbox of a destination was full (PARCEL_BYTES_IN_FLIGHT_MAX). */
  readonly droppedFull: number
  /** Dropped because the connection to the broker was down. */
  readonly droppedDisconnected: number
  /** Dropped because no frame can carry them: a bug of the sender, since the byte budget is checked at the door. */
  readonly droppedTooLarge: number
  /** Refused on arrival, by reason. */
  readonly refused: Readonly<Record<string, number>>
}

export interface Post {
  /**
   * To another node, in its next frame; a message with a trace context in a frame of its own, whose envelope carries it. False where it
   * was dropped at once, and certainly never leaves. Of what was taken nothing is promised: the network loses.
   */
  readonly send: (to: NodeId, address: Address, message: ActorMessage, trace?: TraceContext) => boolean
  /** Sends what has gathered, now. Called by the post itself at the end of every turn in which something was sent. */
  readonly flush: () => void
  /** The members may be others now: what is kept for a node that is none any more is let go of. */
  readonly noteMembers: () => void
  readonly counters: () => PostCounters
  readonly close: () => void
}
