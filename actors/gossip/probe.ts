/**
 * Probing (SWIM 3.1, 4.3; Lifeguard, section IV.A).
 *
 *   ping ──no ack within the timeout──▶ ask k helpers ──neither ack by the end of the period──▶ accuse
 *
 * Peers are taken in turn from a shuffled round, so that each is probed within 2n - 1 periods. The dead and those that have left
 * are passed over: exchange.ts asks after the dead.
 */

import { shuffle } from '../kernel/random.ts'
import { ticksOf } from './config.ts'
import { improveHealth, scaledByHealth, worsenHealth } from './localHealth.ts'
import { drawPeers, isReachable, sendTo } from './peers.ts'
import { nextSequence } from './state.ts'
import { accuse } from './verdicts.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { GossipCore, Probe } from './state.ts'

export const stepProbe = (core: GossipCore): void => {
  const { probe, now } = core
  if (probe === null) {
    if (now >= core.probeAt) startProbe(core)
  } else if (now >= probe.endsAt) {
    endProbe(core, probe)
    startProbe(core)
  } else if (now >= probe.timeoutAt && !probe.hasAsked) askHelpers(core, probe)
}

const startProbe = (core: GossipCore): void => {
  const { config, now } = core
  const endsAt = now + scaledByHealth(core, ticksOf(config, config.probeIntervalMs))
  const timeoutAt = now + scaledByHealth(core, ticksOf(config, config.probeTimeoutMs))
  core.probeAt = endsAt
  const target = nextTarget(core)
  if (target === null) return
  core.probe = { target, sequence: nextSequence(core), timeoutAt, endsAt, helpers: [], hasAsked: false, nacks: new Set() }
  sendTo(core, target, { type: 'gossip.ping', sequence: core.probe.sequence })
}

const nextTarget = (core: GossipCore): NodeId | null => {
  for (let tries = core.round.length + core.peers.size; tries > 0; tries -= 1) {
    if (core.roundAt >= core.round.length) {
      core.round = shuffle(core.random, [...core.peers.keys()])
      core.roundAt = 0
    }
    const id = core.round[core.roundAt]
    core.roundAt += 1
    const peer = id === undefined ? undefined : core.peers.get(id)
    if (peer !== undefined && isReachable(peer)) return peer.id
  }
  return null
}

const askHelpers = (core: GossipCore, probe: Probe): void => {
  probe.hasAsked = true
  probe.helpers = drawPeers(core, core.config.indirectProbes, ({ id, state }) => state === 'alive' && id !== probe.target)
  for (const helper of probe.helpers) {
    sendTo(core, helper, { type: 'gossip.pingRequest', sequence: probe.sequence, target: probe.target })
  }
}

/** Helpers that sent at least a nack vouch for this node's own side; where there are none to ask, the failure itself counts. */
const endProbe = (core: GossipCore, probe: Probe): void => {
  core.probe = null
  worsenHealth(core, probe.helpers.length === 0 ? 1 : probe.helpers.length - probe.nacks.size)
  accuse(core, probe.target)
}

/**
 * An accuser repeats what it says to the suspect's face until it is refuted or over: rumours that are sent four times may all be lost, and
 * a verdict that the accused never heard of would be the accuser's mistake. The few accusers that count do this; in a group too small
 * for more than one of them, everybody; and everybody before it condemns (suspicion.ts).
 */
export const askSuspects = (core: GossipCore): void => {
  for (const [id, { askedSince }] of core.suspicions) {
    if (askedSince !== null) sendTo(core, id, { type: 'gossip.ping', sequence: nextSequence(core) })
  }
}

export const abandonProbe = (core: GossipCore): void => {
  core.probe = null
}

export const takeAck = (core: GossipCore, from: NodeId, sequence: number): void => {
  const { probe } = core
  if (probe === null || !isOf(probe, from, sequence)) return
  core.probe = null
  improveHealth(core)
}

export const takeNack = ({ probe }: GossipCore, from: NodeId, sequence: number): void => {
  if (probe !== null && isOf(probe, from, sequence)) probe.nacks.add(from)
}

const isOf = (probe: Probe, from: NodeId, sequence: number): boolean =>
  probe.sequence === sequence && (from === probe.target || probe.helpers.includes(from))
