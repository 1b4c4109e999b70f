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
import type { Measurement, Tally } from './measurement.ts'

/** How operations come, without an end. */
export interface Rate {
  readonly perSecond: number
  /** More than this in flight are not started but counted as failed: the client's own memory stays bounded. */
  readonly inFlightMax: number
}

export interface OpenLoop extends Rate {
  readonly warmUpMs: number
  readonly durationMs: number
}

export interface Arrivals {
  /** Starts what is due before `until`, each in the tally of its time; resolves when it is time to call again. */
  readonly startDue: (until: number, tallyAt: (intendedAt: number) => Tally) => Promise<void>
  readonly nextAt: () => number
  /** Everything that has started so far has ended; one call at a time. */
  readonly drained: () => Promise<void>
}

/** What starts between two waits for all of it. Counted, for a Set that all of it passes through costs a sixth of the client's CPU. */
interface Wave {
  inFlight: number
  noteDrained: () => void
}

export const createArrivals = (perform: () => Promise<Answer>, { perSecond, inFlightMax }: Rate, random: Random): Arrivals => {
  const meanGapMs = 1_000 / perSecond
  let inFlight = 0
  let wave: Wave = { inFlight: 0, noteDrained: () => {} }
  let dueAt = performance.now()
  const start = (intendedAt: number, tally: Tally): void => {
    if (inFlight >= inFlightMax) {
      tally.note('failed', 0)
      return
    }
    const own = wave
    inFlight += 1
    own.inFlight += 1
    void perform().then((answer) => {
      inFlight -= 1
      own.inFlight -= 1
      tally.note(answer, performance.now() - intendedAt)
      if (own.inFlight === 0) own.noteDrained()
    })
  }
  return {
    startDue: async (until, tallyAt) => {
      const now = performance.now()
      while (dueAt <= now && dueAt < until) {
        start(dueAt, tallyAt(dueAt))
        dueAt += -Math.log(1 - fraction(random)) * meanGapMs
      }
      await pause(Math.min(1, Math.max(0, dueAt - performance.now())))
    },
    nextAt: () => dueAt,
    drained: () => new Promise((resolve) => {
      wave.noteDrained = resolve
      if (wave.inFlight === 0) resolve()
      wave = { inFlight: 0, noteDrained: () => {} }
    }),
  }
}

export const runOpenLoop = async (perform: () => Promise<Answer>, loop: OpenLoop, random: Random): Promise<Measurement> => {
  const warmUp = createTally()
  const measured = createTally()
  const arrivals = createArrivals(perform, loop, random)
  const countsFrom = arrivals.nextAt() + loop.warmUpMs
  const endsAt = countsFrom + loop.durationMs
  let cpuBefore: NodeJS.CpuUsage | undefined
  while (arrivals.nextAt() < endsAt) {
    if (performance.now() >= countsFrom) cpuBefore ??= process.cpuUsage()
    await arrivals.startDue(endsAt, (intendedAt) => (intendedAt < countsFrom ? warmUp : measured))
  }
  const cpu = process.cpuUsage(cpuBefore)
  await arrivals.drained()
  return summarize({ tally: measured, warmUp, elapsedMs: loop.durationMs, cpu })
}
