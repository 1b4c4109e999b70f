/** Probes made for others: a ping with a sequence of this node's own, its ack passed on, and a nack while there is none. */

import { ticksOf } from './config.ts'
import { sendTo } from './peers.ts'
import { nextSequence } from './state.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipCore } from './state.ts'

/** Of the probe timeout: a nack must be back before the requester's period ends. */
const NACK_SHARE = 0.8

export interface RelayRequest {
  readonly requester: NodeId
  readonly sequence: number
  readonly target: NodeId
}

/** Only for peers, and only about peers: nobody makes this node write to names of their choice. */
export const startRelay = (core: GossipCore, request: RelayRequest): void => {
  const { config, now, relays, peers } = core
  const { requester, target } = request
  if (relays.size >= config.relaysMax || !peers.has(requester) || !peers.has(target) || requester === target) return
  const sequence = nextSequence(core)
  relays.set(sequence, {
    ...request, isNacked: false,
    nackAt: now + ticksOf(config, NACK_SHARE * config.probeTimeoutMs),
    endsAt: now + ticksOf(config, config.probeIntervalMs),
  })
  sendTo(core, target, { type: 'gossip.ping', sequence })
}

export const passAckOn = (core: GossipCore, from: NodeId, sequence: number): void => {
  const relay = core.relays.get(sequence)
  if (relay === undefined || relay.target !== from) return
  core.relays.delete(sequence)
  sendTo(core, relay.requester, { type: 'gossip.ack', sequence: relay.sequence })
}

export const stepRelays = (core: GossipCore): void => {
  for (const [own, relay] of core.relays) {
    if (!relay.isNacked && core.now >= relay.nackAt) {
      relay.isNacked = true
      sendTo(core, relay.requester, { type: 'gossip.nack', sequence: relay.sequence })
    }
    if (core.now >= relay.endsAt) core.relays.delete(own)
  }
}
