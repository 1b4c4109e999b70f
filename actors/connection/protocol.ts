/**
 * What can be said to and by a connection: one client's session, whatever its front door. It is free of NATS: a gateway hands it
 * decoded requests and an opaque ticket for each, and gets answers for those tickets back.
 */

import type { TraceContext } from '../kernel/trace.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Consistency, Operation, OperationResult } from '../shard/operation.ts'
import type { Policy, ShardMessage } from '../shard/protocol.ts'

/** A gateway's own handle for one request: it comes back with the answer. */
export type RequestTicket = number

export interface ClientRequest {
  readonly ticket: RequestTicket
  readonly shard: ShardId
  readonly policy: Policy
  readonly consistency: Consistency
  readonly operation: Operation
  /** Milliseconds from now; at most 60,000. */
  readonly timeoutMs: number
  /** Only when the request is sampled. */
  readonly trace?: TraceContext
}

export type ConnectionEvent =
  | { readonly type: 'connection.hello'; readonly version: number; readonly now: number }
  | { readonly type: 'connection.authenticated' }
  | { readonly type: 'connection.refused'; readonly reason: string }
  /** What one message brought: a single request, or all of a batch. */
  | { readonly type: 'connection.requests'; readonly requests: readonly ClientRequest[]; readonly now: number }
  /** End of a turn: the requests gathered leave as one message per shard. */
  | { readonly type: 'connection.flush'; readonly now: number }
  | (Extract<ShardMessage, { type: 'shard.reply' }> & { readonly from: NodeId; readonly now: number })
  | { readonly type: 'tick'; readonly now: number }
  | { readonly type: 'connection.drain' }

export type ConnectionEffect =
  | { readonly type: 'connection.answer'; readonly ticket: RequestTicket; readonly shard: ShardId; readonly result: OperationResult }
  /** Nobody is told: on the slot path silence is the rule. The gateway forgets the ticket. */
  | { readonly type: 'connection.forget'; readonly ticket: RequestTicket }
  /** `to` empty: the shard on this node. */
  | { readonly type: 'connection.send'; readonly shard: ShardId; readonly to: NodeId | ''
      readonly message: Extract<ShardMessage, { type: 'shard.request' }>
      /** Of the first sampled request in the batch. */
      readonly trace?: TraceContext }
  | { readonly type: 'connection.flushWanted' }
  | { readonly type: 'connection.closed'; readonly reason: string }

/** Who leads a shard, as far as this node knows; null when nobody is known. Term 0 never leads. */
export type LeaderLookup = (shard: ShardId) => { readonly node: NodeId; readonly term: number } | null
