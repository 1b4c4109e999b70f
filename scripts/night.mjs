/**
 * `npm run night [-- --hours 8]`: the lanes of proof with the budgets of a night, one after the other, and their scoreboard. The same
 * commands as in .ci/run, with larger counts (docs/TESTING.md); what a lane leaves is in the folder that SHARDKV_FIGURES names.
 */

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { root } from '../bin/bootstrap.mjs'

const HOURS_DEFAULT = 8
/** The simulator has what the others leave of the night, and at least an hour. */
const OTHERS_HOURS = 4

const { values } = parseArgs({ options: { hours: { type: 'string', default: String(HOURS_DEFAULT) } } })
const hours = Number(values.hours)
if (!Number.isInteger(hours) || hours < 1) {
  process.stderr.write(`night: --hours is a whole number from 1, not "${values.hours}"\n`)
  process.exit(2)
}

const lanes = [
  ['chaos', '--runs', '40'],
  ['mutants', '--search', '--seeds', '300'],
  ['mutants'],
  ['torture', '--images', '200000'],
  ['fuzz', '--executions', '20000000'],
  ['sim', '--hours', String(Math.max(1, hours - OTHERS_HOURS))],
]

const failed = lanes.filter(([name, ...flags]) => {
  process.stdout.write(`night: ${name} ${flags.join(' ')}\n`)
  return spawnSync('npm', ['run', '--silent', name, '--', ...flags], { cwd: root, stdio: 'inherit' }).status !== 0
})
spawnSync('npm', ['run', '--silent', 'scoreboard'], { cwd: root, stdio: 'inherit' })
process.stdout.write(`${lanes.length - failed.length} passed, ${failed.length} failed\n`)
if (failed.length > 0) process.exitCode = 1
