/**
 * `npm run night [-- --hours 8]`: the lanes of proof with the budgets of a night, one after the other, and their scoreboard. The same
 * commands as in .ci/run, with larger counts (docs/TESTING.md), and Jepsen's schedules with phases as long as theirs; what a lane leaves is
 * in the folder that SHARDKV_FIGURES names. What is drawn at random is drawn from the tree's hash, as in .ci/run, unless SHARDKV_SEED says
 * otherwise: another tree has another night.
 */

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { root } from '../bin/bootstrap.mjs'
import { treeSeed } from './treeSeed.mjs'

const HOURS_DEFAULT = 8
/** What the other lanes take on two cores. The simulator has what they leave of the night, and at least half an hour. */
const OTHERS_HOURS = 1.2
const SIMULATOR_HOURS_MIN = 0.5
const SECONDS_PER_HOUR = 3_600

const USAGE = `npm run night [-- --hours ${HOURS_DEFAULT}]

The lanes of proof with the budgets of a night, one after the other, and their scoreboard (docs/TESTING.md).
`

const readArguments = () => {
  try {
    return parseArgs({
      options: { hours: { type: 'string', default: String(HOURS_DEFAULT) }, help: { type: 'boolean', short: 'h', default: false } },
    })
  } catch (error) {
    process.stderr.write(`night: ${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}
const { values } = readArguments()
if (values.help) {
  process.stdout.write(USAGE)
  process.exit(0)
}
const hours = Number(values.hours)
if (!Number.isFinite(hours) || hours < 1) {
  process.stderr.write(`night: --hours is a number from 1, not "${values.hours}"\n`)
  process.exit(2)
}
const simulatorHours = Math.max(SIMULATOR_HOURS_MIN, hours - OTHERS_HOURS)

const lanes = [
  ['chaos', '--runs', '40'],
  // A storm has room for three of these.
  ['chaos', '--name', 'jepsen', '--runs', '2', '--seconds', '240', '--nemesis', 'jepsenNats', '--phase-seconds', '30'],
  ['mutants', '--search', '--seeds', '300'],
  ['mutants'],
  ['torture', '--images', '200000'],
  ['fuzz', '--executions', '20000000'],
  ['sim', '--hours', String(Math.ceil(simulatorHours)), '--budget-seconds', String(Math.round(simulatorHours * SECONDS_PER_HOUR))],
]

process.env.SHARDKV_SEED ??= String(treeSeed())
process.stdout.write(`night: seed ${process.env.SHARDKV_SEED}\n`)
const failed = lanes.filter(([name, ...flags]) => {
  process.stdout.write(`night: ${name} ${flags.join(' ')}\n`)
  return spawnSync('npm', ['run', '--silent', name, '--', ...flags], { cwd: root, stdio: 'inherit' }).status !== 0
})
spawnSync('npm', ['run', '--silent', 'scoreboard'], { cwd: root, stdio: 'inherit' })
process.stdout.write(`${lanes.length - failed.length} passed, ${failed.length} failed\n`)
if (failed.length > 0) process.exitCode = 1
