/**
 * `npm run sim`: replays one seed with its trace, or runs many seeds on all cores.
 *
 *   npm run sim -- --seed 42 [--nodes 5] [--shards 2] [--minutes 10] [--verbose]
 *   npm run sim -- --seeds 1..200 [--workers 2]
 *
 * One seed prints its trace (sim/trace.ts explains the columns) and a hash of it; the same seed prints the same
 * bytes every time. Many seeds print failures only, each with the command that replays it. Exit code 1 when
 * anything failed.
 */

import { parseArgs } from 'node:util'
import { availableParallelism } from 'node:os'
import { drawOptions } from './options.ts'
import { runSeed } from './run.ts'
import { runSeeds } from './pool.ts'
import type { SimOverrides } from './options.ts'
import type { RunFigures } from './run.ts'
import type { SeedResult } from './pool.ts'

interface Command {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
}

const MS_PER_MINUTE = 60_000
const SEED_DEFAULT = 1

export const main = async (args: readonly string[]): Promise<void> => {
  const command = readCommand(args)
  if (typeof command === 'string') {
    process.stderr.write(`sim: ${command}\n`)
    process.exitCode = 2
    return
  }
  const failed = command.seeds.length === 1 ? replay(command) : await runMany(command)
  if (failed > 0) process.exitCode = 1
}

const readCommand = (args: readonly string[]): Command | string => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' }, seeds: { type: 'string' }, nodes: { type: 'string' }, shards: { type: 'string' },
        minutes: { type: 'string' }, workers: { type: 'string' }, verbose: { type: 'boolean', default: false },
      },
    })
    const seeds = values.seeds === undefined ? [wholeNumber('seed', values.seed) ?? SEED_DEFAULT] : rangeOf(values.seeds)
    const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
    if (minutes !== undefined && !(minutes > 0)) return '--minutes is a number above 0'
    return {
      seeds,
      workers: wholeNumber('workers', values.workers) ?? availableParallelism(),
      overrides: {
        nodes: wholeNumber('nodes', values.nodes),
        shards: wholeNumber('shards', values.shards),
        safetyMs: minutes === undefined ? undefined : minutes * MS_PER_MINUTE,
        isVerbose: values.verbose,
      },
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const wholeNumber = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]*$/.test(text)) throw new RangeError(`--${name} is a whole number from 1, not "${text}"`)
  return Number(text)
}

const rangeOf = (text: string): number[] => {
  const match = /^([1-9][0-9]*)\.\.([1-9][0-9]*)$/.exec(text)
  if (match === null) throw new RangeError(`--seeds is a range such as 1..200, not "${text}"`)
  const from = Number(match[1])
  return Array.from({ length: Math.max(0, Number(match[2]) - from + 1) }, (_, i) => from + i)
}

/** Returns the number of failures. */
const replay = ({ seeds, overrides }: Command): number => {
  const options = drawOptions(seeds[0] ?? SEED_DEFAULT, overrides)
  const result = runSeed(options, (line) => process.stdout.write(`${line}\n`))
  process.stdout.write(`trace ${result.traceHash}\n`)
  if (result.violation === null) return 0
  process.stderr.write(`${failureText({ seed: options.seed, violation: result.violation }, overrides)}\n`)
  return 1
}

const runMany = async (command: Command): Promise<number> => {
  const startedAt = performance.now()
  const totals = { virtualMs: 0, events: 0, operations: 0, acknowledged: 0, committed: 0, faults: 0 }
  let failed = 0
  await runSeeds(command, (result) => {
    for (const name of Object.keys(totals) as (keyof RunFigures)[]) totals[name] += result.figures[name]
    if (result.violation === null) return
    failed += 1
    process.stdout.write(`${failureText(result, command.overrides)}\n`)
  })
  const seconds = (performance.now() - startedAt) / 1_000
  process.stdout.write(`${command.seeds.length} seeds, ${failed} failed; ${(totals.virtualMs / 3_600_000).toFixed(2)} virtual hours,`
    + ` ${totals.events} events, ${totals.operations} operations (${totals.acknowledged} writes acknowledged),`
    + ` ${totals.committed} entries committed, ${totals.faults} faults; ${seconds.toFixed(1)} s,`
    + ` ${(totals.virtualMs / 1_000 / seconds).toFixed(0)} virtual seconds a second\n`)
  return failed
}

const failureText = ({ seed, violation }: Pick<SeedResult, 'seed' | 'violation'>, overrides: SimOverrides): string =>
  `seed ${seed} failed: ${violation?.invariant ?? ''}: ${violation?.text ?? ''}\n`
  + `  replay: npm run sim -- --seed ${seed}${flagsOf(overrides)}`

const flagsOf = ({ nodes, shards, safetyMs }: SimOverrides): string =>
  [flag('nodes', nodes), flag('shards', shards), flag('minutes', safetyMs === undefined ? undefined : safetyMs / MS_PER_MINUTE)].join('')

const flag = (name: string, value: number | undefined): string => (value === undefined ? '' : ` --${name} ${value}`)
