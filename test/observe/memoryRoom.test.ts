/** When a process is short of memory, and when no longer. */

import { describe, expect, test } from '@jest/globals'
import { shortageOf } from '../../observe/memoryRoom.ts'
import type { MemoryShortage } from '../../actors/shard/protocol.ts'
import type { MemoryUse, ProcessUse } from '../../observe/memoryRoom.ts'

const percent = (liveBytes: number, usedBytes: number): MemoryUse => ({ liveBytes, usedBytes, limitBytes: 100 })
/** Nothing in pieces: no more is in RAM than is used. */
const inRam = (use: MemoryUse, residentBytes = use.usedBytes): ProcessUse => ({ ...use, residentBytes })
const well = percent(10, 10)

type Row = readonly [string, MemoryUse, boolean, boolean]
const rows: readonly Row[] = [
  ['little of it is used', well, false, false],
  ['what lives is at the share for short', percent(70, 70), false, true],
  ['what lives is above it', percent(71, 71), true, true],
  ['what lives has come down to the share for fine', percent(60, 60), false, false],
  ['much is used, and most of it is garbage', percent(30, 80), false, false],
  ['what is used is between fine and short', percent(30, 90), false, true],
]

describe.each(['heap', 'process'] as const)('of the %s', (kind) => {
  const other = kind === 'heap' ? 'process' : 'heap'
  const after = (use: MemoryUse, before: MemoryShortage | null): MemoryShortage | null =>
    shortageOf(kind === 'heap' ? { heap: use, process: inRam(well) } : { heap: well, process: inRam(use) }, before)

  test.each(rows)('when %s', (_when, use, fromFine, fromShort) => {
    expect([after(use, null), after(use, kind)]).toEqual([fromFine ? kind : null, fromShort ? kind : null])
  })

  test('a shortage of the other one keeps nothing short', () => {
    expect(after(percent(65, 90), other)).toBeNull()
  })
})

test('between short and fine it stays what it was', () => {
  const between = { heap: percent(65, 70), process: inRam(well) }
  expect([shortageOf(between, null), shortageOf(between, 'heap')]).toEqual([null, 'heap'])
})

test('where collections free little, what is used decides, whatever was found to live', () => {
  expect([91, 93].map((used) => shortageOf({ heap: percent(30, used), process: inRam(well) }, null))).toEqual([null, 'heap'])
})

test('of two shortages the heap\'s is told', () => {
  expect(shortageOf({ heap: percent(90, 90), process: inRam(percent(90, 90)) }, 'process')).toBe('heap')
})

test('what is in RAM decides while more than half lives, also where the allocator merely keeps it in pieces', () => {
  const pieces: readonly (readonly [string, number, number, boolean, boolean])[] = [
    ['most is in RAM', 51, 93, true, true],
    ['between fine and short', 51, 90, false, true],
    ['at the share for fine', 51, 85, false, false],
    ['no more than half lives: what comes finds room in it, and nobody is kept for ever', 50, 99, false, false],
  ]
  const after = (live: number, resident: number, before: MemoryShortage | null): boolean =>
    shortageOf({ heap: well, process: inRam(percent(live, 60), resident) }, before) === 'process'
  expect(pieces.map(([when, live, resident]) => [when, after(live, resident, null), after(live, resident, 'process')]))
    .toEqual(pieces.map(([when, , , fromFine, fromShort]) => [when, fromFine, fromShort]))
})
