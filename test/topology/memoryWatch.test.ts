/** What a node is told of its memory, and when it asks V8 to collect. */

import { describe, expect, test } from '@jest/globals'
import { createMemoryWatch } from '../../topology/memoryWatch.ts'
import type { LogFields, Logger } from '../../actors/kernel/log.ts'
import type { MemoryShortage } from '../../actors/shard/protocol.ts'
import type { MemoryUse } from '../../observe/memoryRoom.ts'
import type { MemoryWatch } from '../../topology/memoryWatch.ts'

const LIMIT_BYTES = 1_000
const use = (liveBytes: number): MemoryUse => ({ liveBytes, usedBytes: liveBytes, limitBytes: LIMIT_BYTES })

interface Rig {
  readonly watch: MemoryWatch
  readonly told: (MemoryShortage | null)[]
  readonly lines: string[]
  live: number
  stored: number
  collections: number
  nudges: number
  /** Ticks of 100 ms. */
  readonly pass: (ms: number) => void
}

const createRig = (): Rig => {
  let now = 0
  const line = (level: string) => ({ shortage }: LogFields): void => { rig.lines.push(`${level} ${String(shortage)}`) }
  const rig: Rig = {
    told: [], lines: [], live: 100, stored: 500, collections: 3, nudges: 0,
    watch: createMemoryWatch({
      gauge: {
        uses: () => ({ heap: use(rig.live), process: { ...use(50), residentBytes: 50 } }), collections: () => rig.collections,
        nudge: () => { rig.nudges += 1 },
      },
      storedBytes: () => rig.stored,
      log: { info: line('info'), warn: line('warn') } as unknown as Logger,
      changed: (shortage) => rig.told.push(shortage),
    }),
    pass: (ms) => {
      for (const end = now + ms; now < end;) {
        now += 100
        rig.watch.onTick(now)
      }
    },
  }
  return rig
}

describe('the memory watch', () => {
  test('tells when memory is short and when it is not any more, each once, and the log likewise', () => {
    const rig = createRig()
    rig.pass(1_000)
    expect([rig.told, rig.watch.report()?.shortage]).toEqual([[], null])
    rig.live = 800
    rig.pass(1_000)
    expect([rig.told, rig.watch.report()?.shortage]).toEqual([['heap'], 'heap'])
    rig.live = 650
    rig.pass(1_000)
    rig.live = 500
    rig.pass(1_000)
    expect([rig.told, rig.watch.report()?.shortage]).toEqual([['heap', null], null])
    expect(rig.lines).toEqual(['warn heap', 'info none'])
  })

  test('knows nothing, and tells nothing, where nothing is measured', () => {
    const told: unknown[] = []
    const log = {} as Logger
    const watch = createMemoryWatch({ gauge: undefined, storedBytes: () => 0, log, changed: (shortage) => told.push(shortage) })
    watch.onTick(1_000)
    expect([watch.report(), told]).toEqual([null, []])
  })

  test('asks for two collections when much was deleted, and not before five seconds have passed', () => {
    const rig = createRig()
    rig.live = 800
    rig.pass(200)
    rig.stored = 400
    rig.pass(4_000)
    expect(rig.nudges).toBe(0)
    rig.pass(2_000)
    expect(rig.nudges).toBeGreaterThan(0)
    rig.collections += 1
    const once = rig.nudges
    rig.pass(1_000)
    expect(rig.nudges).toBeGreaterThan(once)
    rig.collections += 1
    const twice = rig.nudges
    rig.pass(20_000)
    expect(rig.nudges).toBe(twice)
  })

  test('counts what was deleted from the most that was stored since the last collection', () => {
    const rig = createRig()
    rig.live = 800
    rig.pass(200)
    rig.stored = 508
    rig.pass(200)
    rig.stored = 496
    rig.pass(6_000)
    expect(rig.nudges).toBeGreaterThan(0)
  })

  test('asks every half a minute where hardly anything was deleted, and never while there is enough', () => {
    const rig = createRig()
    rig.pass(200_000)
    rig.live = 800
    rig.pass(29_000)
    expect(rig.nudges).toBe(0)
    rig.pass(2_000)
    expect(rig.nudges).toBeGreaterThan(0)
    rig.live = 100
    rig.pass(200)
    const { nudges } = rig
    rig.pass(200_000)
    expect(rig.nudges).toBe(nudges)
  })
})
