/**
 * `npm run sim`: replays one seed with its trace, or runs many seeds on all cores.
 *
 *   npm run sim -- --seed 42 [--nodes 5] [--shards 2] [--minutes 10] [--verbose]
 *   npm run sim -- --seeds 1..200 [--workers 2]
 *   npm run sim -- --ci [--count 400] [--budget-seconds 600]     as a lane (sim/lane.ts); --hours 8 for a night
 *
 * One seed prints its trace (sim/trace.ts explains the columns) and a hash of it; the same seed prints the same
 * bytes every time. Many seeds print failures only, each with the command that replays it. Exit code 1 when
 * anything failed.
 */

import { parseArgs } from 'node:util'
import { availableParallelism } from 'node:os'
import { drawOptions } from './options.ts'
import { runSeed } from './run.ts'
import { isLane, lanePlan, runLane } from './lane.ts'
import { runSeeds } from './pool.ts'
import { createTally } from './tally.ts'
import type { LaneWorld } from '../lanes/command.ts'
import type { SimOverrides } from './options.ts'
import type { SeedResult } from './pool.ts'

interface Command {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
}

const MS_PER_MINUTE = 60_000
const SEED_DEFAULT = 1

const say = (line: string): void => { process.stdout.write(`${line}\n`) }

export const main = async (args: readonly string[], world: LaneWorld): Promise<void> => {
  if (isLane(args)) {
    if (await runAsLane(args, world) > 0) process.exitCode = 1
    return
  }
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
  const tally = createTally()
  await runSeeds(command, (result) => {
    tally.add(result)
    if (result.violation !== null) say(failureText(result, command.overrides))
  })
  for (const line of tally.lines()) say(line)
  return tally.failed()
}

const runAsLane = async (args: readonly string[], world: LaneWorld): Promise<number> =>
  runLane(lanePlan(args, world), world, { say, failureText: (result) => failureText(result, {}) })

const failureText = ({ seed, violation }: Pick<SeedResult, 'seed' | 'violation'>, overrides: SimOverrides): string =>
  `seed ${seed} failed: ${violation?.invariant ?? ''}: ${violation?.text ?? ''}\n`
  + `  replay: npm run sim -- --seed ${seed}${flagsOf(overrides)}`

const flagsOf = ({ nodes, shards, safetyMs }: SimOverrides): string =>
  [flag('nodes', nodes), flag('shards', shards), flag('minutes', safetyMs === undefined ? undefined : safetyMs / MS_PER_MINUTE)].join('')

const flag = (name: string, value: number | undefined): string => (value === undefined ? '' : ` --${name} ${value}`)
