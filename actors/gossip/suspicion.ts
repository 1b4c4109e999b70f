/**
 * How long a suspect has to refute (SWIM 4.2; Lifeguard, section IV.B; memberlist's suspicion.go).
 *
 *   timeout(c) = max - (max - min) * log(c + 1) / log(k + 1)       c independent accusers beside the first, k of them expected
 *
 * A lone accuser may be the sick one, so it waits long; each further accuser shortens the wait, down to `min` with k. In a group too
 * small for k others it is `min` from the start. The times grow with the logarithm of the group, as rumours need longer there.
 */

import { ticksOf } from './config.ts'
import type { GossipConfig } from './config.ts'
import type { NodeId } from '../../topology/ids.ts'

export interface Suspicion {
  readonly startedAt: number
  readonly minTicks: number
  readonly maxTicks: number
  /** Accusers beside the first that bring the timeout down to the minimum. */
  readonly expected: number
  /** The first is among them. */
  readonly accusers: Set<NodeId>
}

export interface SuspicionInput {
  readonly config: GossipConfig
  readonly groupSize: number
  readonly now: number
  readonly by: NodeId
}

export const createSuspicion = ({ config, groupSize, now, by }: SuspicionInput): Suspicion => {
  const scale = Math.max(1, Math.log10(Math.max(1, groupSize)))
  const minTicks = ticksOf(config, config.suspicionMult * scale * config.probeIntervalMs)
  const wanted = Math.max(0, config.suspicionMult - 2)
  // Neither this node nor the suspect can be one of them.
  const expected = groupSize - 2 < wanted ? 0 : wanted
  return { startedAt: now, minTicks, maxTicks: minTicks * config.suspicionMaxMult, expected, accusers: new Set([by]) }
}

/** True when this accuser is a new one that still shortens the wait. */
export const addAccuser = ({ accusers, expected }: Suspicion, by: NodeId): boolean => {
  if (accusers.size > expected || accusers.has(by)) return false
  accusers.add(by)
  return true
}

export const timeoutTicks = ({ minTicks, maxTicks, expected, accusers }: Suspicion): number => {
  if (expected === 0) return minTicks
  const share = Math.log(accusers.size) / Math.log(expected + 1)
  return Math.max(minTicks, Math.floor(maxTicks - (maxTicks - minTicks) * share))
}

export const isOver = (suspicion: Suspicion, now: number): boolean => now - suspicion.startedAt >= timeoutTicks(suspicion)
