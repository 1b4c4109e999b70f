/**
 * Exchanges of everything with one peer (memberlist's push-pull): how a node learns of the group when it joins, what repairs what
 * rumours missed, and what a peer that was dead hears of when it is asked whether it is back.
 */

import { ticksOf } from './config.ts'
import { claimOf, drawPeers, isReachable, ownClaim } from './peers.ts'
import { groupSize } from './state.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipConfig } from './config.ts'
import type { Rumour } from './protocol.ts'
import type { GossipCore } from './state.ts'

/** Above it, each doubling of the group adds one interval: the bytes of an exchange grow with the group. */
const EXCHANGE_SCALE_NODES = 32

export const sendEverything = (core: GossipCore, to: NodeId, kind: 'question' | 'answer'): void => {
  core.effects.push({ type: 'gossip.send', to, message: { type: 'gossip.exchange', kind, rumours: everything(core) } })
}

/** In turns when there is more than one message takes. Who was never heard of is presumed alive by everybody, and left out. */
const everything = (core: GossipCore): readonly Rumour[] => {
  const heard = [...core.peers.values()].filter(({ incarnation, state }) => incarnation > 0 || state !== 'alive')
  const most = core.config.exchangeRowsMax - 1
  const from = heard.length > most ? core.exchangeFrom % heard.length : 0
  core.exchangeFrom = from + most
  const turn = [...heard.slice(from), ...heard.slice(0, from)].slice(0, most)
  return [ownClaim(core), ...turn.map(claimOf)]
}

export const stepExchange = (core: GossipCore): void => {
  if (core.now < core.exchangeAt) return
  core.exchangeAt = core.now + exchangeTicks(core.config, groupSize(core))
  for (const id of drawPeers(core, 1, isReachable)) sendEverything(core, id, 'question')
}

const exchangeTicks = (config: GossipConfig, size: number): number => {
  const doublings = Math.max(0, Math.ceil(Math.log2(size / EXCHANGE_SCALE_NODES)))
  return ticksOf(config, config.exchangeIntervalMs) * (doublings + 1)
}

/** Nobody probes the dead: after a partition two halves would stay dead to each other for ever. */
export const stepReconnect = (core: GossipCore): void => {
  if (core.now < core.reconnectAt) return
  core.reconnectAt = core.now + ticksOf(core.config, core.config.reconnectIntervalMs)
  for (const id of drawPeers(core, 1, ({ state }) => state === 'dead')) sendEverything(core, id, 'question')
}

/** Of any state: this node may know least of all. */
export const askToJoin = (core: GossipCore): void => {
  if (core.now < core.joinAt) return
  core.joinAt = core.now + ticksOf(core.config, core.config.joinRetryMs)
  for (const id of drawPeers(core, core.config.joinFanout, () => true)) sendEverything(core, id, 'question')
}

export const isJoinOverdue = ({ now, startedAt, config }: GossipCore): boolean => now - startedAt >= ticksOf(config, config.joinMsMax)
