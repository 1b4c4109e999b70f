/**
 * A closed loop: so many operations in flight, each answer starts the next one. Says how much is done in a second, not how long a
 * caller waits who comes at a time of its own choice (that is openLoop.ts).
 *
 * What completes during the warm-up is not counted: both sides' code is still being compiled.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { createTally, summarize } from './measurement.ts'
import type { Answer } from '../drivers/port.ts'
import type { Measurement } from './measurement.ts'

export interface ClosedLoop {
  readonly inFlight: number
  readonly warmUpMs: number
  readonly durationMs: number
}

export const runClosedLoop = async (perform: () => Promise<Answer>, loop: ClosedLoop): Promise<Measurement> => {
  const warmUp = createTally()
  let tally = warmUp
  const state = { isStopping: false }
  const caller = async (): Promise<void> => {
    while (!state.isStopping) {
      const askedAt = performance.now()
      tally.note(await perform(), performance.now() - askedAt)
    }
  }
  const callers = Promise.all(Array.from({ length: loop.inFlight }, caller))
  await pause(loop.warmUpMs)
  tally = createTally()
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  await pause(loop.durationMs)
  const result = summarize({ tally, warmUp, elapsedMs: performance.now() - startedAt, cpu: process.cpuUsage(cpuBefore) })
  state.isStopping = true
  await callers
  return result
}
