/**
 * The failure detector's times and limits, in the proportions of hashicorp/memberlist's LAN defaults. A core has no clock: times are
 * given in milliseconds here, and counted in ticks from then on.
 */

import { assert } from '../kernel/assert.ts'

export interface GossipConfig {
  /** Length of a tick in milliseconds; must be what the node's ticker uses. Default 100. */
  readonly tickMs: number
  /** One peer is probed so often, in ms. Shorter: faster detection, more messages. Default 1,000. */
  readonly probeIntervalMs: number
  /** Without an answer for so long, in ms, helpers are asked. Above a usual round trip, below the interval. Default 500. */
  readonly probeTimeoutMs: number
  /** Helpers asked to probe in this node's place (SWIM's k). More: fewer false suspicions, more messages. Default 3. */
  readonly indirectProbes: number
  /** The shortest suspicion is so many probe intervals times log10 of the group (at least 1). Longer: fewer false verdicts. Default 4. */
  readonly suspicionMult: number
  /** The longest suspicion, without a second accuser, is so many times the shortest. Default 6. */
  readonly suspicionMaxMult: number
  /**
   * For so long, in ms, a node asks a suspect itself before it holds it for dead, whoever accused it; at most the shortest suspicion.
   * Longer: fewer false verdicts where rumours are lost, and more messages when somebody does die. Default 2,000.
   */
  readonly lastAskMs: number
  /** The multiplier of a node in the worst health is this; 1 switches local health off. Default 8. */
  readonly healthMultMax: number
  /** Rumours beyond what probes carry leave so often, in ms, while there are any. Default 200. */
  readonly newsIntervalMs: number
  /** To so many peers. Default 3. */
  readonly newsFanout: number
  /** A rumour is sent so many times log10 of the group plus one, rounded up, by each node (SWIM's lambda). Default 4. */
  readonly retransmitMult: number
  /** Everything is exchanged with one peer so often, in ms, and more rarely above 32 nodes. Default 30,000. */
  readonly exchangeIntervalMs: number
  /** A dead peer is asked whether it is back so often, in ms: what heals after a partition. Default 5,000. */
  readonly reconnectIntervalMs: number
  /** A joining node asks again after so long, in ms. Default 1,000. */
  readonly joinRetryMs: number
  /** Without any answer for so long, in ms, a joining node begins by itself. Default 5,000. */
  readonly joinMsMax: number
  /** Peers that a joining node asks at once. Default 3. */
  readonly joinFanout: number
  /** More ticks than these at once are a stall of this process: the rest does not count against peers. Default 3. */
  readonly stallTicks: number
  /** Bytes of rumours in one message, as they are estimated here. Default 1,200. */
  readonly rumourBytesMax: number
  /** Claims in one exchange; a larger group is exchanged in turns. Default 2,048. */
  readonly exchangeRowsMax: number
  /** Probes made for others and not yet over. Above, requests are ignored. Default 256. */
  readonly relaysMax: number
}

export const gossipConfigDefaults: GossipConfig = {
  tickMs: 100,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  suspicionMult: 4,
  suspicionMaxMult: 6,
  lastAskMs: 2_000,
  healthMultMax: 8,
  newsIntervalMs: 200,
  newsFanout: 3,
  retransmitMult: 4,
  exchangeIntervalMs: 30_000,
  reconnectIntervalMs: 5_000,
  joinRetryMs: 1_000,
  joinMsMax: 5_000,
  joinFanout: 3,
  stallTicks: 3,
  rumourBytesMax: 1_200,
  exchangeRowsMax: 2_048,
  relaysMax: 256,
}

/** The defaults with `overrides`, or an AssertionError that names the field that is out of range. */
export const gossipConfig = (overrides: Partial<GossipConfig> = {}): GossipConfig => {
  const config = { ...gossipConfigDefaults, ...overrides }
  for (const [name, value] of Object.entries(config)) assert(value > 0, `gossip ${name} ${value} is above 0`)
  assert(config.probeTimeoutMs < config.probeIntervalMs, 'gossip probeTimeoutMs is below probeIntervalMs')
  assert(config.suspicionMaxMult >= 1 && config.healthMultMax >= 1, 'gossip multipliers are at least 1')
  return config
}

/** Ticks that last at least so long. */
export const ticksOf = ({ tickMs }: GossipConfig, ms: number): number => Math.max(1, Math.ceil(ms / tickMs))
