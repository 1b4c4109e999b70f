/**
 * How long a suspect has to refute (SWIM 4.2; Lifeguard, section IV.B; memberlist's suspicion.go).
 *
 *   timeout(c) = max - (max - min) * log(c + 1) / log(k + 1)       c independent accusers beside the first, k of them expected
 *
 * A lone accuser may be the sick one, so it waits long; each further accuser shortens the wait, down to `min` with k. In a group too
 * small for k others it is `min` from the start. The times grow with the logarithm of the group, as rumours need longer there.
 *
 * Departure: nobody is condemned unasked. An accuser asks the suspect from the beginning; whoever knows of a suspicion by rumour asks
 * it for `askTicks` before the end, in the words of its accusation, and gets the refutation with the answer (handlers.ts). Why rumours
 * alone will not do:
 *   1. n1 accuses n2, and n2 refutes at once. 2. Each node passes the refutation on a limited number of times, and some of the messages are
 *   lost: now and then a node, n3, hears of it from nobody. 3. It has the accusation alone, and its time for n2 runs out.
 * Test: "nobody is held for dead where half of the messages are lost ..." (test/sim/gossipScale.test.ts).
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
  readonly askTicks: number
  /** Since when its holder asks the suspect itself; null: it does not yet. */
  askedSince: number | null
}

export interface SuspicionInput {
  readonly self: NodeId
  readonly config: GossipConfig
  readonly groupSize: number
  readonly now: number
  readonly by: NodeId
}

export const createSuspicion = ({ self, config, groupSize, now, by }: SuspicionInput): Suspicion => {
  const scale = Math.max(1, Math.log10(Math.max(1, groupSize)))
  const minTicks = ticksOf(config, config.suspicionMult * scale * config.probeIntervalMs)
  const wanted = Math.max(0, config.suspicionMult - 2)
  // Neither this node nor the suspect can be one of them.
  const expected = groupSize - 2 < wanted ? 0 : wanted
  return {
    startedAt: now, minTicks, maxTicks: minTicks * config.suspicionMaxMult, expected, accusers: new Set([by]),
    askTicks: Math.min(minTicks, ticksOf(config, config.lastAskMs)),
    askedSince: expected === 0 || by === self ? now : null,
  }
}

/** True when this accuser is a new one that still shortens the wait. */
export const addAccuser = ({ accusers, expected }: Suspicion, by: NodeId): boolean => {
  if (accusers.size > expected || accusers.has(by)) return false
  accusers.add(by)
  return true
}

export const isAskDue = (suspicion: Suspicion, now: number): boolean =>
  now - suspicion.startedAt >= timeoutTicks(suspicion) - suspicion.askTicks

export const beginAsking = (suspicion: Suspicion, now: number): void => {
  suspicion.askedSince ??= now
}

export const timeoutTicks = ({ minTicks, maxTicks, expected, accusers }: Suspicion): number => {
  if (expected === 0) return minTicks
  const share = Math.log(accusers.size) / Math.log(expected + 1)
  return Math.max(minTicks, Math.floor(maxTicks - (maxTicks - minTicks) * share))
}

/** An accuser that comes late may bring the timeout down to the past: the suspect is asked all the same. */
export const isOver = (suspicion: Suspicion, now: number): boolean => {
  const { startedAt, askedSince, askTicks } = suspicion
  return askedSince !== null && now - askedSince >= askTicks && now - startedAt >= timeoutTicks(suspicion)
}
