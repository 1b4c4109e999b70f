/**
 * Adds up what the lanes of .ci/run left in a folder: `<lane>.code` (exit code) and, for jest lanes, `<lane>.json`. The last line is
 * "N passed, N failed"; a lane without tests of its own counts as one, and so does a failure that no test owns (a crash, the
 * coverage gate, the clock).
 */

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]
const names = readdirSync(folder)

const testsOf = (lane) => {
  try {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(join(folder, `${lane}.json`), 'utf8'))
    return { passed: numPassedTests, failed: numFailedTests + numRuntimeErrorTestSuites }
  } catch {
    return { passed: 0, failed: 0 }
  }
}

let passed = 0
let failed = 0
for (const name of names.filter((file) => file.endsWith('.code'))) {
  const lane = name.slice(0, -'.code'.length)
  const isOk = readFileSync(join(folder, name), 'utf8').trim() === '0'
  const tests = testsOf(lane)
  const hasTests = tests.passed + tests.failed > 0
  passed += tests.passed + (isOk && !hasTests ? 1 : 0)
  failed += tests.failed + (!isOk && tests.failed === 0 ? 1 : 0)
  if (!isOk) process.stdout.write(`ci: lane "${lane}" failed\n`)
}
process.stdout.write(`${passed} passed, ${failed} failed\n`)
if (failed > 0 || passed === 0) process.exitCode = 1
