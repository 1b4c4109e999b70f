/**
 * All that the failure detector of one node knows. Peers are rows here, not actors: there may be a thousand.
 *
 * `now` counts ticks that this process was awake and connected for: what a peer did not say while nobody could have heard it is not
 * held against it. Every deadline is a value of `now`, reckoned when its wait begins.
 */

import { createRumourQueue } from './rumours.ts'
import type { Random } from '../kernel/random.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipConfig } from './config.ts'
import type { GossipEffect, Incarnation, PeerState } from './protocol.ts'
import type { RumourQueue } from './rumours.ts'
import type { Suspicion } from './suspicion.ts'

export interface Peer {
  readonly id: NodeId
  state: PeerState
  /** 0: nothing was heard of it yet, it is presumed alive. */
  incarnation: Incarnation
  /** Who said so last. */
  by: NodeId
}

/** The probe under way: one at a time. */
export interface Probe {
  readonly target: NodeId
  readonly sequence: number
  readonly timeoutAt: number
  readonly endsAt: number
  /** Empty until helpers are asked. */
  helpers: readonly NodeId[]
  hasAsked: boolean
  readonly nacks: Set<NodeId>
}

/** A probe made for another node. */
export interface Relay {
  readonly requester: NodeId
  readonly sequence: number
  readonly target: NodeId
  readonly nackAt: number
  readonly endsAt: number
  isNacked: boolean
}

export interface GossipCore {
  readonly self: NodeId
  readonly config: GossipConfig
  readonly random: Random
  readonly effects: GossipEffect[]
  /** The chart's state; entry actions alone change it. */
  phase: 'joining' | 'running' | 'leaving'
  now: number
  incarnation: Incarnation
  /** The list the rows were made from. */
  members: readonly NodeId[]
  readonly peers: Map<NodeId, Peer>
  /** The peers once more, in an order that draws shuffle further (peers.ts). */
  pool: NodeId[]
  readonly suspicions: Map<NodeId, Suspicion>
  readonly queue: RumourQueue
  /** 0 is well, `healthMultMax - 1` the worst. */
  health: number
  sequence: number
  probe: Probe | null
  /** Peers in the order they are probed, and who is next. */
  round: NodeId[]
  roundAt: number
  readonly relays: Map<number, Relay>
  readonly startedAt: number
  joinAt: number
  probeAt: number
  newsAt: number
  exchangeAt: number
  reconnectAt: number
  /** Where the next exchange of a large group begins. */
  exchangeFrom: number
}

export interface GossipInput {
  readonly self: NodeId
  readonly config: GossipConfig
  readonly random: Random
}

export const FIRST_INCARNATION = 1

export const createGossipCore = ({ self, config, random }: GossipInput): GossipCore => ({
  self, config, random, effects: [],
  phase: 'joining', now: 0, incarnation: FIRST_INCARNATION,
  members: [], peers: new Map(), pool: [], suspicions: new Map(), queue: createRumourQueue(), health: 0,
  sequence: 0, probe: null, round: [], roundAt: 0, relays: new Map(),
  startedAt: 0, joinAt: 0, probeAt: 0, newsAt: 0, exchangeAt: 0, reconnectAt: 0, exchangeFrom: 0,
})

export const groupSize = ({ peers }: GossipCore): number => peers.size + 1

export const nextSequence = (core: GossipCore): number => {
  core.sequence += 1
  return core.sequence
}
