/**
 * What each event does. The chart (machine.ts) says in which states.
 *
 * Rumours are taken from peers alone. Of a stranger (a node that a newer map names, before this one has it) the question whether this node
 * is there is answered, and nothing is believed.
 */

import { between } from '../kernel/random.ts'
import { ticksOf } from './config.ts'
import { askToJoin, sendEverything, stepExchange, stepReconnect } from './exchange.ts'
import { worsenHealth } from './localHealth.ts'
import { drawPeers, followMembers, isReachable, ownClaim, sendTo } from './peers.ts'
import { abandonProbe, askSuspects, stepProbe, takeAck, takeNack } from './probe.ts'
import { passAckOn, startRelay, stepRelays } from './relays.ts'
import { hasRumours, spread, transmissionsMax } from './rumours.ts'
import { groupSize } from './state.ts'
import { condemnOverdue, hearAll } from './verdicts.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipEvent, Rumour } from './protocol.ts'
import type { GossipCore } from './state.ts'
import type { Way } from './verdicts.ts'

export type EventOf<Type extends GossipEvent['type']> = Extract<GossipEvent, { readonly type: Type }>

const takeNews = (core: GossipCore, from: NodeId, rumours: readonly Rumour[], way: Way = 'rumour'): void => {
  if (core.peers.has(from)) hearAll(core, rumours, way)
}

/**
 * Whoever says to this node's face that it is not alive gets the refutation with the answer. Left to the queue it might not: behind more
 * rumours that were sent less often than one message holds, answer after answer would lack it, and the accuser condemn.
 */
export const handlePing = (core: GossipCore, { from, sequence, rumours }: EventOf<'gossip.ping'>): void => {
  takeNews(core, from, rumours)
  const isAccused = rumours.some(({ node, state }) => node === core.self && state !== 'alive')
  sendTo(core, from, { type: 'gossip.ack', sequence }, isAccused ? [ownClaim(core)] : [])
}

export const handlePingRequest = (core: GossipCore, { from, sequence, target, rumours }: EventOf<'gossip.pingRequest'>): void => {
  takeNews(core, from, rumours)
  startRelay(core, { requester: from, sequence, target })
}

export const handleAck = (core: GossipCore, { from, sequence, rumours }: EventOf<'gossip.ack'>): void => {
  takeNews(core, from, rumours)
  takeAck(core, from, sequence)
  passAckOn(core, from, sequence)
}

export const handleNack = (core: GossipCore, { from, sequence, rumours }: EventOf<'gossip.nack'>): void => {
  takeNews(core, from, rumours)
  takeNack(core, from, sequence)
}

export const handleNews = (core: GossipCore, { from, rumours }: EventOf<'gossip.news'>): void => takeNews(core, from, rumours)

export const handleExchange = (core: GossipCore, { from, kind, rumours }: EventOf<'gossip.exchange'>): void => {
  takeNews(core, from, rumours, 'exchange')
  if (kind === 'question') sendEverything(core, from, 'answer')
}

export const isAnswer = (core: GossipCore, { from, kind }: EventOf<'gossip.exchange'>): boolean => kind === 'answer' && core.peers.has(from)

export const isAlone = ({ self }: GossipCore, { members }: EventOf<'tick'>): boolean => members.every((id) => id === self)

/** The first one asks at once. */
export const handleTickAsJoining = (core: GossipCore, tick: EventOf<'tick'>): void => {
  if (!passTime(core, tick)) return
  askToJoin(core)
  stepRelays(core)
  sendNews(core)
}

export const handleTickAsRunning = (core: GossipCore, tick: EventOf<'tick'>): void => {
  if (!passTime(core, tick)) return
  stepRelays(core)
  condemnOverdue(core)
  stepProbe(core)
  stepExchange(core)
  stepReconnect(core)
  sendNews(core)
}

export const handleTickAsLeaving = (core: GossipCore, tick: EventOf<'tick'>): void => {
  if (!passTime(core, tick)) return
  stepRelays(core)
  sendNews(core)
}

/**
 * False while nothing that is missed means anything: without its own connection a node holds no peer to account, or one broker's hiccup
 * would make everyone suspect everyone. After a stall the answers may be in the buffers, unread: only `stallTicks` of it count, and the
 * probe under way is void.
 */
const passTime = (core: GossipCore, { ticks, isConnected, members }: EventOf<'tick'>): boolean => {
  const { config } = core
  followMembers(core, members)
  if (!isConnected) {
    worsenHealth(core, config.healthMultMax)
    abandonProbe(core)
    return false
  }
  core.now += Math.min(ticks, config.stallTicks)
  if (ticks > config.stallTicks) {
    worsenHealth(core, Math.ceil((ticks - config.stallTicks) / ticksOf(config, config.probeIntervalMs)))
    abandonProbe(core)
  }
  return true
}

const sendNews = (core: GossipCore): void => {
  const { config, now } = core
  if (now < core.newsAt || (!hasRumours(core.queue) && core.suspicions.size === 0)) return
  core.newsAt = now + ticksOf(config, config.newsIntervalMs)
  askSuspects(core)
  for (const id of hasRumours(core.queue) ? drawPeers(core, config.newsFanout, isReachable) : []) {
    if (hasRumours(core.queue)) sendTo(core, id, { type: 'gossip.news' })
  }
}

/** Nodes that start together do not probe in step. */
export const becomeRunning = (core: GossipCore): void => {
  const { config, random, now } = core
  core.phase = 'running'
  core.probeAt = now + between(random, 0, ticksOf(config, config.probeIntervalMs))
  core.exchangeAt = now + between(random, 1, ticksOf(config, config.exchangeIntervalMs))
  core.reconnectAt = now + between(random, 1, ticksOf(config, config.reconnectIntervalMs))
}

/** Said at once to as many as a rumour is sent to: the process may be gone before the next tick. */
export const becomeLeaving = (core: GossipCore): void => {
  core.phase = 'leaving'
  abandonProbe(core)
  core.suspicions.clear()
  spread(core.queue, ownClaim(core))
  for (const id of drawPeers(core, transmissionsMax(core.config, groupSize(core)), isReachable)) {
    if (hasRumours(core.queue)) sendTo(core, id, { type: 'gossip.news' })
  }
}
