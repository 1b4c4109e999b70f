/**
 * How well this node itself is doing, as far as it can tell (Lifeguard, section IV.A; memberlist's awareness).
 *
 * A detector that misses answers may be the slow one. Each sign of that raises the score: a failed probe, a helper that did not even send
 * a nack, an accusation of itself that it must refute, a stall of its own process. Each probe that succeeds lowers it. Probe
 * interval and timeout are multiplied by the score plus one, so a node in doubt about itself accuses later.
 */

import type { GossipCore } from './state.ts'

export const worsenHealth = (core: GossipCore, by: number): void => {
  core.health = Math.min(core.config.healthMultMax - 1, core.health + by)
}

export const improveHealth = (core: GossipCore): void => {
  core.health = Math.max(0, core.health - 1)
}

export const scaledByHealth = (core: GossipCore, ticks: number): number => ticks * (core.health + 1)
