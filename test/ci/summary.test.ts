/**
 * The end of `.ci/run`: what it adds up, and what it says again of a lane that failed (scripts/ciSummary.mjs); and the seed that it begins
 * with.
 */

import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let results: string
let figures: string

beforeEach(() => {
  results = mkdtempSync(join(tmpdir(), 'shardkv-ci-'))
  figures = mkdtempSync(join(tmpdir(), 'shardkv-figures-'))
})
afterEach(() => {
  for (const folder of [results, figures]) rmSync(folder, { recursive: true, force: true })
})

const lane = (name: string, code: number, log: string): void => {
  writeFileSync(join(results, `${name}.code`), `${code}\n`)
  writeFileSync(join(results, `${name}.log`), log)
}
const summary = (): { readonly code: number | null; readonly lines: readonly string[] } => {
  const { status, stdout } = spawnSync(process.execPath, ['scripts/ciSummary.mjs', results, figures], { encoding: 'utf8' })
  return { code: status, lines: stdout.trimEnd().split('\n') }
}

test('lanes with tests, with figures and with neither add up', () => {
  lane('check', 0, '')
  lane('test', 0, '')
  writeFileSync(join(results, 'test.json'), JSON.stringify({ numPassedTests: 40, numFailedTests: 0, numRuntimeErrorTestSuites: 0 }))
  lane('torture', 0, '')
  writeFileSync(join(figures, 'torture.json'), JSON.stringify({ passed: 40_000, failed: 0 }))
  expect(summary()).toEqual({ code: 0, lines: ['42 passed, 0 failed'] })
})

test('a lane that ended well and ran nothing has failed', () => {
  lane('check', 0, '')
  lane('test', 0, 'No tests found, exiting with code 0\n')
  writeFileSync(join(results, 'test.json'), JSON.stringify({ numPassedTests: 0, numFailedTests: 0, numRuntimeErrorTestSuites: 0 }))
  lane('fuzz', 0, '')
  writeFileSync(join(figures, 'fuzz.json'), JSON.stringify({ passed: 0, failed: 0 }))
  lane('mutants', 0, '')
  const { code, lines } = summary()
  expect([code, lines.at(-1)]).toEqual([1, '1 passed, 3 failed'])
  expect(lines).toEqual(expect.arrayContaining(['test', 'fuzz', 'mutants'].map((name) => `ci: lane "${name}" failed: it ran nothing`)))
})

test('the seed of a tree is of its hash, and another one of another tree', () => {
  const run = (...args: readonly string[]): string => spawnSync(process.execPath, [...args], { encoding: 'utf8' }).stdout
  const hashes = ['0000000fffff', '00000010ffff', 'fffffff00000', '']
  const program = `import { seedOf } from './scripts/treeSeed.mjs'; console.log(JSON.stringify(${JSON.stringify(hashes)}.map(seedOf)))`
  expect(JSON.parse(run('--input-type=module', '--eval', program))).toEqual([1, 2, 2 ** 28, 2])
  expect(run('scripts/treeSeed.mjs')).toMatch(/^[1-9]\d*\n$/)
})

test('a lane that failed without a test that did, by the coverage gate say, counts as one', () => {
  lane('test', 1, 'Jest: "./actors/" coverage threshold for lines (90%) not met: 80%\n')
  writeFileSync(join(results, 'test.json'), JSON.stringify({ numPassedTests: 40, numFailedTests: 0, numRuntimeErrorTestSuites: 0 }))
  expect(summary()).toEqual({
    code: 1,
    lines: ['ci: lane "test" failed', '    Jest: "./actors/" coverage threshold for lines (90%) not met: 80%', '40 passed, 1 failed'],
  })
})

test.each([
  ['seed 42 failed: committed never changes: n1:1 is the first', true], ['  replay: npm run sim -- --seed 42', true],
  ['FAIL test/e2e/observatory.test.ts (25.9 s)', true], ['  ● the Observatory › every view', true], ['chaos: FAILED: it is lost', true],
  ['FAILED mark never hit: a torn tail was cut', true], ['TypeError: x is not a function', true], ['M07 survived 40 seeds', true],
  ['    ✓ an expired session is an error, not a re-execution', false], ['PASS test/sdk/errors.test.ts', false],
  ['8 passed, 0 failed', false],
])('of a lane that failed "%s" is said again: %p', (line, isSaid) => {
  lane('sim', 1, `${line}\n`)
  expect(summary().lines.includes(`    ${line.trim()}`)).toBe(isSaid)
})

test('the last complaints are said, each once', () => {
  lane('sim', 1, Array.from({ length: 20 }, (_, i) => `seed ${i} failed: x\nseed ${i} failed: x\n`).join(''))
  const said = summary().lines.filter((line) => line.startsWith('    '))
  expect([said.length, said.at(-1)]).toEqual([12, '    seed 19 failed: x'])
})
