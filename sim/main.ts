/**
 * `npm run sim`: replays one seed with its trace, or runs many seeds on all cores.
 *
 *   npm run sim -- --seed 42 [--nodes 5] [--shards 2] [--minutes 10] [--verbose]
 *   npm run sim -- --seeds 1..200 [--workers 2]
 *   npm run sim -- --case FILE        what a failure left, or one of test/corpus/sim
 *   npm run sim -- --corpus           all of those, which must not fail
 *
 * One seed prints its trace (sim/trace.ts explains the columns) and a hash of it; the same seed prints the same
 * bytes every time. Many seeds print failures only, each with the command that replays it; the first few leave their trace and a smaller
 * run that fails the same way in .sim (failures.ts). Exit code 1 when anything failed.
 */

import { parseArgs } from 'node:util'
import { availableParallelism } from 'node:os'
import { readCase, readCorpus } from './corpus.ts'
import { recordFailure } from './failures.ts'
import { drawOptions } from './options.ts'
import { runSeed } from './run.ts'
import { runSeeds } from './pool.ts'
import type { SimOptions, SimOverrides } from './options.ts'
import type { RunFigures } from './run.ts'
import type { Violation } from './watch.ts'

interface Command {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
  readonly shrinkMs: number
  readonly case?: string | undefined
  readonly corpus: boolean
}

/** What the process around knows. */
interface SimWorld {
  readonly commit: string
  /** Of the checkout. */
  readonly root: string
}

const MS_PER_MINUTE = 60_000
const MS_PER_SECOND = 1_000
const SEED_DEFAULT = 1
/** So many failures of one command are made smaller: where many seeds fail, they fail for few reasons. */
const SHRUNK_MAX = 3
const SHRINK_SECONDS_DEFAULT = 60

export const main = async (args: readonly string[], world: SimWorld): Promise<void> => {
  const command = readCommand(args)
  if (typeof command === 'string') {
    process.stderr.write(`sim: ${command}\n`)
    process.exitCode = 2
    return
  }
  const failed = await perform(command, world)
  if (failed > 0) process.exitCode = 1
}

/** Resolves with the number of failures. */
const perform = async (command: Command, world: SimWorld): Promise<number> => {
  if (command.corpus) return replayCorpus(`${world.root}/test/corpus/sim`)
  if (command.case !== undefined) return replay((await readCase(command.case)).options, `--case ${command.case}`)
  if (command.seeds.length > 1) return runMany(command, world)
  const seed = command.seeds[0] ?? SEED_DEFAULT
  return replay(drawOptions(seed, command.overrides), `--seed ${seed}${flagsOf(command.overrides)}`)
}

const readCommand = (args: readonly string[]): Command | string => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string' }, seeds: { type: 'string' }, nodes: { type: 'string' }, shards: { type: 'string' },
        minutes: { type: 'string' }, workers: { type: 'string' }, verbose: { type: 'boolean', default: false },
        case: { type: 'string' }, corpus: { type: 'boolean', default: false }, 'shrink-seconds': { type: 'string' },
      },
    })
    const seeds = values.seeds === undefined ? [wholeNumber('seed', values.seed) ?? SEED_DEFAULT] : rangeOf(values.seeds)
    const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
    if (minutes !== undefined && !(minutes > 0)) return '--minutes is a number above 0'
    return {
      seeds,
      workers: wholeNumber('workers', values.workers) ?? availableParallelism(),
      shrinkMs: (wholeNumber('shrink-seconds', values['shrink-seconds']) ?? SHRINK_SECONDS_DEFAULT) * MS_PER_SECOND,
      case: values.case,
      corpus: values.corpus,
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
const replay = (options: SimOptions, flags: string): number => {
  const result = runSeed(options, (line) => process.stdout.write(`${line}\n`))
  process.stdout.write(`trace ${result.traceHash}\n`)
  if (result.violation === null) return 0
  process.stderr.write(`${failureText(options.seed, result.violation, flags)}\n`)
  return 1
}

const replayCorpus = async (directory: string): Promise<number> => {
  let failed = 0
  const cases = await readCorpus(directory)
  for (const [name, { options }] of cases) {
    const { violation } = runSeed(options)
    if (violation === null) continue
    failed += 1
    process.stdout.write(`${failureText(options.seed, violation, `--case test/corpus/sim/${name}`)}\n`)
  }
  process.stdout.write(`corpus: ${cases.size - failed} passed, ${failed} failed\n`)
  return failed
}

const runMany = async (command: Command, { commit, root }: SimWorld): Promise<number> => {
  const startedAt = performance.now()
  const totals: Record<keyof RunFigures, number> = {
    virtualMs: 0, events: 0, operations: 0, acknowledged: 0, committed: 0, faults: 0, faultsDrawn: 0,
  }
  const failures: number[] = []
  await runSeeds(command, ({ seed, violation, figures }) => {
    for (const name of Object.keys(totals) as (keyof RunFigures)[]) totals[name] += figures[name]
    if (violation === null) return
    failures.push(seed)
    process.stdout.write(`${failureText(seed, violation, `--seed ${seed}${flagsOf(command.overrides)}`)}\n`)
  })
  const seconds = (performance.now() - startedAt) / MS_PER_SECOND
  for (const seed of failures.slice(0, SHRUNK_MAX)) {
    const options = { directory: `${root}/.sim`, commit, shrinkMs: command.shrinkMs }
    const lines = await recordFailure(drawOptions(seed, command.overrides), options)
    process.stdout.write(`seed ${seed}:\n${lines.join('\n')}\n`)
  }
  const hours = (totals.virtualMs / 3_600_000).toFixed(2)
  process.stdout.write(`${command.seeds.length} seeds, ${failures.length} failed; ${hours} virtual hours,`
    + ` ${totals.events} events, ${totals.operations} operations (${totals.acknowledged} writes acknowledged),`
    + ` ${totals.committed} entries committed, ${totals.faults} faults; ${seconds.toFixed(1)} s,`
    + ` ${(totals.virtualMs / MS_PER_SECOND / seconds).toFixed(0)} virtual seconds a second\n`)
  return failures.length
}

const failureText = (seed: number, { invariant, text }: Violation, flags: string): string =>
  `seed ${seed} failed: ${invariant}: ${text}\n  replay: npm run sim -- ${flags}`

const flagsOf = ({ nodes, shards, safetyMs }: SimOverrides): string =>
  [flag('nodes', nodes), flag('shards', shards), flag('minutes', safetyMs === undefined ? undefined : safetyMs / MS_PER_MINUTE)].join('')

const flag = (name: string, value: number | undefined): string => (value === undefined ? '' : ` --${name} ${value}`)
