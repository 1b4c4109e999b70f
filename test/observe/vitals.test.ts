/** What a process says of itself: plausible, in the units it claims. */

import { expect, test } from '@jest/globals'
import { quantileOf } from '../../actors/kernel/histogram.ts'
import { createVitalsMonitor } from '../../observe/vitals.ts'
import { until } from '../support/until.ts'

test('vitals are CPU, memory, loop delay, sync times and the disk that they were given', async () => {
  const disk = { freeBytes: 1, totalBytes: 2 }
  const monitor = createVitalsMonitor(() => disk)
  try {
    const first = monitor.vitals()
    expect(first.loopDelayMs).toEqual({ p99: 0, max: 0 })
    expect(first.rssBytes).toBeGreaterThan(10_000_000)
    expect(first.disk).toBe(disk)
    const cpuMs = first.cpuMs
    const busyUntil = performance.now() + 120
    while (performance.now() < busyUntil) Math.sqrt(busyUntil)
    await until(() => monitor.vitals().loopDelayMs.max > 30, 'the sampler has noticed the busy loop')
    expect(monitor.vitals().cpuMs).toBeGreaterThan(cpuMs)
    monitor.noteSync(3)
    expect(quantileOf(monitor.vitals().syncMicros, 0.5)).toBeGreaterThan(2_800)
    expect(quantileOf(monitor.vitals().syncMicros, 0.5)).toBeLessThan(3_200)
  } finally {
    monitor.stop()
  }
})
