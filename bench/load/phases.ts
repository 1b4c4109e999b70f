/**
 * An open loop that goes on through what happens to a cluster: operations come at one rate from the start to the end, and each counts for
 * the phase in which it was meant to start. A loop started for each phase would not see what happens between two.
 */

import { createArrivals } from './openLoop.ts'
import { createTally, summarize } from './measurement.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Answer } from '../drivers/port.ts'
import type { Measurement, Tally } from './measurement.ts'
import type { Rate } from './openLoop.ts'

export interface PhasedLoop {
  /** What callers see while `work` goes on. */
  readonly during: <T>(work: () => Promise<T>) => Promise<{ readonly value: T; readonly seconds: number; readonly load: Measurement }>
  readonly stop: () => Promise<void>
}

export const startPhasedLoop = (perform: () => Promise<Answer>, rate: Rate, random: Random): PhasedLoop => {
  const arrivals = createArrivals(perform, rate, random)
  const between = createTally()
  let current: Tally = between
  const over = new AbortController()
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) await arrivals.startDue(Number.POSITIVE_INFINITY, () => current)
  }
  const running = loop()
  return {
    during: async (work) => {
      const tally = createTally()
      const cpuBefore = process.cpuUsage()
      const startedAt = performance.now()
      current = tally
      const value = await work()
      current = between
      const elapsedMs = performance.now() - startedAt
      const cpu = process.cpuUsage(cpuBefore)
      await arrivals.drained()
      return { value, seconds: elapsedMs / 1_000, load: summarize({ tally, elapsedMs, cpu }) }
    },
    stop: async () => {
      over.abort()
      await running
      await arrivals.drained()
    },
  }
}
