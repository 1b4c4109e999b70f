/** Writes every key once, so many in flight. What is refused or fails is tried again after a moment. */

import { setTimeout as pause } from 'node:timers/promises'
import { createTally, summarize } from './measurement.ts'
import { createValue, keyName } from './workload.ts'
import type { Driver } from '../drivers/port.ts'
import type { Measurement } from './measurement.ts'
import type { WorkloadSpec } from './workload.ts'

export interface Fill {
  readonly inFlight: number
}

const RETRY_MS = 20
const ATTEMPTS_MAX = 500

export const runFill = async (driver: Driver, { keys, valueBytes }: WorkloadSpec, { inFlight }: Fill): Promise<Measurement> => {
  const tally = createTally()
  const value = createValue(valueBytes)
  const startedAt = performance.now()
  let next = 0
  const writer = async (): Promise<void> => {
    while (next < keys) {
      const key = keyName(next)
      next += 1
      const askedAt = performance.now()
      await putUntilDone(driver, key, value)
      tally.note('ok', performance.now() - askedAt)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, writer))
  return summarize({ tally, elapsedMs: performance.now() - startedAt, cpu: process.cpuUsage() })
}

const putUntilDone = async (driver: Driver, key: string, value: Buffer): Promise<void> => {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    if (await driver.put(key, value) === 'ok') return
    await pause(RETRY_MS)
  }
  throw new Error(`${key} can not be written`)
}
