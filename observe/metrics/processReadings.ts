/** What the process's metrics are read from. */

import type { ProcessReadings } from './family.ts'

const MICROS = 1e-6

let last: ProcessReadings['memory'] = { rss: 0, heapUsed: 0, heapTotal: 0, external: 0 }

/** To measure memory a file is opened: without a free descriptor the last measurement is the best there is (observe/vitals.ts). */
const memory = (): ProcessReadings['memory'] => {
  try {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    last = { rss, heapUsed, heapTotal, external }
  } catch {
    // The last one is the best there is.
  }
  return last
}

/** What others know of the process. */
type Told = Pick<ProcessReadings, 'version' | 'loopDelayMicros' | 'lostLogLines'>

export const processReadings = (told: Told): ProcessReadings => {
  const { user, system } = process.cpuUsage()
  return { ...told, memory: memory(), cpuSeconds: (user + system) * MICROS, startSeconds: Date.now() / 1_000 - process.uptime() }
}
