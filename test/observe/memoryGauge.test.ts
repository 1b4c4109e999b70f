/** What lives and what is used, from readings and collections as the test says them; and once from a real process. */

import { spawnSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { createMemoryGauge } from '../../observe/memoryGauge.ts'
import type { MemoryGauge } from '../../observe/memoryGauge.ts'
import type { MemoryUses } from '../../observe/memoryRoom.ts'
import type { MemoryReadings } from '../../observe/memoryReadings.ts'

const MIB = 1_048_576
const readings: MemoryReadings = {
  heapUsedBytes: 30 * MIB, heapLimitBytes: 100 * MIB, heapTotalBytes: 60 * MIB, externalBytes: 200 * MIB, residentBytes: 10_000 * MIB,
  processLimitBytes: 1_000 * MIB,
}

interface Rig {
  readonly gauge: MemoryGauge
  readonly now: (over: Partial<MemoryReadings>) => void
  readonly collected: () => void
  readonly isWatching: () => boolean
}

const createRig = (): Rig => {
  let current = readings
  let watchers: (() => void)[] = []
  let ballastBytes = 0
  const gauge = createMemoryGauge({
    read: () => current,
    ballast: { add: () => { ballastBytes += 40 * MIB }, drop: () => { ballastBytes = 0 }, bytes: () => ballastBytes },
    watch: (collected) => {
      watchers.push(collected)
      return () => { watchers = [] }
    },
  })
  return {
    gauge, now: (over) => { current = { ...current, ...over } }, collected: () => { for (const watcher of watchers) watcher() },
    isWatching: () => watchers.length > 0,
  }
}

const mibs = ({ gauge }: Rig): unknown => Object.fromEntries(Object.entries(gauge.uses()).map(([kind, use]) =>
  [kind, Object.values(use).map((bytes) => Math.round(Number(bytes) / MIB))]))

describe('the memory gauge', () => {
  test('takes everything for living before the first collection', () => {
    const rig = createRig()
    expect(mibs(rig)).toEqual({ heap: [30, 30, 100], process: [307, 341, 1_000, 10_000] })
  })

  test('takes for living what was there after the last collection, whatever came on top of it since', () => {
    const rig = createRig()
    rig.collected()
    rig.now({ heapUsedBytes: 50 * MIB, externalBytes: 400 * MIB })
    expect(mibs(rig)).toEqual({ heap: [30, 50, 100], process: [307, 566, 1_000, 10_000] })
    rig.collected()
    expect([mibs(rig), rig.gauge.collections()]).toEqual([{ heap: [50, 50, 100], process: [554, 566, 1_000, 10_000] }, 2])
  })

  test('notices buffers that are freed some time after the collection that found them dead', () => {
    const rig = createRig()
    rig.collected()
    rig.now({ externalBytes: 20 * MIB })
    expect(mibs(rig)).toMatchObject({ process: [104, 138, 1_000, 10_000] })
    rig.now({ externalBytes: 90 * MIB })
    expect(mibs(rig)).toMatchObject({ process: [104, 217, 1_000, 10_000] })
  })

  test('never takes more for used than is in RAM', () => {
    const rig = createRig()
    rig.now({ residentBytes: 150 * MIB })
    expect(mibs(rig)).toMatchObject({ process: [150, 150, 1_000, 150] })
  })

  test('does not count the buffers by which it has V8 collect, and lets go of them when it has', () => {
    const rig = createRig()
    rig.gauge.nudge()
    expect(mibs(rig)).toMatchObject({ process: [262, 296, 1_000, 10_000] })
    rig.collected()
    expect(mibs(rig)).toMatchObject({ process: [262, 341, 1_000, 10_000] })
  })

  test('watches no collection any more once it is stopped', () => {
    const rig = createRig()
    expect(rig.isWatching()).toBe(true)
    rig.gauge.stop()
    expect(rig.isWatching()).toBe(false)
  })
})

/** Values of 64 KiB are no part of the heap. Deleted, they are there until a collection, which the process by itself does not begin. */
const program = `
  import { createMemoryGauge } from '${builtFile('observe/memoryGauge.js')}'
  const MIB = 1_048_576
  const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms) })
  const gauge = createMemoryGauge()
  const lives = () => gauge.uses().process.liveBytes / MIB
  const until = async (holds) => { for (let i = 0; i < 300 && !holds(); i += 1) { gauge.nudge(); await pause(100) } }
  let values = []
  for (let i = 0; i < 2_400; i += 1) { values.push(new Uint8Array(65_536).fill(1)); if (i % 50 === 0) await pause(0) }
  await until(() => lives() > 150)
  const full = gauge.uses()
  const before = gauge.collections()
  values = []
  await until(() => lives() < 150)
  const emptied = gauge.uses()
  console.log(JSON.stringify({ full, emptied, collections: gauge.collections() - before }))
  gauge.stop()`

test('in a real process values count for the process and not for the heap, and a nudge finds out that they are gone', () => {
  const flags = ['--max-old-space-size=96', '--input-type=module', '--eval', program]
  const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' })
  const found = JSON.parse(stdout || JSON.stringify({ stderr })) as {
    readonly full: MemoryUses; readonly emptied: MemoryUses; readonly collections: number
  }
  expect(found).toMatchObject({ collections: expect.any(Number), full: { heap: { limitBytes: 96 * MIB } } })
  expect(found.full.process.liveBytes).toBeGreaterThan(150 * MIB)
  expect(found.emptied.process.liveBytes).toBeLessThan(150 * MIB)
  expect(found.full.heap.liveBytes).toBeLessThan(40 * MIB)
  expect(found.collections).toBeGreaterThan(0)
})
