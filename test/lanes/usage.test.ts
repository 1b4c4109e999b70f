/** Commands of the lanes, as people start them: what they say of themselves, and of flags that they can not take. */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { checkout } from '../../chaos/ground/checkout.ts'

/** A process for each. */
const TEST_MS_MAX = 60_000

const run = (script: string, ...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(checkout, script), ...args], { cwd: checkout, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const lanes = [['bin/sim.mjs', 'sim'], ['bin/torture.mjs', 'torture'], ['bin/fuzz.mjs', 'fuzz'], ['bin/chaos.mjs', 'chaos'],
  ['scripts/night.mjs', 'night'], ['scripts/mutants.mjs', 'mutants']] as const

test.each(lanes)('%s says how it is used, and does nothing', (script, name) => {
  const { status, stdout, stderr } = run(script, '--help')
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout.startsWith(`npm run ${name} `)).toBe(true)
}, TEST_MS_MAX)

test.each([
  ['bin/sim.mjs', ['--sead', '1'], /^sim: Unknown option '--sead'/],
  ['bin/sim.mjs', ['--seed', 'x'], /^sim: --seed is a whole number from 1, not "x"\n$/],
  ['bin/sim.mjs', ['--ci', '--count', 'x'], /^sim: --count is a whole number, not "x"\n$/],
  ['bin/sim.mjs', ['--gossip', '--nodes', 'x'], /^sim: --nodes is a whole number from 1, not "x"\n$/],
  ['bin/sim.mjs', ['--case', 'nowhere.json'], /^sim: there is no case nowhere\.json\n$/],
  ['bin/torture.mjs', ['--images', '-1'], /^torture: /],
  ['bin/fuzz.mjs', ['--decoder', 'none'], /^fuzz: there is no decoder "none"; there are /],
  ['bin/chaos.mjs', ['--nodes', '4'], /^chaos: --nodes is 3 or 5\n$/],
  ['bin/chaos.mjs', ['--plant', 'nowhere.json'], /^chaos: --plant: ENOENT/],
  ['scripts/night.mjs', ['--hours', '0'], /^night: --hours is a number from 1, not "0"\n$/],
])('%s %j is exit code 2 and a line of why', (script, args, why) => {
  const { status, stdout, stderr } = run(script, ...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(why)
}, TEST_MS_MAX)
