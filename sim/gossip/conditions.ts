/** What is measured for docs/SCALE.md: sizes by weather, and SWIM beside Lifeguard among nodes that stop. */

import type { GossipConfig } from '../../actors/gossip/config.ts'
import type { Condition } from './measure.ts'

/** Larger groups do more in a second, and average over more nodes. */
const sizes: readonly { readonly nodes: number; readonly windowMs: number; readonly trials: number }[] = [
  { nodes: 10, windowMs: 300_000, trials: 20 },
  { nodes: 100, windowMs: 60_000, trials: 5 },
  { nodes: 1_000, windowMs: 10_000, trials: 1 },
]

/** Two seconds are more than any collection or slow disk should stop a node for. */
const pauses = { share: 0.1, stopMs: 2_000, runMs: 6_000 }

const weathers: readonly Pick<Condition, 'name' | 'loss' | 'sleepers'>[] = [
  { name: 'calm', loss: 0 },
  { name: '10 % lost', loss: 0.1 },
  { name: '30 % lost', loss: 0.3 },
  { name: 'a tenth stops 2 s in 8', loss: 0, sleepers: pauses },
]

export const conditions: readonly Condition[] = sizes.flatMap((size) => weathers.map((weather) => ({ ...size, ...weather })))

/** What Lifeguard added to SWIM is left out: local health, and suspicions that begin long. */
const swim: Partial<GossipConfig> = { healthMultMax: 1, suspicionMaxMult: 1, stallTicks: 1_000_000 }

const COMPARED = { nodes: 128, windowMs: 60_000, trials: 1, loss: 0 } as const

/** In the shape of Lifeguard's experiment: 128 nodes, some of which stop for a while and run for a while, again and again. */
export const comparisons: readonly Condition[] = [4, 16, 32].flatMap((anomalous) => {
  const sleepers = { share: anomalous / COMPARED.nodes, stopMs: 8_000, runMs: 1_000 }
  return [
    { ...COMPARED, name: `SWIM, ${anomalous} stop`, sleepers, config: swim },
    { ...COMPARED, name: `Lifeguard, ${anomalous} stop`, sleepers },
  ]
})
