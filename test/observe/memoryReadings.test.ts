/** The limits of the heap and of the process: as reckoned from what is told, and from real processes with options. */

import { spawnSync } from 'node:child_process'
import { expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { oldGenerationLimit } from '../../observe/heapLimit.ts'
import { createProcessReadings, processLimit } from '../../observe/memoryReadings.ts'
import type { ProcessLimits, ProcessSources } from '../../observe/memoryReadings.ts'

const MIB = 1_048_576

test('the limit of the old generation is what was asked for, and otherwise V8\'s own less the young one', () => {
  const rows: readonly (readonly [string, number, string, number])[] = [
    ['on Node 20', 144, '--max-old-space-size=96', 96],
    ['on Node 24, whose young generation is larger', 288, '--max-old-space-size=96', 96],
    ['with underscores', 288, '--max_old_space_size=96', 96],
    ['in quotes', 288, '"--max-old-space-size=96"', 96],
    ['the last of several', 288, '--max-old-space-size=300 --inspect --max-old-space-size=96', 96],
    ['never more than V8 has', 288, '--max-old-space-size=9999', 288],
    ['a share of the machine', 2_602, '--max-old-space-size=96 --max-old-space-size-percentage=10', 800],
    ['without three semi-spaces as asked for', 4_192, '--max-semi-space-size=32', 4_096],
    ['rounded up as V8 does', 4_120, '--max_semi_space_size=5', 4_096],
    ['without the largest young generation, by default', 4_288, '', 4_096],
    ['which a small heap does not have', 268, '', 256],
    ['by default where the option says so', 4_288, '--max-old-space-size=0', 4_096],
    ['of options with such names in them', 4_288, '--no--max-old-space-size=96 x--max-old-space-size=96', 4_096],
  ]
  expect(rows.map(([how, heapMib, options]) =>
    [how, oldGenerationLimit({ heapBytes: heapMib * MIB, machineBytes: 8_000 * MIB, options }) / MIB]))
    .toEqual(rows.map(([how, , , expected]) => [how, expected]))
})

interface Found {
  readonly ownMib: number
  readonly heapMib: number
}

/** What a node that is started so takes for its limit, beside V8's own. */
const limitOf = (flags: readonly string[], options = ''): Found => {
  const program = `
    import { getHeapStatistics } from 'node:v8'
    import { createMemoryReadings } from '${builtFile('observe/memoryReadings.js')}'
    const own = createMemoryReadings()().heapLimitBytes
    console.log(JSON.stringify({ ownMib: own / ${MIB}, heapMib: getHeapStatistics().heap_size_limit / ${MIB} }))`
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '--eval', program],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: options } })
  return JSON.parse(stdout || JSON.stringify({ stderr })) as Found
}

test('on the Node that runs, the limit is --max-old-space-size, wherever it is said', () => {
  expect([
    limitOf(['--max-old-space-size=96']), limitOf(['--max_old_space_size=1024', '--max-semi-space-size=8']),
    limitOf([], '--max-old-space-size=300'), limitOf(['--max-old-space-size=200'], '--max_old_space_size=300'),
  ].map(({ ownMib }) => ownMib)).toEqual([96, 1_024, 300, 200])
})

test('on the Node that runs, the limit is V8\'s own less its young generation where nobody said one', () => {
  const { ownMib, heapMib } = limitOf(['--max-semi-space-size=32'])
  expect(heapMib - ownMib).toBe(96)
  const byDefault = limitOf([])
  expect(byDefault.ownMib).toBeLessThan(byDefault.heapMib)
  expect(byDefault.ownMib).toBeGreaterThan(byDefault.heapMib * 0.95)
})

const limits: ProcessLimits = { constrainedBytes: undefined, totalBytes: 8_000, availableBytes: 7_500, residentBytes: 200 }

test('the limit of the process is its container\'s, or what the machine has and others leave', () => {
  const rows: readonly (readonly [string, ProcessLimits, number])[] = [
    ['what others have left, on a machine', limits, 7_700],
    ['the machine where nobody says what is left', { ...limits, availableBytes: null }, 8_000],
    ['the container', { ...limits, constrainedBytes: 512 }, 512],
    ['a container without a limit, as Node says it', { ...limits, constrainedBytes: 2 ** 64, availableBytes: null }, 8_000],
    ['or says it', { ...limits, constrainedBytes: 0, availableBytes: null }, 8_000],
    ['what is left where the container may have more', { ...limits, constrainedBytes: 6_000, availableBytes: 100 }, 300],
  ]
  expect(rows.map(([which, given]) => [which, processLimit(given)])).toEqual(rows.map(([which, , expected]) => [which, expected]))
})

test('without a free file descriptor all is as it was when last measured, since not all that fails says so', () => {
  let isOut = true
  const residentBytes = (): number => {
    if (isOut) throw new Error('EMFILE')
    return 200
  }
  const sources: ProcessSources = {
    residentBytes, availableBytes: () => (isOut ? 10 : 700), constrainedBytes: () => (isOut ? 0 : 512), totalBytes: 8_000,
  }
  const read = createProcessReadings(sources)
  expect(read()).toEqual({ residentBytes: 0, processLimitBytes: 8_000 })
  isOut = false
  expect(read()).toEqual({ residentBytes: 200, processLimitBytes: 512 })
  isOut = true
  expect(read()).toEqual({ residentBytes: 200, processLimitBytes: 512 })
})
