/**
 * What can be said to and by the failure detector of a node.
 *
 * Messages travel between nodes (bus/codec/gossip.ts knows them); local events come from this process alone, so no peer can forge a
 * tick. Every message may carry rumours, few enough to stay below `rumourBytesMax`. Names follow SWIM (Das, Gupta, Motivala 2002) and
 * Lifeguard (Dadgar, Phillips, Currey 2018).
 */

import type { NodeId } from '../../topology/ids.ts'

/** In the order of their weight: of two claims about one incarnation the later one here wins (rumours.ts). */
export const peerStates = ['alive', 'suspect', 'dead', 'left'] as const
export type PeerState = (typeof peerStates)[number]

/** Grows each time a node refutes what is said about it, and with each of its lives. Whole, 1 to INCARNATION_MAX. */
export type Incarnation = number
export const INCARNATION_MAX = 0xffff_ffff

/** A claim about a node. `by` is who accuses it, who declared it dead, or the node itself. */
export interface Rumour {
  readonly node: NodeId
  readonly state: PeerState
  readonly incarnation: Incarnation
  readonly by: NodeId
}

export type GossipMessage =
  /** Are you there? `sequence` is the sender's own. */
  | { readonly type: 'gossip.ping'; readonly sequence: number; readonly rumours: readonly Rumour[] }
  /** The answer to a ping or, through a helper, to a ping request: the target is there. */
  | { readonly type: 'gossip.ack'; readonly sequence: number; readonly rumours: readonly Rumour[] }
  /** Ping `target` for me. */
  | { readonly type: 'gossip.pingRequest'; readonly sequence: number; readonly target: NodeId; readonly rumours: readonly Rumour[] }
  /** The helper is well, and has heard nothing of the target so far: what is slow is not the way to the helper (Lifeguard, LHA-Probe). */
  | { readonly type: 'gossip.nack'; readonly sequence: number; readonly rumours: readonly Rumour[] }
  /** News alone. */
  | { readonly type: 'gossip.news'; readonly rumours: readonly Rumour[] }
  /** Everything the sender believes; a `question` is answered by the same of the receiver. */
  | { readonly type: 'gossip.exchange'; readonly kind: 'question' | 'answer'; readonly rumours: readonly Rumour[] }

export type GossipLocalEvent =
  /**
   * `ticks` have passed since the last one, more than one after a stall. `isConnected`: this node's own connection to the broker is up.
   * `members` is whom the cluster map names now, this node included.
   */
  | { readonly type: 'tick'; readonly ticks: number; readonly isConnected: boolean; readonly members: readonly NodeId[] }
  /** The node drains: tell the others, and accuse nobody any more. */
  | { readonly type: 'gossip.leave' }

export type GossipEvent = GossipLocalEvent | (GossipMessage & { readonly from: NodeId })

/** What this node believes of a peer now, and did before. It informs; nothing may act on it but people. */
export interface VerdictChange {
  readonly peer: NodeId
  readonly from: PeerState
  readonly to: PeerState
  readonly incarnation: Incarnation
  readonly by: NodeId
}

export type GossipEffect =
  | { readonly type: 'gossip.send'; readonly to: NodeId; readonly message: GossipMessage }
  | ({ readonly type: 'gossip.verdictChanged' } & VerdictChange)

/** A row, for whoever watches. */
export interface PeerView {
  readonly node: NodeId
  readonly state: PeerState
  readonly incarnation: Incarnation
}
