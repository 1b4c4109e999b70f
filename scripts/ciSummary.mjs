/**
 * Adds up what the lanes of .ci/run left: `<lane>.code` (exit code) and, for jest lanes, `<lane>.json` in one folder, the figures of lanes
 * that count in another. The last line is "N passed, N failed"; a lane without tests of its own counts as one, and so does a
 * failure that no test owns (a crash, the coverage gate, the clock). Any other lane that left no test, or nothing at all, has run nothing,
 * and failed whatever its exit code says. What a lane that failed complained of is said again here (`<lane>.log`), as the end of a long
 * output is what people and programs look at.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const [folder, figures] = process.argv.slice(2)
/** Of images, seeds and mutants only the failures are tests to a reader: a lane of forty thousand would hide the others. */
const LANES_OF_MANY = ['torture']
const LANES_WITHOUT_TESTS = ['check']
const names = readdirSync(folder)

const read = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

const testsOf = (lane) => {
  const tests = read(join(folder, `${lane}.json`))
  if (tests !== null) return { passed: tests.numPassedTests, failed: tests.numFailedTests + tests.numRuntimeErrorTestSuites }
  const { passed = 0, failed = 0 } = read(join(figures, `${lane}.json`)) ?? {}
  return { passed: LANES_OF_MANY.includes(lane) ? Math.min(passed, 1) : passed, failed }
}

/** Not what a test that passed is called. */
const COMPLAINT = /^(?!.*✓).*(?:FAIL|●|✕|[Ee]rror: |not met|\bfailed: |survived|replay:)/
const COMPLAINTS_MAX = 12
const COMPLAINT_CHARACTERS = 400

const complaintsOf = (lane) => {
  try {
    const lines = readFileSync(join(folder, `${lane}.log`), 'utf8').split('\n')
    return [...new Set(lines.filter((line) => COMPLAINT.test(line)))].slice(-COMPLAINTS_MAX)
  } catch {
    return []
  }
}

let passed = 0
let failed = 0
for (const name of names.filter((file) => file.endsWith('.code'))) {
  const lane = name.slice(0, -'.code'.length)
  const tests = testsOf(lane)
  const hasTests = tests.passed + tests.failed > 0
  const isIdle = !hasTests && !LANES_WITHOUT_TESTS.includes(lane)
  const hasEndedWell = readFileSync(join(folder, name), 'utf8').trim() === '0'
  const isOk = hasEndedWell && !isIdle
  passed += tests.passed + (isOk && !hasTests ? 1 : 0)
  failed += tests.failed + (!isOk && tests.failed === 0 ? 1 : 0)
  if (isOk) continue
  process.stdout.write(`ci: lane "${lane}" failed${hasEndedWell ? ': it ran nothing' : ''}\n`)
  for (const line of complaintsOf(lane)) process.stdout.write(`    ${line.trim().slice(0, COMPLAINT_CHARACTERS)}\n`)
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
if (failed > 0 || passed === 0) process.exitCode = 1
