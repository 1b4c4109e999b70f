/**
 * Rumours on their way: which claims this node still passes on, how often it has, and which leave with the next message
 * (SWIM 4.1, 5; memberlist's broadcast queue).
 *
 * One claim a node: a newer one takes the place of an older. Each is sent at most `retransmitMult * ceil(log10(n + 1))` times, those sent
 * least often first, and a message carries at most `rumourBytesMax` of them. So the queue is bounded by the group, a message by its
 * bytes, and every rumour dies out.
 */

import { peerStates } from './protocol.ts'
import type { GossipConfig } from './config.ts'
import type { Rumour } from './protocol.ts'
import type { NodeId } from '../../topology/ids.ts'

/** What the codec adds to the two names, at most. */
const RUMOUR_OVERHEAD_BYTES = 12

export interface RumourQueue {
  /** By how often they were sent. */
  readonly tiers: Map<NodeId, Rumour>[]
  readonly tierOf: Map<NodeId, number>
}

export const createRumourQueue = (): RumourQueue => ({ tiers: [], tierOf: new Map() })

/** Whether `a` says more than `b`: a higher incarnation, or a weightier state of the same. */
export const outweighs = (a: Pick<Rumour, 'incarnation' | 'state'>, b: Pick<Rumour, 'incarnation' | 'state'>): boolean =>
  a.incarnation > b.incarnation || (a.incarnation === b.incarnation && weightOf(a) > weightOf(b))

const weightOf = ({ state }: Pick<Rumour, 'state'>): number => peerStates.indexOf(state)

export const hasRumours = ({ tierOf }: RumourQueue): boolean => tierOf.size > 0

/** From the beginning, also when the same was on its way before. */
export const spread = (queue: RumourQueue, rumour: Rumour): void => {
  forget(queue, rumour.node)
  place(queue, rumour, 0)
}

export const forget = ({ tiers, tierOf }: RumourQueue, node: NodeId): void => {
  const tier = tierOf.get(node)
  if (tier === undefined) return
  tiers[tier]?.delete(node)
  tierOf.delete(node)
}

const place = ({ tiers, tierOf }: RumourQueue, rumour: Rumour, tier: number): void => {
  while (tiers.length <= tier) tiers.push(new Map())
  tiers[tier]?.set(rumour.node, rumour)
  tierOf.set(rumour.node, tier)
}

export const transmissionsMax = (config: GossipConfig, groupSize: number): number =>
  config.retransmitMult * Math.ceil(Math.log10(groupSize + 1))

export interface TakeOptions {
  readonly config: GossipConfig
  readonly groupSize: number
  /** Goes first, whatever else waits: what the receiver must hear, of different nodes. */
  readonly first?: readonly Rumour[]
}

/** What leaves with one message now. Counts as one transmission of each. */
export const takeRumours = (queue: RumourQueue, { config, groupSize, first = NO_RUMOURS }: TakeOptions): readonly Rumour[] => {
  if (queue.tierOf.size === 0) return first
  const sent = leastSent(queue, config.rumourBytesMax - first.reduce((sum, rumour) => sum + bytesOf(rumour), 0))
  const most = transmissionsMax(config, groupSize)
  for (const { rumour, tier } of sent) {
    queue.tiers[tier]?.delete(rumour.node)
    if (tier + 1 < most) place(queue, rumour, tier + 1)
    else queue.tierOf.delete(rumour.node)
  }
  const rumours = sent.map(({ rumour }) => rumour)
  if (first.length === 0) return rumours
  return [...first, ...rumours.filter(({ node }) => first.every((said) => said.node !== node))]
}

interface Sent {
  readonly rumour: Rumour
  readonly tier: number
}

const leastSent = ({ tiers }: RumourQueue, bytesMax: number): readonly Sent[] => {
  const sent: Sent[] = []
  let bytes = 0
  for (const [tier, rumours] of tiers.entries()) {
    for (const rumour of rumours.values()) {
      bytes += bytesOf(rumour)
      if (bytes > bytesMax) return sent
      sent.push({ rumour, tier })
    }
  }
  return sent
}

const NO_RUMOURS: readonly Rumour[] = []

const bytesOf = ({ node, by }: Rumour): number => node.length + by.length + RUMOUR_OVERHEAD_BYTES
