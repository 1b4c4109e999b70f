/**
 * Runs seeds one after the other, as a process of its own, until one fails: `node --import plant.mjs probe.mjs FROM TO`. One line of JSON
 * per seed: {seed, violation}. The bug, if any, is named by SHARDKV_MUTANT.
 */

import { drawOptions } from '../../../dist/sim/options.js'
import { runSeed } from '../../../dist/sim/run.js'

const [from, to] = process.argv.slice(2).map(Number)
for (let seed = from; seed <= to; seed += 1) {
  const { violation } = runSeed(drawOptions(seed))
  process.stdout.write(`${JSON.stringify({ seed, violation })}\n`)
  if (violation !== null) break
}
