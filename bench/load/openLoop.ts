/**
 * An open loop: operations start at times fixed beforehand, however long the answers take, and latency counts from the time an
 * operation was *meant* to start. A closed loop would stop asking while the system is stuck and so omit the slow part from its
 * percentiles ("coordinated omission", Gil Tene).
 *
 * Arrivals are a Poisson process, as of many independent callers. The timer wakes about every millisecond and starts all that is due:
 * what is started late counts its lateness.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { fraction } from '../../actors/kernel/random.ts'
import { createTally, summarize } from './measurement.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Answer } from '../drivers/port.ts'
import type { Measurement } from './measurement.ts'

export interface OpenLoop {
  readonly perSecond: number
  readonly warmUpMs: number
  readonly durationMs: number
  /** More than this in flight are not started but counted as failed: the client's own memory stays bounded. */
  readonly inFlightMax: number
}

export const runOpenLoop = async (perform: () => Promise<Answer>, loop: OpenLoop, random: Random): Promise<Measurement> => {
  const warmUp = createTally()
  const measured = createTally()
  const meanGapMs = 1_000 / loop.perSecond
  const startedAt = performance.now()
  const countsFrom = startedAt + loop.warmUpMs
  const endsAt = countsFrom + loop.durationMs
  let cpuBefore: NodeJS.CpuUsage | undefined
  let dueAt = startedAt
  const inFlight = new Set<Promise<void>>()

  const start = (intendedAt: number): void => {
    const tally = intendedAt < countsFrom ? warmUp : measured
    if (inFlight.size >= loop.inFlightMax) {
      tally.note('failed', 0)
      return
    }
    const operation = perform().then((answer) => {
      inFlight.delete(operation)
      tally.note(answer, performance.now() - intendedAt)
    })
    inFlight.add(operation)
  }
  while (dueAt < endsAt) {
    const now = performance.now()
    if (now >= countsFrom) cpuBefore ??= process.cpuUsage()
    while (dueAt <= now && dueAt < endsAt) {
      start(dueAt)
      dueAt += -Math.log(1 - fraction(random)) * meanGapMs
    }
    await pause(Math.min(1, Math.max(0, dueAt - performance.now())))
  }
  const cpu = process.cpuUsage(cpuBefore)
  await Promise.all(inFlight)
  return summarize({ tally: measured, warmUp, elapsedMs: loop.durationMs, cpu })
}
